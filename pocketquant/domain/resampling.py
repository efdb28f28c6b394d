"""Longer bars made of shorter ones: any number of minutes, aligned to the epoch."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    """The stored intraday intervals that bars of `seconds` can be made of, longest first."""
    fitting = {
        each
        for each in stored
        if each.is_intraday and each.seconds < seconds and seconds % each.seconds == 0
    }
    return sorted(fitting, key=lambda each: -each.seconds)


def is_aligned(times: NDArray[np.int64], seconds: int) -> bool:
    """Whether all bars of `seconds` open at a multiple of their length."""
    return not np.any(times % seconds)


@dataclass(frozen=True, slots=True)
class Span:
    """A stored interval, the start of its first bar and the end of its last one."""

    interval: Interval
    start: int
    end: int


def covering(spans: Iterable[Span], seconds: int, start: int | None, end: int | None) -> Span:
    """The span that covers most complete bars of `seconds` in the range; needs at least one span.

    Of equal spans the longest interval wins. If none covers a complete bar, the one with most of
    their time wins.
    """
    longest_first = sorted(spans, key=lambda each: -each.interval.seconds)
    bounds = (
        None if start is None else up(start, seconds),
        None if end is None else up(end, seconds),
    )
    for is_whole in (True, False):
        counts = [_covered_seconds(each, seconds, bounds, is_whole) for each in longest_first]
        if any(counts):
            break
    return longest_first[counts.index(max(counts))]


def up(time: int, seconds: int) -> int:
    """The first multiple of `seconds` at or after `time`."""
    return -(-time // seconds) * seconds


def down(time: int, seconds: int) -> int:
    """The last multiple of `seconds` at or before `time`."""
    return time // seconds * seconds


def resample(bars: Bars, seconds: int) -> Bars:
    """Bars of `seconds`; a period without bars has none.

    Open is the first, high the highest, low the lowest, close the last, volume the sum of known
    volumes (NaN if none is known).
    """
    if not len(bars):
        return bars
    periods = bars.time - bars.time % seconds
    firsts = np.flatnonzero(np.r_[True, periods[1:] != periods[:-1]])
    lasts = np.r_[firsts[1:], len(bars)] - 1
    return Bars(
        np.array(
            [
                periods[firsts],
                bars.columns[1, firsts],
                np.maximum.reduceat(bars.columns[2], firsts),
                np.minimum.reduceat(bars.columns[3], firsts),
                bars.columns[4, lasts],
                _volumes(bars.columns[5], firsts),
            ]
        )
    )


def touched(
    times: NDArray[np.int64], seconds: int, stretches: Iterable[tuple[float, float]]
) -> NDArray[np.bool_]:
    """Mask of the bars of `seconds` that overlap a stretch; `times` are in order."""
    is_touched = np.zeros(len(times), dtype=bool)
    for start, end in stretches:
        low = np.searchsorted(times, start - seconds, "right")
        is_touched[low : np.searchsorted(times, end, "left")] = True
    return is_touched


def _covered_seconds(
    span: Span, seconds: int, bounds: tuple[int | None, int | None], is_whole: bool
) -> int:
    """How many seconds of closed bars of `seconds` within the bounds lie in the span.

    With `is_whole`, only bars that lie completely in the span count.
    """
    start, end = bounds
    first = up(span.start, seconds) if is_whole else span.start
    low = first if start is None else max(first, start)
    high = down(span.end, seconds) if end is None else min(down(span.end, seconds), end)
    return max(0, high - low)


def _volumes(volume: Floats, firsts: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Floats:
    is_known = ~np.isnan(volume)
    sums = np.add.reduceat(np.where(is_known, volume, 0.0), firsts)
    return np.where(np.logical_or.reduceat(is_known, firsts), sums, np.nan)
