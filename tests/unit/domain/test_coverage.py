"""What was fetched of a series, and what it lacks."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.coverage import (
    FETCHED,
    Coverage,
    CoverageState,
    Covered,
    Missing,
    MissingBars,
    missing_bars,
    newest_stretch,
    oldest_gap,
    page_stretch,
)
from pocketquant.domain.intervals import Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import FormingBar, History, Page, Stop, SyncRequest

COMPLETE, LIMITED = CoverageState.COMPLETE, CoverageState.LIMITED
AAPL = Series.parse("NASDAQ:AAPL|1h")
HOURS = CalendarTexts("America/New_York", "0930-1600", "20261126", "0930-1300:20261127")


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(f"2026-11-{text}Z").timestamp())


def fetched(
    *times: str, forming: str | None = None, hours: CalendarTexts | None = HOURS
) -> History:
    """The answer with closed hours that open at these times of November 2026."""
    columns = np.array([[seconds(time) for time in times]] * 6, dtype=np.float64).reshape(6, -1)
    opened = seconds(forming) if forming else None
    bar = FormingBar(opened, opened + 3600, 1, 1, 1, 1, 1, opened) if opened else None
    return History(Bars(columns), bar, listing=Listing(AAPL.symbol, hours=hours))


def covered(*ranges: tuple[str, str], state: CoverageState = COMPLETE) -> Coverage:
    return Coverage(tuple(Covered(seconds(low), seconds(high), state, 1) for low, high in ranges))


def stretches(coverage: Coverage) -> list[tuple[int, int, str]]:
    return [(each.start, each.end, each.state.value) for each in coverage.ranges]


@pytest.mark.parametrize(
    ("forming", "reached", "hours", "end"),
    [
        ("25T17:30", "25T17:40", HOURS, "25T17:30"),
        (None, "25T17:40", HOURS, "25T17:30"),  # no trade of the bar that is open
        (None, "25T22:00", HOURS, "25T22:00"),  # closed
        (None, "25T15:30", HOURS, "25T15:30:01"),  # a slow clock
        (None, "25T17:40", None, "25T15:30:01"),
    ],
)
def test_a_fetch_covers_the_time_until_the_open_bar(
    forming: str | None, reached: str, hours: CalendarTexts | None, end: str
) -> None:
    """Without a calendar, and without a bar that forms, until its last bar."""
    answer = fetched("25T14:30", "25T15:30", forming=forming, hours=hours)
    answer = replace(answer, reached_at=seconds(reached))
    stretch = newest_stretch(answer, Interval.H1)
    assert (seconds("25T14:30"), seconds(end)) == stretch
    found = Coverage().after(stretch, 7, is_all=False)
    assert (Covered(*stretch, COMPLETE, 7),) == found.ranges
    assert stretch == (found.start, found.end)


def test_a_fetch_without_closed_bars_covers_nothing() -> None:
    """The bar that forms is not kept as history."""
    stretch = newest_stretch(fetched(forming="27T14:30"), Interval.H1)
    found = Coverage().after(stretch, 8, is_all=True)
    assert (None, Coverage(), None, None) == (stretch, found, found.start, found.end)


@pytest.mark.parametrize(
    ("page", "older_than", "expected"),
    [
        (Page(fetched("25T14:30", "25T15:30")), "25T17:30", ("25T14:30", "25T17:30")),
        (Page(fetched("25T14:30", "25T15:30")), None, ("25T14:30", "25T15:30:01")),
        (Page(fetched("25T14:30"), is_newest=True), None, ("25T14:30", "25T22:00")),
        (Page(fetched("25T14:30"), Stop.REACHED), "25T15:30", ("24T18:00", "25T15:30")),
        (Page(fetched("25T14:30"), Stop.REACHED, is_newest=True), None, ("24T18:00", "25T22:00")),
        (Page(fetched("25T14:30"), Stop.LIMIT), "25T15:30", ("25T14:30", "25T15:30")),
        (Page(fetched(), Stop.END), "25T15:30", None),
    ],
)
def test_a_page_covers_the_time_until_the_page_before_it(
    page: Page, older_than: str | None, expected: tuple[str, str] | None
) -> None:
    """The newest page as a fetch of the newest bars; the last one back to the start."""
    page = replace(page, history=replace(page.history, reached_at=seconds("25T22:00")))
    request = SyncRequest(AAPL, start=seconds("24T18:00"))
    found = page_stretch(page, request, seconds(older_than) if older_than else None)
    assert (tuple(map(seconds, expected)) if expected else None) == found


def test_fetches_that_touch_are_one_stretch() -> None:
    """It was asked for when the later one was; others are apart, with a gap."""
    first = covered(("23T14:30", "23T21:00"))
    touching = first.after((seconds("23T20:30"), seconds("24T15:30")), 9, is_all=False)
    assert [Covered(seconds("23T14:30"), seconds("24T15:30"), COMPLETE, 9)] == [*touching.ranges]
    apart = first.after((seconds("24T15:30"), seconds("24T16:30")), 9, is_all=False)
    assert [(seconds("23T21:00"), seconds("24T15:30"))] == apart.gaps()


@pytest.mark.parametrize(
    ("is_all", "states"),
    [(False, [COMPLETE, COMPLETE, COMPLETE]), (True, [COMPLETE, LIMITED, COMPLETE, COMPLETE])],
)
def test_a_gap_before_all_that_the_provider_serves_is_limited(
    is_all: bool, states: list[CoverageState]
) -> None:
    """Later gaps stay."""
    found = covered(("23T14:30", "23T21:00"), ("26T14:30", "26T15:30"))
    wider = found.after((seconds("25T14:30"), seconds("25T16:30")), 9, is_all=is_all)
    assert states == [each.state for each in wider.ranges]
    assert (seconds("25T16:30"), seconds("26T14:30")) == wider.gaps()[-1]


def test_what_was_fetched_before_a_rescale_is_marked() -> None:
    """Up to a moment; what the provider does not serve stays so, and its bars count as fetched."""
    limited = covered(("02T00:00", "04T00:00"), state=LIMITED)
    both = limited.with_range(Covered(seconds("04T00:00"), seconds("10T00:00"), COMPLETE, 9))
    marked = both.rescaled(seconds("06T00:00"))
    assert [
        (seconds("02T00:00"), seconds("04T00:00"), "limited"),
        (seconds("04T00:00"), seconds("06T00:00"), "rescaled"),
        (seconds("06T00:00"), seconds("10T00:00"), "complete"),
    ] == stretches(marked)
    assert marked == both.rescaled(seconds("06T00:00")).rescaled(seconds("04T00:00"))
    times = np.array([seconds("03T00:00"), seconds("05T00:00"), seconds("07T00:00")])
    assert [False, True, True] == marked.covers(times, *FETCHED).tolist()


@pytest.mark.parametrize(
    ("start", "end", "has_all"),
    [
        ("06T00:00", "10T00:00", True),
        ("07T00:00", "08T00:00", True),
        ("05T00:00", "08T00:00", False),
        ("09T00:00", "13T00:00", False),
        ("12T00:00", "14T00:00", True),
        ("02T00:00", "03T00:00", False),
    ],
)
def test_a_stretch_of_which_all_was_fetched(start: str, end: str, has_all: bool) -> None:
    """It lies in one complete stretch; what was multiplied since does not count."""
    both = covered(("02T00:00", "10T00:00"), ("12T00:00", "14T00:00"))
    marked = both.rescaled(seconds("06T00:00"))
    assert has_all is marked.has_all(seconds(start), seconds(end))


def test_the_coverage_since_a_moment() -> None:
    """A stretch in which it lies is cut; older ones are forgotten."""
    both = covered(("02T00:00", "04T00:00"), ("05T00:00", "08T00:00"))
    since = both.since(seconds("06T00:00"))
    assert [(seconds("06T00:00"), seconds("08T00:00"), "complete")] == stretches(since)


def test_a_stretch_replaces_what_it_overlaps() -> None:
    """Of a limited stretch that a new one covers in part, the rest stays."""
    limited = covered(("02T00:00", "10T00:00"), state=LIMITED)
    new = Covered(seconds("04T00:00"), seconds("06T00:00"), COMPLETE, 9)
    assert [
        (seconds("02T00:00"), seconds("04T00:00"), "limited"),
        (seconds("04T00:00"), seconds("06T00:00"), "complete"),
        (seconds("06T00:00"), seconds("10T00:00"), "limited"),
    ] == stretches(limited.with_range(new))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9), st.sampled_from(CoverageState))))
def test_stretches_hold_what_was_added_last(
    added: list[tuple[int, int, CoverageState]],
) -> None:
    """As a painted line does; they stay in order, apart, and as few as they can be."""
    coverage, painted = Coverage(), dict[int, CoverageState]()
    for start, length, state in added:
        coverage = coverage.with_range(Covered(start, start + length, state, 1))
        painted |= dict.fromkeys(range(start, start + length), state)
    shown = {time: each.state for each in coverage.ranges for time in range(each.start, each.end)}
    edges = [time for each in coverage.ranges for time in (each.start, each.end)]
    assert painted == shown
    assert edges == sorted(edges)
    begun = [time for time, state in painted.items() if state is not painted.get(time - 1)]
    assert len(begun) == len(coverage.ranges)
    times = np.arange(-1, 60)
    for state in CoverageState:
        expected = [painted.get(time) is state for time in range(-1, 60)]
        assert expected == coverage.covers(times, state).tolist()


@pytest.mark.parametrize(
    ("before", "first", "hours", "expected"),
    [
        (("24T14:30", "25T21:00"), "27T14:30", HOURS, None),  # Thanksgiving lies between
        (("24T14:30", "25T20:30"), "27T14:30", HOURS, "25T20:30"),
        (("24T14:30", "25T21:00"), "27T15:30", HOURS, "25T21:00"),
        (("24T14:30", "25T21:00"), "25T20:30", HOURS, None),  # they overlap
        (("24T14:30", "25T21:00"), "27T14:30", None, "25T21:00"),  # its hours are not known
        (("24T14:30", "25T21:00"), "27T14:30", CalendarTexts("Nowhere", "?"), "25T21:00"),
    ],
)
def test_a_fetch_leaves_a_gap_if_a_bar_may_lie_between(
    before: tuple[str, str], first: str, hours: CalendarTexts | None, expected: str | None
) -> None:
    """Holidays, nights and weekends are none."""
    gap = oldest_gap(covered(before), fetched(first, hours=hours), Interval.H1)
    assert (seconds(expected) if expected else None) == gap


def test_gaps_out_of_reach_are_left() -> None:
    """Of one that begins there, the part in reach is wanted."""
    coverage = covered(("02T14:30", "02T21:00"), ("10T14:30", "10T21:00"))
    answer = fetched("20T14:30")
    assert seconds("02T21:00") == oldest_gap(coverage, answer, Interval.H1)
    assert seconds("05T00:00") == oldest_gap(coverage, answer, Interval.H1, seconds("05T00:00"))
    assert seconds("10T21:00") == oldest_gap(coverage, answer, Interval.H1, seconds("10T14:30"))
    assert oldest_gap(coverage, fetched(), Interval.H1) is None


def test_gaps_without_a_bar_are_closed() -> None:
    """The others stay."""
    coverage = covered(("24T14:30", "25T21:00"), ("27T14:30", "27T18:00"), ("30T15:30", "30T21:00"))
    bridged = coverage.bridged(fetched("30T20:30"), Interval.H1)
    assert [(seconds("27T18:00"), seconds("30T15:30"))] == bridged.gaps()
    assert coverage == coverage.bridged(fetched("30T20:30", hours=None), Interval.H1)
    assert Coverage() == Coverage().bridged(fetched("30T20:30"), Interval.H1)


def test_missing_bars_are_told_by_what_is_known_of_them() -> None:
    """Runs of consecutive bars, each with its first, its last and their number."""
    ranges = (
        Covered(10, 20, LIMITED, 1),
        Covered(20, 40, COMPLETE, 1),
        Covered(50, 70, COMPLETE, 1),
    )
    stored = np.array([22, 23, 26, 38, 50, 51, 52, 54, 56, 58, 60, 62, 64, 66, 68, 44])
    found = missing_bars(np.arange(10, 80, 2), stored, Coverage(ranges), [(24, 30)])
    assert found == Missing(
        not_fetched=[MissingBars(40, 42, 2), MissingBars(46, 48, 2)],
        not_synced=[MissingBars(70, 78, 5)],
        lost=[MissingBars(24, 24, 1), MissingBars(28, 28, 1)],
        not_served=[MissingBars(10, 18, 5)],
        untraded=[MissingBars(20, 20, 1), MissingBars(30, 36, 4)],
    )
    assert 11 == sum(each.count for each in found.fillable)


def test_a_series_of_which_nothing_was_fetched_lacks_all() -> None:
    """Its stored bars are imported ones, or of an older release."""
    found = missing_bars(np.arange(0, 10, 2), np.array([4]), Coverage())
    assert [MissingBars(0, 2, 2), MissingBars(6, 8, 2)] == found.not_synced
