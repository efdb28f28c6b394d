"""Compares daily bars with another source of the same days: intraday bars, or a quote.

A day is more than its minutes: auctions may be in it alone, and its open may be theirs. Volumes of
a primary exchange and of several exchanges together differ by much. So small differences are usual,
and those beyond a bound are worth a look: a bad print, a session in part, another feed. Days whose
four prices differ by one ratio have another scale, which is for the comparison of scales to judge.
"""

from dataclasses import dataclass

import numpy as np

from pocketquant.domain.bars import Bars, Floats
from pocketquant.domain.calendar.bars import BarTimes
from pocketquant.domain.reports import QuotedDay

_PRICE_SHARE = 0.01
_VOLUME_SHARE = 0.5
_FIELDS = ("open", "high", "low", "close", "volume")
_PRICES, _VOLUME = slice(0, 4), 4


@dataclass(frozen=True, slots=True)
class DayDifference:
    """A value of a stored day, and that of another source: `quote`, or bars of an interval."""

    time: int
    against: str
    field: str
    stored: float
    other: float


def day_differences(days: Bars, others: Bars, against: str) -> list[DayDifference]:
    """Return the values of days that both have, and that differ beyond the bounds."""
    _, of_days, of_others = np.intersect1d(
        days.time, others.time, assume_unique=True, return_indices=True
    )
    found = []
    for one, other in zip(of_days, of_others, strict=True):
        stored, quoted = days.columns[1:, one], others.columns[1:, other]
        if not _has_other_scale(stored[_PRICES], quoted[_PRICES]):
            found += [
                DayDifference(
                    int(days.time[one]), against, _FIELDS[n], float(stored[n]), float(quoted[n])
                )
                for n in np.flatnonzero(_differ(stored, quoted))
            ]
    return found


def days_of(bars: Bars, windows: BarTimes) -> Bars:
    """Return the days that these shorter bars make, each at its open; none for one without bars."""
    rows = []
    for start, end in zip(windows.opens.tolist(), windows.closes.tolist(), strict=True):
        part = bars.between(start, end)
        if len(part):
            prices = (part.open[0], part.high.max(), part.low.min(), part.close[-1])
            rows.append((start, *prices, part.volume.sum()))
    return Bars(np.array(rows, dtype=np.float64).reshape(-1, 6).T)


def bars_of_quote(quoted: QuotedDay, opens_at: int) -> Bars:
    """Return the day that a quote reports as a bar."""
    volume = np.nan if quoted.volume is None else quoted.volume
    prices = (quoted.open, quoted.high, quoted.low, quoted.close)
    return Bars(np.array([[opens_at, *prices, volume]], dtype=np.float64).T)


def _differ(stored: Floats, other: Floats) -> Floats:
    """Return which values differ beyond their bounds; an unknown volume differs from none."""
    shares = np.array([_PRICE_SHARE] * 4 + [_VOLUME_SHARE])
    return np.asarray(np.abs(stored - other) > shares * np.maximum(stored, other))


def _has_other_scale(stored: Floats, other: Floats) -> bool:
    if min(stored.min(), other.min()) <= 0:
        return False
    ratios = other / stored
    is_one_ratio = bool(ratios.max() <= ratios.min() * (1 + _PRICE_SHARE))
    return is_one_ratio and bool((np.abs(ratios - 1) > _PRICE_SHARE).all())
