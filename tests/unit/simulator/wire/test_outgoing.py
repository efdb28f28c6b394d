"""Messages as frames."""

import json

import pytest

from pocketquant.simulator.wire.outgoing import Event
from pocketquant.tradingview import frames

WITHOUT_TIME = ["critical_error", "du", "protocol_error", "qsd", "quote_completed"]
WITH_TIME = ["series_completed", "series_error", "series_loading", "symbol_error"]


@pytest.mark.parametrize("method", [*WITHOUT_TIME, *WITH_TIME])
def test_some_kinds_carry_the_servers_time(method: str) -> None:
    """Some kinds of messages carry the server's time in seconds and in milliseconds."""
    (payload,) = frames.FrameDecoder().feed(Event(method, ("cs_1",)).framed(1_763_480_420_007))
    time = {"t": 1_763_480_420, "t_ms": 1_763_480_420_007} if method in WITH_TIME else {}
    assert list({"m": method, "p": ["cs_1"], **time}.items()) == list(json.loads(payload).items())
