"""Bars with the times of a zone, and the trading days of daily and longer bars."""

from collections.abc import Callable
from datetime import date, datetime
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
import redis
from flask.testing import FlaskClient

from pocketquant.cache.board_writer import BoardWriter, Entry, Flush
from pocketquant.coordination.leases import Leases
from pocketquant.domain.aggregation import BarAggregator
from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.intervals import Interval
from pocketquant.domain.quotes import Quote, Tick
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import FormingBar
from pocketquant.servers.connections import wait_until
from pocketquant.wiring import Platform

EURUSD = Symbol("OANDA", "EURUSD")
HOURS = CalendarTexts("America/New_York", "1700-1700")
URL = "/api/v1/market-data/ohlcv/OANDA/EURUSD"
FAR = 4_102_444_800  # 2100-01-01
OPENS = (1_772_748_000, 1_773_003_600)  # 17:00 of a Thursday and, after the clock change, a Sunday
IN_UTC = ["2026-03-05T22:00:00Z", "2026-03-08T21:00:00Z"]
IN_NEW_YORK = ["2026-03-05T17:00:00-05:00", "2026-03-08T17:00:00-04:00"]
TRADING_DAYS = ["2026-03-06", "2026-03-09"]

Store = Callable[..., None]


@pytest.fixture
def calendar(platform: Platform) -> None:
    """The hours of the symbol, as a sync keeps them."""
    platform.calendars.keep(EURUSD, HOURS, None, now=1_700_000_000)


@pytest.fixture
def days(store: Store) -> None:
    """A Friday, a Monday, and the forming Tuesday."""
    tuesday = OPENS[1] + 86_400
    numbers = np.arange(2, dtype=np.float64)
    forming = FormingBar(tuesday, FAR, 3.0, 3.0, 3.0, 3.0, None, as_of=tuesday + 1)
    store("OANDA:EURUSD|1d", Bars(np.array([OPENS, *[numbers] * 5])), forming)


def rows(client: FlaskClient, query: str) -> list[tuple[str, Any]]:
    """Times and trading days, read twice: the second answer is a kept one."""
    first, second = (client.get(f"{URL}?order=asc&{query}").get_json()["data"] for _ in range(2))
    assert first == second
    return [(bar["datetime"], bar.get("trading_day", "absent")) for bar in first]


def pairs(times: list[str], trading_days: list[Any]) -> list[tuple[str, Any]]:
    return list(zip(times, trading_days, strict=True))


@pytest.mark.usefixtures("calendar", "days")
def test_days_have_their_trading_day(client: FlaskClient) -> None:
    """A Sunday evening belongs to Monday; weeks and months are of their first trading day."""
    assert pairs(IN_UTC, TRADING_DAYS) == rows(client, "interval=1d")
    assert [("2026-03-01T22:00:00Z", "2026-03-02")] == rows(client, "interval=1w&limit=1")
    columns = client.get(f"{URL}?order=asc&format=columns").get_json()["columns"]
    assert (IN_UTC, TRADING_DAYS) == (columns["datetime"], columns["trading_day"])
    assert "2026-03-10" == client.get(URL).get_json()["forming"]["trading_day"]


@pytest.mark.usefixtures("days")
def test_without_a_calendar_the_trading_day_is_null(
    client: FlaskClient, platform: Platform
) -> None:
    """Until a sync brings the hours."""
    assert pairs(IN_UTC, [None, None]) == rows(client, "interval=1d")
    platform.calendars.keep(EURUSD, HOURS, None, now=1_700_000_000)
    platform.responses.drop(Series(EURUSD, Interval.D1))
    assert pairs(IN_UTC, TRADING_DAYS) == rows(client, "interval=1d")


@pytest.mark.usefixtures("calendar")
def test_shorter_bars_have_none(client: FlaskClient, store: Store) -> None:
    """The field is absent."""
    store("OANDA:EURUSD|4h", Bars(np.array([OPENS, *[[1.0, 2.0]] * 5])))
    assert pairs(IN_UTC, ["absent", "absent"]) == rows(client, "interval=4h")
    assert pairs(IN_NEW_YORK, ["absent", "absent"]) == rows(client, "interval=4h&tz=exchange")


@pytest.mark.usefixtures("calendar", "days")
def test_all_times_of_an_answer_are_in_the_zone(client: FlaskClient) -> None:
    """Each zone has an answer of its own, kept or not; the calendar's zone is `exchange`."""
    assert pairs(IN_UTC, TRADING_DAYS) == rows(client, "interval=1d")
    for tz in ("exchange", "America/New_York"):
        assert pairs(IN_NEW_YORK, TRADING_DAYS) == rows(client, f"interval=1d&tz={tz}")
    tokyo = ["2026-03-06T07:00:00+09:00", "2026-03-09T06:00:00+09:00"]
    assert pairs(tokyo, TRADING_DAYS) == rows(client, "interval=1d&tz=Asia/Tokyo")
    assert pairs(IN_UTC, TRADING_DAYS) == rows(client, "interval=1d&tz=UTC")
    forming = client.get(f"{URL}?tz=exchange").get_json()["forming"]
    assert ("2026-03-09T17:00:00-04:00", "2026-03-09T17:00:01-04:00") == (
        forming["bar_start"],
        forming["as_of"],
    )
    columns = client.get(f"{URL}?order=asc&format=columns&tz=exchange").get_json()["columns"]
    assert IN_NEW_YORK == columns["datetime"]


