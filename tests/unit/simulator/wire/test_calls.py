"""The parameters of calls are decoded into types."""

import pytest

from pocketquant.simulator.wire import calls
from pocketquant.simulator.wire.outgoing import CallRefused


def test_parameters_become_a_call() -> None:
    """The parameters become a call, with or without a range."""
    params = ["cs_1", "sds_1", "s1", "sym_1", "1D", 300]
    assert calls.Create(*params) == calls.read(calls.Create, params)
    assert "12M" == calls.read(calls.Create, [*params, "12M"]).range


@pytest.mark.parametrize("params", [[], ["cs_1"], ["cs_1", "sds_1", "5"], ["cs_1", 7, 5]])
def test_invalid_parameters_are_refused(params: list[object]) -> None:
    """Too few or too many parameters, or some of another type, are refused."""
    with pytest.raises(CallRefused):
        calls.read(calls.More, params)


@pytest.mark.parametrize(
    "text", ["NASDAQ:AAPL", "nasdaq:aapl", '={"adjustment":"splits","symbol":"NASDAQ:AAPL"}']
)
def test_a_symbol_is_read_from_its_text(text: str) -> None:
    """A symbol is parsed from a bare name or from JSON after an equals sign."""
    assert "NASDAQ:AAPL" == calls.symbol(text).symbol


@pytest.mark.parametrize("text", ["=", "={}", '={"symbol":7}'])
def test_an_invalid_symbol_is_refused(text: str) -> None:
    """A text that is invalid JSON or has no name is refused."""
    with pytest.raises(CallRefused):
        calls.symbol(text)
