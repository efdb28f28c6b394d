"""Subscriptions, live quotes, and the bars built from them."""

from collections.abc import Iterable, Iterator

from pocketquant.client import events
from pocketquant.client.calls import Calls, symbol_path, symbols_body
from pocketquant.client.responses import CurrentBar, Quote, QuotesStatus, WatchState
from pocketquant.domain.symbols import Symbol


class Quotes(Calls):
    """Calls about subscribed symbols, each named `EXCHANGE:TICKER`."""

    def subscribe(self, symbols: Iterable[str]) -> WatchState:
        """Add these symbols to the subscriptions."""
        return self._call("POST", "/quotes/subscribe", json=symbols_body(symbols))

    def unsubscribe(self, symbols: Iterable[str]) -> WatchState:
        """Remove these symbols from the subscriptions."""
        return self._call("POST", "/quotes/unsubscribe", json=symbols_body(symbols))

    def start(self) -> WatchState:
        """Stream the subscribed symbols; this is the default."""
        return self._call("POST", "/quotes/start")

    def stop(self) -> WatchState:
        """Stop all streaming; the subscriptions stay."""
        return self._call("POST", "/quotes/stop")

    def status(self) -> QuotesStatus:
        """Return the subscriptions, the streamers, and the refused symbols."""
        return self._call("GET", "/quotes/status")

    def latest(self, symbol: str) -> Quote:
        """Return the latest quote; NotFound: not subscribed, NoLiveQuote: none has arrived."""
        return self._call("GET", f"/quotes/latest/{symbol_path(symbol)}")

    def all(self) -> list[Quote]:
        """Return all live quotes, sorted by symbol."""
        return self._list("/quotes/all")

    def current_bar(self, symbol: str, interval: str) -> CurrentBar:
        """Return the forming bar, built from quotes."""
        path = f"/quotes/current-bar/{symbol_path(symbol)}"
        return self._call("GET", path, params={"interval": interval})

    def stream(self, symbols: Iterable[str]) -> Iterator[Quote]:
        """Yield the latest quotes of these symbols, then each changed quote, without end.

        Use it on a client of the push process. A broken stream is resumed, and begins with the
        latest quotes again.
        """
        names = ",".join(str(Symbol.parse(symbol)) for symbol in symbols)
        for _, changed in events.follow(self._transport, "/quotes/stream", {"symbols": names}):
            yield changed
