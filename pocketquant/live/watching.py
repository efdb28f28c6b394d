"""Use-case: subscribing symbols, and reading their live quotes and bars.

    write the change     durable from here on
    nudge                the streamers, which follow it

A read that finds no quote raises an error that says why there is none.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from pocketquant.cache.board import CurrentBar, QuoteBoard
from pocketquant.coordination.nudges import SUBSCRIPTIONS_CHANNEL, Nudges
from pocketquant.domain.errors import (
    NoLiveQuote,
    NotFound,
    PocketQuantError,
    VariantNotAllowed,
    error_named,
)
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.live.current_bars import CurrentBars
from pocketquant.storage.subscriptions import Subscriptions


@dataclass(frozen=True, slots=True)
class Watching:
    """Subscriptions and their live data; the drivers' errors pass through."""

    subscriptions: Subscriptions
    board: QuoteBoard
    current_bars: CurrentBars
    nudges: Nudges
    clock: Callable[[], float]

    def subscribe(self, symbols: Collection[Symbol]) -> int:
        """Subscribe these symbols; return how many were not subscribed before.

        VariantNotAllowed if one of them is not in its default variant.
        """
        for symbol in symbols:
            if symbol != symbol.listing:
                raise VariantNotAllowed(
                    f"{symbol} has no live quotes, which are of default variants only; subscribe"
                    f" {symbol.listing}, or sync the variant"
                )
        added = self.subscriptions.add(symbols, int(self.clock()))
        self.nudges.announce(SUBSCRIPTIONS_CHANNEL)
        return added

    def unsubscribe(self, symbols: Collection[Symbol]) -> int:
        """Unsubscribe these symbols, hide their quotes; return how many were subscribed."""
        removed = self.subscriptions.remove(symbols)
        self.board.forget([str(symbol) for symbol in symbols])
        self.nudges.announce(SUBSCRIPTIONS_CHANNEL)
        return removed

    def start(self) -> None:
        """Have streamers watch the subscribed symbols."""
        self.subscriptions.start()
        self.nudges.announce(SUBSCRIPTIONS_CHANNEL)

    def stop(self) -> None:
        """Have streamers watch no symbol; subscriptions stay."""
        self.subscriptions.stop()
        self.nudges.announce(SUBSCRIPTIONS_CHANNEL)

    def latest(self, symbol: Symbol) -> bytes:
        """The live quote as JSON, or the error that says why there is none."""
        quote = self.board.latest(str(symbol))
        if quote is None:
            raise self._why_nothing(symbol)
        return quote

    def current_bar(self, symbol: Symbol, interval: Interval) -> CurrentBar:
        """The forming bar, or the error that says why there is none."""
        current = self.current_bars.get(Series(symbol, interval), self.clock())
        if current is not None:
            return current
        if self.board.latest(str(symbol)) is None:
            raise self._why_nothing(symbol)
        reason = self.current_bars.why_withheld(Series(symbol, interval))
        if reason is not None:
            raise NotFound(f"{symbol} has no {interval.value} bar at present: {reason}")
        raise NotFound(f"{symbol} has not been traded in the {interval.value} bar of this moment")

    def _why_nothing(self, symbol: Symbol) -> PocketQuantError:
        if not self.subscriptions.has(symbol):
            return NotFound(f"{symbol} is not subscribed; POST /api/v1/quotes/subscribe does it")
        if not self.subscriptions.is_on():
            return NoLiveQuote("streaming is stopped; POST /api/v1/quotes/start starts it")
        statuses = self.board.statuses()
        for refused in (each for status in statuses for each in status.refused):
            if refused.symbol == str(symbol):
                return error_named(refused.code, refused.message)
        if not statuses:
            return NoLiveQuote("no streamer is running")
        if all(status.connected_at is None for status in statuses):
            return NoLiveQuote("no streamer is connected to the provider")
        return NoLiveQuote(f"no quote of {symbol} has come yet")
