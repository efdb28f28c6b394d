"""A series from its first fetched moment until now, in few parts of one state each."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import ceil

from pocketquant.domain.coverage import Coverage, CoverageState, Stretch


class StripState(StrEnum):
    """The state of a part: the worst in it, if it holds several. The last is the worst."""

    COMPLETE = "complete"
    RESCALED = "rescaled"
    NOT_SERVED = "not_served"
    NOT_SYNCED = "not_synced"
    LOST = "lost"
    NOT_FETCHED = "not_fetched"


@dataclass(frozen=True, slots=True)
class StripPart:
    """A part of the time, without its end."""

    start: int
    end: int
    state: StripState


_OF_COVERAGE = {
    CoverageState.COMPLETE: StripState.COMPLETE,
    CoverageState.RESCALED: StripState.RESCALED,
    CoverageState.LIMITED: StripState.NOT_SERVED,
}
_ORDER = list(StripState)


def strip_of(
    coverage: Coverage, damaged: Iterable[Stretch], until: int, n_cells: int
) -> list[StripPart]:
    """Return the coverage in so many cells of equal length, those of one state as one part.

    A hole fills a cell however short it is, so that it can be seen.
    """
    start, end = coverage.start, coverage.end
    if start is None or end is None:
        return []
    until = max(until, end)
    painted = [(each.start, each.end, _OF_COVERAGE[each.state]) for each in coverage.ranges]
    painted += [(*gap, StripState.NOT_FETCHED) for gap in coverage.gaps()]
    painted += [(max(low, start), min(high, end), StripState.LOST) for low, high in damaged]
    painted.append((end, until, StripState.NOT_SYNCED))
    seconds = (until - start) / n_cells
    cells = [StripState.COMPLETE] * n_cells
    for low, high, state in sorted(painted, key=lambda each: _ORDER.index(each[2])):
        if low < high:
            first = int((low - start) // seconds)
            last = min(ceil((high - start) / seconds), n_cells)
            cells[first:last] = [state] * (last - first)
    cuts = [0, *(at for at in range(1, n_cells) if cells[at] is not cells[at - 1]), n_cells]
    return [
        StripPart(start + round(first * seconds), start + round(last * seconds), cells[first])
        for first, last in pairwise(cuts)
    ]
