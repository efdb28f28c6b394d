"""The newest bar of a series, live."""

import json
from pathlib import Path
from typing import Any

import pytest

from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.wire import tokens
from pocketquant.simulator.wire.faults import Fault, FaultKind, Faults
from pocketquant.simulator.wire.session import Conversation
from pocketquant.simulator.wire.tally import Tally


def rows_of(messages: list[dict[str, Any]]) -> dict[int, list[float]]:
    """Return the bars that a client has, by index; the last update of a bar counts."""
    blocks = [message["p"][1]["sds_1"] for message in messages if len(message["p"]) > 1]
    return {bar["i"]: bar["v"] for block in blocks for bar in block.get("s", ())}


def updates(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message in messages if message["m"] in ("du", "timescale_update")]


@pytest.mark.parametrize(
    ("symbol", "resolution"),
    [("SIM:S0001", "1"), ("NASDAQ:AAPL", "3"), ("TVC:VIX", "1"), ("CME_MINI:ES1!", "5")],
)
def test_live_bars_are_those_of_history(
    client: Any, market: Market, symbol: str, resolution: str
) -> None:
    """At any time, a client's live bars equal those of a new request."""
    loaded = client.create_series(symbol, resolution, 10)
    live = updates(loaded) + client.wait(3000, 5)
    rows = rows_of(live)
    client.call("chart_delete_session", "cs_1")
    again = rows_of(updates(client.create_series(symbol, resolution, len(rows))))
    assert list(again.values()) == [rows[index] for index in sorted(rows)]
    assert list(range(len(rows))) == sorted(rows)
    assert len(rows) > 10


def test_the_newest_bar_is_sent_whole_as_it_grows(client: Any, wire: Path) -> None:
    """The newest bar is sent in the captured form, at most every five seconds to the anonymous."""
    captured = json.loads((wire / "du_live_bar_2022.txt").read_text().split("~m~")[2])
    client.create_series("SIM:S0001", "60", 5)
    grown = client.wait(600)
    assert 60 < len(grown) <= 120
    assert {"du"} == {message["m"] for message in grown}
    (block,) = grown[0]["p"][1].values()
    (expected,) = captured["p"][1].values()
    assert (list(captured), list(expected), list(expected["s"][0])) == (
        list(grown[0]),
        list(block),
        list(block["s"][0]),
    )
    assert ("nochange", "s1", 4) == (block["ns"]["indexes"], block["t"], block["s"][0]["i"])
    volumes = [message["p"][1]["sds_1"]["s"][0]["v"][5] for message in grown]
    assert sorted(set(volumes)) == volumes


