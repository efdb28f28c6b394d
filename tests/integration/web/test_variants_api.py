"""Variants of one symbol side by side: fetched, stored, answered and removed each for itself."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from pocketquant.domain.intervals import DAY
from pocketquant.settings import Settings
from pocketquant.simulator.server import Simulator, running
from pocketquant.storage.units import Unit
from pocketquant.wiring import Platform, wire_syncer
from tests.integration.ranges import NOW, witness
from tests.integration.simulated_market import CLOSE, OPEN
from tests.integration.web.conftest import platform_of

END = "2026-11-18T15:00:00Z"  # the hour of NOW has not closed
TOKEN = "unauthorized_user_token"
BARS = "/api/v1/market-data/ohlcv/NASDAQ/AAPL"
VARIANTS = {
    "": '={"symbol":"NASDAQ:AAPL","adjustment":"splits"}',
    "session=extended": '={"symbol":"NASDAQ:AAPL","session":"extended"}',
    "currency=EUR": '={"symbol":"NASDAQ:AAPL","currency-id":"EUR"}',
    "session=extended&currency=eur": (
        '={"symbol":"NASDAQ:AAPL","currency-id":"EUR","session":"extended"}'
    ),
}


@dataclass
class Clock:
    """The time of the market and of the worker."""

    now: int = NOW

    def __call__(self) -> float:
        return float(self.now)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def simulator(clock: Clock) -> Iterator[Simulator]:
    """A simulated market whose clock stands still in an hour of trading, until a test moves it."""
    with running(clock=clock) as simulator:
        yield simulator


@pytest.fixture
def settings(settings: Settings, simulator: Simulator) -> Settings:
    urls = {"tradingview_url": simulator.url, "tradingview_http_url": simulator.http_url}
    return settings.model_copy(update=urls)


@pytest.fixture
def sync(client: FlaskClient, clock: Clock) -> Callable[..., Unit]:
    """Requests a sync, and runs it as a worker does."""

    def run(**body: Any) -> Unit:
        asked = {"symbol": "AAPL", "exchange": "NASDAQ", "interval": "1h", "n_bars": 200, **body}
        answer = client.post("/api/v1/market-data/sync/background", json=asked)
        assert answer.status_code == 202, answer.text
        platform = platform_of(client.application)
        units, _ = platform.jobs.units(answer.json["job_id"], None, None, 0, 1)
        replace(wire_syncer(platform), clock=clock).do(units[0].id)
        unit = platform.ledger.get_unit(units[0].id)
        assert unit is not None
        return unit

    return run


def fields_of(query: str) -> dict[str, str]:
    """Return the fields of a body that name the variant of a query."""
    return dict(part.split("=") for part in query.split("&") if part)


def rows_of(client: FlaskClient, query: str, path: str = BARS) -> list[list[float]]:
    """Return the bars of an answer, the oldest first."""
    answer = client.get(f"{path}?interval=1h&format=columns&{query}")
    assert answer.status_code == 200, answer.text
    data = answer.json["columns"]
    times = [datetime.fromisoformat(time).timestamp() for time in data["datetime"]]
    names = ("open", "high", "low", "close", "volume")
    columns = [times, *(data[name] for name in names)]
    return [list(row) for row in zip(*columns, strict=True)][::-1]


def test_variants_lie_side_by_side(
    client: FlaskClient, sync: Callable[..., Unit], simulator: Simulator
) -> None:
    """Bars of extended hours, and of another currency, are those that another reader gets."""
    for query in VARIANTS:
        sync(**fields_of(query))
    for query, text in VARIANTS.items():
        expected = witness(simulator.url, TOKEN, text, "60")[-201:-1]  # the last one is forming
        assert expected[1:] == rows_of(client, query)[-199:]


def test_a_variant_has_a_calendar_and_a_coverage_of_its_own(
    client: FlaskClient, sync: Callable[..., Unit]
) -> None:
    """Bars of extended hours are no surprise to the calendar of that variant, and no hole."""
    sync()
    sync(session="extended")
    calendar = client.get("/api/v1/market-data/calendar/NASDAQ/AAPL").json
    extended = client.get("/api/v1/market-data/calendar/NASDAQ/AAPL?session=extended").json
    assert ("AAPL", "0930-1600") == (calendar["symbol"], calendar["session"])
    assert ("AAPL;session=extended", "0400-2000") == (extended["symbol"], extended["session"])
    assert [] == calendar["doubts"] == extended["doubts"]
    for query in ("", "session=extended"):
        found = client.get(
            f"/api/v1/market-data/holes/NASDAQ/AAPL?interval=1h&end={END}&{query}"
        ).json
        assert (None, []) == (found["calendar_problem"], found["holes"])


def test_every_request_that_names_a_series_takes_a_variant(
    client: FlaskClient, sync: Callable[..., Unit], platform: Platform
) -> None:
    """As query parameters or as a part of the name; the default series is not touched."""
    sync()
    sync(symbol="aapl;currency=eur")
    for name in ("ohlcv", "sync-status", "coverage", "holes", "outliers", "revisions", "events"):
        path = f"/api/v1/market-data/{name}/NASDAQ"
        interval = "" if name == "events" else "interval=1h&"
        by_query = client.get(f"{path}/AAPL?{interval}currency=EUR")
        by_name = client.get(f"{path}/AAPL%3Bcurrency=EUR?{interval}")
        assert (200, by_query.json) == (by_query.status_code, by_name.json), name
        if name != "revisions":
            assert "AAPL;currency=EUR" == by_query.json["symbol"]
    symbols = client.get("/api/v1/market-data/symbols").json
    assert ["AAPL", "AAPL;currency=EUR"] == [each["symbol"] for each in symbols]
    assert ["USD", "EUR"] == [each["currency"] for each in symbols]
    answer = client.get(f"{BARS}?interval=1h&currency=EUR&format=csv")
    assert "NASDAQ_AAPL_currency-EUR_1h.csv" in answer.headers["Content-Disposition"]
    removed = client.delete("/api/v1/market-data/symbols/NASDAQ/AAPL?currency=EUR&with_bars=true")
    assert 204 == removed.status_code
    left = {each["_id"].rpartition("|")[0] for each in platform.mongo["ohlcv"].find()}
    assert {"NASDAQ:AAPL|1h"} == left


def test_an_answer_says_whether_the_variant_makes_a_difference(
    client: FlaskClient, sync: Callable[..., Unit]
) -> None:
    """A choice that the provider does not heed is shown by comparing."""
    query = {"interval": "1h", "provenance": "true", "adjustment": "none"}

    def known(**changes: str) -> tuple[str, bool | None]:
        found = client.get(BARS, query_string={**query, **changes}).json["provenance"]
        return found["variant"], found["differs_from_default"]

    sync(adjustment="none")
    assert ("adjustment=none", None) == known()
    sync()
    assert ("adjustment=none", False) == known()
    assert ("default", None) == known(adjustment="splits")
    sync(currency="EUR")
    assert ("currency=EUR", True) == known(adjustment="splits", currency="EUR")


@pytest.mark.parametrize(
    ("listing", "body", "reason"),
    [
        ("OTC:QUIET", {"session": "extended"}, "allowed: session=regular"),
        ("NASDAQ:AAPL", {"back_adjustment": True}, "allowed: back_adjustment=false"),
        ("SIM:S0001", {"adjustment": "dividends"}, "allowed: adjustment=splits or none"),
    ],
)
def test_what_the_provider_does_not_offer_is_refused(
    client: FlaskClient,
    sync: Callable[..., Unit],
    listing: str,
    body: dict[str, Any],
    reason: str,
) -> None:
    """By the worker at first, then at once, since the symbol's description is known."""
    exchange, _, symbol = listing.partition(":")
    named = {"exchange": exchange, "symbol": symbol}
    unit = sync(**named, **body)
    assert "failed" == unit.state
    assert unit.error is not None
    assert "variant_not_allowed" == unit.error.code
    assert reason in str(unit.error)
    assert "completed" == sync(**named).state
    answer = client.post("/api/v1/market-data/sync", json={**named, "interval": "1h", **body})
    assert (422, "variant_not_allowed") == (answer.status_code, answer.json["error"])
    assert reason in answer.json["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "reason"),
    [
        ("GET", f"{BARS}?session=night", None, "session"),
        ("GET", f"{BARS}%3Bsession=extended?adjustment=dividends", None, "give it once"),
        ("GET", f"{BARS}%3Bsession=night", None, "symbol"),
        (
            "POST",
            "/api/v1/market-data/sync",
            {"symbol": "AAPL", "exchange": "NASDAQ", "session": "extended"},
            "session=extended is for bars of up to 4h",
        ),
        (
            "POST",
            "/api/v1/market-data/symbols",
            {"symbol": "AAPL;session=extended", "exchange": "NASDAQ"},
            "session=extended is for bars of up to 4h",
        ),
        (
            "POST",
            "/api/v1/quotes/subscribe",
            {"symbols": [{"symbol": "AAPL;currency=EUR", "exchange": "NASDAQ"}]},
            "subscribe NASDAQ:AAPL",
        ),
        ("GET", "/api/v1/quotes/stream?symbols=NASDAQ:AAPL;currency=EUR", None, "live quotes"),
    ],
)
def test_other_variants_are_refused(
    client: FlaskClient, method: str, path: str, body: dict[str, Any] | None, reason: str
) -> None:
    """The message says what is wrong."""
    answer = client.open(path, method=method, json=body)
    assert 422 == answer.status_code
    assert reason in answer.json["message"]


