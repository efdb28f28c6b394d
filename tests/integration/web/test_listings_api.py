"""Lists of symbols and of sync statuses, in pages."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from pocketquant.domain.errors import ConnectionLost, UnknownSymbol
from pocketquant.domain.intervals import Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.wiring import Platform

ROOT = "/api/v1/market-data"


@pytest.fixture
def symbols(platform: Platform) -> None:
    for name in ("NASDAQ:AAPL", "NASDAQ:MSFT", "NYSE:BRK.B"):
        listing = Listing(Symbol.parse(name), "A company", "stock", "USD", "UTC", "0930-1600")
        for interval in (Interval.D1, Interval.H1):
            platform.symbols.register(listing, interval, now=1_700_000_000)
    platform.statuses.mark_pending(
        [Series.parse(key) for key in ("NASDAQ:AAPL|1d", "NASDAQ:AAPL|1h", "NYSE:BRK.B|1d")], "job"
    )


@pytest.mark.usefixtures("symbols")
def test_symbols_are_listed_with_the_providers_description(client: FlaskClient) -> None:
    """They are ordered by name; each has the intervals it was synced at."""
    first, *others = client.get(f"{ROOT}/symbols").get_json()
    expected = {
        "symbol": "AAPL",
        "exchange": "NASDAQ",
        "name": "A company",
        "type": "stock",
        "currency": "USD",
        "session": "0930-1600",
        "timezone": "UTC",
        "has_volume": True,
        "full_name": "",
        "tick_size": None,
        "delay_seconds": None,
        "allowed_adjustment": "",
        "has_extended_hours": None,
        "active": True,
        "intervals": ["1h", "1d"],
    }
    assert expected == first
    assert ["MSFT", "BRK.B"] == [symbol["symbol"] for symbol in others]


@pytest.mark.usefixtures("symbols")
def test_symbols_are_filtered_by_exchange(client: FlaskClient) -> None:
    """The filter takes any case."""
    found = client.get(f"{ROOT}/symbols?exchange=nyse").get_json()
    assert ["BRK.B"] == [symbol["symbol"] for symbol in found]


@pytest.mark.usefixtures("symbols")
@pytest.mark.parametrize("path", ["symbols", "sync-status"])
def test_pages_have_their_metadata_in_a_header(client: FlaskClient, path: str) -> None:
    """`X-Pagination` counts entries and pages; a page beyond the last one is empty."""
    pages = [client.get(f"{ROOT}/{path}?page={page}&page_size=2") for page in (1, 2, 3)]
    assert [2, 1, 0] == [len(page.get_json()) for page in pages]
    where: list[Any] = [json.loads(page.headers["X-Pagination"]) for page in pages]
    assert {
        "total": 3,
        "total_pages": 2,
        "first_page": 1,
        "last_page": 2,
        "page": 1,
        "next_page": 2,
    } == where[0]
    assert (2, 1) == (where[1]["page"], where[1]["previous_page"])
    assert "page" not in where[2]


@pytest.mark.usefixtures("symbols")
def test_statuses_are_filtered_by_symbol(client: FlaskClient) -> None:
    """Exchange and symbol together choose its series."""
    found = client.get(f"{ROOT}/sync-status?exchange=NASDAQ&symbol=aapl").get_json()
    assert ["1d", "1h"] == [status["interval"] for status in found]


@pytest.mark.usefixtures("symbols")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("exchange=nasdaq", ["AAPL|1d", "AAPL|1h"]),
        ("symbol=BRK.B", ["BRK.B|1d"]),
        ("interval=1h", ["AAPL|1h"]),
        ("status=completed", ["AAPL|1h"]),
        ("error=unknown_symbol", ["BRK.B|1d"]),
        ("stale_before=2023-11-14T22:13:21Z", ["AAPL|1d", "AAPL|1h", "BRK.B|1d"]),
        ("stale_before=2023-11-14T22:13:20Z", ["AAPL|1d", "BRK.B|1d"]),
        ("exchange=NYSE&status=pending", []),
    ],
)
def test_statuses_are_filtered(
    client: FlaskClient,
    platform: Platform,
    store: Callable[..., None],
    daily: Any,
    query: str,
    expected: list[str],
) -> None:
    """Exchange, ticker, interval, state, last failure and age: an entry must match all filters."""
    store("NASDAQ:AAPL|1h", daily(1))
    platform.statuses.mark_failed(Series.parse("NYSE:BRK.B|1d"), UnknownSymbol("none such"))
    found = client.get(f"{ROOT}/sync-status?{query}").get_json()
    assert expected == [f"{status['symbol']}|{status['interval']}" for status in found]


def test_a_status_has_bars_times_and_the_last_failure(
    client: FlaskClient, platform: Platform, store: Callable[..., None], daily: Any
) -> None:
    """It also has the time of the next attempt."""
    store("NASDAQ:AAPL|1d", daily(3))
    series = Series.parse("NASDAQ:AAPL|1d")
    platform.statuses.mark_syncing(series, "job", attempt=2)
    platform.statuses.mark_deferred(series, ConnectionLost("cut off"), 1_700_000_060)
    expected = {
        "symbol": "AAPL",
        "exchange": "NASDAQ",
        "interval": "1d",
        "status": "pending",
        "bar_count": 3,
        "first_bar_at": "1970-01-01T00:00:00Z",
        "last_bar_at": "1970-01-03T00:00:00Z",
        "last_sync_at": "2023-11-14T22:13:20Z",
        "error": "connection_lost",
        "error_message": "cut off",
        "job_id": "job",
        "attempts": 2,
        "next_attempt_at": "2023-11-14T22:14:20Z",
        "calendar_problem": None,
    }
    assert expected == client.get(f"{ROOT}/sync-status/nasdaq/aapl?interval=1d").get_json()


def test_a_series_that_was_never_synced_has_no_status(client: FlaskClient) -> None:
    """The 404 names the series."""
    answer = client.get(f"{ROOT}/sync-status/NASDAQ/AAPL?interval=1h")
    assert (404, "not_found") == (answer.status_code, answer.get_json()["error"])
    assert "NASDAQ:AAPL|1h" in answer.get_json()["message"]


@pytest.mark.usefixtures("symbols")
def test_a_long_list_is_compressed_for_callers_that_accept_gzip(
    client: FlaskClient, platform: Platform
) -> None:
    """Both answers hold one document; a short one is sent as it is."""
    platform.statuses.mark_pending([Series.parse(f"SIM:S{n}|1d") for n in range(9)], "job")
    path, accepting = f"{ROOT}/sync-status", {"Accept-Encoding": "gzip"}
    plain, small = client.get(path), client.get(path, headers=accepting)
    assert plain.data == gzip.decompress(small.data)
    assert len(small.data) < len(plain.data) / 3
    assert "Accept-Encoding" == small.headers["Vary"] == plain.headers["Vary"]
    short = client.get(f"{path}?exchange=NYSE", headers=accepting)
    assert "Content-Encoding" not in short.headers
    assert plain.get_json()[2:3] == short.get_json()
