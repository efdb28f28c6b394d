"""The stretches of a range that are to be fetched."""

import numpy as np
import pytest

from pocketquant.domain.bars import Bars
from pocketquant.domain.coverage import Coverage, CoverageState, Covered
from pocketquant.domain.intervals import HOUR
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import EARLIEST_START, History, Page, RangeProgress, Stop, SyncRequest
from pocketquant.domain.walks import Walk, lacking

HOURS = Series.parse("NASDAQ:AAPL|1h")
COMPLETE = CoverageState.COMPLETE
PAGE = 5000 * HOUR
STRETCHES = tuple[tuple[int, int], ...]


def covered(*ranges: tuple[int, int], state: CoverageState = COMPLETE) -> Coverage:
    return Coverage(tuple(Covered(low, high, state, 1) for low, high in ranges))


def walk(start: int | None = 0, end: int | None = None, begins_at: int | None = None) -> Walk:
    return Walk(SyncRequest(HOURS, start=start, end=end, is_missing_only=True), (), begins_at)


def page(first: int, stop: Stop | None) -> Page:
    return Page(History(Bars(np.full((6, 1), float(first)))), stop)


@pytest.mark.parametrize(
    ("coverage", "damaged", "begins_at", "left"),
    [
        (covered(), (), None, [(0, 100)]),
        (covered((20, 40)), (), None, [(0, 20), (40, 100)]),
        (covered((-5, 40), (60, 200)), (), None, [(40, 60)]),
        (covered((-5, 200)), (), None, []),
        (covered((200, 300)), (), None, [(0, 100)]),
        (covered((0, 100), state=CoverageState.RESCALED), (), None, [(0, 100)]),
        (covered((0, 100), state=CoverageState.LIMITED), (), None, [(0, 100)]),
        (covered((0, 100)), ((30, 50),), None, [(30, 50)]),
        (covered((40, 100)), (), 40, []),
        (covered((50, 100)), (), 40, [(40, 50)]),
        (covered((50, 100)), (), -40, [(0, 50)]),
    ],
)
def test_what_coverage_lacks(
    coverage: Coverage, damaged: STRETCHES, begins_at: int | None, left: list[tuple[int, int]]
) -> None:
    """All that was not fetched completely or was lost, but nothing before the beginning."""
    assert left == lacking(coverage, damaged, 0, 100, begins_at)


def test_a_walk_over_nothing_covered_is_one_stretch() -> None:
    """The newest bars and all before them; where an attempt ended, another goes on."""
    whole = SyncRequest(HOURS, start=0, is_missing_only=True)
    assert (whole, RangeProgress()) == walk().step(Coverage(), RangeProgress())
    begun = RangeProgress(oldest=7 * PAGE)
    assert (whole, begun) == walk().step(Coverage(), begun)
    older = SyncRequest(HOURS, start=5, end=PAGE, is_missing_only=True)
    assert (older, RangeProgress(PAGE)) == walk(5, PAGE).step(Coverage(), RangeProgress(PAGE))


def test_a_walk_passes_over_what_is_covered() -> None:
    """The newest bars first, with ten to compare them by; then each stretch that is missing."""
    coverage = covered((PAGE, 3 * PAGE), (4 * PAGE, 6 * PAGE))
    newest, progress = walk().step(coverage, RangeProgress()) or (None, None)
    assert newest == SyncRequest(HOURS, start=6 * PAGE - 10 * HOUR, is_missing_only=True)
    assert progress == RangeProgress()
    second, progress = walk().step(coverage, RangeProgress(oldest=6 * PAGE - HOUR)) or (None, None)
    assert second == SyncRequest(HOURS, start=3 * PAGE, is_missing_only=True)
    assert progress == RangeProgress(oldest=4 * PAGE, passed_to=4 * PAGE)
    third, progress = walk().step(coverage, RangeProgress(oldest=3 * PAGE)) or (None, None)
    assert third == SyncRequest(HOURS, start=0, is_missing_only=True)
    assert progress == RangeProgress(oldest=PAGE, passed_to=PAGE)
    assert None is walk(2 * PAGE).step(coverage, RangeProgress(oldest=3 * PAGE))


def test_less_than_a_page_is_fetched_again_with_its_neighbours() -> None:
    """It would take a request of its own to pass over it."""
    coverage = covered((PAGE, 2 * PAGE - HOUR), (3 * PAGE, 4 * PAGE))
    request, progress = walk().step(coverage, RangeProgress(oldest=4 * PAGE)) or (None, None)
    assert request == SyncRequest(HOURS, start=0, is_missing_only=True)
    assert progress == RangeProgress(oldest=3 * PAGE, passed_to=3 * PAGE)


def test_a_walk_that_wants_all_passes_over_nothing() -> None:
    """So the corrections of the provider come in."""
    whole = Walk(SyncRequest(HOURS, start=0))
    step = whole.step(covered((0, 9 * PAGE)), RangeProgress())
    assert (whole.request, RangeProgress()) == step


def test_the_provider_says_itself_where_history_begins() -> None:
    """A stretch that reaches back to the known beginning is requested from the start."""
    coverage = covered((3 * PAGE, 6 * PAGE))
    step = walk(begins_at=PAGE).step(coverage, RangeProgress(oldest=6 * PAGE))
    assert step is not None
    assert 0 == step[0].start


def test_a_start_of_all_is_that_of_the_calendar() -> None:
    """Without a start, a walk goes back to 1900."""
    step = Walk(SyncRequest(HOURS)).step(Coverage(), RangeProgress())
    assert (SyncRequest(HOURS, start=EARLIEST_START), RangeProgress()) == step


@pytest.mark.parametrize(
    ("begins_at", "oldest", "stop"), [(None, 0, Stop.REACHED), (HOUR, HOUR, Stop.END)]
)
def test_a_walk_ends_when_no_stretch_is_left(
    begins_at: int | None, oldest: int, stop: Stop
) -> None:
    """It has come back to the start, or to the beginning of history, though not page by page."""
    coverage = covered((0, 6 * PAGE))
    last, progress = walk(begins_at=begins_at).ended(
        page(5 * PAGE, Stop.REACHED), coverage, RangeProgress()
    )
    assert (stop, RangeProgress(oldest=oldest, passed_to=oldest, stop=stop)) == (
        last.stop,
        progress,
    )


def test_a_page_that_reached_its_start_may_not_be_the_last() -> None:
    """Another stretch is left; a page with another stop is the last in any case."""
    coverage, begun = covered((PAGE, 3 * PAGE)), RangeProgress(oldest=4 * PAGE)
    first = page(3 * PAGE, Stop.REACHED)
    assert (page(3 * PAGE, None).stop, begun) == (
        walk().ended(first, coverage, begun)[0].stop,
        walk().ended(first, coverage, begun)[1],
    )
    for stop in (None, Stop.END, Stop.LIMIT, Stop.NO_PROGRESS):
        other = page(3 * PAGE, stop)
        assert (other, begun) == walk().ended(other, coverage, begun)


def test_a_walk_that_came_to_its_start_itself_has_passed_over_nothing() -> None:
    """Its stop stays the one of its last page."""
    ended = RangeProgress(oldest=-5, stop=Stop.REACHED)
    assert ended == walk().passed(ended)
    assert RangeProgress(oldest=-5, stop=Stop.REACHED) == walk().passed(RangeProgress(oldest=-5))
