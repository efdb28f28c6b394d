"""Refused series give the captured errors."""

import json
from typing import Any

import pytest

from pocketquant.simulator.wire import tokens
from pocketquant.simulator.wire.faults import Fault, FaultKind, Faults


def test_an_unknown_symbol_is_refused_in_the_captured_order(client: Any, wire: Any) -> None:
    """An unknown symbol gets the captured messages, and the session goes on."""
    text = (wire / "errors_mixed_critical_symbol_series.txt").read_text()
    captured = [json.loads(piece) for piece in text.split("~m~")[4::2]]
    received = client.create_series("NASDAQ:NOSUCH")
    assert [message["m"] for message in captured] == [message["m"] for message in received]
    assert [list(message) for message in captured] == [list(message) for message in received]
    assert ["cs_1", "sym_1", "invalid symbol"] == received[1]["p"]
    assert ["cs_1", "sds_1", "s1", "resolve error"] == received[2]["p"][:4]
    assert [] == client.call("switch_timezone", "cs_1", "exchange")


def test_a_symbol_without_permission_is_refused_as_captured(client: Any, wire: Any) -> None:
    """A symbol without permission names the group that has it."""
    lines = (wire / "permission_denied_sequence_2026-09.txt").read_text().splitlines()
    captured = json.loads(lines[1])
    error = client.create_series("ECONOMICS:USM2", "1D")[1]
    assert captured["p"][2:] == error["p"][2:] == ["permission denied", "group", "economics_paid"]


@pytest.mark.parametrize(
    ("symbol", "resolution", "reason", "where"),
    [
        ("SP:SPX", "5", "unsupported resolution: SP:SPX, 5", "pod"),
        ("SP:SPX", "1W", "unsupported resolution: SP:SPX, 1W", "pod"),
        ("NASDAQ:AAPL", "5S", "seconds_not_entitled", "undefined"),
        ("NASDAQ:AAPL", "1T", "ticks_not_entitled", "undefined"),
        ("NASDAQ:AAPL", "188", "custom_resolution", "undefined"),
    ],
)
def test_a_resolution_not_offered_is_refused(
    client: Any, symbol: str, resolution: str, reason: str, where: str
) -> None:
    """The symbol's refusal names the pod, the plan's refusal has `undefined`."""
    error = client.create_series(symbol, resolution)[1]
    assert ("series_error", reason) == (error["m"], error["p"][3])
    assert (where == "undefined") == (error["p"][4] == "undefined")


def test_an_account_may_choose_any_minutes(client: Any) -> None:
    """With a token, bars of 188 minutes are allowed."""
    client.call("set_auth_token", tokens.issue(1, client.now_ms // 1000))
    assert "series_completed" == client.create_series("NASDAQ:AAPL", "188")[-1]["m"]


@pytest.mark.parametrize(
    ("kind", "value", "reasons"),
    [
        (FaultKind.SYMBOL_ERROR, None, ["invalid symbol", "resolve error"]),
        (FaultKind.PERMISSION, None, ["permission denied", "resolve error"]),
        (FaultKind.SERIES_ERROR, None, ["internal error"]),
        (FaultKind.SERIES_ERROR, "study_not_auth:X", ["study_not_auth:X"]),
    ],
)
def test_ordered_refusals(
    client: Any, faults: Faults, kind: FaultKind, value: str | None, reasons: list[str]
) -> None:
    """An existing symbol is refused when a fault orders it."""
    faults.order(Fault(kind, "SIM:S0001", value))
    errors = client.create_series("SIM:S0001")[1:]
    index = {"symbol_error": 2, "series_error": 3}
    assert reasons == [error["p"][index[error["m"]]] for error in errors]
