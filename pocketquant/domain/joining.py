"""Joining history with the live bars that history lacks."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import DAY, HOUR, Interval
from pocketquant.domain.syncs import MAX_BARS, History, SyncRequest

_FIRST_EVENING_HOUR = 18
_EVENING_SECONDS = (24 - _FIRST_EVENING_HOUR) * HOUR
_LONGEST_MONTH = 31 * DAY
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


def history_end(interval: Interval, last_open: int) -> int:
    """The least open time of a live bar after history, whose last bar opens at `last_open`.

    Live bars up to `4h` open as those of history do, so no end is guessed. A daily bar opens with
    its session and belongs to the UTC day that contains most of it: the day of the open, or the
    next one for sessions that open in the evening, such as futures and currencies. Weeks and months
    follow the same rule.
    """
    if interval.is_intraday:
        return last_open + 1
    return interval.period_end(last_open + _EVENING_SECONDS)


def earlier_bars_end(interval: Interval, open_time: int, is_live: bool) -> int:
    """The exclusive bound of the open times of all bars before this one.

    A live day stands for a session of history that may open in the evening before.
    """
    if interval.is_intraday or not is_live:
        return open_time
    return interval.period_start(open_time) - _EVENING_SECONDS


def later_bars_start(interval: Interval, open_time: int, is_live: bool) -> int:
    """The inclusive bound of the open times of all bars after this one."""
    if interval.is_intraday or not is_live:
        return open_time + 1
    return interval.period_end(open_time) - _EVENING_SECONDS


def overlap_seconds(interval: Interval) -> int:
    """The most seconds between the opens of a history and a live bar that share time.

    Intraday bars share time only if they open together.
    """
    if interval.is_intraday:
        return 0
    return _LONGEST_MONTH if interval is Interval.MONTH else interval.seconds


def join(interval: Interval, history: Bars, live: Bars, beyond: Iterable[int] = ()) -> Joined:
    """All history bars, and the live bars that share no time with them.

    `beyond` are open times of history bars outside `history` that may share time with a live bar.
    """
    if not len(live):
        return Joined(history, np.zeros(len(history), dtype=bool))
    opens = np.unique(np.concatenate([history.time, np.fromiter(beyond, dtype=np.int64)]))
    filling = Bars(live.columns[:, ~_is_taken(interval, live.time, opens)])
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


def unseen_between(joined: Joined, interval: Interval) -> list[Stretch]:
    """The stretches without a bar between adjacent history and live bars."""
    ends = (joined.bars.time + interval.seconds).tolist()
    rows = zip(joined.bars.time.tolist(), ends, joined.is_live.tolist(), strict=True)
    return [
        (end, following)
        for (_, end, was_live), (following, _, is_live) in pairwise(rows)
        if was_live != is_live and end < following
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


def _is_taken(interval: Interval, live: NDArray[np.int64], history: NDArray[np.int64]) -> Flags:
    """Mask of the live bars that share time with a history bar; both are in order of time."""
    if not interval.is_intraday:
        reach = overlap_seconds(interval)
        near = history[(history >= live[0] - reach) & (history <= live[-1] + reach)]
        taken = {interval.period_start(each + _EVENING_SECONDS) for each in near.tolist()}
        return np.array([interval.period_start(each) in taken for each in live.tolist()])
    return np.isin(live, history)
