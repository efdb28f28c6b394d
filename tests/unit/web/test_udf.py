"""TradingView's UDF: resolutions, symbols, tables of bars, quotes."""

from typing import Any

import numpy as np
import pytest

from pocketquant.domain.bars import Bars
from pocketquant.domain.errors import InvalidRequest
from pocketquant.domain.intervals import DAY, Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Symbol
from web import udf

AAPL = Symbol("NASDAQ", "AAPL")
TIMES = np.arange(100, 200, 10)  # of ten bars
BARS = Bars(np.array([TIMES, *[TIMES + n for n in range(4)], [np.nan, *range(1, 10)]], dtype=float))
QUOTE = {
    "symbol": "AAPL",
    "exchange": "NASDAQ",
    "change": 1.0,
    "change_percent": 0.5,
    "last_price": 201.0,
    "ask": 201.3,
    "bid": 201.1,
    "open_price": 200.0,
    "high_price": 202.0,
    "low_price": 199.0,
    "prev_close": 200.0,
    "volume": 10.0,
}


@pytest.mark.parametrize(
    ("resolution", "interval"),
    [
        ("1", "1m"),
        ("60", "60m"),
        ("90", "90m"),
        ("D", "1d"),
        ("1D", "1d"),
        ("2W", "2w"),
        ("3M", "3M"),
    ],
)
def test_a_resolution_names_an_interval(resolution: str, interval: str) -> None:
    """Numbers are minutes; D, W and M may stand alone."""
    assert interval == udf.interval_of(resolution)


@pytest.mark.parametrize("resolution", ["", "0", "05", "1m", "1H", "H", "12345", "1D1", "-5"])
def test_any_other_resolution_is_refused(resolution: str) -> None:
    """Seconds and ticks are not stored."""
    with pytest.raises(InvalidRequest, match="resolution"):
        udf.interval_of(resolution)


def test_every_stored_interval_has_a_resolution() -> None:
    """They are what a client may choose from."""
    expected = ["1", "3", "5", "15", "30", "45", "60", "120", "180", "240", "1D", "1W", "1M"]
    assert expected == [udf.resolution_of(interval) for interval in Interval]
    assert expected == udf.config()["supported_resolutions"]


def test_a_symbol_has_the_hours_and_the_tick_of_the_provider() -> None:
    """`ticker` is the whole name, by which the client asks for bars."""
    listing = Listing(
        AAPL,
        *("Apple Inc.", "stock", "USD", "America/New_York", "0930-1600"),
        price_scale=1000,
        min_move=5,
        delay_seconds=900,
    )
    info = udf.symbol_info(listing)
    assert ("AAPL", "NASDAQ:AAPL", "NASDAQ") == (info["name"], info["ticker"], info["exchange"])
    assert ("0930-1600", "America/New_York") == (info["session"], info["timezone"])
    assert ("price", 5, 1000) == (info["format"], info["minmov"], info["pricescale"])
    assert ("ohlcv", False) == (info["visible_plots_set"], info["has_no_volume"])
    assert ("delayed_streaming", 900) == (info["data_status"], info["delay"])
    assert "NASDAQ:AAPL" == udf.found_symbol(listing)["ticker"]


def test_a_symbol_that_was_never_synced_counts_as_always_open() -> None:
    """The client needs a session and a price scale."""
    info = udf.symbol_info(Listing(AAPL, has_volume=False))
    assert ("24x7", "Etc/UTC") == (info["session"], info["timezone"])
    assert (1, 100) == (info["minmov"], info["pricescale"])
    assert ("streaming", 0, "ohlc") == (
        info["data_status"],
        info["delay"],
        info["visible_plots_set"],
    )


@pytest.mark.parametrize(
    ("wanted", "times"),
    [
        (udf.Wanted(120, 150, None), [120, 130, 140]),  # the end is excluded
        (udf.Wanted(140, 150, 3), [120, 130, 140]),  # the count beats the start
        (udf.Wanted(0, 999, 2), [180, 190]),
        (udf.Wanted(0, 115, 9), [100, 110]),  # fewer only where there are no more
    ],
)
def test_history_is_the_wanted_part(wanted: udf.Wanted, times: list[int]) -> None:
    """Each column has a value for each time; unknown volumes are null."""
    found: Any = udf.history(BARS, TIMES, wanted)
    assert ("ok", times) == (found["s"], found["t"])
    assert [float(time) for time in times] == found["o"]
    assert [time + 3.0 for time in times] == found["c"]
    assert (None if 100 in times else float(times[0] - 100) / 10) == found["v"][0]


def test_history_without_bars_says_where_the_next_ones_are() -> None:
    """Without any older bar it names none, so that the client asks no more."""
    assert {"s": "no_data", "nextTime": 190} == udf.history(BARS, TIMES, udf.Wanted(195, 999, None))
    assert {"s": "no_data"} == udf.history(BARS, TIMES, udf.Wanted(0, 100, None))
    assert {"s": "no_data"} == udf.history(BARS, TIMES, udf.Wanted(0, 100, 5))


def test_a_day_has_midnight_of_its_trading_day() -> None:
    """Where the trading day is unknown, that of its open."""
    opened = np.array([10 * DAY - 7200, 11 * DAY + 3600])
    days = np.array(["1970-01-11", "NaT"], dtype="datetime64[D]")
    assert [10 * DAY, 11 * DAY] == udf.protocol_times(opened, days).tolist()


def test_a_quote_has_the_name_that_was_asked_for() -> None:
    """A symbol without a quote is an error of its own."""
    quote = udf.quote("nasdaq:aapl", QUOTE)
    assert ("ok", "nasdaq:aapl", 201.0, 0.2) == (
        quote["s"],
        quote["n"],
        quote["v"]["lp"],
        quote["v"]["spread"],
    )
    assert udf.quote("x", {**QUOTE, "bid": None})["v"]["spread"] is None
    assert {"s": "error", "n": "X:Y", "v": {}} == udf.quote("X:Y", None)
