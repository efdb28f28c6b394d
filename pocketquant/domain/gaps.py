"""`Unseen`: when a stream was not seen, and so which bars were seen only in part.

Bars begin and end with minutes. So gaps are rounded outwards to whole minutes, and those of one
minute, or of minutes in a row, are one: they touch the same bars.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass, replace

from pocketquant.domain.intervals import MINUTE

MOST_GAPS = 100

_ALWAYS = -(2**53)
_NEVER = 2**53

Gap = tuple[int, int]  # start included, end excluded


@dataclass(frozen=True, slots=True)
class Unseen:
    """The gaps of one stream, in order; from `lost_at` on it is not seen at all.

    Of more than `MOST_GAPS` the oldest two become one, so that what lies between them counts as
    unseen too: by then only the longest bars can still be open there.
    """

    gaps: tuple[Gap, ...] = ()
    lost_at: float | None = _ALWAYS

    @property
    def seen_since(self) -> int:
        """From when on everything was seen; while nothing is, a time that never comes."""
        if self.lost_at is not None:
            return _NEVER
        return self.gaps[-1][1] if self.gaps else _ALWAYS

    def touches(self, start: int, end: int) -> bool:
        """Whether any time from `start` up to `end` was not seen."""
        if self.lost_at is not None and self.lost_at < end:
            return True
        before = bisect_left(self.gaps, (end,)) - 1
        return before >= 0 and self.gaps[before][1] > start

    def lost(self, time: float) -> "Unseen":
        """From `time` on the stream is not seen. It cannot be lost twice."""
        return self if self.lost_at is not None else replace(self, lost_at=time)

    def found(self, time: float) -> "Unseen":
        """From `time` on it is seen again. No time in between is no gap.

        A time before the loss is by a clock that was put back: what lies between counts as unseen.
        """
        if self.lost_at is None:
            return self
        if time == self.lost_at:
            return Unseen(self.gaps, None)
        between = _minutes(min(time, self.lost_at), max(time, self.lost_at))
        return Unseen(_with(self.gaps, between), None)

    def lacking(self, start: float, end: float) -> "Unseen":
        """Nor from `start` to `end`, as has turned out since."""
        return replace(self, gaps=_with(self.gaps, _minutes(start, end)))

    def after(self, time: float) -> "Unseen":
        """Without the gaps that ended by `time`, for which no bar is open any more."""
        return replace(self, gaps=tuple(gap for gap in self.gaps if gap[1] > time))


def _minutes(start: float, end: float) -> Gap:
    return math.floor(start / MINUTE) * MINUTE, math.ceil(end / MINUTE) * MINUTE


def _with(gaps: tuple[Gap, ...], new: Gap) -> tuple[Gap, ...]:
    start, end = new
    before = tuple(gap for gap in gaps if gap[1] < start)
    after = tuple(gap for gap in gaps if gap[0] > end)
    touched = (new, *gaps[len(before) : len(gaps) - len(after)])
    merged = (min(gap[0] for gap in touched), max(gap[1] for gap in touched))
    gaps = (*before, merged, *after)
    if len(gaps) > MOST_GAPS:
        gaps = ((gaps[0][0], gaps[1][1]), *gaps[2:])
    return gaps
