"""The registry of symbols."""

from dataclasses import replace

import pytest
from pymongo import WriteConcern

from pocketquant.domain.errors import StorageUnavailable
from pocketquant.domain.intervals import Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.servers.connections import Mongo, translating_driver_errors
from pocketquant.storage.symbols import RegisteredSymbol, SymbolFilter, SymbolRegistry

AAPL = Listing(
    Symbol.parse("NASDAQ:AAPL"), "Apple Inc", "stock", "USD", "America/New_York", "0930-1600"
)
REGISTERED = RegisteredSymbol(AAPL, True, (Interval.D1,), 1_700_000_000)


@pytest.fixture
def registry(mongo: Mongo) -> SymbolRegistry:
    """No symbol was registered yet."""
    return SymbolRegistry(mongo)


def test_an_unknown_symbol_is_none(registry: SymbolRegistry) -> None:
    """A symbol that was never synced is None."""
    assert None is registry.get(AAPL.symbol)


def test_a_symbol_is_registered_once(registry: SymbolRegistry) -> None:
    """Registering again changes nothing, not even the time."""
    registry.register(AAPL, Interval.D1, 1_700_000_000)
    registry.register(AAPL, Interval.D1, 1_800_000_000)
    assert REGISTERED == registry.get(AAPL.symbol)
    assert ([REGISTERED], 1) == registry.page(SymbolFilter(), 0, 10)


def test_a_registration_that_is_not_acknowledged_is_a_storage_failure(mongo: Mongo) -> None:
    """A change of the primary may interrupt it; the sync then is put back and has not failed."""
    two_servers = WriteConcern(w=2, wtimeout=50)
    registry = SymbolRegistry(mongo.with_options(write_concern=two_servers))
    with pytest.raises(StorageUnavailable, match="acknowledge"), translating_driver_errors():
        registry.register(AAPL, Interval.D1, 1_700_000_000)


def test_tracked_intervals_are_a_set(registry: SymbolRegistry) -> None:
    """Each interval is returned once, the shortest first."""
    for interval in (Interval.MONTH, Interval.M1, Interval.D1, Interval.M1):
        registry.register(AAPL, interval, 1_700_000_000)
    expected = replace(REGISTERED, intervals=(Interval.M1, Interval.D1, Interval.MONTH))
    assert expected == registry.get(AAPL.symbol)


def test_the_newest_listing_replaces_the_earlier_one(registry: SymbolRegistry) -> None:
    """A renamed company is renamed here; fields that a listing lacks stay as they are."""
    registry.register(AAPL, Interval.D1, 1_700_000_000)
    renamed = Listing(AAPL.symbol, "Apple", has_volume=False)
    registry.register(renamed, Interval.D1, 1_700_000_000)
    expected = replace(AAPL, description="Apple", has_volume=False)
    assert replace(REGISTERED, listing=expected) == registry.get(AAPL.symbol)


def test_a_listing_may_be_empty(registry: SymbolRegistry) -> None:
    """A symbol with an empty listing has empty texts until a listing has them."""
    registry.register(Listing(AAPL.symbol), Interval.D1, 1_700_000_000)
    assert replace(REGISTERED, listing=Listing(AAPL.symbol)) == registry.get(AAPL.symbol)
    registry.register(AAPL, Interval.D1, 1_700_000_000)
    assert REGISTERED == registry.get(AAPL.symbol)


def test_registering_leaves_an_inactive_symbol_inactive(
    registry: SymbolRegistry, mongo: Mongo
) -> None:
    """Users, not syncs, decide whether a symbol is active."""
    registry.register(AAPL, Interval.D1, 1_700_000_000)
    mongo.symbols.update_one({}, {"$set": {"active": False}})
    registry.register(AAPL, Interval.D1, 1_700_000_000)
    assert replace(REGISTERED, active=False) == registry.get(AAPL.symbol)


def test_pages_are_in_order_and_know_the_total(registry: SymbolRegistry) -> None:
    """Pages together are all symbols, or all of one exchange, once each."""
    names = ["NASDAQ:AAPL", "NASDAQ:MSFT", "NASDAQX:A", "NYSE:A", "NYSE:B"]
    for name in reversed(names):
        registry.register(Listing(Symbol.parse(name)), Interval.D1, 1_700_000_000)

    def page(exchange: str | None, offset: int, limit: int) -> tuple[list[str], int]:
        found, total = registry.page(SymbolFilter(exchange=exchange), offset, limit)
        return [str(each.listing.symbol) for each in found], total

    assert (names[:3], 5) == page(None, 0, 3)
    assert (names[3:], 5) == page(None, 3, 3)
    assert (names[:2], 2) == page("NASDAQ", 0, 10)
    assert ([], 0) == page("LSE", 0, 10)


def test_the_series_of_active_symbols_are_tracked(registry: SymbolRegistry, mongo: Mongo) -> None:
    """All their series are returned, or those of some intervals."""
    for key in ("NYSE:B|1d", "NASDAQ:A|1d", "NASDAQ:A|1h", "NASDAQ:C|1m", "NYSE:X|1d"):
        series = Series.parse(key)
        registry.register(Listing(series.symbol), series.interval, 1_700_000_000)
    mongo.symbols.update_one({"_id": "NYSE:X"}, {"$set": {"active": False}})

    def tracked(*intervals: Interval) -> list[str]:
        return [str(series) for series in registry.tracked(intervals)]

    assert ["NASDAQ:A|1d", "NASDAQ:A|1h", "NASDAQ:C|1m", "NYSE:B|1d"] == tracked()
    assert ["NASDAQ:A|1d", "NYSE:B|1d"] == tracked(Interval.D1)
    assert ["NASDAQ:A|1h", "NASDAQ:C|1m"] == tracked(Interval.M1, Interval.H1)
    assert [] == tracked(Interval.MONTH)
