"""Registered symbols: listed, added, changed and removed."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.intervals import Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.storage.units import Unit
from pocketquant.wiring import Platform

ROOT = "/api/v1/market-data"
AAPL = f"{ROOT}/symbols/NASDAQ/AAPL"
DAILY = Series.parse("NASDAQ:AAPL|1d")


@pytest.fixture
def symbols(platform: Platform) -> None:
    """Apple and Microsoft, a fund, and an inactive currency pair."""
    for name, text, kind in (
        ("NASDAQ:AAPL", "Apple Inc.", "stock"),
        ("NASDAQ:MSFT", "Microsoft (Corp.)", "stock"),
        ("AMEX:SPY", "SPDR S&P 500", "fund"),
        ("BINANCE:BTCUSDT", "Bitcoin / TetherUS", "spot"),
    ):
        listing = Listing(Symbol.parse(name), text, kind, "USD", "UTC", "24x7")
        platform.symbols.register(listing, Interval.D1, now=1_700_000_000)
    platform.symbols.change(Symbol.parse("BINANCE:BTCUSDT"), False, [Interval.H1])


@pytest.mark.usefixtures("symbols")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("type=fund", ["SPY"]),
        ("active=false", ["BTCUSDT"]),
        ("active=true", ["SPY", "AAPL", "MSFT"]),
        ("interval=1h", ["BTCUSDT"]),
        ("query=apple", ["AAPL"]),
        ("query=sp", ["SPY"]),
        ("query=(corp.)", ["MSFT"]),
        ("query=.*", []),
        ("query=s%26p&exchange=amex&type=fund&active=true&interval=1d", ["SPY"]),
    ],
)
def test_symbols_are_filtered(client: FlaskClient, query: str, expected: list[str]) -> None:
    """Filters are type, state, interval, and part of the ticker or name, taken literally."""
    found = client.get(f"{ROOT}/symbols?{query}").get_json()
    assert expected == [symbol["symbol"] for symbol in found]


@pytest.mark.parametrize("query", ["query=", "query=%00", f"query={'x' * 65}", "active=maybe"])
def test_invalid_filters_are_refused(client: FlaskClient, query: str) -> None:
    """422 is returned before the database is queried."""
    assert 422 == client.get(f"{ROOT}/symbols?{query}").status_code


def test_a_symbol_is_added_once(client: FlaskClient, platform: Platform) -> None:
    """201 has its location, and schedules sync it; adding it again is 409."""
    body = {"symbol": "brk/b", "exchange": "nyse", "intervals": ["1d", "1h"]}
    added = client.post(f"{ROOT}/symbols", json=body)
    assert (201, ["1h", "1d"]) == (added.status_code, added.get_json()["intervals"])
    assert added.get_json() == client.get(added.headers["Location"]).get_json()
    tracked = [str(series) for series in platform.symbols.tracked([])]
    assert ["NYSE:BRK/B|1d", "NYSE:BRK/B|1h"] == sorted(tracked)
    again = client.post(f"{ROOT}/symbols", json=body)
    assert (409, "conflict") == (again.status_code, again.get_json()["error"])


def test_the_first_sync_adds_the_providers_description(
    client: FlaskClient, platform: Platform
) -> None:
    """The sync sets name and type, and keeps the user's choices."""
    client.post(f"{ROOT}/symbols", json={"symbol": "AAPL", "exchange": "NASDAQ", "active": False})
    platform.symbols.register(Listing(DAILY.symbol, "Apple Inc.", "stock"), Interval.D1, now=1)
    found = client.get(AAPL).get_json()
    assert ("Apple Inc.", False, ["1d"]) == (found["name"], found["active"], found["intervals"])


@pytest.mark.usefixtures("symbols")
def test_an_inactive_symbol_is_synced_by_no_schedule(
    client: FlaskClient, platform: Platform
) -> None:
    """Schedules sync it again once it is active."""
    assert not client.patch(AAPL, json={"active": False}).get_json()["active"]
    assert DAILY not in list(platform.symbols.tracked([]))
    assert not client.patch(AAPL, json={"active": None}).get_json()["active"]
    assert client.patch(AAPL, json={"active": True}).get_json()["active"]
    assert DAILY in list(platform.symbols.tracked([]))


