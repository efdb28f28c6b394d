"""The calls of a chart session and their answers."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pocketquant.simulator.market.dividends import Dividend
from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.wire import tokens
from pocketquant.simulator.wire.faults import Fault, FaultKind, Faults
from pocketquant.simulator.wire.outgoing import Close
from pocketquant.simulator.wire.session import Conversation
from pocketquant.simulator.wire.tally import Tally

COMPLETE = ["series_loading", "symbol_resolved", "timescale_update", "series_completed"]


def reason(received: list[dict[str, Any]]) -> str:
    """Return the reason of a critical error."""
    (error,) = received
    assert "critical_error" == error["m"]
    return str(error["p"][1])


def test_a_series_comes_in_the_captured_order(client: Any, methods: Any) -> None:
    """`series_loading` comes alone, all other messages in one text."""
    assert COMPLETE == methods(client.create_series("BINANCE:BTCUSDT"))
    assert 2 == len(client.actions)


def test_ids_come_back_as_they_were_given(client: Any) -> None:
    """The ids of session, series, turnaround and symbol come back unchanged."""
    loading, resolved, update, completed = client.create_series("BINANCE:BTCUSDT")
    assert ["cs_1", "sds_1", "s1"] == loading["p"]
    assert ["cs_1", "sym_1"] == resolved["p"][:2]
    assert ("cs_1", ["sds_1"]) == (update["p"][0], list(update["p"][1]))
    assert ["cs_1", "sds_1", "streaming", "s1"] == completed["p"][:4]


@pytest.mark.parametrize("text", ["NASDAQ:AAPL", '={"symbol":"nasdaq:aapl","session":"regular"}'])
def test_a_symbol_is_named_bare_or_in_json(client: Any, text: str, methods: Any) -> None:
    """A symbol may be a bare name or JSON, in upper or lower case."""
    client.call("chart_create_session", "cs_1")
    client.call("resolve_symbol", "cs_1", "sym", text)
    received = client.call("create_series", "cs_1", "sds_1", "s1", "sym", "1D", 5, "")
    assert COMPLETE == methods(received)


@pytest.mark.parametrize("text", ["={", '={"symbol":{"symbol":"NASDAQ:AAPL"}}', 7])
def test_a_symbol_that_cannot_be_read_is_refused(client: Any, text: object) -> None:
    """Invalid JSON, chart types and values other than texts are refused."""
    client.call("chart_create_session", "cs_1")
    assert "invalid parameters" == reason(client.call("resolve_symbol", "cs_1", "sym", text))


def test_an_id_is_used_once(client: Any) -> None:
    """An id of a symbol or series is used once; removing a series does not free its symbol's."""
    client.create_series("SIM:S0001")
    client.call("remove_series", "cs_1", "sds_1")
    assert "duplicate id" == reason(client.call("resolve_symbol", "cs_1", "sym_1", "SIM:S0002"))
    client.create_series("SIM:S0001")
    again = client.call("create_series", "cs_1", "sds_1", "s2", "sym_1", "1", 10)
    assert "duplicate id" == reason(again)


