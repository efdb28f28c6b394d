"""`Coverage`: the stretches of a series that the provider was asked for, and what came of it.

A fetch that returned the bars from `a` to `b` covers all the time between them: where it has no
bar, nothing was traded. A stretch has its start, but not its end, in epoch seconds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.calendar import Calendar, parse_calendar
from pocketquant.domain.errors import InvalidCalendar
from pocketquant.domain.intervals import Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.syncs import History, Page, Stop, SyncRequest

_ALWAYS = -(2**53)

Ints = NDArray[np.int64]
Stretch = tuple[int, int]


class CoverageState(StrEnum):
    """The provider's answer to the request for a stretch."""

    COMPLETE = "complete"  # every bar that it has
    RESCALED = "rescaled"  # it had them before a split; since then they were multiplied here
    LIMITED = "limited"  # it serves no bars that old


FETCHED = (CoverageState.COMPLETE, CoverageState.RESCALED)


@dataclass(frozen=True, slots=True)
class Covered:
    """A stretch, and when the provider was last asked for any of it."""

    start: int
    end: int
    state: CoverageState
    asked_at: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """Stretches of one series in order of time, which do not overlap."""

    ranges: tuple[Covered, ...] = ()

    @property
    def start(self) -> int | None:
        return self.ranges[0].start if self.ranges else None

    @property
    def end(self) -> int | None:
        return self.ranges[-1].end if self.ranges else None

    def gaps(self) -> list[Stretch]:
        """Return the stretches between the covered ones."""
        return [
            (before.end, after.start)
            for before, after in pairwise(self.ranges)
            if before.end < after.start
        ]

    def covers(self, times: Ints, *states: CoverageState) -> NDArray[np.bool_]:
        """Return which of the times lie in a stretch of one of these states."""
        chosen = [(each.start, each.end) for each in self.ranges if each.state in states]
        return _lie_in(times, chosen)

    def has_all(self, start: int, end: int) -> bool:
        """Return whether all of a stretch was fetched, and not multiplied since."""
        return any(
            each.start <= start and end <= each.end
            for each in self.ranges
            if each.state is CoverageState.COMPLETE
        )

    def rescaled(self, before: int) -> "Coverage":
        """Mark what was fetched of the time before a moment: its bars were multiplied since."""
        marked = self
        for each in self.ranges:
            if each.state is CoverageState.COMPLETE and each.start < before:
                end = min(each.end, before)
                marked = marked.with_range(replace(each, end=end, state=CoverageState.RESCALED))
        return marked

    def since(self, start: int) -> "Coverage":
        """Return the part from a moment on."""
        parts = [replace(each, start=max(each.start, start)) for each in self.ranges]
        return Coverage(tuple(each for each in parts if each.start < each.end))

    def after(self, stretch: Stretch | None, asked_at: int, *, is_all: bool) -> "Coverage":
        """Add a fetched stretch; gaps before one that `is_all` the provider serves are limited."""
        if stretch is None:
            return self
        wider = self.with_range(Covered(*stretch, CoverageState.COMPLETE, asked_at))
        for start, end in wider.gaps() if is_all else ():
            if end <= stretch[0]:
                wider = wider.with_range(Covered(start, end, CoverageState.LIMITED, asked_at))
        return wider

    def with_range(self, new: Covered) -> "Coverage":
        """Add a stretch in the place of what it overlaps."""
        kept = (part for each in self.ranges for part in _without(each, new))
        return Coverage(tuple(_joined(sorted([*kept, new], key=lambda each: each.start))))

    def bridged(self, history: History, interval: Interval) -> "Coverage":
        """Close the gaps in which the calendar that came with a fetch has no bar."""
        calendar = calendar_of(history.listing)
        ranges = list(self.ranges)
        for index, (before, after) in enumerate(pairwise(self.ranges)):
            if not _may_have_bars(calendar, interval, (before.end, after.start)):
                ranges[index] = replace(before, end=after.start)
        return Coverage(tuple(_joined(ranges)))


def calendar_of(listing: Listing | None) -> Calendar | None:
    """Return the calendar of the texts that came with a fetch; None without readable ones."""
    texts = listing.hours if listing else None
    try:
        return parse_calendar(texts) if texts else None
    except InvalidCalendar:
        return None


def newest_stretch(history: History, interval: Interval) -> Stretch | None:
    """Return the time of which a fetch of the newest bars returned all; None without closed ones.

    It ends where the bar opens that had not closed then, with a trade or without.
    """
    first, last = history.closed.first_time, history.closed.last_time
    if first is None or last is None:
        return None
    if history.forming is not None:
        return first, history.forming.time
    calendar = calendar_of(history.listing)
    if calendar is None:
        return first, last + 1
    forming = calendar.bar_at(history.reached_at, interval)
    return first, max(last + 1, forming.open if forming else history.reached_at)


