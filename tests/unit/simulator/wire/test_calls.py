"""Parameters of calls, typed."""

import pytest

from pocketquant.simulator.wire import calls
from pocketquant.simulator.wire.outgoing import CallRefused


def test_parameters_become_a_call() -> None:
    """With the range or without."""
    params = ["cs_1", "sds_1", "s1", "sym_1", "1D", 300]
    assert calls.Create(*params) == calls.read(calls.Create, params)
    assert "12M" == calls.read(calls.Create, [*params, "12M"]).range


@pytest.mark.parametrize("params", [[], ["cs_1"], ["cs_1", "sds_1", "5"], ["cs_1", 7, 5]])
def test_parameters_of_no_such_call_are_refused(params: list[object]) -> None:
    """Too few, too many, of another type."""
    with pytest.raises(CallRefused):
        calls.read(calls.More, params)


@pytest.mark.parametrize(
    "text", ["NASDAQ:AAPL", "nasdaq:aapl", '={"adjustment":"splits","symbol":"NASDAQ:AAPL"}']
)
def test_a_symbol_is_read_from_its_text(text: str) -> None:
    """Bare, or in JSON after an equals sign."""
    assert "NASDAQ:AAPL" == calls.symbol(text).symbol


@pytest.mark.parametrize("text", ["=", "={}", '={"symbol":7}'])
def test_a_symbol_that_is_none_is_refused(text: str) -> None:
    """Not JSON, or without a name."""
    with pytest.raises(CallRefused):
        calls.symbol(text)
