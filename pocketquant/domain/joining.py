"""History, and the live bars that fill what history lacks, as one series."""

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
    """Bars in order of time, and which of them are live."""

    bars: Bars
    is_live: Flags

    def __len__(self) -> int:
        return len(self.bars)

    def cut(self, limit: int, newest: bool) -> "Joined":
        """The newest or the oldest `limit` of them."""
        if newest:
            first = max(0, len(self) - limit)
            return Joined(self.bars.last(limit), self.is_live[first:])
        return Joined(self.bars.first(limit), self.is_live[:limit])


def history_end(interval: Interval, last_open: int) -> int:
    """From when on live bars extend a history whose last bar opens at `last_open`.

    Intraday, that is the bar's length later, wherever its market lets it begin. A daily bar opens
    with its session, and belongs to the day in UTC that holds most of it: that of its opening, or
    the next one for sessions that open in the evening, as futures and currencies do. The same goes
    for weeks and months.
    """
    if interval.is_intraday:
        return last_open + interval.seconds
    return interval.period_end(last_open + _EVENING_SECONDS)


def place_before(interval: Interval, open_time: int, is_live: bool) -> int:
    """Before when the bars open that come before this one.

    A live day takes the place of the session that history will have for it, which may open in the
    evening before.
    """
    if interval.is_intraday or not is_live:
        return open_time
    return interval.period_start(open_time) - _EVENING_SECONDS


def place_after(interval: Interval, open_time: int, is_live: bool) -> int:
    """From when on the bars open that come after this one; see `place_before`."""
    if interval.is_intraday or not is_live:
        return open_time + 1
    return interval.period_end(open_time) - _EVENING_SECONDS


def overlap_seconds(interval: Interval) -> int:
    """How far apart a history bar and a live bar may open and still share some time."""
    return _LONGEST_MONTH if interval is Interval.MONTH else interval.seconds


def join(interval: Interval, history: Bars, live: Bars, beyond: Iterable[int] = ()) -> Joined:
    """All history bars, and the live bars that share no time with any of them.

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
    """How many bars at the end of a series are live."""
    history = np.flatnonzero(~is_live)
    return len(is_live) - (int(history[-1]) + 1 if len(history) else 0)


def live_stretches(times: NDArray[np.int64], is_live: Flags) -> list[Stretch]:
    """First and last open time of each run of live bars that a history bar follows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_live, [False]]).astype(np.int8)))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(int(times[low]), int(times[high - 1])) for low, high in runs if high < len(is_live)]


def unseen_between(joined: Joined, interval: Interval) -> list[Stretch]:
    """The time between history and live bars next to each other, where no bar tells anything."""
    ends = (joined.bars.time + interval.seconds).tolist()
    rows = zip(joined.bars.time.tolist(), ends, joined.is_live.tolist(), strict=True)
    return [
        (end, following)
        for (_, end, was_live), (following, _, is_live) in pairwise(rows)
        if was_live != is_live and end < following
    ]


def bars_to_reach(oldest_live: int | None, history: History, request: SyncRequest) -> int | None:
    """How many bars to ask for so that they reach back to the oldest live bar.

    None where the history at hand does, or is all that can be had.
    """
    first, last = history.closed.first_time, history.closed.last_time
    if oldest_live is None or first is None or last is None or first <= oldest_live:
        return None
    if history.fetched < request.n_bars or request.n_bars == MAX_BARS:
        return None
    wanted = (last - oldest_live) // request.series.interval.seconds + _BARS_MORE
    return min(max(wanted, request.n_bars), MAX_BARS)


def _is_taken(interval: Interval, live: NDArray[np.int64], history: NDArray[np.int64]) -> Flags:
    """Which of the live bars share time with a history bar; both in order of time."""
    if not interval.is_intraday:
        reach = overlap_seconds(interval)
        near = history[(history >= live[0] - reach) & (history <= live[-1] + reach)]
        taken = {interval.period_start(each + _EVENING_SECONDS) for each in near.tolist()}
        return np.array([interval.period_start(each) in taken for each in live.tolist()])
    edges = np.concatenate([[-np.inf], history, [np.inf]])
    place = np.searchsorted(edges, live, "left")
    least = interval.seconds
    return np.asarray((live - edges[place - 1] < least) | (edges[place] - live < least))
