"""The calls of a chart session and what they bring."""

from itertools import pairwise
from typing import Any

import pytest

from pocketquant.simulator import tokens
from pocketquant.simulator.faults import Fault, FaultKind, Faults
from pocketquant.simulator.outgoing import Close
from pocketquant.simulator.tally import Tally

COMPLETE = ["series_loading", "symbol_resolved", "timescale_update", "series_completed"]


def reason(received: list[dict[str, Any]]) -> str:
    """Why a critical error came."""
    (error,) = received
    assert "critical_error" == error["m"]
    return str(error["p"][1])


def test_a_series_comes_in_the_captured_order(client: Any, methods: Any) -> None:
    """`series_loading` alone, all else in one text."""
    assert COMPLETE == methods(client.ask("BINANCE:BTCUSDT"))
    assert 2 == len(client.actions)


def test_ids_come_back_as_they_were_given(client: Any) -> None:
    """Session, series, turnaround and symbol."""
    loading, resolved, update, completed = client.ask("BINANCE:BTCUSDT")
    assert ["cs_1", "sds_1", "s1"] == loading["p"]
    assert ["cs_1", "sym_1"] == resolved["p"][:2]
    assert ("cs_1", ["sds_1"]) == (update["p"][0], list(update["p"][1]))
    assert ["cs_1", "sds_1", "streaming", "s1"] == completed["p"][:4]


@pytest.mark.parametrize("text", ["NASDAQ:AAPL", '={"symbol":"nasdaq:aapl","session":"regular"}'])
def test_a_symbol_is_named_bare_or_in_json(client: Any, text: str, methods: Any) -> None:
    """In any case."""
    client.say("chart_create_session", "cs_1")
    client.say("resolve_symbol", "cs_1", "sym", text)
    received = client.say("create_series", "cs_1", "sds_1", "s1", "sym", "1D", 5, "")
    assert COMPLETE == methods(received)


@pytest.mark.parametrize("text", ["={", '={"symbol":{"symbol":"NASDAQ:AAPL"}}', 7])
def test_a_symbol_that_cannot_be_read_is_refused(client: Any, text: object) -> None:
    """Broken JSON, chart types, no text."""
    client.say("chart_create_session", "cs_1")
    assert "invalid parameters" == reason(client.say("resolve_symbol", "cs_1", "sym", text))


def test_an_id_is_used_once(client: Any) -> None:
    """Of a symbol as of a series; removing the series does not free its symbol's."""
    client.ask("SIM:S0001")
    client.say("remove_series", "cs_1", "sds_1")
    assert "duplicate id" == reason(client.say("resolve_symbol", "cs_1", "sym_1", "SIM:S0002"))
    client.ask("SIM:S0001")
    again = client.say("create_series", "cs_1", "sds_1", "s2", "sym_1", "1", 10)
    assert "duplicate id" == reason(again)


