"""Finding the holes of a year of minutes, and the quality of a page of many series.

The market never closes, so the year has 525,600 bars; in the third row each hundredth is missing.
Figures are the best of the rounds, from call to answer, with MongoDB's time.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.intervals import DAY, MINUTE
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncReport
from pocketquant.history.holes import Holes
from pocketquant.settings import Settings
from pocketquant.storage.coverage import KeptCoverage
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.storage.sync_status import StatusFilter
from pocketquant.wiring import Platform, wire
from tests.benchmarks.private_servers import private_urls
from tests.benchmarks.report import Row
from tests.benchmarks.size import sized

ROUNDS = sized(10, 1)
MINUTES = sized(525_600, 5000)
FIRST = 1_735_689_600  # 2025-01-01
END = FIRST + MINUTES * MINUTE
LATER = FIRST + 365 * DAY  # the daily series end before it, whatever the size
SERIES = sized(100_000, 500)
LIMIT_MS = 50
PAGE_LIMIT_MS = 100


def run() -> list[Row]:
    """Milliseconds."""
    with private_urls() as urls, ExitStack() as ends:
        platform = wire(Settings(_env_file=None, **urls))  # type: ignore[arg-type, call-arg]
        ends.callback(platform.close)
        make_collections_and_indexes(platform.mongo)
        whole = store(platform, "BINANCE:BTCUSDT|1m", np.ones(MINUTES, dtype=bool))
        missing = store(platform, "BINANCE:ETHUSDT|1m", np.arange(MINUTES) % 100 != 50)
        reading = best(partial(platform.bars.read, whole))
        store_many(platform)
        page = [
            Row(what, best(partial(list_page, platform, wanted)), PAGE_LIMIT_MS, "ms", "≤ 1")
            for what, wanted in (
                (f"quality of 50 among {SERIES:,} series / the limit", StatusFilter()),
                (f"50 with gaps among {SERIES:,} series / the limit", StatusFilter(has_gaps=True)),
                (f"50 of {SERIES:,} stale series / the limit", StatusFilter(late_before=LATER)),
                ("none at risk / the limit", StatusFilter(leaves_before=END)),
            )
        ]
        return page + [
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
    stretch = (FIRST, END)
    coverage = KeptCoverage().after(series, every, stretch, FIRST, is_all=False)
    platform.bars.upsert({series: Bars(every.columns[:, is_kept])})
    extent = platform.bars.extent(series)
    report = SyncReport(series, 0, 0, 0, 0, {}, extent.count, extent.first_time, extent.last_time)
    platform.statuses.mark_completed(report, None, FIRST, kept=coverage)
    return series


def store_many(platform: Platform) -> None:
    """Store the statuses of many series, one in ten with a gap, and a chunk of each."""
    first = Series.parse("MANY:S000000|1d")
    platform.calendars.keep(first.symbol, CalendarTexts("Etc/UTC", "24x7"), None, now=0)
    days = Bars(np.array([FIRST + DAY * np.arange(300, dtype=np.float64)] * 6))
    report = SyncReport(first, 300, 300, 0, 0, {}, 300, FIRST, FIRST + 299 * DAY)
    platform.bars.upsert({first: days})
    (chunk,) = (each.removeprefix(str(first)) for each in platform.bars.chunk_ids(first))
    for has_gap in (False, True):
        kept = KeptCoverage()
        for start, end in ((0, 100), (100 + has_gap, 300)):
            stretch = (FIRST + start * DAY, FIRST + end * DAY)
            kept = kept.after(first, days.between(*stretch), stretch, FIRST, is_all=False)
        hours = Listing(first.symbol, hours=CalendarTexts("Etc/UTC", "24x7"))
        kept = kept.foreseen(hours, first.interval, FIRST)
        platform.statuses.mark_completed(report, None, FIRST, kept=kept)
        numbers = [each for each in range(1, SERIES) if (each % 10 == 0) == has_gap]
        for name, rest in (("sync_status", ""), ("ohlcv", chunk)):
            one = platform.mongo[name].find_one({"_id": f"{first}{rest}"})
            assert one is not None
            platform.mongo[name].insert_many(
                {**one, "_id": f"MANY:S{each:06}|1d{rest}"} for each in numbers
            )


def list_page(platform: Platform, wanted: StatusFilter) -> None:
    qualities, total = holes_of(platform).qualities(wanted, 0, 50)
    assert min(50, total) == len(qualities)
    assert wanted.leaves_before or total >= 50


def find(platform: Platform, series: Series, expected: int) -> None:
    found = holes_of(platform).find(series).missing
    assert found is not None
    assert expected == len(found.lost)


def holes_of(platform: Platform) -> Holes:
    """Return the use-case, at the end of the year."""
    return replace(platform.holes, clock=lambda: float(END))


def best(job: Callable[[], object]) -> float:
    def milliseconds() -> float:
        began = time.perf_counter()
        job()
        return 1000 * (time.perf_counter() - began)

    return min(milliseconds() for _ in range(ROUNDS))
