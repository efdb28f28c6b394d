"""The bars expected of backfills, and how far back the provider serves a series."""

from dataclasses import replace

import pytest

from pocketquant.domain.backfills import (
    Beginning,
    Bound,
    Expected,
    Reach,
    Total,
    count_bars,
    expected,
    reach_after,
    total_of,
)
from pocketquant.domain.calendar import CalendarTexts, parse_calendar
from pocketquant.domain.coverage import Coverage, CoverageState, Covered
from pocketquant.domain.intervals import DAY, HOUR, Interval
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import EARLIEST_START, RangeProgress, Stop, SyncRequest

NOW = 1_795_016_070  # 2026-11-18T15:34:30Z
HOURS = Series.parse("BINANCE:BTCUSDT|1h")
NEW_YORK = parse_calendar(CalendarTexts("America/New_York", "0930-1600"))


def of(start: int, end: int | None = None, **known: int | None) -> Expected:
    """Return the bars expected of an always open market."""
    request = SyncRequest(HOURS, start=start, end=end)
    return expected(request, NOW, known.get("begins_at"), known.get("limit"), calendar=None)


def test_bars_up_to_the_start() -> None:
    """All bars that open since then; a page has 5000, and there is always one."""
    start = NOW - 10_001 * HOUR
    assert Expected(10_001, 3, start, Bound.START) == of(start)
    assert Expected(10_001, 3, start, Bound.START) == of(start, begins_at=start - 1, limit=20_000)
    assert Expected(0, 1, NOW, Bound.START) == of(NOW)


def test_history_may_begin_after_the_start() -> None:
    """A range before the beginning has no bars."""
    begins_at = NOW - 100 * HOUR
    assert Expected(100, 1, begins_at, Bound.BEGINNING) == of(0, begins_at=begins_at)
    assert Expected(0, 1, begins_at, Bound.BEGINNING) == of(0, 3600, begins_at=begins_at)


def test_the_limit_of_the_plan_counts_from_now() -> None:
    """A range with an end gets what is left of it."""
    start, end = NOW - 1000 * HOUR, NOW - 300 * HOUR
    assert Expected(400, 1, NOW - 400 * HOUR, Bound.LIMIT) == of(start, limit=400)
    assert Expected(100, 1, end - 100 * HOUR, Bound.LIMIT) == of(start, end, limit=400)
    assert Expected(0, 1, end, Bound.LIMIT) == of(start, end, limit=200)


def test_all_that_there_is_may_not_be_known() -> None:
    """Only the limit, or nothing at all."""
    request = SyncRequest(HOURS)
    assert Expected(20_000, 4, None, Bound.LIMIT) == expected(request, NOW, None, 20_000, None)
    assert Expected(None, None, None, Bound.UNKNOWN) == of(EARLIEST_START)


def test_the_end_may_lie_in_the_future() -> None:
    """Bars that have not opened yet are not expected."""
    assert of(NOW - 10 * HOUR) == of(NOW - 10 * HOUR, NOW + DAY)


def test_bars_that_were_fetched_are_not_expected_again() -> None:
    """If the range wants only what is missing, to which multiplied bars belong."""
    start, complete, rescaled = NOW - 9_000 * HOUR, CoverageState.COMPLETE, CoverageState.RESCALED
    coverage = Coverage(
        (
            Covered(start - HOUR, start + 2_000 * HOUR, complete, NOW),
            Covered(start + 2_000 * HOUR, start + 3_000 * HOUR, rescaled, NOW),
            Covered(start + 4_000 * HOUR, NOW + HOUR, complete, NOW),
        )
    )
    request = SyncRequest(HOURS, start=start, is_missing_only=True)
    left = expected(request, NOW, None, None, None, coverage)
    assert Expected(2_000, 1, start, Bound.START, 7_000) == left
    whole = replace(request, is_missing_only=False)
    assert Expected(9_000, 2, start, Bound.START) == expected(
        whole, NOW, None, None, None, coverage
    )
    everything = replace(request, start=EARLIEST_START, end=NOW - 4_000 * HOUR)
    unknown = expected(everything, NOW, None, None, None, coverage)
    assert Expected(None, None, None, Bound.UNKNOWN) == unknown
    few = expected(replace(everything, end=None), NOW, None, 100, None, coverage)
    assert Expected(0, 1, None, Bound.LIMIT, 100) == few


def test_bars_are_counted_by_the_calendar() -> None:
    """Exactly for a year, and as densely before."""
    day = 1_794_873_600  # 2026-11-17
    assert 7 == count_bars(NEW_YORK, Interval.H1, day, day + DAY)
    assert 0 == count_bars(NEW_YORK, Interval.H1, day, day)
    year = count_bars(NEW_YORK, Interval.D1, day - 364 * DAY, day)
    assert 260 == year
    assert 10 * year == count_bars(NEW_YORK, Interval.D1, day - 3640 * DAY, day)


def test_sums_leave_out_what_is_unknown() -> None:
    """They say of how many series nothing is known."""
    unknown = Expected(None, None, None, Bound.UNKNOWN)
    known = Expected(10, 2, 0, Bound.START)
    assert Total(3, 1, 20, 4) == total_of([known, unknown, known])


@pytest.mark.parametrize(
    ("progress", "shown"),
    [
        (RangeProgress(oldest=7, fetched=20, stop=Stop.END), Stop.END),
        (RangeProgress(oldest=7, fetched=20, stop=Stop.LIMIT), Stop.LIMIT),
        (RangeProgress(end=9, oldest=7, fetched=20, stop=Stop.END), Stop.END),
        (RangeProgress(end=9, oldest=7, fetched=20, stop=Stop.LIMIT), None),
        (RangeProgress(oldest=7, fetched=20, stop=Stop.REACHED), None),
        (RangeProgress(fetched=0, stop=Stop.END), None),
        (RangeProgress(oldest=7, fetched=20), None),
    ],
)
def test_a_range_shows_how_far_the_provider_reaches(
    progress: RangeProgress, shown: Stop | None
) -> None:
    """At the end of history, or at the limit of the plan if it has counted from now."""
    assert (None if shown is None else Reach(shown, 7, 20, 100)) == reach_after(progress, 100)


@pytest.mark.parametrize(
    ("progress", "stored", "bars"),
    [
        (RangeProgress(oldest=7, fetched=20, stop=Stop.LIMIT, passed_to=9), 90, 90),
        (RangeProgress(oldest=7, fetched=20, stop=Stop.LIMIT, passed_to=9), None, None),
        (RangeProgress(oldest=7, fetched=20, stop=Stop.LIMIT, passed_to=7), 90, None),
        (RangeProgress(oldest=7, fetched=20, stop=Stop.END, passed_to=7), None, 20),
    ],
)
def test_a_range_that_passed_over_bars_counts_the_stored_ones(
    progress: RangeProgress, stored: int | None, bars: int | None
) -> None:
    """A plan may have served more when the oldest of them came."""
    reach = reach_after(progress, 100, stored)
    assert bars == (reach and reach.bars)


def test_days_and_minutes_have_beginnings_of_their_own() -> None:
    """Intraday series begin with the minutes."""
    beginning = Beginning(day=1, minute=2)
    assert (2, 2, 1, 1) == tuple(
        beginning.of(each) for each in (Interval.M1, Interval.H4, Interval.D1, Interval.MONTH)
    )
