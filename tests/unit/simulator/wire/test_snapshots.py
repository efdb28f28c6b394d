"""The fields of a complete quote."""

import json
from pathlib import Path
from typing import Any

import pytest

from pocketquant.simulator.market import world
from pocketquant.simulator.market.prices import Market, Resolution
from pocketquant.simulator.wire import snapshots


def values_of(market: Market, name: str, now: int) -> dict[str, Any]:
    instrument = world.find(name)
    assert instrument is not None
    return snapshots.values(instrument, market.day(instrument, now), now)


def test_a_quote_is_the_day_so_far(market: Market, now: int) -> None:
    """The last price, range and volume of a quote equal those of the daily bar."""
    aapl = world.find("NASDAQ:AAPL")
    assert aapl is not None
    before, today = market.newest(aapl, Resolution(1, "D"), now, 2).bars.columns.T.tolist()
    values = values_of(market, "NASDAQ:AAPL", now)
    names = ("open_price", "high_price", "low_price", "lp", "volume", "prev_close_price")
    assert [*today[1:], before[4]] == [values[name] for name in names]
    assert round(today[4] - before[4], 2) == values["ch"]
    assert round(100 * values["ch"] / before[4], 2) == values["chp"]
    assert values["bid"] < values["lp"] < values["ask"]
    assert ("market", 1_763_424_000) == (values["current_session"], values["open_time"])
    assert 0 <= now - values["lp_time"] < 60


def test_a_closed_market_was_last_traded_before_its_close(market: Market, now: int) -> None:
    """A closed market is `out_of_session`, with a past time and the day's values."""
    values = values_of(market, "TVC:RUT", now + 8 * 3600)
    closed_at = 1_763_499_600
    assert "out_of_session" == values["current_session"]
    assert 0 < closed_at - values["lp_time"] < 60
    assert values == values_of(market, "TVC:RUT", now + 12 * 3600)


def test_a_stock_at_night_was_last_traded_after_its_close(market: Market, now: int) -> None:
    """At night a stock has the close as last price and the later trade beside it."""
    night = values_of(market, "NASDAQ:AAPL", now + 10 * 3600)
    assert "out_of_session" == night["current_session"]
    assert 0 < 1_763_514_000 - night["lp_time"] < 300
    assert night["lp_time"] == night["rtc_time"]
    evening = values_of(market, "NASDAQ:AAPL", now + 8 * 3600)
    assert ("post_market", night["lp"]) == (evening["current_session"], evening["lp"])
    assert evening["rtc"] != evening["lp"]
    assert evening["rch"] == pytest.approx(evening["rtc"] - evening["lp"])
    assert night == values_of(market, "NASDAQ:AAPL", now + 12 * 3600)


def test_a_delayed_market_closes_later(market: Market, now: int) -> None:
    """A delayed market closes later, with its last trades."""
    closed_at = 1_763_460_000
    sessions = [
        values_of(market, "NSE:TCS", closed_at + late)["current_session"] for late in (899, 900)
    ]
    assert ["market", "out_of_session"] == sessions
    values = values_of(market, "NSE:TCS", closed_at + 60)
    assert "delayed_streaming_900" == values["update_mode"]
    assert 900 <= closed_at + 60 - values["lp_time"] < 960


def test_no_volume_is_a_number_of_its_own(market: Market, now: int) -> None:
    """A symbol without volume has the volume 1e+100."""
    assert 1e100 == values_of(market, "TVC:RUT", now)["volume"]


def test_a_symbol_that_never_traded_has_no_price(market: Market, now: int) -> None:
    """A symbol that never traded has a name and no price."""
    values = values_of(market, "NYSE:UNBORN", now)
    assert {"lp", "volume", "bid"}.isdisjoint(values)
    assert "NYSE:UNBORN" == values["pro_name"]


def test_captured_days_are_quoted_as_they_are(market: Market, now: int) -> None:
    """The newest captured day is quoted unchanged; there is no quote before the first."""
    values = values_of(market, "SP:SPX", now)
    assert (2.0, 3.0, 0.5, 2.0, 12.0) == tuple(
        values[name] for name in ("lp", "high_price", "low_price", "prev_close_price", "volume")
    )
    assert "lp" not in values_of(market, "SP:SPX", 1_600_000_000)


@pytest.mark.parametrize("name", ["qsd_aapl_original_name_bats.txt", "qsd_index_volume_1e100.txt"])
def test_the_captured_fields_are_there(market: Market, now: int, wire: Path, name: str) -> None:
    """A quote has the captured fields with the captured types, but for the logo."""
    payload = (wire / name).read_text().split("~m~")[2]
    captured = json.loads(payload)["p"][1]["v"]
    captured.pop("logoid")
    values = values_of(market, "NASDAQ:AAPL", now)
    assert captured.keys() <= values.keys()
    assert all(
        isinstance(values[field], int | float if isinstance(value, int | float) else type(value))
        for field, value in captured.items()
    )
