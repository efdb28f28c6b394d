"""`Quote`, the latest of a symbol; `Tick`, one change of it that carries a price.

A provider sends what has changed, and of volume only the day's total so far. `LiveQuote` merges
that into the quote and tells which changes are trades, when, and of what size.

Only an open market trades: outside its session a provider moves time and total while the price
stands. A total that falls begins a new day only if the quote says so; otherwise the provider has
corrected it, or updates came in the wrong order, and nobody knows the sizes of that minute.

Totals are decimals that binary floats cannot hold (0.3 - 0.1 is not 0.2), so sizes are differences
of exact decimals. However many are added up, the sum is what the totals differ by.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict

from pocketquant.domain.intervals import HOUR

Volume = int | Decimal

_NO_VOLUME = 1e100
_SAME_SECOND_SECONDS = 2  # how late a trade of the second named last may arrive
_MOST_AHEAD_SECONDS = HOUR  # of our clock, which trades that are ahead of it may put forward
_SMALL_PART = 10  # a new day's first total is at most this part of the total before it
_DELAY = re.compile(r"delayed_streaming_([0-9]{1,6})")
_OPEN = "market"
_TRADING = (_OPEN, None)  # None was never said


# A name with a hyphen can't be written as an attribute.
_HyphenatedFields = TypedDict("_HyphenatedFields", {"market-status": Any}, total=False)


class QuoteFields(_HyphenatedFields, total=False):
    """Fields of a quote in TradingView's words. One that is absent has not changed, null is none.

    `lp` is the last price and `lp_time` when it was paid, to the second; `volume` is the day's
    total, 1e100 for a symbol without; `ch` and `chp` are the change since yesterday's close.
    `open_time` and `tradingday` in `market-status` name the day that the total belongs to.
    """

    lp: float | None
    lp_time: float | None
    volume: float | None
    bid: float | None
    ask: float | None
    ch: float | None
    chp: float | None
    open_price: float | None
    high_price: float | None
    low_price: float | None
    prev_close_price: float | None
    update_mode: str | None
    current_session: str | None
    open_time: Any


FIELDS = tuple(QuoteFields.__annotations__)
_NO_DAY = (None, None)


class Tick(NamedTuple):
    """A trade, or several of one moment: epoch seconds, price, and what was traded.

    `symbol` is the text `EXCHANGE:TICKER`, as it is a dictionary's key for every tick. `size` is 0
    where only the price is known, None where the symbol has no volume.
    """

    symbol: str
    time: int
    price: float
    size: Volume | None


@dataclass(frozen=True, slots=True)
class Quote:
    """The merged state of one symbol; None for what is not known.

    `time` is that of the last price, `day_volume` the day's total so far; `open_time` and
    `trading_day` name that day.
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


