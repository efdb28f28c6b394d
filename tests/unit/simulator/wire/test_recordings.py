"""A captured conversation is replayed to another client."""

import json
from pathlib import Path
from typing import Any

import pytest

from pocketquant.simulator.wire.outgoing import Send
from pocketquant.simulator.wire.recordings import RecordedChartSession, Recording
from pocketquant.tradingview.frames import FrameDecoder

CREATE = ["cs_1", "mine", "s1", "sym_1", "180", 5000]


@pytest.fixture
def lines(wire: Path) -> list[str]:
    return (wire / "nse_browser_pages_2025-12-18.jsonl").read_text().splitlines()


@pytest.fixture
def session(lines: list[str]) -> RecordedChartSession:
    return RecordedChartSession("cs_1", Recording.parse(lines))


def frames_of(line: str) -> list[str]:
    return FrameDecoder().feed(json.loads(line)["frame"])


def answered(session: RecordedChartSession, method: str, params: list[Any]) -> list[Any]:
    (action,) = session.answer(method, params, 0)
    assert isinstance(action, Send)
    return [json.loads(payload) for payload in FrameDecoder().feed(action.text)]


def test_each_call_gets_the_captured_answer(session: RecordedChartSession) -> None:
    """The page of 300 bars, that of 232 older ones, and the range whose bars were loaded."""
    assert [] == session.answer("resolve_symbol", ["cs_1", "sym_1", "NSE:JUNIPER"], 0)
    first = answered(session, "create_series", CREATE)
    older = answered(session, "request_more_data", ["cs_1", "mine", 5000])
    spanned = answered(session, "modify_series", ["cs_1", "mine", "s1", "sym_1", "180", "r,1:2"])
    updates = ["series_loading", "symbol_resolved", "timescale_update", "series_completed"]
    assert updates == [message["m"] for message in first]
    assert (300, 232) == (len(first[2]["p"][1]["mine"]["s"]), len(older[3]["p"][1]["mine"]["s"]))
    marks = ["series_loading", "series_timeframe", "series_timeframe", "series_completed"]
    assert marks == [message["m"] for message in spanned]


def test_the_ids_are_those_of_the_client(session: RecordedChartSession, lines: list[str]) -> None:
    """All else is what the server sent."""
    first = answered(session, "create_series", CREATE)
    assert {"cs_1"} == {message["p"][0] for message in first}
    assert ("mine", "sym_1") == (first[0]["p"][1], first[1]["p"][1])
    sent = [json.loads(payload) for line in lines for payload in frames_of(line)]
    captured = next(each for each in sent if each.get("m") == "timescale_update")
    assert captured["p"][1]["sds_2"] == first[2]["p"][1]["mine"]


def test_other_calls_than_the_captured_ones_are_not_answered(session: RecordedChartSession) -> None:
    """Nor is one more than was captured; nothing is pushed meanwhile."""
    assert [] == session.answer("request_more_data", ["cs_1", "mine", 9], 0)
    answered(session, "create_series", CREATE)
    assert [] == session.answer("modify_series", ["cs_1", "mine"], 0)
    answered(session, "request_more_data", ["cs_1", "mine", 9])
    answered(session, "modify_series", ["cs_1", "mine"])
    assert [] == session.answer("request_more_data", ["cs_1", "mine", 9], 0)
    assert [] == session.push(0)
