"""TradingView's UDF by plain HTTP: its specification, and a client that scrolls back."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts, parse_calendar
from pocketquant.domain.intervals import DAY, HOUR, Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Symbol
from pocketquant.domain.syncs import FormingBar
from pocketquant.settings import Environment, Settings
from pocketquant.wiring import Platform

EURUSD = Symbol("OANDA", "EURUSD")
HOURS = CalendarTexts("America/New_York", "1700-1700")
FIRST = 1_772_748_000  # 2026-03-05 17:00 in New York: the trading day 2026-03-06
FRIDAY, MONDAY, TUESDAY = (1_772_755_200 + n * DAY for n in (0, 3, 4))  # 00:00 UTC of these days
OPENS = (FIRST, FIRST + 3 * DAY - HOUR)  # after the clock change
HOURLY = parse_calendar(HOURS).opens(Interval.H1, FIRST, FIRST + 60 * DAY)[:700]
FAR = 4_102_444_800

Store = Callable[..., None]
Json = Any


@pytest.fixture
def euro(platform: Platform, store: Store) -> None:
    """A registered symbol with two daily bars, a forming one, and 700 hours."""
    listing = Listing(EURUSD, "Euro", "forex", "USD", HOURS.timezone, HOURS.session, True)
    platform.symbols.register(listing, Interval.D1, now=1)
    platform.calendars.keep(EURUSD, HOURS, None, now=1)
    forming = FormingBar(OPENS[1] + DAY, FAR, 3.0, 4.0, 2.0, 3.5, None, as_of=OPENS[1] + DAY + 1)
    store("OANDA:EURUSD|1d", Bars(np.array([OPENS, *[np.arange(2.0)] * 5])), forming)
    store("OANDA:EURUSD|1h", Bars(np.array([HOURLY, *[np.arange(700.0)] * 5])))


def ask(client: FlaskClient, path: str, status: int = 200, **query: object) -> Json:
    named = {name.rstrip("_"): str(value) for name, value in query.items()}
    answer = client.get(f"/udf/{path}", query_string=named)
    assert status == answer.status_code, answer.data
    return answer.get_json()


def walked(client: FlaskClient, resolution: str, count: int) -> Iterator[Json]:
    """Yield answers as a client scrolls back: each before the last one's first bar, to the end."""
    to = int(time.time()) + DAY
    while True:
        query = {"symbol": "OANDA:EURUSD", "resolution": resolution, "countback": count}
        answer = ask(client, "history", **query, from_=to - 10, to=to)
        yield answer
        if answer["s"] == "no_data":
            return
        to = answer["t"][0]


def test_the_configuration_promises_what_is_served(client: FlaskClient) -> None:
    """Each promised resolution is one that history takes."""
    config = ask(client, "config")
    assert config["supports_search"]
    assert config["supports_time"]
    assert not config["supports_group_request"]
    for resolution in config["supported_resolutions"]:
        ask(client, "history", 404, symbol="A:B", resolution=resolution, from_=0, to=9)
    assert abs(int(client.get("/udf/time").data) - time.time()) < 60


@pytest.mark.usefixtures("euro")
def test_a_symbol_is_searched_and_resolved(client: FlaskClient) -> None:
    """Its hours and zone are the provider's; the name is read in any case."""
    (found,) = ask(client, "search", query="eur", limit=5, type="", exchange="")
    assert ("EURUSD", "OANDA:EURUSD") == (found["symbol"], found["ticker"])
    assert [] == ask(client, "search", query="eur", type="stock")
    info = ask(client, "symbols", symbol="oanda:eurusd")
    assert ("1700-1700", "America/New_York") == (info["session"], info["timezone"])
    assert found["ticker"] == info["ticker"]


