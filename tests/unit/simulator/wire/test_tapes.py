"""Quotes are recorded on tapes."""

import json

import pytest

from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.wire.faults import Faults
from pocketquant.simulator.wire.quotes import SimulatedQuoteSession
from pocketquant.simulator.wire.tapes import Tape, record
from pocketquant.tradingview import frames

SESSION = "qs_abcdefghijkl"
NAMES = [f"SIM:S{number:04}" for number in range(1, 81)]


def payloads(tape: Tape) -> list[str]:
    return frames.FrameDecoder().feed("".join(text for _, text in tape.timed(SESSION)))


def test_a_tape_has_the_quotes_of_the_market(market: Market, now: int) -> None:
    """A tape has the frames of a live session, in their order."""
    tape = record(market, NAMES, now, 1000)
    session = SimulatedQuoteSession(SESSION, market, Faults())
    session.answer("quote_add_symbols", [SESSION, *NAMES], now * 1000)
    while session.is_behind(now * 1000):
        session.push(now * 1000)
    sent: list[str] = []
    for second in range(now + 1, tape.until + 1):
        sent += session.push(second * 1000)
    assert sent[:1000] == [frames.encode(payload) for payload in payloads(tape)]


def test_a_tape_has_only_selected_fields(market: Market, now: int) -> None:
    """A tape has only the selected fields, which keeps it small."""
    tape = record(market, NAMES[:2], now, 20, ["lp", "volume"])
    values = [json.loads(payload)["p"][1]["v"] for payload in payloads(tape)]
    assert {"lp", "volume"} == set().union(*values)


def test_it_is_played_at_a_pace_or_at_once(market: Market, now: int) -> None:
    """Texts of several quotes are due at the tape's rate, or all at once."""
    paced = record(market, NAMES, now, 100, quotes_each=40, quotes_per_second=400)
    assert [0.0, 0.1, 0.2] == [after for after, _ in paced.timed(SESSION)]
    assert [40, 40, 20] == [len(frames.FrameDecoder().feed(text)) for text in paced.texts]
    fast = record(market, NAMES, now, 100, quotes_each=40)
    assert [0.0] * 3 == [after for after, _ in fast.timed(SESSION)]


def test_names_must_fit(market: Market, now: int) -> None:
    """A session's name of another length is an error, as the frames' lengths would be wrong."""
    tape = record(market, NAMES[:1], now, 1)
    with pytest.raises(ValueError, match="15 letters"):
        list(tape.timed("qs_1"))


def test_there_must_be_something_to_record(market: Market, now: int) -> None:
    """Recording only unknown symbols is an error."""
    with pytest.raises(ValueError, match="none of these"):
        record(market, ["NASDAQ:NOSUCH"], now, 1)