class LiveQuote:
    """One symbol's quote, kept up to date.

    With `known`, the quote from before a reconnect or a restart, it goes on from there: what is
    sent again is no tick, and what was traded meanwhile is the size of the first one.
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
        "_trading_day",
        "delay_seconds",
        "doubts",
        "symbol",
    )

    def __init__(self, symbol: str, known: Quote | None = None) -> None:
        self.symbol = symbol
        known = known or Quote(symbol)
        self._fields = _fields_of(known)
        self._time = self._tick_time = known.time
        self._trading_day = known.trading_day
        self._counted: Volume | None = None  # the total that was handed out as sizes
        self._counted_day = self._day()
        self._has_opened = False  # and no day has begun since
        self._fallen_from: Volume | None = None
        self._is_growth_doubtful = False
        self.doubts: tuple[int, ...] = ()
        total = self._fields["volume"]
        if self._time is not None and total is not None:
            self._counted = exact(total)
        self.delay_seconds = delay_seconds(self._fields["update_mode"])

    def update(self, changes: QuoteFields, now: float) -> Tick | None:
        """Merge what has changed at `now`. A tick if that was a trade.

        In a market that is open, or never said whether it is, a new price or a new total is a
        trade, without a new price one at the last. A new time alone is a trade only of a symbol
        without volume. Bid, ask and the like are none, nor is anything while no price is known.

        `doubts` are the times of ticks whose sizes are not known for sure: whoever reads it empties
        it.
        """
        fields = self._fields
        price, time, volume = changes.get("lp"), changes.get("lp_time"), changes.get("volume")
        if volume is not None and not 0 <= volume < _NO_VOLUME:
            changes["volume"] = volume = None
        is_priced = price is not None and price != fields["lp"]
        is_counted = volume is not None and volume != fields["volume"]
        is_timed = time is not None and time != fields["lp_time"]
        if "current_session" in changes:
            self._note_session(changes["current_session"])
        if "market-status" in changes:
            self._note_status(changes["market-status"])
        fields.update(changes)
        if "update_mode" in changes:
            self.delay_seconds = delay_seconds(changes["update_mode"])
        price = fields["lp"]
        if price is None or not (is_priced or is_counted or is_timed):
            return None
        if time is not None and time <= now + _MOST_AHEAD_SECONDS:
            self._time = int(time)
        else:
            self._time = self._untold_time(now)
        if fields["current_session"] not in _TRADING:
            self._follow_total()
            return None
        if not (is_priced or is_counted) and fields["volume"] is not None:
            return None
        tick = Tick(self.symbol, self._time, price, self._size(self._time))
        self._tick_time = self._time
        return tick

    def quote(self) -> Quote:
        """The state as of now."""
        fields = self._fields
        return Quote(
            symbol=self.symbol,
            time=self._time,
            last_price=fields["lp"],
            bid=fields["bid"],
            ask=fields["ask"],
            day_volume=fields["volume"],
            change=fields["ch"],
            change_percent=fields["chp"],
            open_price=fields["open_price"],
            high_price=fields["high_price"],
            low_price=fields["low_price"],
            prev_close=fields["prev_close_price"],
            update_mode=fields["update_mode"],
            current_session=fields["current_session"],
            open_time=_as_number(fields["open_time"]),
            trading_day=self._trading_day,
        )

    @property
    def is_market_open(self) -> bool:
        return self._fields["current_session"] == _OPEN

    def _untold_time(self, now: float) -> int:
        """When a trade was of which no time is told: arrival, less the delay of a delayed symbol.

        But only what has changed is sent: right after a time was told, none means the same second.
        A time that is more than an hour ahead is none.
        """
        arrival = int(now - self.delay_seconds)
        told = self._fields["lp_time"]
        if told is None or told > now + _MOST_AHEAD_SECONDS:
            return arrival
        if arrival - told > _SAME_SECOND_SECONDS:
            return arrival
        return int(told)

    def _note_session(self, session: str | None) -> None:
        if session == _OPEN and self._fields["current_session"] not in _TRADING:
            self._has_opened = True

    def _note_status(self, status: object) -> None:
        day = status.get("tradingday") if isinstance(status, dict) else None
        if isinstance(day, str):
            self._trading_day = day

    def _day(self) -> tuple[object, str | None]:
        """What the quote says of the day that its total belongs to."""
        return self._fields["open_time"], self._trading_day

    def _is_other_day(self) -> bool:
        """Whether it has said so of another day since the total was counted last."""
        told = zip(self._counted_day, self._day(), strict=True)
        return any(None not in (before, day) and before != day for before, day in told)

    def _follow_total(self) -> None:
        """What the total moves by outside the session is no trade's size."""
        total = self._fields["volume"]
        if total is not None:
            self._counted, self._counted_day = exact(total), self._day()

    def _size(self, time: int) -> Volume | None:
        """What the day's total has grown by; of a new day all of it, of a correction nothing.

        The first total ever is the sum of trades that nobody saw: nothing is counted of it.
        """
        total = self._fields["volume"]
        if total is None:
            return None
        new, counted = exact(total), self._counted
        is_other_day = self._is_other_day()
        self._counted, self._counted_day = new, self._day()
        if counted is None:
            return 0
        if new >= counted:
            return self._grown(new, counted, is_other_day, time)
        is_small = new * _SMALL_PART <= counted
        if is_other_day or (is_small and (self._has_opened or self._day() == _NO_DAY)):
            self._has_opened = self._is_growth_doubtful = False
            self._fallen_from = None if is_other_day else counted
            return new
        self._is_growth_doubtful = True
        self.doubts = (self._tick_time or time, time)
        return 0

    def _grown(self, new: Volume, counted: Volume, is_other_day: bool, time: int) -> Volume:
        """The growth. In doubt after a correction, over a change of days, and back from a fall."""
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
    """The shortest decimal that the float stands for: what was written, up to 15 digits."""
    return int(volume) if volume.is_integer() else Decimal(repr(volume))


def delay_seconds(update_mode: str | None) -> int:
    """How far behind the market a feed is: 900 for `delayed_streaming_900`, else 0."""
    delay = _DELAY.fullmatch(update_mode or "")
    return int(delay[1]) if delay else 0


def _fields_of(quote: Quote) -> QuoteFields:
    return {
        "lp": quote.last_price,
        "lp_time": quote.time,
        "volume": quote.day_volume,
        "bid": quote.bid,
        "ask": quote.ask,
        "ch": quote.change,
        "chp": quote.change_percent,
        "open_price": quote.open_price,
        "high_price": quote.high_price,
        "low_price": quote.low_price,
        "prev_close_price": quote.prev_close,
        "update_mode": quote.update_mode,
        "current_session": quote.current_session,
        "open_time": quote.open_time,
    }


def _as_number(value: object) -> float | None:
    return value if isinstance(value, (int, float)) else None
