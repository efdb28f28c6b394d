"""A symbol's calendar: its sessions, trading days, and the bars of every length."""

from bisect import bisect_right
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.calendar.answers import (
    BarWindow,
    CalendarTexts,
    Days,
    Session,
    Sessions,
)
from pocketquant.domain.calendar.bars import BarTimes, bars_between, bars_of
from pocketquant.domain.calendar.grammar import EPOCH_DAY, FIRST_YEAR, LAST_YEAR
from pocketquant.domain.calendar.lengths import BarLength
from pocketquant.domain.calendar.rules import Rules
from pocketquant.domain.calendar.session_table import SessionTable
from pocketquant.domain.calendar.zones import Ints, parse_zone
from pocketquant.domain.intervals import DAY, Interval

Length = Interval | BarLength

_AROUND = 14 * DAY  # further than a session may lie from its trading day


class _Place(NamedTuple):
    """A session where it was found."""

    open: int
    close: int
    session: Session
    number: int
    table: SessionTable


@lru_cache(maxsize=1024)
def parse_calendar(texts: CalendarTexts, *, counts_through_breaks: bool = False) -> "Calendar":
    """Make the calendar; raise InvalidCalendar, with the text and the reason, if it can't be.

    Equal texts give one calendar, which symbols share. Intraday bars count anew after a break
    within a trading day, unless `counts_through_breaks`.
    """
    zone = parse_zone(texts.timezone)
    rules = Rules.parse(texts.session, texts.holidays, texts.corrections)
    return Calendar(
        texts, lambda years: SessionTable.expand(rules, zone, years, counts_through_breaks)
    )