def page_stretch(page: Page, request: SyncRequest, older_than: int | None) -> Stretch | None:
    """Return the time of which a page of a range has all bars; None without closed ones.

    `older_than` is the first bar of the page before it.
    """
    first, last = page.history.closed.first_time, page.history.closed.last_time
    if first is None or last is None:
        return None
    if page.stop is Stop.REACHED and request.start is not None:
        first = min(first, request.start)
    if page.is_newest:
        newest = newest_stretch(page.history, request.series.interval)
        return newest and (first, newest[1])
    return first, max(last + 1, older_than or 0)


def oldest_gap(
    coverage: Coverage, history: History, interval: Interval, since: int = _ALWAYS
) -> int | None:
    """Return the start of the oldest gap after `since` that a fetch leaves; None: it leaves none.

    A stretch in which the calendar that came with the fetch has no bar is no gap.
    """
    fetched = newest_stretch(history, interval)
    if fetched is None:
        return None
    calendar = calendar_of(history.listing)
    wider = coverage.with_range(Covered(*fetched, CoverageState.COMPLETE, 0))
    for start, end in wider.gaps():
        if end > since and _may_have_bars(calendar, interval, (start, end)):
            return max(start, since)
    return None


@dataclass(frozen=True, slots=True)
class MissingBars:
    """A run of bars that the calendar has and the store lacks: its first, its last, how many."""

    first_time: int
    last_time: int
    count: int


@dataclass(frozen=True, slots=True)
class Missing:
    """The bars that a series lacks, by what is known of them, in order of time."""

    not_fetched: list[MissingBars]  # between two stretches that were
    not_synced: list[MissingBars]  # since the last fetch
    lost: list[MissingBars]  # they were fetched, and may have been stored
    not_served: list[MissingBars]  # too old for the provider
    untraded: list[MissingBars]  # the provider has no bar there

    @property
    def fillable(self) -> list[MissingBars]:
        """Return the runs that a sync may fill."""
        return self.not_fetched + self.not_synced + self.lost


def missing_bars(
    expected: Ints, stored: Ints, coverage: Coverage, damaged: Iterable[Stretch] = ()
) -> Missing:
    """Compare the opens that the calendar has with those that are stored.

    Of the `damaged` stretches fewer bars are stored than once were.
    """
    stored = np.append(np.sort(stored, kind="stable"), _ALWAYS)  # np.isin takes 50 times as long
    places = np.flatnonzero(stored[np.searchsorted(stored[:-1], expected)] != expected)
    times = expected[places]
    is_damaged = _lie_in(times, damaged)
    is_complete = coverage.covers(times, *FETCHED)
    is_limited = coverage.covers(times, CoverageState.LIMITED)
    is_newer = times >= (_ALWAYS if coverage.end is None else coverage.end)

    def runs(chosen: NDArray[np.bool_]) -> list[MissingBars]:
        return _runs(expected, places[chosen])

    return Missing(
        not_fetched=runs(~(is_complete | is_limited | is_newer)),
        not_synced=runs(is_newer),
        lost=runs(is_complete & is_damaged),
        not_served=runs(is_limited),
        untraded=runs(is_complete & ~is_damaged),
    )


def _may_have_bars(calendar: Calendar | None, interval: Interval, stretch: Stretch) -> bool:
    return calendar is None or len(calendar.opens(interval, *stretch)) > 0


def _lie_in(times: Ints, stretches: Iterable[Stretch]) -> NDArray[np.bool_]:
    """Return which of the times lie in one of the stretches, which are in order."""
    bounds = np.array([*stretches], dtype=np.int64).reshape(-1, 2)
    ends = np.append(_ALWAYS, bounds[:, 1])
    return np.asarray(times < ends[np.searchsorted(bounds[:, 0], times, "right")])


def _runs(expected: Ints, places: Ints) -> list[MissingBars]:
    """Return the runs of consecutive places among the expected bars."""
    if not len(places):
        return []
    cuts = np.flatnonzero(np.diff(places) > 1) + 1
    firsts, lasts = places[np.append(0, cuts)], places[np.append(cuts - 1, len(places) - 1)]
    rows = zip(expected[firsts].tolist(), expected[lasts].tolist(), strict=True)
    counts = (lasts - firsts + 1).tolist()
    return [MissingBars(*row, count) for row, count in zip(rows, counts, strict=True)]


def _without(each: Covered, cut: Covered) -> Iterator[Covered]:
    """Yield what is left of a stretch beside another one."""
    if each.start < min(each.end, cut.start):
        yield replace(each, end=min(each.end, cut.start))
    if max(each.start, cut.end) < each.end:
        yield replace(each, start=max(each.start, cut.end))


def _joined(ranges: list[Covered]) -> Iterator[Covered]:
    """Yield the stretches, those that touch and have one state as one."""
    held: Covered | None = None
    for each in ranges:
        if held is not None and held.end == each.start and held.state is each.state:
            held = replace(held, end=each.end, asked_at=max(held.asked_at, each.asked_at))
        else:
            if held is not None:
                yield held
            held = each
    if held is not None:
        yield held
