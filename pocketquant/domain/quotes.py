"""`Quote`, the latest state of a symbol; `Tick`, a trade; `LiveQuote`, which makes both.

A provider sends changed fields, and as volume only the day's total so far. `LiveQuote` merges them
into the quote and decides which changes are trades, at what time, and of what size.

A symbol trades only while its market is open: outside the session a provider moves time and total,
but not the price. A total that falls begins a new day only if the quote names another day.
Otherwise the provider has corrected the total, or updates came in the wrong order, and the sizes of
that minute are unknown.

Binary floats cannot hold the decimals of totals (0.3 - 0.1 is not 0.2), so sizes are differences of
exact decimals: any number of them adds up to the exact difference of the totals.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict, cast

from pocketquant.domain.intervals import HOUR

Volume = int | Decimal
_Day = tuple[float | None, str | None]  # `open_time`, `trading_day`

_SAME_SECOND_SECONDS = 2  # how late a trade of the last received second may arrive
_MOST_AHEAD_SECONDS = HOUR  # trades further ahead of our clock have a wrong time
_SMALL_PART = 10  # a new day's first total is at most a tenth of the total before it
_DELAY = re.compile(r"delayed_streaming_([0-9]{1,6})")
_OPEN = "market"
_TRADING = (_OPEN, None)  # None: the provider has not sent a session
_NO_DAY = (None, None)


class QuoteChanges(TypedDict, total=False):
    """Changed fields of a quote, named as in `Quote`. An absent one has not changed.

    None removes the value.
    """

    time: float | None
    last_price: float | None
    bid: float | None
    ask: float | None
    day_volume: float | None
    change: float | None
    change_percent: float | None
    open_price: float | None
    high_price: float | None
    low_price: float | None
    prev_close: float | None
    update_mode: str | None
    current_session: str | None
    open_time: float | None
    trading_day: str | None


class Tick(NamedTuple):
    """One trade, or several of one moment, at `time` in epoch seconds.

    `symbol` is the text `EXCHANGE:TICKER`: the fastest key to look up for each tick. `size` is 0 if
    only the price is known, None if the symbol has no volume.
    """

    symbol: str
    time: int
    price: float
    size: Volume | None


@dataclass(frozen=True, slots=True)
class Quote:
    """The merged state of one symbol; None for an unknown value.

    `time` is the epoch second of the last price. `day_volume` is the total of the day so far, which
    `open_time` and `trading_day` name. `change` is the difference from yesterday's close.
    """

    symbol: str
    time: int | None = None
    last_price: float | None = None
    bid: float | None = None
    ask: float | None = None
    day_volume: float | None = None
    change: float | None = None
    change_percent: float | None = None
    open_price: float | None = None
    high_price: float | None = None
    low_price: float | None = None
    prev_close: float | None = None
    update_mode: str | None = None
    current_session: str | None = None
    open_time: float | None = None
    trading_day: str | None = None

    @property
    def is_trading(self) -> bool:
        """Whether its market is open, or its session unknown."""
        return self.current_session in _TRADING


class LiveQuote:
    """One symbol's quote, kept up to date by `update`.

    `known` is the quote from before a reconnect or a restart. A repeated value is then no tick, and
    the volume traded in between is the size of the first tick.

    `doubts` are times of ticks whose sizes are not certain. `ended` is the quote just before its
    session or its day changed, or None. The caller empties both after reading.
    """

    __slots__ = (
        "_counted",
        "_counted_day",
        "_fallen_from",
        "_fields",
        "_has_opened",
        "_is_growth_doubtful",
        "_tick_time",
        "_time",
        "delay_seconds",
        "doubts",
        "ended",
        "symbol",
    )

    def __init__(self, symbol: str, known: Quote | None = None) -> None:
        self.symbol = symbol
        known = known or Quote(symbol)
        self._fields = _fields_of(known)
        self._time = self._tick_time = known.time
        self._counted: Volume | None = None  # the total that ticks' sizes add up to
        self._counted_day = self._day()
        self._has_opened = False  # the session has opened, and no day has begun since
        self._fallen_from: Volume | None = None
        self._is_growth_doubtful = False
        self.doubts: tuple[int, ...] = ()
        self.ended: Quote | None = None
        total = self._fields["day_volume"]
        if self._time is not None and total is not None:
            self._counted = exact(total)
        self.delay_seconds = delay_seconds(self._fields["update_mode"])

    def update(self, changes: QuoteChanges, now: float) -> Tick | None:
        """Merge changes that came at `now`. Return a tick if they are a trade, else None.

        While the market is open, or its session unknown, a new price or a new total is a trade; a
        new total alone has the last price. A new time alone is a trade only if the symbol has no
        volume. A change of other fields is no trade, nor is anything before the first price.
        """
        fields = self._fields
        price, time, volume = (
            changes.get("last_price"),
            changes.get("time"),
            changes.get("day_volume"),
        )
        is_priced = price is not None and price != fields["last_price"]
        is_counted = volume is not None and volume != fields["day_volume"]
        is_timed = time is not None and time != fields["time"]
        if "current_session" in changes or "open_time" in changes or "trading_day" in changes:
            if fields["last_price"] is not None:
                self.ended = self.quote()
            self._note_session(changes.get("current_session", fields["current_session"]))
        fields.update(changes)
        if "update_mode" in changes:
            self.delay_seconds = delay_seconds(changes["update_mode"])
        price = fields["last_price"]
        if price is None or not (is_priced or is_counted or is_timed):
            return None
        if time is not None and time <= now + _MOST_AHEAD_SECONDS:
            self._time = int(time)
        else:
            self._time = self._estimated_time(now)
        if fields["current_session"] not in _TRADING:
            self._follow_total()
            return None
        if not (is_priced or is_counted) and fields["day_volume"] is not None:
            return None
        tick = Tick(self.symbol, self._time, price, self._size(self._time))
        self._tick_time = self._time
        return tick

    def quote(self) -> Quote:
        """The current state."""
        fields = cast(dict[str, Any], self._fields)
        return Quote(self.symbol, **{**fields, "time": self._time})

    @property
    def is_market_open(self) -> bool:
        return self._fields["current_session"] == _OPEN

    def _estimated_time(self, now: float) -> int:
        """The time of a trade that came without one: its arrival, less the symbol's delay.

        Only changed fields are sent, so right after a time, a trade without one is of that same
        second. A time of more than an hour ahead is ignored.
        """
        arrival = int(now - self.delay_seconds)
        last = self._fields["time"]
        if last is None or last > now + _MOST_AHEAD_SECONDS:
            return arrival
        if arrival - last > _SAME_SECOND_SECONDS:
            return arrival
        return int(last)

    def _note_session(self, session: str | None) -> None:
        if session == _OPEN and self._fields["current_session"] not in _TRADING:
            self._has_opened = True

    def _day(self) -> _Day:
        """The two names of the day that the total belongs to."""
        return self._fields["open_time"], self._fields["trading_day"]

    def _follow_total(self) -> None:
        """Keep growth outside the session out of the next trade's size."""
        total = self._fields["day_volume"]
        if total is not None:
            self._counted, self._counted_day = exact(total), self._day()

    def _size(self, time: int) -> Volume | None:
        """The growth of the day's total: all of it on a new day, 0 for a correction.

        The size of the first total is 0: it sums up trades from before.
        """
        total = self._fields["day_volume"]
        if total is None:
            return None
        new, counted = exact(total), self._counted
        day, counted_day = self._day(), self._counted_day
        is_other_day = day != counted_day and _is_other_day(day, counted_day)
        self._counted, self._counted_day = new, day
        if counted is None:
            return 0
        if new >= counted:
            return self._grown(new, counted, is_other_day, time)
        is_small = new * _SMALL_PART <= counted
        if is_other_day or (is_small and (self._has_opened or day == _NO_DAY)):
            self._has_opened = self._is_growth_doubtful = False
            self._fallen_from = None if is_other_day else counted
            return new
        self._is_growth_doubtful = True
        self.doubts = (self._tick_time or time, time)
        return 0

    def _grown(self, new: Volume, counted: Volume, is_other_day: bool, time: int) -> Volume:
        """The growth; doubtful after a correction, over a change of days, and back from a fall."""
        if new > counted and (self._is_growth_doubtful or is_other_day):
            self._is_growth_doubtful = False
            self.doubts = (time,)
        before = self._fallen_from
        if before is not None and counted * _SMALL_PART <= before <= new:
            self._fallen_from = None
            self.doubts = (time,)
            return new - before
        return new - counted


def exact(volume: float) -> Volume:
    """The shortest decimal that reads as this float: the sent text, up to 15 digits."""
    return int(volume) if volume.is_integer() else Decimal(repr(volume))


def delay_seconds(update_mode: str | None) -> int:
    """How far behind the market a feed is: 900 for `delayed_streaming_900`, else 0."""
    delay = _DELAY.fullmatch(update_mode or "")
    return int(delay[1]) if delay else 0


def _is_other_day(day: _Day, before: _Day) -> bool:
    """Whether a name that both days have differs."""
    names = zip(before, day, strict=True)
    return any(None not in (old, new) and old != new for old, new in names)


def _fields_of(quote: Quote) -> QuoteChanges:
    names = QuoteChanges.__annotations__
    return cast(QuoteChanges, {name: getattr(quote, name) for name in names})