def test_accounts_get_each_trade(client: Any) -> None:
    """An account gets an update for each second with a trade."""
    client.call("set_auth_token", tokens.issue(1, client.now_ms // 1000))
    client.create_series("SIM:S0001", "60", 5)
    fast = client.wait(600)
    assert 60 < len(fast)
    gaps = {message["p"][1]["sds_1"]["s"][0]["v"][5] for message in fast}
    assert len(fast) == len(gaps)


def test_a_new_bar_is_announced_empty(client: Any) -> None:
    """A new bar is announced by an empty `timescale_update` with the next index, and then grows."""
    client.create_series("SIM:S0001", "1", 10)
    received = client.wait(120)
    index = next(n for n, message in enumerate(received) if message["m"] == "timescale_update")
    update, du = received[index : index + 2]
    (bar,) = update["p"][1]["sds_1"]["s"]
    time, opens, *others = bar["v"]
    assert (10, [opens, opens, opens, 0.0]) == (bar["i"], others)
    assert ([time], 10) == (update["p"][2]["changes"], update["p"][2]["marks"][0][2])
    assert time + 60 == update["p"][1]["sds_1"]["lbs"]["bar_close_time"]
    (grown,) = du["p"][1]["sds_1"]["s"]
    assert (10, time, opens) == (grown["i"], *grown["v"][:2])
    assert grown["v"][5] > 0
    assert {"t", "t_ms"} <= update.keys()


def test_a_jump_of_time_leaves_no_bar_out(client: Any) -> None:
    """After a jump of time, each missed bar is announced and filled, the old one first."""
    loaded = client.create_series("SIM:S0001", "1", 10)
    received = client.wait(300, 300)
    assert ["du", *["timescale_update", "du"] * 5] == [message["m"] for message in received]
    assert 15 == len(rows_of(updates(loaded) + received))


def test_a_closed_market_adds_nothing(client: Any) -> None:
    """A closed market sends the last bar at most once more."""
    client.now_ms += 8 * 3600 * 1000
    client.create_series("NASDAQ:AAPL", "1", 10)
    assert len(client.wait(600, 5)) <= 1


@pytest.mark.parametrize("symbol", ["NYSE:UNBORN", "SP:SPX"])
def test_symbols_without_trades_have_no_updates(client: Any, symbol: str) -> None:
    """A symbol that never traded, or is not simulated, has no updates."""
    client.create_series(symbol, "1D", 10)
    assert not client.conversation.is_live


def test_a_period_of_the_past_does_not_grow(client: Any) -> None:
    """A series of a past period has no updates; one of a named range has."""
    client.create_series(
        "SIM:S0001", "1", 10, f"r,{client.now_ms // 1000 - 6000}:{client.now_ms // 1000}"
    )
    assert not client.conversation.is_live
    client.call("chart_delete_session", "cs_1")
    client.create_series("SIM:S0001", "1", 10, "1")
    assert client.conversation.is_live


def test_an_answer_with_a_fault_is_not_followed(client: Any, faults: Faults) -> None:
    """A series whose answer had a fault gets no updates."""
    faults.order(Fault(FaultKind.STALL))
    client.create_series("SIM:S0001")
    assert [] == client.wait(60)


def test_more_data_does_not_disturb_the_newest_bar(client: Any) -> None:
    """After a request for more bars, the newest bar keeps its index."""
    client.create_series("SIM:S0001", "60", 5)
    client.call("request_more_data", "cs_1", "sds_1", 5)
    grown = client.wait(30)
    assert {4} == rows_of(grown).keys()


@pytest.mark.parametrize(
    ("call", "is_live"),
    [
        (("remove_series", "cs_1", "sds_1"), False),
        (("modify_series", "cs_1", "sds_1", "s2", "sym_1", "5"), True),
        (("modify_series", "cs_1", "sds_1", "s2", "sym_1", "5S"), False),
    ],
)
def test_a_removed_series_has_no_updates(client: Any, call: tuple[str, ...], is_live: bool) -> None:
    """A removed series has no updates, and a modified one only those of its new form."""
    client.create_series("SIM:S0001")
    client.call(*call)
    grown = client.wait(60)
    assert is_live == client.conversation.is_live == bool(grown)
    assert {"s2"} >= {message["p"][1]["sds_1"]["t"] for message in grown}


def test_no_updates_come_before_a_late_answer(
    market: Market, faults: Faults, tally: Tally, now: int
) -> None:
    """Updates start after the delayed answer is sent."""
    conversation = Conversation(market, faults, tally, latency_seconds=20)
    calls = [
        '{"m":"chart_create_session","p":["cs_1",""]}',
        '{"m":"resolve_symbol","p":["cs_1","sym_1","SIM:S0001"]}',
        '{"m":"create_series","p":["cs_1","sds_1","s1","sym_1","60",5]}',
    ]
    conversation.receive("".join(f"~m~{len(call)}~m~{call}" for call in calls), now * 1000)
    early = [conversation.push((now + seconds) * 1000) for seconds in range(25)]
    late = [conversation.push((now + seconds) * 1000) for seconds in range(25, 40)]
    assert not any(early)
    assert any(late)
