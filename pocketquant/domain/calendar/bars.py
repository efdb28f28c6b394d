"""Where the bars of sessions open and close.

Intraday bars count from the open of their session; the last one ends with it. Longer bars are the
sessions of so many trading days, weeks or months, from the first open to the last close.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.calendar.lengths import BarLength
from pocketquant.domain.calendar.session_table import SessionTable
from pocketquant.domain.calendar.zones import Ints


@dataclass(frozen=True, slots=True, eq=False)
class BarTimes:
    """The opens of some bars, and when each is over (exclusive), in epoch seconds."""

    opens: Ints
    closes: Ints

    def __len__(self) -> int:
        return len(self.opens)

    @property
    def exist(self) -> NDArray[np.bool_]:
        """Which of them are bars; `[time, time)` stands for none, while the market is closed."""
        return np.asarray(self.closes > self.opens)

    def open_at(self, times: Ints) -> NDArray[np.bool_]:
        """Return which of them are bars that open at the time of their place."""
        return np.asarray((self.opens == times) & self.exist)


def bars_between(table: SessionTable, length: BarLength, start: int, end: int) -> BarTimes:
    """All bars that open in the range, in order."""
    if length.is_intraday:
        low = int(np.searchsorted(table.closes, start, "right"))
        high = int(np.searchsorted(table.opens, end, "left"))
        bars = _intraday_bars_of(table, slice(low, max(low, high)), length.seconds)
    else:
        groups = table.groups(length)
        bars = BarTimes(table.opens[groups.firsts], table.closes[groups.lasts])
    chosen = slice(*np.searchsorted(bars.opens, (start, end), "left"))
    return BarTimes(bars.opens[chosen], bars.closes[chosen])


def bars_of(table: SessionTable, length: BarLength, times: Ints, sessions: Ints) -> BarTimes:
    """The bar that holds each time; `sessions` are the indexes of the sessions that hold them."""
    if length.is_intraday:
        return _intraday_bars_at(table, times, sessions, length.seconds)
    groups = table.groups(length)
    numbers = groups.numbers[sessions]
    return BarTimes(table.opens[groups.firsts[numbers]], table.closes[groups.lasts[numbers]])


def _intraday_bars_at(table: SessionTable, times: Ints, sessions: Ints, seconds: int) -> BarTimes:
    anchors = table.anchors[sessions]
    starts = anchors + (times - anchors) // seconds * seconds
    ends = starts + seconds
    closing = np.searchsorted(table.opens, ends, "left") - 1
    closing = np.minimum(closing, table.lasts[sessions])
    return BarTimes(_in_session(table, starts), np.minimum(ends, table.closes[closing]))


def _intraday_bars_of(table: SessionTable, chosen: slice, seconds: int) -> BarTimes:
    """All bars of the chosen sessions."""
    anchors, session_closes = table.anchors[chosen], table.closes[chosen]
    first = (table.opens[chosen] - anchors) // seconds  # 0, unless bars count through breaks
    counts = -((anchors - session_closes) // seconds) - first
    ends = np.cumsum(counts)
    heads = ends - counts
    opens = np.arange(0, int(counts.sum()) * seconds, seconds, dtype=np.int64)
    opens += np.repeat(anchors + (first - heads) * seconds, counts)
    if table.counts_through_breaks:
        sessions = np.repeat(np.arange(chosen.start, chosen.stop), counts)
        opens = np.maximum(opens, table.opens[sessions])
        bars = _intraday_bars_at(table, opens, sessions, seconds)
        is_new = np.diff(bars.opens, prepend=-1) != 0
        return BarTimes(bars.opens[is_new], bars.closes[is_new])
    closes = opens + seconds
    closes[ends - 1] = session_closes
    return BarTimes(opens, closes)


def _in_session(table: SessionTable, starts: Ints) -> Ints:
    """Each start, or the next open where it lies in a break."""
    return np.maximum(starts, table.opens[np.searchsorted(table.closes, starts, "right")])
