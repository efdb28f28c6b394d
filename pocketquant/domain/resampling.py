"""Longer bars out of shorter ones: any number of minutes, aligned to the epoch."""

import re
from collections.abc import Iterable

import numpy as np

from pocketquant.domain.bars import Bars, Floats
from pocketquant.domain.errors import InvalidInterval
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, Interval

CUSTOM_PATTERN = r"[1-9][0-9]{0,3}[mh]"
LONGEST_SECONDS = 7 * DAY

_CUSTOM = re.compile(CUSTOM_PATTERN)
_UNIT_SECONDS = {"m": MINUTE, "h": HOUR}


def custom_seconds(text: str) -> int:
    """The length of an interval in minutes or hours, such as `10m` or `6h`, up to a week."""
    if not _CUSTOM.fullmatch(text):
        raise InvalidInterval(
            f"interval {text[:40]!r} is neither one of the 13 nor a number of minutes or hours,"
            " as 10m or 6h"
        )
    seconds = int(text[:-1]) * _UNIT_SECONDS[text[-1]]
    if seconds > LONGEST_SECONDS:
        raise InvalidInterval(f"interval {text!r} is longer than a week")
    return seconds


def sources(seconds: int, stored: Iterable[Interval]) -> list[Interval]:
    """The intraday intervals out of which bars of `seconds` can be made, the longest first."""
    fitting = {
        each
        for each in stored
        if each.is_intraday and each.seconds < seconds and seconds % each.seconds == 0
    }
    return sorted(fitting, key=lambda each: -each.seconds)


def is_aligned(bars: Bars, seconds: int) -> bool:
    """Whether each bar of `seconds` lies within one period of any multiple of its length."""
    return not np.any(bars.time % seconds)


def resample(bars: Bars, source_seconds: int, seconds: int) -> Bars:
    """The closed bars of `seconds` that these make; `source_seconds` must divide it.

    Open is the first, high the highest, low the lowest, close the last, volume the sum of those
    that have one (NaN where none has). A bar is closed once the source has reached its end: the
    newest one may be missing, and no bar is made of a period without a bar.
    """
    if not len(bars):
        return bars
    periods = bars.time - bars.time % seconds
    ends_at = int(bars.time[-1]) + source_seconds
    count = int(np.searchsorted(periods, ends_at - seconds, "right"))
    if not count:
        return Bars.empty()
    columns, periods = bars.columns[:, :count], periods[:count]
    firsts = np.flatnonzero(np.r_[True, periods[1:] != periods[:-1]])
    lasts = np.r_[firsts[1:], count] - 1
    return Bars(
        np.array(
            [
                periods[firsts],
                columns[1, firsts],
                np.maximum.reduceat(columns[2], firsts),
                np.minimum.reduceat(columns[3], firsts),
                columns[4, lasts],
                _volumes(columns[5], firsts),
            ]
        )
    )


def _volumes(volume: Floats, firsts: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Floats:
    is_known = ~np.isnan(volume)
    sums = np.add.reduceat(np.where(is_known, volume, 0.0), firsts)
    return np.where(np.logical_or.reduceat(is_known, firsts), sums, np.nan)
