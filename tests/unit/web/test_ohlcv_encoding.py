"""Columns of bars → JSON."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts, parse_calendar
from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import FormingBar
from tests.unit.domain.calendar.texts import AAPL
from web.encoding import (
    LivePart,
    Page,
    encode_columns,
    encode_csv,
    encode_live_forming,
    encode_ohlcv,
    encode_rows,
    forming_field,
    split_forming,
)
from web.schemas.bars import OhlcvOut
from web.times import TimeFormat

SERIES = Series.parse("NASDAQ:AAPL|1d")
DAYS = TimeFormat(None, True, parse_calendar(CalendarTexts("Etc/UTC", "24x7")))
FIELDS = ("open", "high", "low", "close", "volume")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

numbers = st.floats(allow_nan=False, allow_infinity=False)
times = st.integers(-62_135_596_800, 253_000_000_000)


@st.composite
def blocks(draw: st.DrawFn) -> Bars:
    opened = sorted(draw(st.sets(times, max_size=30)))
    prices = st.lists(numbers, min_size=len(opened), max_size=len(opened))
    volume = draw(prices | st.just([float("nan")] * len(opened)))
    return Bars(np.array([opened, *(draw(prices) for _ in range(4)), volume], dtype=np.float64))


def data_of(bars: Bars, newest_first: bool) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = json.loads(encode_ohlcv(SERIES, bars, newest_first, None))["data"]
    return data


@given(blocks(), st.booleans())
def test_every_value_reads_back_as_it_was(bars: Bars, newest_first: bool) -> None:
    """Numbers are the same float64, NaN is null, times are ISO 8601 in UTC, in either order."""
    expected = [
        {
            "datetime": (_EPOCH + timedelta(seconds=int(bar[0]))).strftime("%Y-%m-%dT%H:%M:%SZ"),
            **{
                name: None if np.isnan(value) else value
                for name, value in zip(FIELDS, bar[1:], strict=True)
            },
        }
        for bar in bars.columns.T.tolist()
    ]
    if newest_first:
        expected.reverse()
    for bar in expected:  # strftime does not pad years on every platform
        bar["datetime"] = bar["datetime"].rjust(20, "0")
    assert expected == data_of(bars, newest_first)


def test_no_bars_are_an_empty_list() -> None:
    """An empty block is `[]`."""
    assert [] == data_of(Bars.empty(), newest_first=True)


def test_the_document_is_what_the_schema_promises() -> None:
    """Series, bars, count and the forming bar, each as documented."""
    bars = Bars(np.array([[86400.0], [1.0], [2.5], [0.5], [2.0], [np.nan]]))
    forming = FormingBar(172800, 259200, 2.0, 3.0, 1.5, 2.5, None, as_of=200000)
    live = LivePart(1, (86_400,))
    document = json.loads(encode_ohlcv(SERIES, bars, False, forming, live, page=Page(times=DAYS)))
    expected = {
        "symbol": "AAPL",
        "exchange": "NASDAQ",
        "interval": "1d",
        "data": [
            {
                "datetime": "1970-01-02T00:00:00Z",
                "open": 1.0,
                "high": 2.5,
                "low": 0.5,
                "close": 2.0,
                "volume": None,
                "trading_day": "1970-01-02",
            }
        ],
        "count": 1,
        "next_cursor": None,
        "resampled_from": None,
        "live": {"count": 1, "partial": ["1970-01-02T00:00:00Z"]},
        "forming": {
            "bar_start": "1970-01-03T00:00:00Z",
            "bar_end": "1970-01-04T00:00:00Z",
            "open": 2.0,
            "high": 3.0,
            "low": 1.5,
            "close": 2.5,
            "volume": None,
            "partial": False,
            "as_of": "1970-01-03T07:33:20Z",
            "source": "history",
            "trading_day": "1970-01-03",
        },
    }
    assert expected == document
    assert expected == OhlcvOut.model_validate(document).model_dump(mode="json")


def test_an_answer_of_a_moment_names_it() -> None:
    """And why it is empty; the model of the document has the same fields."""
    moment = datetime(2024, 3, 1, 9, 30, 0, 5000, tzinfo=UTC)
    page = Page(as_of=moment, reason="nothing was stored")
    document = json.loads(encode_ohlcv(SERIES, Bars.empty(), False, None, page=page))
    assert {"as_of": "2024-03-01T09:30:00.005000Z", "reason": "nothing was stored"} == {
        name: document[name] for name in ("as_of", "reason")
    }
    assert document == OhlcvOut.model_validate(document).model_dump(mode="json")


def test_stretches_of_older_live_bars_are_listed() -> None:
    """Each by the open times of its first and last bar."""
    assert "stretches" not in LivePart(1).document()
    document = orjson.loads(orjson.dumps(LivePart(2, (), ((0, 86_400),)).document()))
    assert [["1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z"]] == document["stretches"]


def test_without_a_forming_bar_forming_is_null() -> None:
    """It is null then."""
    document = json.loads(encode_ohlcv(SERIES, Bars.empty(), newest_first=True, forming=None))
    assert (document["data"], document["count"], document["forming"]) == ([], 0, None)


def test_a_live_forming_bar_replaces_the_other() -> None:
    """The rest of the document stays the same, with a forming bar or without."""
    start = 172_800
    bar = LiveBar(
        "NASDAQ:AAPL", Interval.D1, start, start + 86_400, 2, 4, 1, 3, None, 9, True, start, start
    )
    forming = encode_live_forming(bar, start + 60, DAYS)
    expected = {
        "bar_start": "1970-01-03T00:00:00Z",
        "bar_end": "1970-01-04T00:00:00Z",
        "open": 2.0,
        "high": 4.0,
        "low": 1.0,
        "close": 3.0,
        "volume": None,
        "partial": True,
        "as_of": "1970-01-03T00:01:00Z",
        "source": "live",
        "trading_day": "1970-01-03",
    }
    for known in (None, FormingBar(0, 1, 2.0, 3.0, 1.5, 2.5, None, as_of=0)):
        body = encode_ohlcv(SERIES, Bars.empty(), newest_first=True, forming=known)
        document = json.loads(split_forming(body)[0] + forming_field(forming))
        assert json.loads(body) | {"forming": expected} == document
        assert document == OhlcvOut.model_validate(document).model_dump(mode="json")


def test_columns_and_lines_have_the_values_of_rows() -> None:
    """In either order; an unknown volume is null, or empty between commas."""
    bars = Bars(np.array([[0.0, 60.0], [1, 2], [3, 4], [0, 1], [2, 3], [np.nan, 5]]))
    body = encode_ohlcv(SERIES, bars, True, None, page=Page("10m", "next", "1m", as_columns=True))
    document = json.loads(body)
    assert ("10m", "next", "1m") == (
        document["interval"],
        document["next_cursor"],
        document["resampled_from"],
    )
    rows = data_of(bars, newest_first=True)
    expected = {name: [row[name] for row in rows] for name in ("datetime", *FIELDS)}
    assert expected == document["columns"]
    lines = [b"1970-01-01T00:00:00Z,1.0,3.0,0.0,2.0,", b"1970-01-01T00:01:00Z,2.0,4.0,1.0,3.0,5.0"]
    assert [*lines, b""] == encode_csv(bars, newest_first=False).split(b"\r\n")
    assert [*lines[::-1], b""] == encode_csv(bars, newest_first=True).split(b"\r\n")
    assert b"" == encode_csv(Bars.empty(), newest_first=True)


def test_days_in_a_zone_have_its_offset_and_their_trading_day() -> None:
    """In rows, columns and lines; without a calendar the trading day is null, or empty."""
    bars = Bars(np.array([[1_795_789_800.0, 1_795_843_800.0], *[[1.0, 2.0]] * 5]))
    new_york = ZoneInfo("America/New_York")
    times = TimeFormat(new_york, True, parse_calendar(AAPL))
    opens = ["2026-11-27T09:30:00-05:00", "2026-11-28T00:30:00-05:00"]
    days = ["2026-11-27", None]
    rows = [json.loads(row) for row in encode_rows(bars, times)]
    assert list(zip(opens, days, strict=True)) == [
        (row["datetime"], row["trading_day"]) for row in rows
    ]
    columns = json.loads(encode_columns(bars, True, times))
    assert (opens[::-1], days[::-1]) == (columns["datetime"], columns["trading_day"])
    prices = ["1.0,1.0,1.0,1.0,1.0", "2.0,2.0,2.0,2.0,2.0"]
    lines = [f"{opens[0]},{prices[0]},2026-11-27", f"{opens[1]},{prices[1]},", ""]
    assert lines == encode_csv(bars, False, times).decode().split("\r\n")
    unknown = TimeFormat(new_york, has_trading_days=True)
    assert [None, None] == json.loads(encode_columns(bars, True, unknown))["trading_day"]
