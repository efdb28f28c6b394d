"""Cached bars over HTTP, beside FastAPI answering through a pydantic model.

Ours is the product: granian with the flags of `pocketquant up`, one process, answers kept by the
response cache. The peer is the usual way to build such an endpoint: FastAPI on uvicorn, one
process, which loads the JSON rows from the same Redis and answers through a response model. Both
get the same load from wrk, 16 connections, and take turns; figures are medians.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import requests

from pocketquant import embedded
from pocketquant.connections import wait_until
from pocketquant.domain.bars import Bars
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncReport
from pocketquant.programs import web_command
from pocketquant.settings import Settings
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.wiring import Platform, wire
from tests.benchmarks.fastapi_peer import rows_key
from tests.benchmarks.report import Row
from web.encoding import encode_bars

ROUNDS = 3
SECONDS = 4
CONNECTIONS = 16
TARGETS = {1000: "≥ 6×", 5000: "≥ 20×"}

_SERIES = Series.parse("NASDAQ:AAPL|1m")
_READY_SECONDS = 30.0


def run() -> list[Row]:
    """Requests a second at each number of bars."""
    _wrk()  # before anything is started
    found = defaultdict(list)
    with _servers() as urls:
        for _ in range(ROUNDS):
            for bars in TARGETS:
                for name, url in urls.items():
                    found[name, bars].append(_requests_a_second(f"{url}limit={bars}"))
    return [
        Row(
            f"GET {bars} bars",
            ours=median(found["ours", bars]),
            peer=median(found["peer", bars]),
            unit="requests/s",
            target=target,
        )
        for bars, target in TARGETS.items()
    ]


@contextmanager
def _servers() -> Iterator[dict[str, str]]:
    """Both endpoints, warm, over one Redis."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mongod, redis = embedded.private_mongod(folder), embedded.private_redis(folder)
        for server in (mongod, redis):
            stack.enter_context(embedded.running(server))
        settings = Settings(
            _env_file=None,
            mongodb_url=mongod.url,
            redis_url=redis.url,
            api_port=embedded.free_port(),
        )
        _fill(wire(settings))
        environment = {"MONGODB_URL": mongod.url, "REDIS_URL": redis.url, "LOG_FORMAT": "json"}
        peer_port = embedded.free_port()
        urls = {
            "ours": f"{settings.api_url}/api/v1/market-data/ohlcv/NASDAQ/AAPL?interval=1m&",
            "peer": f"http://{embedded.HOST}:{peer_port}/ohlcv/NASDAQ/AAPL?interval=1m&",
        }
        commands = {"ours": web_command(settings), "peer": _peer_command(peer_port)}
        for name, command in commands.items():
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            process = subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=log, stderr=log
            )
            stack.callback(embedded.stop, process)
        _warm(urls)
        yield urls


def _peer_command(port: int) -> list[str]:
    server = [sys.executable, "-m", "uvicorn", "tests.benchmarks.fastapi_peer:app"]
    return [*server, "--port", str(port), "--no-access-log"]


def _fill(platform: Platform) -> None:
    """The same bars for both: in the store for ours, as JSON rows for the peer."""
    make_collections_and_indexes(platform.mongo)
    bars = _random_walk(max(TARGETS))
    platform.bars.upsert({_SERIES: bars})
    first, last = bars.first_time, bars.last_time
    report = SyncReport(_SERIES, len(bars), len(bars), 0, 0, {}, len(bars), first, last)
    platform.statuses.mark_completed(report, None, now=int(time.time()))
    for count in TARGETS:
        rows = encode_bars(bars.last(count), newest_first=True)
        platform.cache.set(rows_key(count), rows)


def _random_walk(count: int) -> Bars:
    random = np.random.default_rng(2)
    close = 100 + np.round(random.normal(0, 0.05, count).cumsum(), 2)
    open_ = np.roll(close, 1)
    high, low = np.maximum(open_, close) + 0.01, np.minimum(open_, close) - 0.01
    time_ = 1_700_000_000 // 60 * 60 + 60.0 * np.arange(count)
    volume = random.integers(1, 1_000_000, count).astype(np.float64)
    return Bars(np.array([time_, open_, np.round(high, 2), np.round(low, 2), close, volume]))


def _warm(urls: dict[str, str]) -> None:
    """Both serve, and serve the same bars."""
    for url in urls.values():
        wait_until(
            f"{url} serves", partial(_is_served, url), requests.RequestException, _READY_SECONDS
        )
    for bars in TARGETS:
        ours, peer = (
            requests.get(f"{url}limit={bars}", timeout=10).json() for url in urls.values()
        )
        if ours["data"] != peer["data"] or ours["count"] != bars:
            sys.exit("the two endpoints do not serve the same bars")


def _is_served(url: str) -> bool:
    return requests.get(f"{url}limit=1", timeout=10).ok


def _wrk() -> str:
    return shutil.which("wrk") or sys.exit("this benchmark needs wrk: apt-get install wrk")


def _requests_a_second(url: str) -> float:
    threads = ("-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s")
    report = subprocess.run(
        [_wrk(), *threads, "--timeout", "10s", url], capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in report or "Socket errors" in report:
        sys.exit(f"not every request was served:\n{report}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", report)
    if found is None:
        sys.exit(f"wrk did not report a rate:\n{report}")
    return float(found[1])