def test_anonymous_clients_have_one_series(client: Any, methods: Any) -> None:
    """An anonymous client may have one series at a time, an account several."""
    client.create_series("SIM:S0001")
    client.call("remove_series", "cs_1", "sds_1")
    second = ("cs_1", "sds_2", "s1", "sym_1", "1", 10)
    assert COMPLETE == methods(client.call("create_series", *second))
    third = ("cs_1", "sds_3", "s1", "sym_1", "1", 10)
    assert "exceed limit of series in the session" == reason(client.call("create_series", *third))
    client.call("set_auth_token", tokens.issue(1, client.now_ms // 1000))
    client.create_series("SIM:S0001")
    assert COMPLETE == methods(client.call("create_series", *third))


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
def test_invalid_values_are_refused(client: Any, params: tuple[object, ...]) -> None:
    """Invalid resolutions, counts and ids are refused."""
    client.open_chart("SIM:S0001")
    assert "invalid parameters" == reason(client.call("create_series", "cs_1", *params))


def test_an_unknown_method_is_refused(client: Any) -> None:
    """An unknown method gives the reason `unsupported method`."""
    client.open_chart("SIM:S0001")
    assert "unsupported method" == reason(client.call("paint_chart", "cs_1", "st1"))


def test_more_bars_are_the_older_ones(client: Any, methods: Any) -> None:
    """Older bars have indexes that count down from -1, and their times join without a gap."""
    client.open_chart("SIM:S0001")
    first = client.call("create_series", "cs_1", "sds_1", "s1", "sym_1", "1", 5)
    second = client.call("request_more_data", "cs_1", "sds_1", 3)
    third = client.call("request_more_data", "cs_1", "sds_1", 2)
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
    client.create_series("SIM:S0001", "1", 7)
    received = client.call("modify_series", "cs_1", "sds_1", "s2", "sym_1", "60", "")
    assert COMPLETE == methods(received)
    assert (7, "s2") == (len(_bars(received)), _update(received)["p"][1]["sds_1"]["t"])


def test_a_series_may_change_its_symbol(client: Any, methods: Any) -> None:
    """An empty update clears the series before the new symbol's bars."""
    client.create_series("SIM:S0001", "1", 7)
    client.call("resolve_symbol", "cs_1", "sym_2", "SIM:S0002")
    received = client.call("modify_series", "cs_1", "sds_1", "s2", "sym_2", "1")
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
def test_an_unknown_series_is_refused(client: Any, call: tuple[object, ...]) -> None:
    """Every call about an unknown series is refused."""
    client.create_series("SIM:S0001")
    assert "invalid parameters" == reason(client.call(*call))


def test_a_loaded_series_gets_only_missing_bars(client: Any, methods: Any) -> None:
    """A loaded period brings its indexes twice; an earlier one brings the missing bars."""
    client.open_chart("SIM:S0001")
    first = _bars(client.call("create_series", "cs_1", "sds_1", "s1", "sym_1", "1", 10))
    start, end = (int(first[index]["v"][0]) for index in (3, 7))
    ids = ("cs_1", "sds_1", "s1", "sym_1", "1")
    loaded = client.call("modify_series", *ids, f"r,{start}:{end}")
    frame = "series_timeframe"
    assert ["series_loading", frame, frame, "series_completed"] == methods(loaded)
    span = ["cs_1", "sds_1", "s1", 3, 7, f"r,{start}:{end}"]
    assert [[*span, False], [*span, True]] == [message["p"] for message in loaded[1:3]]
    older = client.call("modify_series", *ids, f"r,{start - 600}:{start - 540}")
    assert ["series_loading", frame, "timescale_update", frame, COMPLETE[3]] == methods(older)
    assert [*range(-7, 0)] == [bar["i"] for bar in _bars(older)]
    assert start - 600 == _bars(older)[0]["v"][0]
    assert [-7, -6] == older[1]["p"][3:5]
    again = client.call("modify_series", *ids)
    assert ["series_loading", "series_completed"] == methods(again)


def test_bars_up_to_a_time_and_after_it(client: Any, methods: Any) -> None:
    """`bar_count` with a time brings bars up to it or after it, and then more on either side."""
    moment = client.now_ms // 1000 // 60 * 60 - 3600
    received = client.create_series("SIM:S0001", "1", ["bar_count", moment, 5])
    assert COMPLETE == methods(received)
    assert [moment - 60 * ago for ago in (4, 3, 2, 1, 0)] == _times(received)
    older = client.call("request_more_data", "cs_1", "sds_1", 2)
    assert [moment - 360, moment - 300] == _times(older)
    newer = client.call("request_more_data", "cs_1", "sds_1", -3)
    assert [moment + 60, moment + 120, moment + 180] == _times(newer)
    assert [5, 6, 7] == [bar["i"] for bar in _bars(newer)]
    client.open_chart("SIM:S0001", "cs_2")
    ids = ("cs_2", "sds_1", "s1", "sym_1", "1")
    after = client.call("create_series", *ids, ["bar_count", moment, -2])
    assert [moment + 60, moment + 120] == _times(after)
    assert [] == client.wait(60)


def test_a_series_that_comes_to_the_present_is_followed(client: Any, methods: Any) -> None:
    """Once a series reaches the present, its newest bar is kept up to date."""
    moment = client.now_ms // 1000 - 600
    client.create_series("SIM:S0001", "1", ["bar_count", moment, 5])
    assert [] == client.wait(60)
    client.call("request_more_data", "cs_1", "sds_1", -100)
    assert "du" in methods(client.wait(30))
    nothing = client.call("request_more_data", "cs_1", "sds_1", -100)
    assert "series_completed" == nothing[-1]["m"]


def test_a_time_before_the_first_bar(client: Any, methods: Any) -> None:
    """A time before the first bar brings the symbol and then no answer."""
    received = client.create_series("SIM:S0001", "1D", ["bar_count", 900_000_000, 5])
    assert COMPLETE[:2] == methods(received)


@pytest.mark.parametrize(
    "count", [["bar_count", 1, "x"], ["bars", 1, 1], ["bar_count", 1], ["bar_count", 1, 1, 1]]
)
def test_an_invalid_count_is_refused(client: Any, count: list[object]) -> None:
    """An unknown kind of count, or too few or too many values, is refused."""
    assert "invalid parameters" == reason(client.create_series("SIM:S0001", "1", count))


def test_zero_more_bars_are_refused(client: Any) -> None:
    """A request for 0 more bars is refused."""
    client.create_series("SIM:S0001")
    assert "invalid parameters" == reason(client.call("request_more_data", "cs_1", "sds_1", 0))


def test_a_study_is_answered(client: Any, wire: Any, methods: Any) -> None:
    """A study is answered as captured, and the updates of its series go on."""
    client.create_series("SIM:S0001")
    study = ("cs_1", "st1", "st1", "sds_1", "Volume@tv-basicstudies-251", {"length": 20})
    answers = client.call("create_study", *study)
    expected = ["study_loading", "du", "study_completed"]
    assert expected == methods(answers)
    assert ["cs_1", "st1", "s1_st1"] == answers[0]["p"] == answers[2]["p"]
    assert ["node", "st", "ns", "t"] == list(answers[1]["p"][1]["st1"])
    assert expected == methods(client.call("modify_study", "cs_1", "st1", "st1", {"length": 9}))
    assert "du" in methods(client.wait(30))
    (deleted,) = client.call("remove_study", "cs_1", "st1")
    assert ["cs_1", "st1", "s1_st1"] == deleted["p"]
    assert expected == methods(client.call("create_study", *study))
    assert "duplicate id" == reason(client.call("create_study", *study))


def test_a_study_of_a_refused_series(client: Any, wire: Any) -> None:
    """A study of a refused series gives the captured error."""
    captured = json.loads(
        (wire / "permission_denied_sequence_2026-09.txt").read_text().splitlines()[-1]
    )
    client.create_series("ECONOMICS:USM2", "1D")
    (error,) = client.call("create_study", "cs_1", "st1", "st1", "sds_1", "Volume@x", {})
    assert (captured["m"], captured["p"][1:4]) == (error["m"], error["p"][1:4])


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("create_study", ("st1", "st1", "sds_9", "Volume@x", {})),
        ("create_study", ("st1", "st1", "sds_1", "Volume@x")),
        ("modify_study", ("st1", "st1", {})),
        ("remove_study", ("st1",)),
    ],
)
def test_an_invalid_study_is_refused(client: Any, method: str, params: tuple[object, ...]) -> None:
    """A study without a series, without inputs or with an unknown name is refused."""
    client.create_series("SIM:S0001")
    assert "invalid parameters" == reason(client.call(method, "cs_1", *params))