@pytest.mark.usefixtures("euro")
def test_days_are_at_midnight_of_their_trading_day(client: FlaskClient) -> None:
    """This holds for their ranges too: the end is excluded, whenever the bars really open."""
    day = {"symbol": "OANDA:EURUSD", "resolution": "1D"}
    whole = ask(client, "history", **day, from_=0, to=FAR)
    assert [FRIDAY, MONDAY, TUESDAY] == whole["t"]
    assert [0.0, 1.0, 3.5] == whole["c"]
    assert [0.0, 1.0, None] == whole["v"]
    assert [FRIDAY] == ask(client, "history", **day, from_=FRIDAY, to=MONDAY)["t"]
    assert [MONDAY] == ask(client, "history", **day, from_=0, to=TUESDAY, countback=1)["t"]
    assert {"s": "no_data", "nextTime": FRIDAY} == ask(
        client, "history", **day, from_=FRIDAY + 1, to=MONDAY
    )


@pytest.mark.usefixtures("euro")
def test_a_client_that_scrolls_back_gets_every_bar_once(client: FlaskClient) -> None:
    """Only the last answer has fewer bars than it asked for; then there is nothing more."""
    *answers, last = walked(client, "60", 300)
    assert {"s": "no_data"} == last
    assert [300, 300, 100] == [len(answer["t"]) for answer in answers]
    times = [time for answer in reversed(answers) for time in answer["t"]]
    assert HOURLY.tolist() == times


@pytest.mark.usefixtures("euro")
def test_other_lengths_are_computed(client: FlaskClient) -> None:
    """Two hours are made of stored hours, as everywhere."""
    found = ask(client, "history", symbol="OANDA:EURUSD", resolution="120", from_=0, to=FAR)
    assert HOURLY[::2].tolist() == found["t"]


@pytest.mark.usefixtures("euro")
def test_a_stored_symbol_without_such_bars_has_no_data(client: FlaskClient) -> None:
    """A minute was never fetched: an answer, no error."""
    query = {"symbol": "OANDA:EURUSD", "resolution": "1", "from_": 0, "to": FAR}
    assert {"s": "no_data"} == ask(client, "history", **query)


def test_a_quote_that_is_missing_is_an_error_of_its_own(client: FlaskClient) -> None:
    """Its name is the one that was asked for."""
    found = ask(client, "quotes", symbols="nasdaq:aapl,NYSE:IBM")
    assert "ok" == found["s"]
    assert [("error", "nasdaq:aapl"), ("error", "NYSE:IBM")] == [
        (each["s"], each["n"]) for each in found["d"]
    ]


@pytest.mark.parametrize(
    ("path", "query", "status", "said"),
    [
        ("symbols", {"symbol": "NYSE:IBM"}, 404, "unknown_symbol"),
        ("symbols", {}, 422, "symbol"),
        ("symbols", {"symbol": "no colon"}, 422, "EXCHANGE:TICKER"),
        ("history", {"symbol": "A:B", "resolution": "7X", "to": 1}, 422, "resolution"),
        ("history", {"symbol": "A:B", "resolution": "9999M", "to": 1}, 422, "resolution"),
        ("history", {"symbol": "A:B", "resolution": "1D"}, 422, "to"),
        ("history", {"symbol": "A:B", "resolution": "1D", "to": "x"}, 422, "to"),
        (
            "history",
            {"symbol": "A:B", "resolution": "1D", "to": 1, "countback": 0},
            422,
            "countback",
        ),
        ("history", {"symbol": "A:B", "resolution": "1D", "to": 10**18}, 422, "to"),
        ("quotes", {"symbols": ""}, 422, "symbols"),
        ("quotes", {"symbols": "A:B,"}, 422, "EXCHANGE:TICKER"),
        ("search", {"limit": -1}, 422, "limit"),
    ],
)
def test_an_error_says_what_is_wrong(
    client: FlaskClient, path: str, query: dict[str, object], status: int, said: str
) -> None:
    """It has the form of the protocol, and the fields of every other error of the API."""
    answer = ask(client, path, status, **query)
    assert "error" == answer["s"]
    assert said in answer["errmsg"]
    assert status == answer["code"]


def test_the_protocol_needs_a_key_where_the_api_does(
    serve: Callable[[Settings], FlaskClient], settings: Settings
) -> None:
    """Without one, 401 with the protocol's form of an error."""
    client = serve(settings.model_copy(update={"environment": Environment.PRODUCTION}))
    answer = client.get("/udf/config")
    assert (401, "error") == (answer.status_code, answer.get_json()["s"])
    assert "WWW-Authenticate" in answer.headers
