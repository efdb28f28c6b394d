"""Live quotes and the bars built of them."""

from collections.abc import Iterable, Iterator

from pocketquant.client import events
from pocketquant.client.asking import Asking, symbol_path, symbols_body
from pocketquant.client.transport import Json
from pocketquant.domain.symbols import Symbol


class Quotes(Asking):
    """Calls that watch symbols; each is named `EXCHANGE:TICKER`."""

    def subscribe(self, symbols: Iterable[str]) -> Json:
        """Watch these symbols too; what is watched from now on."""
        return self._call("POST", "/quotes/subscribe", json=symbols_body(symbols))

    def unsubscribe(self, symbols: Iterable[str]) -> Json:
        """Watch these symbols no more."""
        return self._call("POST", "/quotes/unsubscribe", json=symbols_body(symbols))

    def start_quotes(self) -> Json:
        """Watch what is subscribed; this is so from the first."""
        return self._call("POST", "/quotes/start")

    def stop_quotes(self) -> Json:
        """Watch nothing; what is subscribed stays so."""
        return self._call("POST", "/quotes/stop")

    def quote(self, symbol: str) -> Json:
        """The latest quote; NotFound or NoLiveQuote say why there is none."""
        return self._call("GET", f"/quotes/latest/{symbol_path(symbol)}")

    def quotes(self) -> list[Json]:
        """All live quotes, in order of the symbol."""
        return self._list("/quotes/all")

    def current_bar(self, symbol: str, interval: str) -> Json:
        """The bar that is being built of live quotes."""
        path = f"/quotes/current-bar/{symbol_path(symbol)}"
        return self._call("GET", path, params={"interval": interval})

    def quotes_status(self) -> Json:
        """What is to be watched, who watches it, and what cannot be."""
        return self._call("GET", "/quotes/status")

    def stream(self, symbols: Iterable[str]) -> Iterator[Json]:
        """The latest quotes of these symbols and then each that changes, for ever.

        Ask a client of the push process. A stream that breaks or ends is taken up again, and then
        begins with the latest quotes once more.
        """
        names = ",".join(str(Symbol.parse(symbol)) for symbol in symbols)
        for _, changed in events.follow(self._transport, "/quotes/stream", {"symbols": names}):
            yield changed
