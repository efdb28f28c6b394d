"""Outliers: bars with a price far from those around them, which the next bars do not confirm.

A bad print shows as a high, a low or both that stand alone. The bound is robust: the median close
of the bars around, and their median size, which one wrong bar does not move. A price that stays
where it jumped to is news, or a split; it is no outlier.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pocketquant.domain.bars import Bars, Floats

AROUND = 10  # bars on each side
SIZES = 8.0  # of a usual bar, that a price may lie from the usual close
SMALLEST_SHARE = 0.01  # of the price; bars that hardly move have no use for less


@dataclass(frozen=True, slots=True)
class Outlier:
    """A price of a bar, the usual close around it, and the bounds that it lies outside of."""

    time: int
    field: str
    value: float
    usual: float
    lowest: float
    highest: float


def outliers(bars: Bars) -> list[Outlier]:
    """Return the outliers in order of time, for each bar the price that lies farthest off.

    The first and last ten bars are not judged, nor are those of prices that are not above zero.
    """
    if len(bars) <= 2 * AROUND or bars.low.min() <= 0:
        return []
    high, low, close = np.log(bars.high), np.log(bars.low), np.log(bars.close)
    moves = np.abs(np.diff(close, prepend=close[0]))
    usual, bound = _middle(close), SIZES * _middle(np.maximum(high - low, moves))
    bound = np.maximum(bound, np.log1p(SMALLEST_SHARE))
    judged = slice(AROUND, len(bars) - AROUND)
    sides, count = _median(sliding_window_view(close, AROUND).copy()), len(bars) - 2 * AROUND
    middles = np.array([usual, sides[:count], sides[-count:]])
    above, below = high[judged] - middles.max(axis=0), middles.min(axis=0) - low[judged]
    found = np.flatnonzero(np.maximum(above, below) > bound)
    return [
        _outlier(bars, AROUND + int(index), usual[index], bound[index], above[index] > below[index])
        for index in found
    ]


def _outlier(bars: Bars, index: int, usual: float, bound: float, is_high: np.bool_) -> Outlier:
    field, values = ("high", bars.high) if is_high else ("low", bars.low)
    middle, most = float(np.exp(usual)), float(np.exp(bound))
    value = float(values[index])
    return Outlier(int(bars.time[index]), field, value, middle, middle / most, middle * most)


def _middle(values: Floats) -> Floats:
    """Return the median of the values around each judged one, without itself."""
    windows = sliding_window_view(values, 2 * AROUND + 1)
    return _median(np.concatenate((windows[:, :AROUND], windows[:, AROUND + 1 :]), axis=1))


def _median(rows: Floats) -> Floats:
    """Return the median of each row, of an even number of values, which are sorted in place.

    To sort short rows is ten times faster than `np.median`.
    """
    rows.sort(axis=1)
    middle = rows.shape[1] // 2
    return np.asarray((rows[:, middle - 1] + rows[:, middle]) / 2)