@pytest.mark.usefixtures("calendar")
def test_the_live_forming_bar_is_in_the_zone(
    client: FlaskClient, store: Store, cache: redis.Redis
) -> None:
    """Beside a kept answer too; each caller has its own zone."""
    store("OANDA:EURUSD|1m", Bars(np.array([OPENS, *[[1.0, 2.0]] * 5])))
    lease = Leases(cache, seconds=60.0).acquire("streamer:0")
    assert lease is not None
    bars = BarAggregator()
    bars.see(str(EURUSD), FAR - 60.0)
    bars.take([Tick(str(EURUSD), FAR + 1, 10.0, 5)])
    quote = Quote(str(EURUSD), time=FAR + 1, last_price=10.0)
    BoardWriter(cache, "0", lease.key, lease.token).write(
        Flush(FAR + 2.0, FAR + 2.0, [Entry(quote, bars.state(str(EURUSD)))])
    )

    def starts(query: str) -> str | None:
        forming = client.get(f"{URL}?interval=1m&{query}").get_json()["forming"]
        return forming and str(forming["bar_start"])

    wait_until("the live bar is looked for", lambda: starts("") is not None, (), 60.0)
    expected = {
        "tz=exchange": "2099-12-31T19:00:00-05:00",
        "tz=UTC": "2100-01-01T00:00:00Z",
        "tz=Asia/Kolkata": "2100-01-01T05:30:00+05:30",
    }
    assert expected == {query: starts(query) for query in expected}


@pytest.mark.usefixtures("calendar", "days")
def test_files_have_the_zone_and_the_trading_day(client: FlaskClient) -> None:
    """CSV has offsets, Arrow and Parquet a timestamp of the zone; the day is the last column."""
    lines = client.get(f"{URL}?order=asc&format=csv&tz=exchange").text.splitlines()
    head = "datetime,open,high,low,close,volume,trading_day"
    bars = [f"{IN_NEW_YORK[n]},{n}.0,{n}.0,{n}.0,{n}.0,{n}.0,{TRADING_DAYS[n]}" for n in (0, 1)]
    assert [head, *bars] == lines
    files = {
        form: client.get(f"{URL}?order=asc&format={form}&tz=exchange").data
        for form in ("arrow", "parquet")
    }
    tables = {
        "s": pa.ipc.open_stream(files["arrow"]).read_all(),
        "ms": pa.parquet.read_table(BytesIO(files["parquet"])),
    }
    zone = ZoneInfo("America/New_York")
    for unit, table in tables.items():
        assert pa.timestamp(unit, tz="America/New_York") == table.schema.field("datetime").type
        moments = [datetime.fromtimestamp(each, zone) for each in OPENS]
        assert moments == table["datetime"].to_pylist()
        assert [date(2026, 3, 6), date(2026, 3, 9)] == table["trading_day"].to_pylist()


@pytest.mark.usefixtures("days")
def test_files_without_a_calendar_have_an_empty_trading_day(client: FlaskClient) -> None:
    """Empty in CSV, null in Arrow."""
    lines = client.get(f"{URL}?order=asc&format=csv").text.splitlines()
    assert [f"{IN_UTC[0]},0.0,0.0,0.0,0.0,0.0,"] == lines[1:2]
    table = pa.ipc.open_stream(client.get(f"{URL}?format=arrow").data).read_all()
    assert [None, None] == table["trading_day"].to_pylist()


@pytest.mark.usefixtures("days")
@pytest.mark.parametrize("form", ["json", "columns", "csv", "arrow", "raw"])
def test_an_unknown_zone_is_refused(client: FlaskClient, form: str) -> None:
    """The message names the mistake, and what to write."""
    answer = client.get(f"{URL}?format={form}&tz=New_York")
    assert (422, "invalid_request") == (answer.status_code, answer.get_json()["error"])
    message = answer.get_json()["message"]
    assert all(part in message for part in ("'New_York'", "America/New_York", "exchange"))


@pytest.mark.usefixtures("days")
@pytest.mark.parametrize("query", ["format=json", "format=csv", "interval=2d&limit=1"])
def test_the_zone_of_an_exchange_whose_hours_are_unknown(client: FlaskClient, query: str) -> None:
    """404 says what to do."""
    answer = client.get(f"{URL}?{query}&tz=exchange")
    assert (404, "not_found") == (answer.status_code, answer.get_json()["error"])
    assert "sync it first" in answer.get_json()["message"]


@pytest.mark.usefixtures("days")
def test_hours_that_name_no_zone(client: FlaskClient, platform: Platform) -> None:
    """404 has the reason."""
    platform.calendars.keep(EURUSD, CalendarTexts("Mars", "24x7"), "no zone", now=1_700_000_000)
    answer = client.get(f"{URL}?tz=exchange")
    assert (404, True) == (answer.status_code, "'Mars'" in answer.get_json()["message"])