@pytest.mark.usefixtures("symbols")
def test_an_untracked_interval_stays_untracked_after_a_sync(
    client: FlaskClient, platform: Platform
) -> None:
    """A new interval is tracked by its first sync; a removed one only by a change of the symbol."""
    assert [] == client.patch(AAPL, json={"intervals": []}).get_json()["intervals"]
    for interval in (Interval.D1, Interval.H1):
        platform.symbols.register(Listing(DAILY.symbol), interval, now=1)
    assert ["1h"] == client.get(AAPL).get_json()["intervals"]
    client.patch(AAPL, json={"intervals": ["1d"]})
    platform.symbols.register(Listing(DAILY.symbol), Interval.H1, now=1)
    assert ["1d"] == client.get(AAPL).get_json()["intervals"]


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_an_unregistered_symbol_is_not_found(client: FlaskClient, method: str) -> None:
    """The 404 names it."""
    options: dict[str, Any] = {"json": {"active": True}} if method == "patch" else {}
    answer = getattr(client, method)(AAPL, **options)
    assert (404, "not_found") == (answer.status_code, answer.get_json()["error"])
    assert "NASDAQ:AAPL" in answer.get_json()["message"]


@pytest.mark.parametrize("body", [[], {"name": "Apple"}, {"active": "yes"}, {"intervals": ["1y"]}])
def test_a_change_of_other_fields_is_refused(client: FlaskClient, body: object) -> None:
    """422 is returned before the symbol is read."""
    assert 422 == client.patch(AAPL, json=body).status_code


@pytest.mark.usefixtures("symbols")
def test_a_removed_symbol_keeps_its_bars(
    client: FlaskClient, store: Callable[..., None], daily: Callable[[int], Bars]
) -> None:
    """They can still be read, and a sync registers the symbol again."""
    store(str(DAILY), daily(3))
    assert (204, b"") == ((gone := client.delete(AAPL)).status_code, gone.data)
    assert 404 == client.get(AAPL).status_code
    assert 3 == client.get(f"{ROOT}/ohlcv/NASDAQ/AAPL").get_json()["count"]
    assert 404 == client.delete(AAPL).status_code


@pytest.mark.usefixtures("symbols")
def test_a_symbol_is_removed_with_its_bars(
    client: FlaskClient,
    platform: Platform,
    store: Callable[..., None],
    daily: Callable[[int], Bars],
) -> None:
    """Live bars, statuses and cached answers go too; other symbols keep theirs."""
    for key in ("NASDAQ:AAPL|1d", "NASDAQ:AAPL|1h", "NASDAQ:MSFT|1d"):
        store(key, daily(3))
    platform.calendars.keep(DAILY.symbol, CalendarTexts("Etc/UTC", "24x7"), None, now=100)
    live = LiveBar(
        "NASDAQ:AAPL", Interval.D1, 864_000, 950_400, 1, 1, 1, 1, 1, 1, 864_000, 864_001, True
    )
    platform.live_bars.upsert([live])
    path = f"{ROOT}/ohlcv/NASDAQ/AAPL"
    assert 4 == client.get(path).get_json()["count"]
    assert 204 == client.delete(f"{AAPL}?with_bars=true").status_code
    assert 404 == client.get(path).status_code
    assert [] == client.get(f"{ROOT}/sync-status?symbol=AAPL").get_json()
    assert not platform.live_bars.has_any(DAILY)
    assert [] == platform.live_bars.partial_times(DAILY)
    assert 3 == client.get(f"{ROOT}/ohlcv/NASDAQ/MSFT").get_json()["count"]


@pytest.mark.usefixtures("symbols")
def test_a_symbol_is_not_removed_while_it_is_synced(
    client: FlaskClient, platform: Platform, work: Callable[..., Unit]
) -> None:
    """409 while a unit is open, for its worker would write bars again after the removal."""
    body = {"symbol": "AAPL", "exchange": "NASDAQ"}
    client.post(f"{ROOT}/sync/background", json=body)
    refused = client.delete(f"{AAPL}?with_bars=true")
    assert (409, "conflict") == (refused.status_code, refused.get_json()["error"])
    assert "1d" in refused.get_json()["message"]
    assert 200 == client.get(AAPL).status_code
    work()
    assert 204 == client.delete(f"{AAPL}?with_bars=true").status_code
