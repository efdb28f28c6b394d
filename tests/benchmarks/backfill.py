"""A backfill of 40,000 bars beside raw paging over one socket: how long, and what memory it takes.

The simulator runs in a process of its own and answers after 60 ms, then after 400 ms (a browser was
seen to wait 1.3 s for a page). The peer requests the same pages and reads their texts, decoding and
storing nothing. Memory is that of this process, which does what a worker
does, at its highest during the backfills, above what it had after a range of one page.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from websocket import create_connection

from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import MAX_BARS, SyncRequest, UnitState
from pocketquant.messaging.queues import QueueName
from pocketquant.settings import Settings
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.tradingview.socket import ORIGIN
from pocketquant.wiring import Platform, wire, wire_syncer
from tests.benchmarks.private_servers import private_urls
from tests.benchmarks.report import Row
from tests.benchmarks.size import sized

BARS = sized(40_000, MAX_BARS + 1000)
ROUNDS = sized(3, 1)
LATENCIES_SECONDS = sized((0.06, 0.4), (0.06,))
MOST_MB = 30
SYMBOL = "BINANCE:BTCUSDT"


def run() -> list[Row]:
    """Bars a second, and megabytes."""
    with private_urls() as urls:
        return [row for latency in LATENCIES_SECONDS for row in _measured(latency, urls)]


def _measured(latency: float, urls: dict[str, str]) -> list[Row]:
    with _simulator(latency) as provider:
        settings = Settings(
            _env_file=None,  # type: ignore[call-arg]
            provider_rate=1000,
            provider_start_rate=1000,
            **urls,  # type: ignore[arg-type]
            **provider,  # type: ignore[arg-type]
        )
        platform = wire(settings)
        try:
            make_collections_and_indexes(platform.mongo)
            return _measure(platform, latency)
        finally:
            platform.close()


def _measure(platform: Platform, latency: float) -> list[Row]:
    backfill(platform, "ETHUSDT", MAX_BARS - 10)
    before = psutil.Process().memory_info().rss / 2**20
    ours, raw = [], []
    for _ in range(ROUNDS):
        raw.append(read_raw(platform.settings.tradingview_url))
        platform.bars.delete(Series.parse(f"{SYMBOL}|1m"))
        ours.append(backfill(platform, SYMBOL.partition(":")[2], BARS))
    grown = max(0.0, _highest_mb() - before)
    return [
        Row(
            f"backfill of {BARS:,} bars, {1000 * latency:.0f} ms / raw paging",
            BARS / min(ours),
            BARS / min(raw),
            "bars/s",
            target="≥ 0.8",
        ),
        Row("memory of the worker / the limit", grown, MOST_MB, "MB", target="≤ 1"),
    ]


def backfill(platform: Platform, ticker: str, bars: int) -> float:
    """Return the seconds that a worker takes from claim to end."""
    series = Series.parse(f"BINANCE:{ticker}|1m")
    request = SyncRequest(series, start=int(time.time()) - 60 * (bars - 10))
    unit_id = platform.intake.submit(request, QueueName.BULK).unit.id
    syncer = wire_syncer(platform)
    began = time.perf_counter()
    syncer.do(unit_id)
    seconds = time.perf_counter() - began
    unit = platform.ledger.get_unit(unit_id)
    if unit is None or unit.state is not UnitState.COMPLETED:
        raise RuntimeError(f"the backfill ended as {unit}")
    return seconds


def read_raw(url: str) -> float:
    """Return the seconds for the same pages, requested and received over one socket."""
    began = time.perf_counter()
    socket = create_connection(url, origin=ORIGIN, skip_utf8_validation=True)

    def call(method: str, *params: object) -> None:
        text = json.dumps({"m": method, "p": params})
        socket.send(f"~m~{len(text)}~m~{text}")

    call("set_auth_token", "unauthorized_user_token")
    call("chart_create_session", "cs_raw", "")
    call("resolve_symbol", "cs_raw", "sy", SYMBOL)
    call("create_series", "cs_raw", "s", "s1", "sy", "1", MAX_BARS, "")
    for left in range(-(-BARS // MAX_BARS) - 1, -1, -1):
        while "series_completed" not in str(socket.recv()):
            pass
        if left:
            call("request_more_data", "cs_raw", "s", MAX_BARS)
    seconds = time.perf_counter() - began
    socket.close()
    return seconds


@contextmanager
def _simulator(latency: float) -> Iterator[dict[str, str]]:
    """Run a simulator without a limit of bars; yield the settings that lead to it."""
    options = ("--latency", str(latency), "--fault", "bar_limit=0")
    command = [sys.executable, "-m", "pocketquant.simulator", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = [process.stdout.readline() for _ in range(2)] if process.stdout else []
            yield dict(_setting(line) for line in lines)
        finally:
            process.terminate()


def _setting(line: str) -> tuple[str, str]:
    name, _, url = line.strip().partition("=")
    return name.lower(), url


def _highest_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
