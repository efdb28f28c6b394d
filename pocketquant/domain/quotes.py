"""`Quote`, the latest of a symbol; `Tick`, one change of it that carries a price.

A provider sends what has changed, and of volume only the day's total so far. `LiveQuote` merges
that into the quote and tells which changes are trades, when, and of what size.

Totals are decimals that binary floats cannot hold (0.3 - 0.1 is not 0.2), so sizes are differences
of exact decimals. However many are added up, the sum is what the totals differ by.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, TypedDict

from pocketquant.domain.intervals import DAY

Volume = int | Decimal

_NO_VOLUME = 1e100
_SAME_SECOND_SECONDS = 2  # how late a trade of the second named last may arrive
_DELAY = re.compile(r"delayed_streaming_([0-9]{1,6})")
_OPEN = "market"


class QuoteFields(TypedDict, total=False):
    """Fields of a quote in TradingView's words. One that is absent has not changed, null is none.

    `lp` is the last price and `lp_time` when it was paid, to the second; `volume` is the day's
    total, 1e100 for a symbol without; `ch` and `chp` are the change since yesterday's close.
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


FIELDS = tuple(QuoteFields.__annotations__)


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

    `time` is that of the newest tick, `day_volume` the day's total so far.
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


class LiveQuote:
    """One symbol's quote, kept up to date.

    With `known`, the quote from before a reconnect or a restart, it goes on from there: what is
    sent again is no tick, and what was traded meanwhile is the size of the first one.
    """

    __slots__ = ("_counted", "_fields", "_time", "delay_seconds", "symbol")

    def __init__(self, symbol: str, known: Quote | None = None) -> None:
        self.symbol = symbol
        self._fields = _fields_of(known or Quote(symbol))
        self._time = known.time if known else None
        self._counted: Volume | None = None  # the total that was handed out as sizes
        total = self._fields["volume"]
        if self._time is not None and total is not None:
            self._counted = exact(total)
        self.delay_seconds = delay_seconds(self._fields["update_mode"])

    def update(self, changes: QuoteFields, now: float) -> Tick | None:
        """Merge what has changed at `now`. A tick if that was a trade.

        It was if price, time or volume moved: without a new price, a trade at the last one. What
        moves bid, ask and the like only is none, nor is anything while no price is known.
        """
        fields = self._fields
        price, time, volume = changes.get("lp"), changes.get("lp_time"), changes.get("volume")
        if volume is not None and not 0 <= volume < _NO_VOLUME:
            changes["volume"] = volume = None
        is_trade = (
            (price is not None and price != fields["lp"])
            or (time is not None and time != fields["lp_time"])
            or (volume is not None and volume != fields["volume"])
        )
        fields.update(changes)
        if "update_mode" in changes:
            self.delay_seconds = delay_seconds(changes["update_mode"])
        price = fields["lp"]
        if not is_trade or price is None:
            return None
        if time is not None and time <= now + DAY:
            self._time = int(time)
        else:
            self._time = self._untold_time(now)
        return Tick(self.symbol, self._time, price, self._size())

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
        )

    @property
    def is_market_open(self) -> bool:
        return self._fields["current_session"] == _OPEN

    def _untold_time(self, now: float) -> int:
        """When a trade was of which no time is told: arrival, less the delay of a delayed symbol.

        But only what has changed is sent: right after a time was told, none means the same second.
        A time that is more than a day ahead is none.
        """
        arrival = int(now - self.delay_seconds)
        told = self._fields["lp_time"]
        if told is None or told > now + DAY or arrival - told > _SAME_SECOND_SECONDS:
            return arrival
        return int(told)

    def _size(self) -> Volume | None:
        """What the day's total has grown by. If it fell, a new day has begun, and it is all new.

        The first total ever is the sum of trades that nobody saw: nothing is counted of it.
        """
        total = self._fields["volume"]
        if total is None:
            return None
        new, counted = exact(total), self._counted
        self._counted = new
        if counted is None:
            return 0
        return new - counted if new >= counted else new


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
    }
