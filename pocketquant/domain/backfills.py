"""Backfills: how far back the provider serves a series, and how many bars a fetch can expect."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache

from pocketquant.domain.calendar import Calendar
from pocketquant.domain.coverage import Coverage, CoverageState
from pocketquant.domain.dates import time_or
from pocketquant.domain.intervals import DAY, Interval
from pocketquant.domain.syncs import EARLIEST_START, MAX_BARS, RangeProgress, Stop, SyncRequest

_NOT_COVERED = Coverage()
_SAMPLE_SECONDS = 364 * DAY  # whole weeks; of an older stretch the density of these is assumed


class Bound(StrEnum):
    """Where a backfill is expected to stop."""

    START = "start"  # the requested one
    BEGINNING = "beginning"  # of the provider's history
    LIMIT = "limit"  # of the account's plan, as far as it is known
    UNKNOWN = "unknown"  # neither the beginning nor the limit is known yet


@dataclass(frozen=True, slots=True)
class Beginning:
    """When the provider's history of a symbol begins, by its own word; None: it says nothing."""

    day: int | None = None
    minute: int | None = None

    def of(self, interval: Interval) -> int | None:
        """Return the beginning of the bars of this length."""
        return self.minute if interval.is_intraday else self.day


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back the provider served a series, and why no further: `end` or `limit`.

    `bars` counts those from then on, which is what a plan limits.
    """

    stop: Stop
    oldest: int
    bars: int
    asked_at: int


@dataclass(frozen=True, slots=True)
class Expected:
    """The bars and pages expected of one range, and the oldest moment; None if not known.

    Time without trades makes the bars fewer. Those that were fetched before are `covered`: they are
    not requested again, and are not among `bars`.
    """

    bars: int | None
    pages: int | None
    since: int | None
    bound: Bound
    covered: int = 0

    def without(self, covered: int) -> "Expected":
        """Return the same range of which so many bars were fetched before."""
        if self.bars is None:
            return self
        covered = min(covered, self.bars)
        left = self.bars - covered
        return replace(self, bars=left, pages=_pages(left), covered=covered)


@dataclass(frozen=True, slots=True)
class Total:
    """The bars and pages expected of all ranges of a backfill; `unknown` ranges are left out."""

    series: int
    unknown: int
    bars: int
    pages: int


@dataclass(frozen=True, slots=True)
class Came:
    """The results of a backfill so far, over all of its series.

    `share_of_time` is how much of the wanted time was walked back, from 0 to 1; series of which
    nothing has come yet count as 0. `stops` counts the series that ended by the reason.
    """

    fetched: int = 0
    inserted: int = 0
    oldest: int | None = None
    newest: int | None = None
    share_of_time: float = 0.0
    stops: Mapping[Stop, int] = field(default_factory=dict)


def reach_after(progress: RangeProgress, now: int, stored: int | None = None) -> Reach | None:
    """Return the reach that a range has shown; None if it stopped for another reason.

    A plan counts bars from now, so the limit of a range with an end shows nothing. That of a range
    which passed over bars is shown by the number of those `stored` since its oldest one; but not if
    no older bar came after that, as the plan may serve fewer now.
    """
    stop, oldest, bars = progress.stop, progress.oldest, progress.fetched
    is_shown = stop is Stop.END or (stop is Stop.LIMIT and progress.end is None)
    if stop is None or oldest is None or not is_shown:
        return None
    if progress.passed_to is not None:
        if stop is Stop.LIMIT and (stored is None or oldest == progress.passed_to):
            return None
        bars = max(bars, stored or 0)
    return Reach(stop, oldest, bars, now)


def expected(
    request: SyncRequest,
    now: int,
    begins_at: int | None,
    limit: int | None,
    calendar: Calendar | None,
    coverage: Coverage = _NOT_COVERED,
) -> Expected:
    """Return the bars expected of a range, without those that were fetched before if it says so.

    `begins_at` is where the provider's history begins, and `limit` how many bars the plan serves.
    Without a calendar, the market is taken to be always open.
    """
    whole = _expected(request, now, begins_at, limit, calendar)
    if not request.is_missing_only:
        return whole
    start = time_or(whole.since, time_or(request.start, EARLIEST_START))
    end = time_or(request.end, now)
    interval = request.series.interval
    covered = (
        count_bars(calendar, interval, max(each.start, start), min(each.end, end, now))
        for each in coverage.ranges
        if each.state is CoverageState.COMPLETE
    )
    return whole.without(sum(covered))


def _expected(
    request: SyncRequest,
    now: int,
    begins_at: int | None,
    limit: int | None,
    calendar: Calendar | None,
) -> Expected:
    interval, end = request.series.interval, min(time_or(request.end, now), now)
    start = time_or(request.start, EARLIEST_START)
    since = start if begins_at is None else max(start, begins_at)
    served = None
    if limit is not None:
        served = max(0, limit - count_bars(calendar, interval, end, now))
    if since == EARLIEST_START:
        if served is None:
            return Expected(None, None, None, Bound.UNKNOWN)
        return Expected(served, _pages(served), None, Bound.LIMIT)
    bars = count_bars(calendar, interval, since, end)
    if served is not None and bars > served:
        oldest = end - round((end - since) * served / bars)
        return Expected(served, _pages(served), oldest, Bound.LIMIT)
    bound = Bound.BEGINNING if since == begins_at else Bound.START
    return Expected(bars, _pages(bars), since, bound)


def total_of(all_expected: Iterable[Expected]) -> Total:
    """Return the sums over all series."""
    each = list(all_expected)
    return Total(
        series=len(each),
        unknown=sum(one.bars is None for one in each),
        bars=sum(one.bars or 0 for one in each),
        pages=sum(one.pages or 0 for one in each),
    )


def count_bars(calendar: Calendar | None, interval: Interval, start: int, end: int) -> int:
    """Return about how many bars open in a stretch: exactly in its last year, else as densely."""
    if start >= end:
        return 0
    if calendar is None:
        return -((start - end) // interval.seconds)
    recent = max(start, end - _SAMPLE_SECONDS)
    return round(_opens(calendar, interval, recent, end) * (end - start) / (end - recent))


@lru_cache(maxsize=1024)
def _opens(calendar: Calendar, interval: Interval, start: int, end: int) -> int:
    """Return how many bars open; kept, as thousands of symbols share few calendars."""
    return len(calendar.opens(interval, start, end))


def _pages(bars: int) -> int:
    return max(1, -(-bars // MAX_BARS))
