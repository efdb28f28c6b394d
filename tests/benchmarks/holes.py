"""Finding the holes of a year of minutes, beside what it may take, and beside reading the bars.

The market never closes, so the year has 525,600 bars; in the second row each hundredth is missing.
Figures are the best of the rounds, from call to answer, with MongoDB's time.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.intervals import MINUTE
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncReport
from pocketquant.history.holes import Holes
from pocketquant.machine.embedded import private_mongod, private_redis, running
from pocketquant.settings import Settings
from pocketquant.storage.coverage import KeptCoverage
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.wiring import Platform, wire
from tests.benchmarks.report import Row
from tests.benchmarks.size import sized

ROUNDS = sized(10, 1)
MINUTES = sized(525_600, 5000)
FIRST = 1_735_689_600  # 2025-01-01
LIMIT_MS = 50


def run() -> list[Row]:
    """Milliseconds."""
    with TemporaryDirectory() as name, ExitStack() as ends:
        servers = (private_mongod(Path(name)), private_redis(Path(name)))
        for server in servers:
            ends.enter_context(running(server))
        urls = {server.setting: server.url for server in servers}
        platform = wire(Settings(_env_file=None, **urls))  # type: ignore[arg-type, call-arg]
        ends.callback(platform.close)
        make_collections_and_indexes(platform.mongo)
        whole = store(platform, "BINANCE:BTCUSDT|1m", np.ones(MINUTES, dtype=bool))
        missing = store(platform, "BINANCE:ETHUSDT|1m", np.arange(MINUTES) % 100 != 50)
        reading = best(partial(platform.bars.read, whole))
        return [
            Row(what, best(partial(find, platform, series, holes)), peer, "ms", target)
            for what, series, holes, peer, target in (
                ("a year without a hole / the limit", whole, 0, LIMIT_MS, "≤ 1"),
                ("a year without a hole / reading its bars", whole, 0, reading, ""),
                ("each hundredth bar lost / the limit", missing, MINUTES // 100, LIMIT_MS, "≤ 1"),
            )
        ]


def store(platform: Platform, key: str, is_kept: NDArray[np.bool_]) -> Series:
    """Store the chosen minutes of the year as fetched whole."""
    series = Series.parse(key)
    platform.calendars.keep(series.symbol, CalendarTexts("Etc/UTC", "24x7"), None, now=0)
    times = FIRST + MINUTE * np.arange(MINUTES, dtype=np.float64)
    every = Bars(np.array([times] * 6))
    stretch = (FIRST, FIRST + MINUTES * MINUTE)
    coverage = KeptCoverage().after(series, every, stretch, FIRST, is_all=False)
    platform.bars.upsert({series: Bars(every.columns[:, is_kept])})
    extent = platform.bars.extent(series)
    report = SyncReport(series, 0, 0, 0, 0, {}, extent.count, extent.first_time, extent.last_time)
    platform.statuses.mark_completed(report, None, FIRST, kept=coverage)
    return series


def find(platform: Platform, series: Series, expected: int) -> None:
    stores = (platform.statuses, platform.bars, platform.live_bars, platform.calendars)
    holes = Holes(*stores, platform.symbols, clock=lambda: float(FIRST + MINUTES * MINUTE))
    found = holes.find(series).missing
    assert found is not None
    assert expected == len(found.lost)


def best(job: Callable[[], object]) -> float:
    def milliseconds() -> float:
        began = time.perf_counter()
        job()
        return 1000 * (time.perf_counter() - began)

    return min(milliseconds() for _ in range(ROUNDS))
