"""Which of the bars that a user brings may stand beside those of the provider.

The checks of a sync come first; then, in this order:

    misaligned     an intraday bar that does not open at a whole minute
    not_closed     it may still grow: neither has its whole length passed (of a month, 31 days), nor
                   its end by the listing's trading hours, nor does stored history reach its time
    hides_live     it ends after a live bar begins: only a sync takes the place of live bars
    overlapping    another bar is there already, under an open time less than a bar away: providers
                   let days begin with the session, files often at midnight
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars, Floats, Refusal, judge, kept, mark, reason_at
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, Interval
from pocketquant.domain.joining import history_end
from pocketquant.domain.trading_hours import TradingHours

_LONGEST_MONTH = 31 * DAY
# How near two bars may open: sessions move by hours, and holidays the beginning of a week by days.
_NEAREST_SECONDS = {Interval.D1: 18 * HOUR, Interval.W1: 84 * HOUR, Interval.MONTH: 15 * DAY}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known already: stored open times around in order, the last of all, the first live."""

    times: Floats
    last_time: int | None = None
    live_from: int | None = None
    hours: TradingHours | None = None  # of the listing, where they are known


@dataclass(frozen=True, slots=True)
class Refused:
    """A bar that is not stored: its place among those that were brought, and the reason."""

    index: int
    time: float
    reason: Refusal


def nearest_seconds(interval: Interval) -> int:
    """How far apart bars of the interval open at the least."""
    return _NEAREST_SECONDS.get(interval, interval.seconds)


def check(
    columns: Floats, interval: Interval, around: Surroundings, now: int
) -> tuple[Bars, list[Refused]]:
    """The good bars of a raw (6, n) block in whatever order, and the others.

    Volumes are of all its bars or of none.
    """
    order = np.argsort(columns[0], kind="stable")
    ordered = columns[:, order]
    reasons = judge(ordered, has_volume=not np.isnan(ordered[5]).all())
    good = np.flatnonzero(reasons == 0)
    times = ordered[0, good]
    mark(reasons, Refusal.OVERLAPPING, _overlapping(times, interval, around.times), good)
    mark(reasons, Refusal.HIDES_LIVE, _hiding(times, interval, around), good)
    mark(reasons, Refusal.NOT_CLOSED, _growing(times, interval, around, now), good)
    if interval.is_intraday:
        mark(reasons, Refusal.MISALIGNED, times % MINUTE != 0, good)
    refused = [
        Refused(int(order[place]), float(ordered[0, place]), reason_at(reasons, place))
        for place in np.flatnonzero(reasons).tolist()
    ]
    return kept(ordered, reasons), sorted(refused, key=lambda each: each.index)


def _growing(
    times: Floats, interval: Interval, around: Surroundings, now: int
) -> NDArray[np.bool_]:
    """Those that have not closed, as far as is known."""
    growing = times > now - _length(interval)
    if around.last_time is not None:
        growing &= times > around.last_time
    if around.hours is not None:
        for place in np.flatnonzero(growing & (times < now)).tolist():
            growing[place] = around.hours.end(interval, int(times[place])) > now
    return np.asarray(growing)


def _length(interval: Interval) -> int:
    return _LONGEST_MONTH if interval is Interval.MONTH else interval.seconds


def _overlapping(times: Floats, interval: Interval, stored: Floats) -> NDArray[np.bool_]:
    """Those too near to a stored bar, other than of their own time, or to a good one before."""
    least = nearest_seconds(interval)
    edges = np.concatenate(([-np.inf], stored, [np.inf]))
    place = np.searchsorted(edges, times, "left")
    is_stored = edges[place] == times
    refused = ~is_stored & ((times - edges[place - 1] < least) | (edges[place] - times < least))
    last = -np.inf
    for number, time in enumerate(times.tolist()):
        if not refused[number] and not is_stored[number] and time - last < least:
            refused[number] = True
        elif not refused[number]:
            last = time
    return np.asarray(refused)


def _hiding(times: Floats, interval: Interval, around: Surroundings) -> NDArray[np.bool_]:
    """Those with which history would end later, where live bars begin before that end."""
    if around.live_from is None:
        return np.zeros(len(times), dtype=bool)
    ends = np.array([history_end(interval, int(time)) for time in times], dtype=np.float64)
    free_until = around.live_from
    if around.last_time is not None:
        free_until = max(free_until, history_end(interval, around.last_time))
    return ends > free_until
