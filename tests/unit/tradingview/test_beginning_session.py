"""The beginnings of histories, from messages of a quote session."""

import json
from typing import Any

from pocketquant.domain.backfills import Beginning
from pocketquant.domain.errors import BadToken, PocketQuantError, ProtocolViolation
from pocketquant.domain.symbols import Symbol
from pocketquant.tradingview import frames
from pocketquant.tradingview.beginning_session import BeginningSession

APPLE, SHARE = Symbol.parse("NASDAQ:AAPL"), Symbol.parse("NSE:SHARE")


def session() -> BeginningSession:
    return BeginningSession([APPLE, SHARE], "token", "x")


def event(method: str, *params: Any) -> str:
    return frames.encode(json.dumps({"m": method, "p": params}))


def quote(symbol: Symbol, name: str = "qs_x", status: str = "ok", **fields: Any) -> str:
    return event("qsd", name, {"n": str(symbol), "s": status, "v": fields})


def completed(symbol: Symbol, name: str = "qs_x") -> str:
    return event("quote_completed", name, str(symbol))


def test_the_calls() -> None:
    """Two fields of all symbols; each call is sent once."""
    asked = session()
    sent = [json.loads(frame.split("~m~", 2)[2]) for frame in asked.outgoing()]
    assert [
        ("set_auth_token", ["token"]),
        ("quote_create_session", ["qs_x"]),
        ("quote_set_fields", ["qs_x", "first_bar_time_1d", "first_bar_time_1m"]),
        ("quote_add_symbols", ["qs_x", "NASDAQ:AAPL", "NSE:SHARE"]),
    ] == [(call["m"], call["p"]) for call in sent]
    assert [] == asked.outgoing()


def test_the_beginnings_arrive_in_parts() -> None:
    """As captured for a share that was first traded in 2024; the session is over with the last."""
    asked = session()
    asked.receive(quote(SHARE, first_bar_time_1d=1709078400))
    asked.receive(quote(SHARE, first_bar_time_1m=1709094300) + completed(SHARE))
    assert not asked.is_over
    asked.receive(quote(APPLE, first_bar_time_1d="soon") + completed(APPLE))
    assert asked.is_over
    assert {SHARE: Beginning(1709078400, 1709094300), APPLE: Beginning()} == asked.found
    assert asked.error is None


def test_a_refused_symbol_has_no_beginning() -> None:
    """Nor have symbols of others, and those that were answered before."""
    asked = session()
    asked.receive(quote(APPLE, status="error") + quote(SHARE, first_bar_time_1d=1))
    asked.receive(completed(SHARE) + quote(SHARE, first_bar_time_1d=2) + completed(SHARE))
    asked.receive(quote(APPLE, name="qs_y", first_bar_time_1d=3) + completed(APPLE, name="qs_y"))
    assert asked.is_over
    assert {SHARE: Beginning(1)} == asked.found


def test_heartbeats_are_returned() -> None:
    """Otherwise the server hangs up."""
    asked = session()
    asked.outgoing()
    asked.receive(frames.encode("~h~7"))
    assert [frames.encode("~h~7")] == asked.outgoing()


def error_after(text: str) -> PocketQuantError | None:
    asked = session()
    asked.receive(text)
    return asked.error


def test_errors_end_the_session() -> None:
    """Those of the session and of the connection, and what is no message."""
    assert isinstance(error_after(event("protocol_error", "bad auth token")), BadToken)
    assert error_after(event("critical_error", "qs_x", "invalid_method", "")) is not None
    assert error_after(event("critical_error", "qs_y", "invalid_method", "")) is None
    assert isinstance(error_after("nonsense"), ProtocolViolation)