def test_extended_hours(client: Any) -> None:
    """Bars in extended hours include the regular ones unchanged, and others before and after."""
    kinds = {}
    client.now_ms += 20 * 3600 * 1000  # before the next opening
    for session in ("regular", "extended"):
        text = f'={{"symbol":"NASDAQ:AAPL","session":"{session}"}}'
        client.call("chart_create_session", session)
        client.call("resolve_symbol", session, "sym", text)
        for name, resolution in (("minutes", "30"), ("days", "1D")):
            received = client.call("create_series", session, name, "s1", "sym", resolution, 60, "")
            update = _update(received)["p"][1][name]
            kinds[session, name] = {bar["v"][0]: bar["v"][1:] for bar in update["s"]}
            resolved = next(each for each in received if each["m"] == "symbol_resolved")["p"][2]
            client.call("remove_series", session, name)
        assert (session, True) == (resolved["subsession_id"], resolved["has_extended_hours"])
    assert kinds["regular", "days"] == kinds["extended", "days"]
    wide, narrow = kinds["extended", "minutes"], kinds["regular", "minutes"]
    shared = wide.keys() & narrow.keys()
    assert all(wide[time] == narrow[time] for time in shared)
    assert 60 == len(wide) == len(narrow)
    assert 13 <= len(shared) < 40
    local = {(time - 5 * 3600) % 86_400 / 3600 for time in wide}
    assert (4.0, 19.5) == (min(local), max(local))


