"""The registry of symbols, and the provider's search."""

from collections.abc import Iterable, Iterator

from pocketquant.client.calls import (
    Calls,
    Filter,
    Moment,
    calendar_path,
    query_of,
    symbol_fields,
    symbol_path,
)
from pocketquant.client.responses import Calendar, RegisteredSymbol, SearchPage
from pocketquant.client.transport import Json


class Symbols(Calls):
    """Calls that find and register symbols, each named `EXCHANGE:TICKER`."""

    def search(self, query: str, **filters: str | int) -> SearchPage:
        """Search the provider's symbols. Filters: `type`, `exchange`, `country`."""
        return self._call("GET", "/market-data/symbols/search", params={"query": query, **filters})

    def list(self, **filters: Filter) -> Iterator[RegisteredSymbol]:
        """Yield registered symbols sorted by name, over all pages.

        Filters: `exchange`, `type`, `active`, `interval`, and `query`, a part of ticker or name.
        """
        return self._pages("/market-data/symbols", filters)

    def get(self, symbol: str) -> RegisteredSymbol:
        """Return one registered symbol; NotFound for another one."""
        return self._call("GET", _path(symbol))

    def calendar(
        self, symbol: str, start: Moment | None = None, end: Moment | None = None
    ) -> Calendar:
        """Return the trading hours of a symbol: sessions of a range, holidays, next open and close.

        NotFound: no sync has fetched them yet.
        """
        params = query_of({"start": start, "end": end})
        return self._call("GET", calendar_path(symbol), params=params)

    def add(
        self, symbol: str, intervals: Iterable[str] = (), active: bool = True
    ) -> RegisteredSymbol:
        """Register a symbol; schedules sync it at these intervals, by default at 1d.

        Conflict: it is registered already.
        """
        body: Json = {**symbol_fields(symbol), "active": active}
        if chosen := [*intervals]:
            body["intervals"] = chosen
        return self._call("POST", "/market-data/symbols", json=body)

    def change(
        self,
        symbol: str,
        *,
        active: bool | None = None,
        intervals: Iterable[str] | None = None,
    ) -> RegisteredSymbol:
        """Change whether and at which intervals schedules sync it; None keeps a setting."""
        body: Json = {}
        if active is not None:
            body["active"] = active
        if intervals is not None:
            body["intervals"] = [*intervals]
        return self._call("PATCH", _path(symbol), json=body)

    def remove(self, symbol: str, *, with_bars: bool = False) -> None:
        """Remove a symbol from the registry, with its stored bars or without.

        Needs a key of scope admin where the API needs keys. NotFound: it is unknown. Conflict: a
        sync of it waits or runs.
        """
        self._transport.send("DELETE", _path(symbol), params={"with_bars": str(with_bars).lower()})


def _path(symbol: str) -> str:
    return f"/market-data/symbols/{symbol_path(symbol)}"
