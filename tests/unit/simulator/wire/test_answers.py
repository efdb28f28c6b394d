"""The descriptions of symbols and the texts of errors."""

import json
from typing import Any

import pytest

from pocketquant.simulator.market.world import find
from pocketquant.simulator.wire import answers


def test_the_hello_has_the_time_twice() -> None:
    """The hello has the time in seconds and in milliseconds."""
    greeting = json.loads(answers.hello(1_763_480_420_007))
    assert (1_763_480_420, 1_763_480_420_007) == (greeting["timestamp"], greeting["timestampMs"])


@pytest.mark.parametrize(
    ("name", "captured"),
    [
        ("BINANCE:BTCUSDT", "symbol_resolved_crypto_2026-06.txt"),
        ("SP:SPX", "symbol_resolved_index_spx.txt"),
        ("TVC:RUT", "symbol_resolved_index_rut_ohlc_only.txt"),
    ],
)
def test_a_description_has_the_captured_keys(name: str, captured: str, wire: Any) -> None:
    """A description has the captured keys and types, but for those of real markets alone."""
    text = (wire / captured).read_text()
    expected = json.loads(text.split("~m~", 2)[2])["p"][2]
    instrument = find(name)
    assert instrument is not None
    known = answers.resolved(instrument)
    assert set() == set(expected) - set(known) - {"base_currency", "base_currency_id"}
    shared = expected.keys() & known.keys()
    assert {key: type(expected[key]) for key in shared} == {key: type(known[key]) for key in shared}
    assert expected["visible_plots_set"] == known["visible_plots_set"]


def test_only_a_delayed_symbol_has_a_delay() -> None:
    """Only a delayed symbol has a delay, in seconds and in its update mode."""
    reliance, apple = find("NSE:RELIANCE"), find("NASDAQ:AAPL")
    assert reliance is not None
    assert apple is not None
    assert 900 == answers.resolved(reliance)["delay"]
    assert "delay" not in answers.resolved(apple)
    modes = answers.update_mode(reliance), answers.update_mode(apple)
    assert ("delayed_streaming_900", "streaming") == modes


def test_a_call_is_quoted_without_its_session() -> None:
    """Critical errors quote a call without its session."""
    params = ["cs_1", "$prices", "s1", 100]
    expected = 'method: create_series. args: "[$prices, s1, 100]"'
    assert expected == answers.call_text("create_series", params)


@pytest.mark.parametrize("params", [[], [7], ["cs_1"]])
def test_a_call_without_a_session_can_be_quoted(params: list[object]) -> None:
    """A call without a session is quoted, whatever its parameters."""
    assert "unknown_session_id" in answers.unknown_session_text("switch_timezone", params)