def test_the_anonymous_have_one_series_a_session(client: Any, methods: Any) -> None:
    """One after the other is fine, two at a time are not; with an account they are."""
    client.ask("SIM:S0001")
    client.say("remove_series", "cs_1", "sds_1")
    second = ("cs_1", "sds_2", "s1", "sym_1", "1", 10)
    assert COMPLETE == methods(client.say("create_series", *second))
    third = ("cs_1", "sds_3", "s1", "sym_1", "1", 10)
    assert "exceed limit of series in the session" == reason(client.say("create_series", *third))
    client.say("set_auth_token", tokens.issue(1, client.now_ms // 1000))
    client.ask("SIM:S0001")
    assert COMPLETE == methods(client.say("create_series", *third))


@pytest.mark.parametrize(
    "params",
    [
        ("sds_1", "s1", "sym_1", "XX", 10),
        ("sds_1", "s1", "sym_1", "15m", 10),
        ("sds_1", "s1", "sym_1", "1", 0),
        ("sds_1", "s1", "sym_1", "1", "10"),
        ("sds_1", "s1", "sym_1", "1"),
        ("sds_1", "s1", "sym_1", "1", 10, "", "more"),
        ("sds_1", "s1", "sym_2", "1", 10),
    ],
)
def test_nonsense_is_refused(client: Any, params: tuple[object, ...]) -> None:
    """Resolutions, counts, ids that are none."""
    client.open_chart("SIM:S0001")
    assert "invalid parameters" == reason(client.say("create_series", "cs_1", *params))


def test_a_call_that_is_none_of_a_chart_is_refused(client: Any) -> None:
    """`unsupported method`."""
    client.open_chart("SIM:S0001")
    assert "unsupported method" == reason(client.say("create_study", "cs_1", "st1"))


def test_more_bars_are_the_older_ones(client: Any, methods: Any) -> None:
    """Their indexes count down from -1, further with each call; times join without a gap."""
    client.open_chart("SIM:S0001")
    first = client.say("create_series", "cs_1", "sds_1", "s1", "sym_1", "1", 5)
    second = client.say("request_more_data", "cs_1", "sds_1", 3)
    third = client.say("request_more_data", "cs_1", "sds_1", 2)
    assert ["series_loading", "timescale_update", "series_completed"] == methods(second)
    bars = [_bars(received) for received in (third, second, first)]
    assert [[-5, -4], [-3, -2, -1], [0, 1, 2, 3, 4]] == [
        [bar["i"] for bar in each] for each in bars
    ]
    times = [bar["v"][0] for each in bars for bar in each]
    assert [60.0] * 9 == [later - time for time, later in pairwise(times)]
    assert (-5, 5) == tuple(_update(third)["p"][2][key] for key in ("index", "zoffset"))


def _update(received: list[dict[str, Any]]) -> dict[str, Any]:
    (update,) = (message for message in received if message["m"] == "timescale_update")
    return update


def _bars(received: list[dict[str, Any]]) -> list[dict[str, Any]]:
    bars: list[dict[str, Any]] = _update(received)["p"][1]["sds_1"]["s"]
    return bars


def test_a_series_may_change_its_resolution(client: Any, methods: Any) -> None:
    """A new turnaround brings as many bars as the first."""
    client.ask("SIM:S0001", "1", 7)
    received = client.say("modify_series", "cs_1", "sds_1", "s2", "sym_1", "60", "")
    assert COMPLETE == methods(received)
    assert (7, "s2") == (len(_bars(received)), _update(received)["p"][1]["sds_1"]["t"])


def test_a_series_may_change_its_symbol(client: Any, methods: Any) -> None:
    """An empty update wipes it first."""
    client.ask("SIM:S0001", "1", 7)
    client.say("resolve_symbol", "cs_1", "sym_2", "SIM:S0002")
    received = client.say("modify_series", "cs_1", "sds_1", "s2", "sym_2", "1")
    assert [COMPLETE[0], "timescale_update", *COMPLETE[1:]] == methods(received)
    assert [] == received[1]["p"][1]["sds_1"]["s"]


@pytest.mark.parametrize(
    "call",
    [
        ("modify_series", "cs_1", "sds_9", "s1", "sym_1", "1", ""),
        ("remove_series", "cs_1", "sds_9"),
        ("request_more_data", "cs_1", "sds_9", 10),
    ],
)
def test_a_series_that_is_not_there_is_refused(client: Any, call: tuple[object, ...]) -> None:
    """Whatever is wanted of it."""
    client.ask("SIM:S0001")
    assert "invalid parameters" == reason(client.say(*call))


def test_marks_are_in_the_time_zone_of_the_chart(client: Any) -> None:
    """UTC, a named zone, or the exchange's own; the bars' times never change."""
    walls, times = [], []
    for timezone in ("Etc/UTC", "Asia/Kolkata", "exchange"):
        client.open_chart("NASDAQ:AAPL")
        assert [] == client.say("switch_timezone", "cs_1", timezone)
        received = client.say("create_series", "cs_1", "sds_1", "s1", "sym_1", "60", 1)
        walls.append(_update(received)["p"][2]["marks"][0][1])
        times.append(_bars(received)[0]["v"][0])
    assert [0, 19_800, -18_000] == [int(wall - times[0]) for wall in walls]
    assert 1 == len(set(times))


def test_a_time_zone_that_is_none_is_refused(client: Any) -> None:
    """As captured."""
    client.say("chart_create_session", "cs_1")
    (error,) = client.say("switch_timezone", "cs_1", "Nowhere/Nowhere")
    quoted = 'method: switch_timezone. args: "[Nowhere/Nowhere]"'
    assert ["cs_1", "invalid timezone", quoted] == error["p"]


def test_errors_on_order(client: Any, faults: Faults) -> None:
    """A critical error ends the chart session, a protocol error the connection."""
    faults.order(Fault(FaultKind.CRITICAL_ERROR, "SIM:S0001", "out of luck"))
    assert "out of luck" == reason(client.ask("SIM:S0001"))
    faults.order(Fault(FaultKind.PROTOCOL_ERROR, "SIM:S0002"))
    assert ["internal error"] == client.ask("SIM:S0002")[0]["p"]
    assert Close() == client.actions[-1]


def test_what_was_asked_and_what_was_served_are_counted(client: Any, tally: Tally) -> None:
    """By symbol; a refusal is asked but not served."""
    client.ask("SIM:S0001", "1", 7)
    client.say("request_more_data", "cs_1", "sds_1", 3)
    client.ask("NASDAQ:NOSUCH")
    assert {"SIM:S0001": 2, "NASDAQ:NOSUCH": 1} == tally.requested
    assert ({"SIM:S0001": 2}, 10) == (tally.served, tally.bars)