def test_another_currency(client: Any) -> None:
    """Prices are converted to the currency, and the listing names it; an unknown one is refused."""
    bars = {}
    for number, currency in enumerate(("USD", "INR", "XYZ")):
        text = f'={{"symbol":"NASDAQ:AAPL","currency-id":"{currency}"}}'
        client.call("chart_create_session", currency)
        client.call("resolve_symbol", currency, "sym", text)
        received = client.call("create_series", currency, "sds_1", "s1", "sym", "1D", 3, "")
        if number < 2:
            bars[currency] = _bars(received)
            assert currency == received[1]["p"][2]["currency_code"]
        else:
            assert "invalid symbol" == received[1]["p"][2]
    for dollars, rupees in zip(bars["USD"], bars["INR"], strict=True):
        assert dollars["v"][5] == rupees["v"][5]
        assert [value / 0.0119 for value in dollars["v"][1:5]] == pytest.approx(rupees["v"][1:5])


def _times(received: list[dict[str, Any]]) -> list[float]:
    return [bar["v"][0] for bar in _bars(received)]


def test_marks_are_in_the_time_zone_of_the_chart(client: Any) -> None:
    """Marks are in UTC, a named zone or the exchange's own; times of bars do not change."""
    walls, times = [], []
    for timezone in ("Etc/UTC", "Asia/Kolkata", "exchange"):
        client.open_chart("NASDAQ:AAPL")
        assert [] == client.call("switch_timezone", "cs_1", timezone)
        received = client.call("create_series", "cs_1", "sds_1", "s1", "sym_1", "60", 1)
        walls.append(_update(received)["p"][2]["marks"][0][1])
        times.append(_bars(received)[0]["v"][0])
    assert [0, 19_800, -18_000] == [int(wall - times[0]) for wall in walls]
    assert 1 == len(set(times))


def test_an_unknown_time_zone_is_refused(client: Any) -> None:
    """An unknown time zone gives the captured error."""
    client.call("chart_create_session", "cs_1")
    (error,) = client.call("switch_timezone", "cs_1", "Nowhere/Nowhere")
    quoted = 'method: switch_timezone. args: "[Nowhere/Nowhere]"'
    assert ["cs_1", "invalid timezone", quoted] == error["p"]


def test_ordered_errors(client: Any, faults: Faults) -> None:
    """An ordered critical error ends the chart session, a protocol error the connection."""
    faults.order(Fault(FaultKind.CRITICAL_ERROR, "SIM:S0001", "out of luck"))
    assert "out of luck" == reason(client.create_series("SIM:S0001"))
    faults.order(Fault(FaultKind.PROTOCOL_ERROR, "SIM:S0002"))
    assert ["internal error"] == client.create_series("SIM:S0002")[0]["p"]
    assert Close() == client.actions[-1]


def test_requested_and_served_series_are_counted(client: Any, tally: Tally) -> None:
    """Requested and served series are counted by symbol; a refused one only as requested."""
    client.create_series("SIM:S0001", "1", 7)
    client.call("request_more_data", "cs_1", "sds_1", 3)
    client.create_series("NASDAQ:NOSUCH")
    assert {"SIM:S0001": 2, "NASDAQ:NOSUCH": 1} == tally.requested
    assert ({"SIM:S0001": 2}, 10) == (tally.served, tally.bars)


