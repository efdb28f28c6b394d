"""Local times of a zone to UTC, many at once, across its clock changes."""

from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.dates import to_date
from pocketquant.domain.errors import InvalidCalendar
from pocketquant.domain.intervals import DAY, WEEK

Ints = NDArray[np.int64]

_BEFORE_ALL_CHANGES = -170 * 365 * DAY  # 1800
_ALWAYS = np.iinfo(np.int64).min


def parse_zone(name: str) -> ZoneInfo:
    """The zone of that name in the IANA database."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidCalendar(f"timezone: there is no zone {name!r}") from None


def to_utc(zone: ZoneInfo, local: Ints) -> Ints:
    """Epoch seconds of local times, which are given as if the zone were UTC.

    A time that a clock change repeats is its first one; a time that a change skips is the moment
    of the change. So what is in order, or touches, locally is so in UTC too.
    """
    if not len(local):
        return local
    moments, offsets = _changes(zone, int(local.min()) - 2 * DAY, int(local.max()) + 2 * DAY)
    number = np.searchsorted(moments + offsets[:-1], local, "right")
    earliest = np.concatenate(([_ALWAYS], moments))
    return np.asarray(np.maximum(local - offsets[number], earliest[number]))


def offsets_at(zone: ZoneInfo, times: Ints) -> Ints:
    """The zone's offset from UTC at each time, in seconds; needs at least one time."""
    moments, offsets = _changes(zone, int(times.min()), int(times.max()))
    return offsets[np.searchsorted(moments, times, "right")]


def _changes(zone: ZoneInfo, start: int, end: int) -> tuple[Ints, Ints]:
    """The moments at which the offset changes, and the offsets before, between and after them.

    Looks once a week: no zone changes its clock twice in one, and none did before 1800.
    """
    start = max(start, _BEFORE_ALL_CHANGES)
    times = range(start, max(start, end) + WEEK, WEEK)
    offsets = [_offset(zone, time) for time in times]
    moments, kept = [], offsets[:1]
    for number, (before, after) in enumerate(pairwise(offsets)):
        if before != after:
            moments.append(_change_between(zone, times[number], times[number + 1]))
            kept.append(after)
    return np.array(moments, dtype=np.int64), np.array(kept, dtype=np.int64)


def _change_between(zone: ZoneInfo, low: int, high: int) -> int:
    """The first second with the offset of `high`, which is another one than that of `low`."""
    offset = _offset(zone, high)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == offset:
            high = middle
        else:
            low = middle
    return high


def _offset(zone: ZoneInfo, time: int) -> int:
    offset = to_date(time).astimezone(zone).utcoffset()
    return round((offset or timedelta()).total_seconds())
