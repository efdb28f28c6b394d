"""The registry of symbols, and the search for new ones."""

from collections.abc import Iterable, Iterator

from pocketquant.client.asking import Asking, Filter, symbol_fields, symbol_path
from pocketquant.client.transport import Json


class Symbols(Asking):
    """Calls that find and keep symbols; each is named `EXCHANGE:TICKER`."""

    def search(self, query: str, **filters: str | int) -> Json:
        """Symbols that TradingView offers; filtered by `type`, `exchange`, `country`."""
        return self._call("GET", "/market-data/symbols/search", params={"query": query, **filters})

    def symbols(self, **filters: Filter) -> Iterator[Json]:
        """Registered symbols in order of their name, all pages of them.

        Filters: `exchange`, `type`, `active`, `interval`, and `query`, a part of ticker or name.
        """
        return self._pages("/market-data/symbols", filters)

    def symbol(self, symbol: str) -> Json:
        """One registered symbol; NotFound where it is not registered."""
        return self._call("GET", f"/market-data/symbols/{symbol_path(symbol)}")

    def add_symbol(self, symbol: str, intervals: Iterable[str] = (), active: bool = True) -> Json:
        """Register a symbol, to be synced by the schedules at these intervals (else at 1d).

        Conflict: it is registered already.
        """
        body: Json = {**symbol_fields(symbol), "active": active}
        if wanted := list(intervals):
            body["intervals"] = wanted
        return self._call("POST", "/market-data/symbols", json=body)

    def change_symbol(
        self,
        symbol: str,
        *,
        active: bool | None = None,
        intervals: Iterable[str] | None = None,
    ) -> Json:
        """Whether schedules sync the symbol, and at which intervals; None leaves it as it is."""
        body: Json = {}
        if active is not None:
            body["active"] = active
        if intervals is not None:
            body["intervals"] = list(intervals)
        return self._call("PATCH", f"/market-data/symbols/{symbol_path(symbol)}", json=body)

    def remove_symbol(self, symbol: str, *, with_bars: bool = False) -> None:
        """Forget a symbol, with its bars or without; wants a key of scope admin.

        NotFound: nothing is known of it. Conflict: a sync of it waits or runs.
        """
        path = f"/market-data/symbols/{symbol_path(symbol)}"
        query = {"with_bars": str(with_bars).lower()}
        self._transport.answer("DELETE", path, params=query)
