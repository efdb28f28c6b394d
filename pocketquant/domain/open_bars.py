"""`OpenBars`: the open bars of one symbol, and the hours that bound them.

Minutes are made of ticks, bars of up to four hours of closed minutes. A longer bar keeps its open,
high and low, and the totals of all closed minutes from before it. So a minute is added to one
total, not to nine. The day is that of the quote (`day_bars`).
"""

from dataclasses import dataclass
from operator import attrgetter

from pocketquant.domain.calendar import Calendar
from pocketquant.domain.day_bars import OpenDay
from pocketquant.domain.gaps import Unseen
from pocketquant.domain.intervals import MINUTE, Interval
from pocketquant.domain.live_bars import LiveBar, as_float
from pocketquant.domain.periods import Period, period
from pocketquant.domain.quotes import Tick, Volume, exact

LONGER = tuple(each for each in Interval if each.is_intraday and each is not Interval.M1)

_BEFORE_ALL = -(2**53)
_AFTER_ALL = 2**53


@dataclass(frozen=True, slots=True)
class BarsState:
    """The bars of one symbol, to continue from after a restart.

    `minutes` are the open ones; `longer` are the open longer bars, of closed minutes only; `day` is
    the open day. No minute that ends by `closed_until` opens again.
    """

    symbol: str
    delay_seconds: int
    unseen: Unseen
    closed_until: int
    minutes: tuple[LiveBar, ...]
    longer: tuple[LiveBar, ...]
    day: LiveBar | None = None


class Minute:
    """An open minute. Its open is the price of the earliest tick, its close of the latest one."""

    __slots__ = (
        "close",
        "due",
        "end",
        "first_tick_at",
        "high",
        "last_tick_at",
        "low",
        "open",
        "start",
        "tick_count",
        "volume",
    )

    def __init__(self, start: int, tick: Tick) -> None:
        self.start = start
        self.end = start + MINUTE
        self.due: int | None = None
        self.open = self.high = self.low = self.close = tick.price
        self.volume = tick.size
        self.tick_count = 1
        self.first_tick_at = self.last_tick_at = tick.time

    def add(self, tick: Tick) -> None:
        """Add a tick, in any order of time. Within one second the order of adding counts."""
        _, time, price, size = tick
        if time >= self.last_tick_at:
            self.close, self.last_tick_at = price, time
        elif time < self.first_tick_at:
            self.open, self.first_tick_at = price, time
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.tick_count += 1
        if size is not None:
            self.volume = size if self.volume is None else self.volume + size

    @classmethod
    def of(cls, bar: LiveBar) -> "Minute":
        """The minute that a bar was made from."""
        volume = None if bar.volume is None else exact(bar.volume)
        minute = cls(bar.start, Tick(bar.symbol, bar.last_tick_at, bar.close, volume))
        minute.open, minute.high, minute.low = bar.open, bar.high, bar.low
        minute.tick_count, minute.first_tick_at = bar.tick_count, bar.first_tick_at
        return minute


class Hours:
    """A calendar, with the newest periods found by it; symbols with equal calendars share it.

    Without a calendar every time is in session, and there are no longer bars.
    """

    __slots__ = ("_newest", "calendar")

    def __init__(self, calendar: Calendar | None) -> None:
        self.calendar = calendar
        self._newest: list[Period | None] = [None] * len(LONGER)

    @property
    def bounds(self) -> tuple[int, int]:
        """The bounds of a session before any is known."""
        return (_BEFORE_ALL, _BEFORE_ALL) if self.calendar else (_BEFORE_ALL, _AFTER_ALL)

    def period_at(self, slot: int, minute: int) -> Period | None:
        """The period of the slot's interval that contains a minute; None if it is not known."""
        newest = self._newest[slot]
        if newest is None or not newest[0] <= minute < newest[1]:
            newest = self._newest[slot] = period(self.calendar, LONGER[slot], minute)
        return newest


class Longer:
    """An open bar of closed minutes; `…_before` are the totals before its first minute."""

    __slots__ = (
        "due",
        "end",
        "first_tick_at",
        "high",
        "low",
        "open",
        "start",
        "ticks_before",
        "volume_before",
        "volumes_before",
    )

    def __init__(self, period: tuple[int, int], first: Minute, before: "OpenBars") -> None:
        self.start, self.end = period
        self.due: int | None = None
        self.open, self.high, self.low = first.open, first.high, first.low
        self.first_tick_at = first.first_tick_at
        self.ticks_before = before.ticks
        self.volume_before = before.volume
        self.volumes_before = before.volumes


NO_HOURS = Hours(None)
NO_MINUTE = Minute(_BEFORE_ALL, Tick("", _AFTER_ALL, 0.0, None))  # accepts no tick


