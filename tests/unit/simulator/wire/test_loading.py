"""The messages that bring bars: blocks, ranges, and how a load ends."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pocketquant.simulator.wire import tokens


def update_of(received: list[dict[str, Any]]) -> dict[str, Any]:
    (update,) = (message for message in received if message["m"] == "timescale_update")
    return update


def ending(received: list[dict[str, Any]]) -> dict[str, Any]:
    completed = received[-1]
    assert "series_completed" == completed["m"]
    state: dict[str, Any] = completed["p"][4]
    return state


def test_an_update_has_the_captured_keys(client: Any, wire: Any) -> None:
    """An update has the captured keys in their order, from the message down to a bar."""
    text = (wire / "timescale_update_daily_index_with_volume.txt").read_text()
    captured = json.loads(text.split("~m~", 2)[2])
    update = update_of(client.create_series("SP:SPX", "1D"))
    assert list(captured) == list(update)
    old, new = captured["p"][1]["sds_7"], update["p"][1]["sds_1"]
    assert list(old) == list(new)
    assert list(old["s"][0]) == list(new["s"][0]) == ["i", "v"]
    assert (len(old["s"][0]["v"]), list(old["lbs"])) == (len(new["s"][0]["v"]), list(new["lbs"]))
    assert list(captured["p"][2]) == list(update["p"][2])
    assert [len(mark) for mark in captured["p"][2]["marks"][:3]] == [
        len(mark) for mark in update["p"][2]["marks"]
    ]


def test_a_symbol_without_volume_has_five_values(client: Any) -> None:
    """Each bar of a symbol without volume has five values."""
    bars = update_of(client.create_series("TVC:RUT", "5", 20))["p"][1]["sds_1"]["s"]
    assert [5] * 20 == [len(bar["v"]) for bar in bars]


def test_a_delayed_symbol_says_so(client: Any) -> None:
    """A delayed symbol has its delay in `series_completed` and in its description."""
    received = client.create_series("NSE:RELIANCE", "15")
    assert "delayed_streaming_900" == received[-1]["p"][2]
    assert 900 == received[1]["p"][2]["delay"]


@pytest.mark.parametrize(
    ("symbol", "resolution", "count", "bars", "completed"),
    [
        ("SIM:S0001", "1", 100, 100, None),
        ("SIM:S0001", "1", 6000, 5000, "limit"),
        ("SIM:S0001", "1D", 100, 100, None),
        ("SIM:S0001", "1D", 20000, 9452, "end"),
        ("SP:SPX", "1D", 5000, 3, "end"),
    ],
)
def test_how_a_load_ends(
    client: Any, symbol: str, resolution: str, count: int, bars: int, completed: str | None
) -> None:
    """An answer ends at the start of history, at the plan's limit, or with more bars to request."""
    received = client.create_series(symbol, resolution, count)
    assert bars == len(update_of(received)["p"][1]["sds_1"]["s"])
    assert completed == ending(received).get("data_completed")
    assert 5 == ending(received)["rt_update_period"]


def test_more_bars_end_at_the_limit(client: Any, methods: Any) -> None:
    """More bars come up to the plan's limit, and then only `series_completed`."""
    client.create_series("NASDAQ:AAPL", "1", 4990)
    received = client.call("request_more_data", "cs_1", "sds_1", 50)
    assert (10, "limit") == (
        len(update_of(received)["p"][1]["sds_1"]["s"]),
        ending(received)["data_completed"],
    )
    received = client.call("request_more_data", "cs_1", "sds_1", 50)
    assert ["series_loading", "series_completed"] == methods(received)


def test_an_account_has_no_update_period(client: Any) -> None:
    """With a token, `rt_update_period` is 0."""
    client.call("set_auth_token", tokens.issue(1, client.now_ms // 1000))
    assert 0 == ending(client.create_series("SIM:S0001"))["rt_update_period"]


def test_a_listing_that_never_traded_only_completes(client: Any, methods: Any) -> None:
    """A listing without trades only completes; after hours an empty update comes first."""
    received = client.create_series("NYSE:UNBORN")
    assert ["series_loading", "symbol_resolved", "series_completed"] == methods(received)
    client.now_ms += 8 * 60 * 60 * 1000
    received = client.create_series("NYSE:UNBORN")
    assert [] == update_of(received)["p"][1]["sds_1"]["s"]
    assert "end" == ending(received)["data_completed"]


@pytest.mark.parametrize(
    ("span", "seen"),
    [
        ("12M", 251),
        ("5", 3),
        ("YTD", 221),
        ("LASTSESSION", 1),
        ("ALL", 300),
    ],
)
def test_a_named_range_is_framed_by_timeframes(
    client: Any, methods: Any, span: str, seen: int
) -> None:
    """The whole range comes before the bars, its visible part after them."""
    received = client.create_series("NASDAQ:AAPL", "1D", 300, span)
    assert ["timeframe", "update", "timeframe", "completed"] == [
        method.rpartition("_")[2] for method in methods(received)[2:]
    ]
    before, after = received[2], received[4]
    assert ["cs_1", "sds_1", "s1", 0, 299, span, False] == before["p"]
    assert ["cs_1", "sds_1", "s1", 300 - seen, 299, span, True] == after["p"]
    assert ["m", "p"] == list(before)


def test_a_period_brings_its_own_bars(client: Any) -> None:
    """A period brings the bars that open in it, if the plan allows them."""
    first, last = (int(datetime(2024, 3, day, 14, 30, tzinfo=UTC).timestamp()) for day in (4, 8))
    bars = update_of(client.create_series("NASDAQ:AAPL", "1D", 10, f"r,{first}:{last}"))["p"][1][
        "sds_1"
    ]["s"]
    assert (5, float(first), float(last)) == (len(bars), bars[0]["v"][0], bars[-1]["v"][0])


def test_a_period_out_of_reach_brings_nothing(client: Any, methods: Any) -> None:
    """A period older than the plan allows brings no bars and no error."""
    received = client.create_series("SIM:S0001", "1", 10, "r,1700000000:1700003600")
    assert ["series_loading", "symbol_resolved", "series_completed"] == methods(received)
