"""Quotes as of now."""

import json
from typing import Any

import pytest


@pytest.fixture
def quotes(client: Any) -> Any:
    """A client with a quote session `qs_1`."""
    client.say("quote_create_session", "qs_1")
    return client


def state_of(quotes: Any, text: str) -> dict[str, Any]:
    qsd, completed = quotes.say("quote_add_symbols", "qs_1", text)
    assert ["m", "p"] == list(qsd)
    assert {"m": "quote_completed", "p": ["qs_1", text]} == completed
    state: dict[str, Any] = qsd["p"][1]
    assert text == state["n"]
    return state


def test_a_quote_is_the_day_so_far(quotes: Any) -> None:
    """Last price, day's range and volume are those of the daily bar."""
    received = quotes.ask("NASDAQ:AAPL", "1D", 2)
    before, today = (bar["v"] for bar in received[2]["p"][1]["sds_1"]["s"])
    values = state_of(quotes, '={"symbol":"NASDAQ:AAPL"}')["v"]
    names = ("open_price", "high_price", "low_price", "lp", "volume", "prev_close_price")
    assert [*today[1:], before[4]] == [values[name] for name in names]
    assert round(today[4] - before[4], 2) == values["ch"]
    assert ("market", quotes.now_ms // 1000) == (values["current_session"], values["lp_time"])


def test_a_closed_market_was_last_traded_at_its_close(quotes: Any) -> None:
    """`out_of_session`, and a time in the past."""
    quotes.now_ms += 8 * 60 * 60 * 1000
    values = state_of(quotes, "NASDAQ:AAPL")["v"]
    assert "out_of_session" == values["current_session"]
    assert 2 * 60 * 60 < quotes.now_ms // 1000 - values["lp_time"]


def test_no_volume_is_a_number_of_its_own(quotes: Any) -> None:
    """1e+100."""
    assert 1e100 == state_of(quotes, "TVC:RUT")["v"]["volume"]


def test_only_the_fields_asked_for_come(quotes: Any) -> None:
    """Without a list, all."""
    assert [] == quotes.say("quote_set_fields", "qs_1", "lp", "volume", "isin")
    assert {"lp", "volume"} == set(state_of(quotes, "NASDAQ:AAPL")["v"])


def test_an_unknown_symbol_is_told_as_captured(quotes: Any) -> None:
    """`no_such_symbol`, then completed all the same."""
    expected = {"n": "FOREX:EURUSD", "s": "error", "errmsg": "no_such_symbol", "v": {}}
    assert expected == state_of(quotes, "FOREX:EURUSD")


def test_permission_denied_is_told_as_captured(quotes: Any, wire: Any) -> None:
    """With the group that has it."""
    lines = (wire / "permission_denied_sequence_2026-09.txt").read_text().splitlines()
    captured = json.loads(lines[3])["p"][1]
    assert captured == state_of(quotes, captured["n"])


def test_what_never_traded_has_no_price(quotes: Any) -> None:
    """But a name."""
    values = state_of(quotes, "NYSE:UNBORN")["v"]
    assert "lp" not in values
    assert "NYSE:UNBORN" == values["pro_name"]


@pytest.mark.parametrize(
    "call",
    [
        ("quote_add_symbols", "qs_1", "={"),
        ("quote_set_fields", "qs_1", 7),
        ("quote_dance", "qs_1"),
    ],
)
def test_a_bad_call_is_lost_and_the_session_lives(quotes: Any, call: tuple[object, ...]) -> None:
    """`invalid_parameters`, with the method only."""
    (error,) = quotes.say(*call)
    assert ["qs_1", "invalid_parameters", call[0]] == error["p"]
    assert "ok" == state_of(quotes, "SIM:S0001")["s"]


@pytest.mark.parametrize(
    "method", ["quote_fast_symbols", "quote_remove_symbols", "quote_hibernate_all"]
)
def test_other_calls_are_only_taken_note_of(quotes: Any, method: str) -> None:
    """Nothing comes back."""
    assert [] == quotes.say(method, "qs_1", "SIM:S0001")