class OpenBars:
    """The open minutes, oldest first, a slot with at most one bar for each of `LONGER`, and a day.

    `volume`, `volumes` and `ticks` are totals of all closed minutes: their volume, the number of
    minutes with a volume, their ticks. `close` and `last_tick_at` are those of the last one.

    `session_open` and `session_close` bound the session of the newest minute. `next_hours` replace
    `hours` when that session is over.
    """

    __slots__ = (
        "close",
        "closed_until",
        "day",
        "delay_seconds",
        "hours",
        "last_tick_at",
        "late_minute",
        "longer",
        "minutes",
        "next_hours",
        "session_close",
        "session_open",
        "symbol",
        "ticks",
        "unseen",
        "volume",
        "volumes",
    )

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.use(NO_HOURS)
        self.delay_seconds = 0
        self.unseen = Unseen()
        self.closed_until = _BEFORE_ALL
        self.late_minute: int | None = None  # closed, but a tick of it came later
        self.minutes: list[Minute] = []
        self.longer: list[Longer | None] = [None] * len(LONGER)
        self.day: OpenDay | None = None
        self.volume: Volume = 0
        self.volumes = self.ticks = self.last_tick_at = 0
        self.close = 0.0

    def use(self, hours: Hours) -> None:
        """Bound minutes and longer bars by these hours from now on; open bars keep their ends."""
        self.hours = hours
        self.next_hours: Hours | None = None
        self.session_open, self.session_close = hours.bounds

    def enter_session(self, time: int) -> bool:
        """Find the session that contains `time`; whether there is one."""
        if self.hours.calendar is None:
            return True
        session = self.hours.calendar.session_at(time)
        if session is not None:
            self.session_open, self.session_close = session.open, session.close
        return session is not None

    def minute_at(self, start: int) -> Minute | None:
        """The open minute that begins at `start`."""
        for minute in self.minutes:
            if minute.start == start:
                return minute
        return None

    def open_minute(self, start: int, tick: Tick) -> Minute:
        """Open the minute of its first tick."""
        minute = Minute(start, tick)
        self.minutes.append(minute)
        if len(self.minutes) > 1:
            self.minutes.sort(key=attrgetter("start"))
        return minute

    def merge(self, minute: Minute) -> list[tuple[int, Longer]]:
        """Merge the oldest minute into the longer bars; return the new ones with their slots."""
        begun = []
        high, low = minute.high, minute.low
        for slot, bar in enumerate(self.longer):
            if bar is None:
                held = self.hours.period_at(slot, minute.start)
                if held is not None:
                    self.longer[slot] = bar = Longer(held, minute, self)
                    begun.append((slot, bar))
            else:
                if high > bar.high:
                    bar.high = high
                if low < bar.low:
                    bar.low = low
        self._count(minute)
        self.minutes.remove(minute)
        return begun

    def minute_bar(self, minute: Minute) -> LiveBar:
        return LiveBar(
            self.symbol,
            Interval.M1,
            minute.start,
            minute.end,
            minute.open,
            minute.high,
            minute.low,
            minute.close,
            as_float(minute.volume),
            minute.tick_count,
            self.unseen.touches(minute.start, minute.end),
            minute.first_tick_at,
            minute.last_tick_at,
        )

    def longer_bar(self, slot: int, bar: Longer) -> LiveBar:
        """The bar, as far as minutes have closed."""
        has_volume = self.volumes > bar.volumes_before
        return LiveBar(
            self.symbol,
            LONGER[slot],
            bar.start,
            bar.end,
            bar.open,
            bar.high,
            bar.low,
            self.close,
            float(self.volume - bar.volume_before) if has_volume else None,
            self.ticks - bar.ticks_before,
            self.unseen.touches(bar.start, bar.end),
            bar.first_tick_at,
            self.last_tick_at,
        )

    def state(self, closed_until: int, has_longer: bool = True) -> BarsState:
        """The state, with or without the longer bars."""
        return BarsState(
            self.symbol,
            self.delay_seconds,
            self.unseen,
            closed_until,
            tuple(self.minute_bar(minute) for minute in self.minutes),
            tuple(
                self.longer_bar(slot, bar)
                for slot, bar in enumerate(self.longer if has_longer else ())
                if bar is not None
            ),
            self.day.bar() if self.day else None,
        )

    @classmethod
    def of(cls, state: BarsState, hours: Hours = NO_HOURS) -> "OpenBars":
        """The open bars of a stored state."""
        bars = cls(state.symbol)
        bars.use(hours)
        bars.delay_seconds = state.delay_seconds
        bars.unseen = state.unseen
        bars.closed_until = state.closed_until
        bars.minutes = [Minute.of(minute) for minute in state.minutes]
        for bar in state.longer:
            bars._resume(bar)
        if state.day is not None:
            bars.day = OpenDay.of(state.day, hours.calendar)
        return bars

    def _count(self, minute: Minute) -> None:
        if minute.volume is not None:
            self.volume += minute.volume
            self.volumes += 1
        self.ticks += minute.tick_count
        self.close = minute.close
        self.last_tick_at = minute.last_tick_at
        self.closed_until = minute.end

    def _resume(self, made: LiveBar) -> None:
        """Restore a longer bar; negative totals before it stand for its own minutes."""
        whole = Minute.of(made)
        bar = Longer((made.start, made.end), whole, self)
        bar.ticks_before = -made.tick_count
        if whole.volume is not None:
            bar.volume_before, bar.volumes_before = -whole.volume, -1
        self.longer[LONGER.index(made.interval)] = bar
        self.close, self.last_tick_at = made.close, made.last_tick_at
