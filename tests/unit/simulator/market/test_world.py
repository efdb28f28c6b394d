"""Which symbols the simulated world has."""

import pytest

from pocketquant.domain.symbols import Symbol
from pocketquant.simulator.market.world import find, listed


def test_the_world_is_wide() -> None:
    """At least forty symbols that every client can write, with each sort among them."""
    names = [instrument.name for instrument in listed()]
    assert len(names) >= 40
    assert names == [str(Symbol.parse(name)) for name in names]
    assert {"spot", "stock", "fund", "forex", "futures", "index", "economic"} == {
        instrument.type for instrument in listed()
    }


def test_a_listed_symbol_is_found_by_its_name() -> None:
    """With its exchange and ticker."""
    instrument = find("NYSE:BRK.B")
    assert instrument is not None
    assert ("NYSE", "BRK.B") == (instrument.exchange, instrument.ticker)


@pytest.mark.parametrize("name", ["SIM:S0001", "SIM:S9999"])
def test_a_whole_exchange_is_there_for_fleets(name: str) -> None:
    """Each of its tickers is a pair that always trades."""
    instrument = find(name)
    assert instrument is not None
    assert instrument.calendar.is_continuous


@pytest.mark.parametrize("name", ["SIM:S0000", "SIM:S10000", "SIM:X0001", "NASDAQ:NOSUCH", ""])
def test_all_else_is_unknown(name: str) -> None:
    """None, not an error."""
    assert find(name) is None
