"""`Unseen`: the gaps of a stream, during which ticks were lost; they make bars partial.

Bars begin and end with minutes. So gaps are rounded outwards to whole minutes, and gaps that
overlap or adjoin become one: they touch the same bars.
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
    """The gaps of one stream in order of time. If `lost_at` is set, the stream is lost since then.

    Beyond `MOST_GAPS` the oldest two become one, including the time between them: only the longest
    bars can still be open there.
    """

    gaps: tuple[Gap, ...] = ()
    lost_at: float | None = _ALWAYS

    @property
    def seen_since(self) -> int:
        """The end of the last gap; while the stream is lost, a time that never comes."""
        if self.lost_at is not None:
            return _NEVER
        return self.gaps[-1][1] if self.gaps else _ALWAYS

    def touches(self, start: int, end: int) -> bool:
        """Whether a gap contains any time from `start` up to `end`."""
        if self.lost_at is not None and self.lost_at < end:
            return True
        before = bisect_left(self.gaps, (end,)) - 1
        return before >= 0 and self.gaps[before][1] > start

    def lost(self, time: float) -> "Unseen":
        """The stream is lost from `time` on; no change if it is lost already."""
        return self if self.lost_at is not None else replace(self, lost_at=time)

    def found(self, time: float) -> "Unseen":
        """The stream is back from `time` on. If it was lost for no time, there is no gap.

        If the clock was put back, `time` lies before the loss: the gap is then between them.
        """
        if self.lost_at is None:
            return self
        if time == self.lost_at:
            return Unseen(self.gaps, None)
        between = _minutes(min(time, self.lost_at), max(time, self.lost_at))
        return Unseen(_with(self.gaps, between), None)

    def lacking(self, start: float, end: float) -> "Unseen":
        """Add a gap from `start` to `end` that was found afterwards."""
        return replace(self, gaps=_with(self.gaps, _minutes(start, end)))

    def after(self, time: float) -> "Unseen":
        """Drop the gaps that ended by `time`: no bar of that time is open."""
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
