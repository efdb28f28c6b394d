"""`Walk`: the stretches of a range that are to be fetched, from new to old.

A walk that wants only what is missing passes over time of which all bars were fetched and are
stored, in the provider's scale. Each stretch is fetched by pages of its own, so less than a page of
covered time between two of them is fetched with them: that takes no more requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pocketquant.domain.coverage import Coverage, CoverageState, Covered, Stretch
from pocketquant.domain.dates import time_or
from pocketquant.domain.rescale import OVERLAP_BARS
from pocketquant.domain.syncs import (
    EARLIEST_START,
    MAX_BARS,
    Page,
    RangeProgress,
    Stop,
    SyncRequest,
)

_FOREVER = 2**53


@dataclass(frozen=True, slots=True)
class Walk:
    """The way back through a range.

    `damaged` are stretches that lack stored bars, and `begins_at` is where the provider's history
    was found to begin, if it was.
    """

    request: SyncRequest
    damaged: Sequence[Stretch] = ()
    begins_at: int | None = None

    def step(
        self, coverage: Coverage, progress: RangeProgress
    ) -> tuple[SyncRequest, RangeProgress] | None:
        """Return the next stretch as a request, and the progress up to it; None: none is left.

        The newest bars are fetched in any case, with enough older ones to be compared.
        """
        interval, wanted_from = self.request.series.interval, self._start
        found = self._next(coverage, self._before(progress))
        if found is None:
            return None
        start, end = found
        if start == self.begins_at:  # the provider says itself that there is no older bar
            start = wanted_from
        if end == _FOREVER:
            start = max(wanted_from, start - OVERLAP_BARS * interval.seconds)
            return replace(self.request, start=start), progress
        if end < self._before(progress):
            progress = replace(progress, oldest=end, passed_to=end)
        return replace(self.request, start=start), progress

    def ended(
        self, page: Page, coverage: Coverage, progress: RangeProgress
    ) -> tuple[Page, RangeProgress]:
        """Return the page with the stop of the whole walk, and the progress before that page.

        A page that reached the start of its stretch is the last one only if none is left.
        """
        if page.stop is not Stop.REACHED:
            return page, progress
        reached = progress.back_to(page.history.closed.first_time)
        if self._next(coverage, self._before(reached)) is not None:
            return replace(page, stop=None), progress
        return replace(page, stop=self._stop), self.passed(progress)

    def passed(self, progress: RangeProgress) -> RangeProgress:
        """Return the progress of a walk of which no stretch is left."""
        lowest = max(self._start, time_or(self.begins_at, self._start))
        progress = replace(progress, stop=progress.stop or self._stop)
        if progress.oldest is not None and progress.oldest <= lowest:
            return progress
        return replace(progress, oldest=lowest, passed_to=lowest)

    @property
    def _start(self) -> int:
        return time_or(self.request.start, EARLIEST_START)

    @property
    def _stop(self) -> Stop:
        return Stop.END if time_or(self.begins_at, self._start) > self._start else Stop.REACHED

    def _before(self, progress: RangeProgress) -> int:
        return time_or(progress.oldest, time_or(self.request.end, _FOREVER))

    def _next(self, coverage: Coverage, before: int) -> Stretch | None:
        """Return the newest stretch to fetch, joined with those that follow it closely."""
        ranges = coverage if self.request.is_missing_only else Coverage()
        left = lacking(ranges, self.damaged, self._start, before, self.begins_at)
        shortest = MAX_BARS * self.request.series.interval.seconds
        found: Stretch | None = None
        for start, end in reversed(left):
            if found is not None and found[0] - end >= shortest:
                break
            found = (start, end if found is None else found[1])
        return found


def lacking(
    coverage: Coverage,
    damaged: Sequence[Stretch],
    start: int,
    end: int,
    begins_at: int | None = None,
) -> list[Stretch]:
    """Return the stretches from `start` to `end` that were not fetched completely, or were lost.

    A stretch of bars that were multiplied since, or that the plan kept out, is among them; the
    time before `begins_at` is not.
    """
    known = Coverage(tuple(each for each in coverage.ranges if _is_complete(each)))
    for low, high in damaged:
        known = known.with_range(Covered(low, high, CoverageState.LIMITED, 0))
    if begins_at is not None and begins_at > start:
        known = known.with_range(Covered(start, begins_at, CoverageState.COMPLETE, 0))
    found, at = [], start
    for each in known.ranges:
        if _is_complete(each):
            found.append((at, min(each.start, end)))
            at = max(at, each.end)
    found.append((at, end))
    return [(low, high) for low, high in found if low < high]


def _is_complete(each: Covered) -> bool:
    return each.state is CoverageState.COMPLETE
