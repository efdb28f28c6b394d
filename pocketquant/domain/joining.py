"""Joining history with the live bars that history lacks: by their open times, at each interval."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import Calendar
from pocketquant.domain.intervals import Interval
from pocketquant.domain.syncs import MAX_BARS, History, SyncRequest

_BARS_MORE = 5  # the forming one, and some for periods of uneven length

Flags = NDArray[np.bool_]
Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Bars in order of time, and a mask of the live ones."""

    bars: Bars
    is_live: Flags

    def __len__(self) -> int:
        return len(self.bars)

    def cut(self, limit: int, newest: bool) -> "Joined":
        """The newest or the oldest `limit` bars."""
        if newest:
            first = max(0, len(self) - limit)
            return Joined(self.bars.last(limit), self.is_live[first:])
        return Joined(self.bars.first(limit), self.is_live[:limit])


def join(history: Bars, live: Bars) -> Joined:
    """All history bars, and the live bars that open when no history bar does."""
    if not len(live):
        return Joined(history, np.zeros(len(history), dtype=bool))
    filling = Bars(live.columns[:, ~np.isin(live.time, history.time)])
    columns = np.hstack([history.columns, filling.columns])
    is_live = np.arange(columns.shape[1]) >= len(history)
    order = np.argsort(columns[0], kind="stable")
    return Joined(Bars(columns[:, order]), is_live[order])


def newest_live_count(is_live: Flags) -> int:
    """The number of live bars after the last history bar."""
    history = np.flatnonzero(~is_live)
    return len(is_live) - (int(history[-1]) + 1 if len(history) else 0)


def live_stretches(times: NDArray[np.int64], is_live: Flags) -> list[Stretch]:
    """First and last open time of each run of live bars before a history bar."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_live, [False]]).astype(np.int8)))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(int(times[low]), int(times[high - 1])) for low, high in runs if high < len(is_live)]


def unseen_between(joined: Joined, interval: Interval, calendar: Calendar | None) -> list[Stretch]:
    """The stretches without a bar between adjacent history and live bars, or beside live days.

    A stretch in which the calendar has no bar is none.
    """
    times, step = joined.bars.time.tolist(), interval.seconds
    return [
        (opened + step, following)
        for (opened, was_live), (following, is_live) in pairwise(
            zip(times, joined.is_live.tolist(), strict=True)
        )
        if (was_live != is_live or (is_live and not interval.is_intraday))
        and opened + step < following
        and (calendar is None or len(calendar.opens(interval, opened + 1, following)))
    ]


def bars_to_reach(oldest_live: int | None, history: History, request: SyncRequest) -> int | None:
    """How many bars to request so that they reach back to the oldest live bar.

    None if the history at hand reaches back, or the provider has no more.
    """
    first, last = history.closed.first_time, history.closed.last_time
    if oldest_live is None or first is None or last is None or first <= oldest_live:
        return None
    if history.fetched < request.n_bars or request.n_bars == MAX_BARS:
        return None
    wanted = (last - oldest_live) // request.series.interval.seconds + _BARS_MORE
    return min(max(wanted, request.n_bars), MAX_BARS)