def test_a_dividend_is_found_by_its_ratio(
    client: FlaskClient, sync: Callable[..., Unit], simulator: Simulator, clock: Clock
) -> None:
    """Only the series that is adjusted for dividends is rescaled; both are another reader's."""
    named = {"exchange": "NYSE", "symbol": "KO"}
    simulator.pay("NYSE:KO", OPEN + DAY, 0.4)
    choices = ({}, {"adjustment": "dividends"})
    for adjustment in choices:
        sync(**named, **adjustment, n_bars=300)
    clock.now = CLOSE + DAY
    try:
        for adjustment in choices:
            unit = sync(**named, **adjustment, n_bars=3)
            assert "completed" == unit.state
            text = json.dumps({"symbol": "NYSE:KO", **adjustment})
            expected = witness(simulator.url, TOKEN, f"={text}", "60")
            path = "/api/v1/market-data/ohlcv/NYSE/KO"
            query = "&".join(map("=".join, adjustment.items()))
            assert expected[-300:] == rows_of(client, query, path)[-300:]
    finally:
        clock.now = NOW
    (event,) = client.get("/api/v1/market-data/events/NYSE/KO").json["events"]
    assert ("dividend", ["NYSE:KO;adjustment=dividends|1h"]) == (event["kind"], event["found_by"])
    assert "2026-11-18T15:30:00Z" == event["before"]  # the first bar that was not stored
    assert 0.99 < event["factor"] < 1
