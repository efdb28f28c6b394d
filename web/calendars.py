"""A kept calendar and its sessions → JSON bytes."""

from collections.abc import Iterator

import numpy as np
import orjson
from numpy.typing import NDArray

from pocketquant.domain.calendar import Calendar, Sessions, exceptions
from pocketquant.domain.dates import to_date
from pocketquant.domain.errors import InvalidRequest
from pocketquant.domain.intervals import DAY
from pocketquant.storage.calendars import KeptCalendar

MOST_DAYS = 40 * 366

_OPTIONS = orjson.OPT_UTC_Z


def encode(kept: KeptCalendar, range_: tuple[int, int], now: int) -> bytes:
    """Return `CalendarOut` as JSON; raise InvalidRequest for a range that is no range."""
    start, end = range_
    if end <= start:
        raise InvalidRequest("end: must be after start")
    if end - start > MOST_DAYS * DAY:
        raise InvalidRequest(f"end: ask for {MOST_DAYS} days at most")
    fields = {
        "symbol": kept.symbol.name,
        "exchange": kept.symbol.exchange,
        "timezone": kept.texts.timezone,
        "session": kept.texts.session,
        "source": "tradingview",
        "seen_from": to_date(kept.seen_from),
        "problem": kept.problem,
        "doubts": [
            {"interval": interval.value, "opened_at": to_date(opened)}
            for interval, opened in kept.doubts.items()
        ],
        **_answers(kept.calendar, start, end, now),
    }
    return orjson.dumps(fields, option=_OPTIONS)


def _answers(calendar: Calendar | None, start: int, end: int, now: int) -> dict[str, object]:
    if calendar is None:
        nothing = dict.fromkeys(("is_open", "next_open", "next_close"))
        return {**nothing, "holidays": [], "special_days": [], "sessions": []}
    listed = exceptions(calendar.texts)
    first, last = np.array([start, end - 1], dtype="datetime64[s]").astype("datetime64[D]")
    return {
        "is_open": calendar.is_open(now),
        "next_open": to_date(calendar.next_open(now)),
        "next_close": to_date(calendar.next_close(now)),
        "holidays": _between(listed.days_off, first, last),
        "special_days": _between(listed.special_days, first, last),
        "sessions": [*_rows(calendar.sessions(start, end))],
    }


def _rows(sessions: Sessions) -> Iterator[dict[str, str]]:
    columns = (_moments(sessions.opens), _moments(sessions.closes), sessions.trading_days)
    for opened, closed, day in zip(*(np.datetime_as_string(each) for each in columns), strict=True):
        yield {"open": f"{opened}Z", "close": f"{closed}Z", "trading_day": f"{day}"}


def _moments(times: NDArray[np.int64]) -> NDArray[np.datetime64]:
    return times.astype("datetime64[s]")


def _between(days: NDArray[np.datetime64], first: np.datetime64, last: np.datetime64) -> list[str]:
    chosen = days[(days >= first) & (days <= last)]
    return [str(day) for day in chosen]