class Calendar:
    """When a symbol trades. Times are epoch seconds; a range has its start, but not its end.

    The years 1900 to 2199 are known; outside of them nothing trades. Sessions are expanded by
    whole years when first needed, and kept. Threads may share a calendar.
    """

    def __init__(self, texts: CalendarTexts, expand: Callable[[range], SessionTable]) -> None:
        self.texts = texts
        self._expand = expand
        self._table: SessionTable | None = None
        self._last: _Place | None = None

    @property
    def is_continuous(self) -> bool:
        """Whether it trades always, without a holiday; its sessions are days that touch."""
        always = CalendarTexts(self.texts.timezone, "24x7")
        return self.texts == always

    # Sessions and trading days

    def session_at(self, time: int) -> Session | None:
        """The session that holds the time; None while the market is closed."""
        place = self._place(time)
        return place and place.session

    def latest_session(self, time: int) -> Session | None:
        """The session that holds the time, or else the last one before it."""
        table = self._known(time, time)
        while time < (table.open_list or [time + 1])[0]:
            if table.first_year == FIRST_YEAR:
                return None
            table = self._known(table.start, time)
        return _session(table, bisect_right(table.open_list, time) - 1)

    def is_open(self, time: int) -> bool:
        return self._place(time) is not None

    def next_open(self, time: int) -> int | None:
        """The next open of a session after the time; sessions of 24x7 touch each other."""
        return self._next(time, lambda table: table.open_list)

    def next_close(self, time: int) -> int | None:
        """The next close of a session after the time."""
        return self._next(time, lambda table: table.close_list)

    def sessions_of(self, trading_day: date) -> list[Session]:
        """The sessions of a trading day, in order; none of a day without trading."""
        day = trading_day.toordinal() - EPOCH_DAY
        table = self._known(day * DAY, day * DAY)
        low, high = np.searchsorted(table.days, (day, day + 1))
        return [_session(table, index) for index in range(low, high)]

    def sessions(self, start: int, end: int) -> Sessions:
        """All sessions that have any of their time in the range."""
        table = self._known(start, end)
        low = np.searchsorted(table.closes, start, "right")
        high = np.searchsorted(table.opens, end, "left")
        chosen = slice(low, high)
        days = table.days[chosen].astype("datetime64[D]")
        return Sessions(table.opens[chosen], table.closes[chosen], days)

    def trading_days(self, start: date, end: date) -> Days:
        """All days of the range that have a session."""
        first, stop = start.toordinal() - EPOCH_DAY, end.toordinal() - EPOCH_DAY
        table = self._known(first * DAY, stop * DAY)
        low, high = np.searchsorted(table.days, (first, stop))
        return np.unique(table.days[low:high]).astype("datetime64[D]")

    def are_open(self, times: Ints) -> NDArray[np.bool_]:
        """For each time whether a session holds it."""
        return self._locate(times, _AROUND)[2]

    def trading_days_at(self, times: Ints) -> Days:
        """The trading day of each time; NaT where the market is closed."""
        table, sessions, is_open = self._locate(times, _AROUND)
        days = np.full(len(times), np.datetime64("NaT"), dtype="datetime64[D]")
        days[is_open] = table.days[sessions].astype("datetime64[D]")
        return days

    # Bars

    def bar_at(self, time: int, length: Length) -> BarWindow | None:
        """The bar that holds the time; None while the market is closed.

        Quick as long as times stay in one session; callers that keep the window need not ask
        again before its close.
        """
        place = self._last
        if place is None or not place.open <= time < place.close:
            place = self._place(time)
            if place is None:
                return None
        wanted = BarLength.of(length)
        seconds, session = wanted.seconds, place.session
        if not seconds:
            return self._window(session, wanted)
        if place.table.counts_through_breaks:
            return _window_through_breaks(place, time, wanted)
        start = time - (time - place.open) % seconds
        return BarWindow(start, min(start + seconds, place.close), session)

    def bar_of_day(self, trading_day: date, length: Length) -> BarWindow | None:
        """The bar of days, weeks or months to which a trading day belongs; None if it has none."""
        sessions = self.sessions_of(trading_day)
        return self._window(sessions[0], BarLength.of(length)) if sessions else None

    def bars_at(self, times: Ints, length: Length) -> BarTimes:
        """The bar that holds each time; `[time, time)` where the market is closed."""
        wanted = BarLength.of(length)
        table, sessions, is_open = self._locate(times, wanted.reach_seconds)
        bars = bars_of(table, wanted, times[is_open], sessions)
        opens, closes = times.copy(), times.copy()
        opens[is_open], closes[is_open] = bars.opens, bars.closes
        return BarTimes(opens, closes)

    def are_opens(self, times: Ints, length: Length) -> NDArray[np.bool_]:
        """For each time whether a bar of that length opens then."""
        return self.bars_at(times, length).open_at(times)

    def opens(self, length: Length, start: int, end: int) -> Ints:
        """The opens of all bars that open in the range."""
        return self.bars(length, start, end).opens

    def bars(self, length: Length, start: int, end: int) -> BarTimes:
        """All bars that open in the range."""
        wanted = BarLength.of(length)
        return bars_between(self._known(start, end, wanted.reach_seconds), wanted, start, end)

    # What is known

    def _known(self, start: int, end: int, reach: int = _AROUND) -> SessionTable:
        """A table that holds every session within `reach` of the range."""
        table = self._table
        if table is not None and table.start <= start - reach and end + reach <= table.end:
            return table
        first, last = _year(start - reach), _year(end + reach)
        if table is not None:
            first, last = min(first, table.first_year), max(last, table.last_year)
        wider = self._table = self._expand(range(first, last + 1))
        return wider  # another thread may have set its own

    def _place(self, time: int) -> _Place | None:
        place = self._last
        if place and place.open <= time < place.close:
            return place
        table = self._known(time, time)
        index = bisect_right(table.open_list, time) - 1
        if index < 0 or time >= table.close_list[index]:
            return None
        session = _session(table, index)
        found = self._last = _Place(session.open, session.close, session, index, table)
        return found  # another thread may have set its own

    def _locate(self, times: Ints, reach: int) -> tuple[SessionTable, Ints, NDArray[np.bool_]]:
        """The index of the session of each open time, and which times these are."""
        if not len(times):
            return self._table or self._known(0, 0), np.zeros(0, int), np.zeros(0, bool)
        table = self._known(int(times.min()), int(times.max()), reach)
        number = np.searchsorted(table.opens, times, "right")
        closes = np.concatenate((times[:1], table.closes))
        is_open: NDArray[np.bool_] = (number > 0) & (times < closes[number])
        return table, number[is_open] - 1, is_open

    def _next(self, time: int, moments: Callable[[SessionTable], list[int]]) -> int | None:
        table = self._known(time, time)
        while (moments(table) or [time])[-1] <= time:
            if table.last_year == LAST_YEAR:
                return None
            table = self._known(time, table.end)
        return moments(table)[bisect_right(moments(table), time)]

    def _window(self, session: Session, length: BarLength) -> BarWindow:
        table = self._known(session.open, session.open, length.reach_seconds)
        first, last = table.bar_of(bisect_right(table.open_list, session.open) - 1, length)
        return BarWindow(table.open_list[first], table.close_list[last], session)


def _window_through_breaks(place: _Place, time: int, length: BarLength) -> BarWindow:
    bars = bars_of(place.table, length, np.array([time]), np.array([place.number]))
    return BarWindow(int(bars.opens[0]), int(bars.closes[0]), place.session)


def _session(table: SessionTable, index: int) -> Session:
    day = date.fromordinal(int(table.days[index]) + EPOCH_DAY)
    return Session(table.open_list[index], table.close_list[index], day)


def _year(time: int) -> int:
    year = int(np.datetime64(time, "s").astype("datetime64[Y]").astype(np.int64)) + 1970
    return min(max(year, FIRST_YEAR), LAST_YEAR)
