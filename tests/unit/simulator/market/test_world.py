"""The simulated symbols."""

import pytest

from pocketquant.domain.symbols import Symbol
from pocketquant.simulator.market.world import find, listed


def test_many_kinds_of_symbols_are_listed() -> None:
    """There are at least forty symbols that every client can write, of every kind."""
    names = [instrument.name for instrument in listed()]
    assert len(names) >= 40
    assert names == [str(Symbol.parse(name)) for name in names]
    assert {"spot", "stock", "fund", "forex", "futures", "index", "economic"} == {
        instrument.type for instrument in listed()
    }


def test_a_listed_symbol_is_found_by_its_name() -> None:
    """A listed symbol is found by its exchange and ticker."""
    instrument = find("NYSE:BRK.B")
    assert instrument is not None
    assert ("NYSE", "BRK.B") == (instrument.exchange, instrument.ticker)


@pytest.mark.parametrize("name", ["SIM:S0001", "SIM:S9999"])
def test_a_whole_exchange_is_there_for_fleets(name: str) -> None:
    """Each ticker of the exchange SIM is a pair that always trades."""
    instrument = find(name)
    assert instrument is not None
    assert instrument.calendar.is_continuous


@pytest.mark.parametrize("name", ["SIM:S0000", "SIM:S10000", "SIM:X0001", "NASDAQ:NOSUCH", ""])
def test_all_else_is_unknown(name: str) -> None:
    """Another name gives None, not an error."""
    assert find(name) is None
