"""The servers of the REST benchmark: ours and the peer, over one MongoDB and one Redis."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import requests

from pocketquant.domain.bars import Bars
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncReport
from pocketquant.machine import embedded
from pocketquant.machine.programs import web_command
from pocketquant.servers.connections import wait_until
from pocketquant.settings import Settings
from pocketquant.storage.access import Scope
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.wiring import Platform, wire
from tests.benchmarks.fastapi_peer import rows_key
from web.encoding import encode_rows

COUNTS = (1000, 5000)

_SERIES = Series.parse("NASDAQ:AAPL|1m")
_FIRST_TIME = 1_700_000_000 // 60 * 60
_READY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Servers:
    """The URLs of both, up to the number of bars; a key of ours; and the process of web."""

    ours: str
    peer: str
    key: str
    last_time: int
    api_url: str
    mongodb_url: str
    redis_url: str
    web: psutil.Process


@contextmanager
def running(folder: Path, stored_bars: int, **settings_of_web: str) -> Iterator[Servers]:
    """Start both servers over `stored_bars` bars, warm them up and yield them."""
    with ExitStack() as stack:
        mongod, redis = embedded.private_mongod(folder), embedded.private_redis(folder)
        for server in (mongod, redis):
            stack.enter_context(embedded.running(server))
        settings = Settings(
            _env_file=None,  # type: ignore[call-arg]  # of pydantic-settings
            mongodb_url=mongod.url,
            redis_url=redis.url,
            api_port=embedded.reserve_port(),
        )
        platform, peer_port = wire(settings), embedded.reserve_port()
        _fill(platform, stored_bars)
        _, key = platform.api_keys.create("benchmark", Scope.READ, int(time.time()))
        environment = {
            "MONGODB_URL": mongod.url,
            "REDIS_URL": redis.url,
            "LOG_FORMAT": "json",
            "API_RATE_LIMIT": "100000/second",
            **settings_of_web,
        }
        processes = []
        for name, command in (("ours", web_command(settings)), ("peer", _peer_command(peer_port))):
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            process = subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=log, stderr=log
            )
            stack.callback(embedded.stop, process)
            processes.append(process)
        servers = Servers(
            f"{settings.own_api_url}/api/v1/market-data/ohlcv/NASDAQ/AAPL?interval=1m&limit=",
            f"http://{embedded.HOST}:{peer_port}/ohlcv/NASDAQ/AAPL?interval=1m&limit=",
            str(key),
            _FIRST_TIME + 60 * (stored_bars - 1),
            settings.own_api_url,
            mongod.url,
            redis.url,
            psutil.Process(processes[0].pid),
        )
        _warm(servers)
        yield servers


def _peer_command(port: int) -> list[str]:
    server = [sys.executable, "-m", "uvicorn", "tests.benchmarks.fastapi_peer:app"]
    return [*server, "--port", str(port), "--no-access-log"]


def _fill(platform: Platform, stored_bars: int) -> None:
    """Store the same bars for both: in the store for ours, as JSON rows for the peer."""
    make_collections_and_indexes(platform.mongo)
    bars = random_walk(stored_bars)
    platform.bars.upsert({_SERIES: bars})
    first, last = bars.first_time, bars.last_time
    report = SyncReport(_SERIES, len(bars), len(bars), 0, 0, {}, len(bars), first, last)
    platform.statuses.mark_completed(report, None, now=int(time.time()))
    for count in COUNTS:
        rows = b"[%b]" % b",".join(encode_rows(bars.last(count))[::-1])
        platform.cache.set(rows_key(count), rows)


def random_walk(count: int) -> Bars:
    random = np.random.default_rng(2)
    close = 100 + np.round(random.normal(0, 0.01, count).cumsum(), 2)
    open_ = np.roll(close, 1)
    high, low = np.maximum(open_, close) + 0.01, np.minimum(open_, close) - 0.01
    time_ = _FIRST_TIME + 60.0 * np.arange(count)
    volume = random.integers(1, 1_000_000, count).astype(np.float64)
    return Bars(np.array([time_, open_, np.round(high, 2), np.round(low, 2), close, volume]))


def _warm(servers: Servers) -> None:
    """Wait until both serve, and require that both return the same bars."""
    for url in (servers.ours, servers.peer):
        wait_until(
            f"{url} serves", partial(_is_served, url), requests.RequestException, _READY_SECONDS
        )
    for bars in COUNTS:
        ours, peer = (
            requests.get(f"{url}{bars}", timeout=10).json() for url in (servers.ours, servers.peer)
        )
        if ours["data"] != peer["data"] or ours["count"] != bars:
            sys.exit("the two endpoints do not serve the same bars")


def _is_served(url: str) -> bool:
    return requests.get(f"{url}1", timeout=10).ok