def test_an_older_page_has_the_captured_scale(client: Any, wire: Path) -> None:
    """Its index and offset count its bars; marks and the close time cover the whole scale."""
    lines = (wire / "nse_browser_pages_2025-12-18.jsonl").read_text().splitlines()
    sent = [json.loads(json.loads(line)["frame"].split("~m~", 2)[2]) for line in lines]
    updates = [each for each in sent if each.get("m") == "timescale_update"]
    (captured,) = (each for each in updates if each["p"][2]["index"] == -232)
    first = client.create_series("NSE:RELIANCE", "180", 300)
    older = _update(client.call("request_more_data", "cs_1", "sds_1", 232))
    for update, known in ((captured, 310), (older, 300)):  # there, ten tick marks were requested
        (block,), scale = update["p"][1].values(), update["p"][2]
        assert (-232, 232, 232) == (scale["index"], scale["zoffset"], len(scale["changes"]))
        assert [bar["v"][0] for bar in block["s"]] == scale["changes"]
        assert [*range(-232, known)] == [mark[2] for mark in scale["marks"]]
        assert [*range(-232, 0)] == [bar["i"] for bar in block["s"]]
    assert list(captured["p"][2]) == list(older["p"][2])
    newest = _update(first)["p"][1]["sds_1"]["lbs"]
    assert newest == older["p"][1]["sds_1"]["lbs"]


def test_an_anchor_does_not_lift_the_limit(client: Any) -> None:
    """From an anchor on, as many bars come as the plan allows, and then its limit is named."""
    limit = client.now_ms // 1000 // 60 * 60 - 4999 * 60
    client.create_series("SIM:S0001", "1", ["bar_count", limit + 300, 3])
    older = client.call("request_more_data", "cs_1", "sds_1", 10)
    assert [limit, limit + 60, limit + 120] == _times(older)
    assert "limit" == older[-1]["p"][4]["data_completed"]
    nothing = client.call("request_more_data", "cs_1", "sds_1", 10)
    assert "limit" == nothing[-1]["p"][4]["data_completed"]
    client.open_chart("SIM:S0001", "cs_2")
    ids = ("cs_2", "sds_1", "s1", "sym_1", "1")
    beyond = client.call("create_series", *ids, ["bar_count", limit - 60, 3])
    assert {"rt_update_period": 5} == beyond[-1]["p"][4]


@pytest.mark.parametrize(("limit", "bars", "word"), [(7, 7, "limit"), (9000, 8000, None)])
def test_a_limit_that_was_ordered(
    client: Any, faults: Faults, limit: int, bars: int, word: str | None
) -> None:
    """Another limit of the plan may be ordered."""
    faults.order(Fault(FaultKind.BAR_LIMIT, value=limit))
    received = client.create_series("SIM:S0001", "1", 8000)
    assert (bars, word) == (len(_bars(received)), received[-1]["p"][4].get("data_completed"))


def test_no_limit_for_anchors(client: Any, faults: Faults) -> None:
    """Without a limit, bars come from any time, and the end is that of history."""
    faults.order(Fault(FaultKind.BAR_LIMIT, value=0))
    client.call("chart_create_session", "cs_0", "")
    client.call("resolve_symbol", "cs_0", "sym", "NASDAQ:AAPL")
    (first,) = client.call("get_first_bar_time", "cs_0", "sym", "1")
    moment = first["p"][2] + 120
    received = client.create_series("NASDAQ:AAPL", "1", ["bar_count", moment, 2])
    assert [moment - 60, moment] == _times(received)
    older = client.call("request_more_data", "cs_1", "sds_1", 10)
    assert ([moment - 120], "end") == (_times(older), older[-1]["p"][4]["data_completed"])


@pytest.mark.parametrize(
    ("symbol", "resolution"),
    [("NASDAQ:AAPL", "1"), ("OTC:QUIET", "1"), ("SIM:S0001", "1D"), ("NASDAQ:AAPL", "1W")],
)
def test_when_history_begins(client: Any, faults: Faults, symbol: str, resolution: str) -> None:
    """`first_bar_time` is when the oldest bar opened."""
    faults.order(Fault(FaultKind.BAR_LIMIT, value=0))
    client.open_chart(symbol)
    (answered,) = client.call("get_first_bar_time", "cs_1", "sym_1", resolution)
    assert ["cs_1", "sym_1"] == answered["p"][:2]
    ids = ("cs_1", "sds_1", "s1", "sym_1", resolution)
    received = client.call("create_series", *ids, ["bar_count", answered["p"][2], 5])
    assert [answered["p"][2]] == _times(received)
    assert "end" == received[-1]["p"][4]["data_completed"]


