"""`Repairs`: which series need a sync after a gap in their stream, and when.

A gap touches every bar that has any of its time. What is known of those bars is partial, or nothing
at all where all that was traded fell into the gap. So a series is synced once the last bar that the
gap touched is closed, whether or not there is such a bar.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush

from pocketquant.domain.gaps import Gap
from pocketquant.domain.intervals import MINUTE, Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import MAX_BARS, SyncRequest

_FEWEST_BARS = 10
_HELD_UP_SECONDS = 15 * MINUTE
_BARS_MORE = 2  # the one that has begun since, and one for what the division leaves


@dataclass(slots=True)
class Repairs:
    """Repairs of series at these intervals, due `wait_seconds` after the last touched bar's end."""

    intervals: tuple[Interval, ...]
    wait_seconds: float
    _due: dict[float, dict[Series, int]] = field(default_factory=dict)
    _due_times: list[float] = field(default_factory=list)  # a heap

    def note(
        self, symbol: str, gaps: Iterable[Gap], delay_seconds: int = 0, is_restart: bool = False
    ) -> None:
        """The symbol's stream was not seen in these gaps, in order, by its own delayed clock.

        What was due before the last of them has been seen to already. Whoever did so before a
        restart may have been held up: then what was due shortly before is noted again.
        """
        parsed, wait = Symbol.parse(symbol), self.wait_seconds + delay_seconds
        gaps = tuple(gaps)
        noted_before = gaps[-1][0] - (_HELD_UP_SECONDS if is_restart else 0) if gaps else 0
        for start, end in gaps:
            for interval in self.intervals:
                due = interval.period_end(end - 1) + wait
                if due >= noted_before:
                    self._add(due, Series(parsed, interval), start)

    def due(self, now: float) -> dict[Series, int]:
        """What is due by `now`, each given once: the series, and since when it has gaps."""
        found: dict[Series, int] = {}
        while self._due_times and self._due_times[0] <= now:
            for series, since in self._due.pop(heappop(self._due_times)).items():
                found[series] = min(since, found.get(series, since))
        return found

    def _add(self, due: float, series: Series, since: int) -> None:
        if due not in self._due:
            self._due[due] = {}
            heappush(self._due_times, due)
        at_that_time = self._due[due]
        at_that_time[series] = min(since, at_that_time.get(series, since))


def repairing(gaps: Mapping[Series, int], now: float) -> Iterable[SyncRequest]:
    """The syncs that bring the bars of these series since the given times.

    Of a stream that was never seen before, only its newest bars: more is for whoever asks for it.
    """
    for series, since in gaps.items():
        bars = int(now - since) // series.interval.seconds + _BARS_MORE
        n_bars = _FEWEST_BARS if since < 0 else min(max(bars, _FEWEST_BARS), MAX_BARS)
        yield SyncRequest(series, n_bars)