def test_histories_that_do_not_begin(client: Any) -> None:
    """There is no answer about a symbol that does not exist or never traded."""
    for symbol in ("NYSE:UNBORN", "NASDAQ:NOSUCH"):
        client.open_chart(symbol)
        assert [] == client.call("get_first_bar_time", "cs_1", "sym_1", "1D")
    client.open_chart("SP:SPX")
    (answered,) = client.call("get_first_bar_time", "cs_1", "sym_1", "1D")
    assert 1_686_231_000 == answered["p"][2]


@pytest.mark.parametrize("params", [("sym_1", "XX"), ("sym_2", "1D")])
def test_wrong_questions_about_history(client: Any, params: tuple[str, str]) -> None:
    """An unknown symbol id or resolution is refused."""
    client.open_chart("NASDAQ:AAPL")
    assert "invalid parameters" == reason(client.call("get_first_bar_time", "cs_1", *params))


def test_a_page_requested_too_early_is_the_last_one_again(
    client: Any, market: Market, faults: Faults
) -> None:
    """A client that does not await the end of an answer gets its bars twice."""
    client.conversation = Conversation(market, faults, Tally(), latency_seconds=1.0)
    first = client.create_series("SIM:S0001", "1", 5)
    early = client.call("request_more_data", "cs_1", "sds_1", 5)
    assert _bars(first) == _bars(early)
    client.now_ms += 1000
    late = client.call("request_more_data", "cs_1", "sds_1", 5)
    assert [-5, -4, -3, -2, -1] == [bar["i"] for bar in _bars(late)]


def test_faults_of_pages(client: Any, faults: Faults, methods: Any) -> None:
    """A page may be repeated, bring newer bars, or never come."""
    first = client.create_series("SIM:S0001", "1", 5)
    faults.order(Fault(FaultKind.PAGE_REPEATED, times=1))
    assert _bars(first) == _bars(client.call("request_more_data", "cs_1", "sds_1", 5))
    faults.order(Fault(FaultKind.PAGE_NEWER, times=1))
    received = client.call("request_more_data", "cs_1", "sds_1", 5)
    older, newer = (each["p"][1]["sds_1"]["s"] for each in received[1:3])
    assert (5, [_bars(first)[-1]["v"][0]]) == (len(older), [bar["v"][0] for bar in newer])
    faults.order(Fault(FaultKind.PAGE_SILENT, value=3))
    assert COMPLETE[0:1] + COMPLETE[2:] == methods(
        client.call("request_more_data", "cs_1", "sds_1", 5)
    )
    assert ["series_loading"] == methods(client.call("request_more_data", "cs_1", "sds_1", 5))


def test_a_throttled_range_completes_once(client: Any, faults: Faults, methods: Any) -> None:
    """Of the answers to `create_series` and to a range after it, only the first is completed."""
    first = _bars(client.create_series("SIM:S0001", "1", 10))
    faults.order(Fault(FaultKind.RANGE_THROTTLED))
    span = f"r,{int(first[3]['v'][0])}:{int(first[7]['v'][0])}"
    received = client.call("modify_series", "cs_1", "sds_1", "s1", "sym_1", "1", span)
    assert ["series_loading", "series_timeframe", "series_timeframe"] == methods(received)


def test_bars_that_are_adjusted_for_dividends(client: Any, market: Market) -> None:
    """The text of the symbol chooses them, and its description allows the choice."""
    market.dividend("NASDAQ:AAPL", Dividend(client.now_ms // 1000, 50.0, 0, 0))
    closes = {}
    for adjustment in ("splits", "dividends"):
        text = f'={{"symbol":"NASDAQ:AAPL","adjustment":"{adjustment}"}}'
        client.call("chart_create_session", adjustment)
        client.call("resolve_symbol", adjustment, "sym", text)
        received = client.call("create_series", adjustment, "sds_1", "s1", "sym", "1D", 3, "")
        closes[adjustment] = _bars(received)[0]["v"][4]
        assert "any" == received[1]["p"][2]["allowed_adjustment"]
    assert closes["dividends"] < closes["splits"] - 25
