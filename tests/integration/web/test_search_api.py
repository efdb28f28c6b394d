"""`GET /market-data/symbols/search`: symbols at the provider."""

from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient

from pocketquant.settings import Settings
from pocketquant.simulator import server
from pocketquant.wiring import wire_syncer

ROOT = "/api/v1/market-data"
SEARCH = f"{ROOT}/symbols/search"


@pytest.fixture
def client(serve: Callable[..., FlaskClient], settings: Settings) -> Iterator[FlaskClient]:
    """A client of the application, with a simulator as its provider."""
    with server.running() as simulator:
        yield serve(
            settings.model_copy(
                update={
                    "tradingview_url": simulator.url,
                    "tradingview_http_url": simulator.http_url,
                    "tradingview_search_url": simulator.http_url,
                }
            )
        )


def test_a_found_symbol_is_described(client: FlaskClient) -> None:
    """It has name, kind, currency and country without being registered."""
    found = client.get(f"{SEARCH}?query=%20aapl&exchange=nasdaq&type=stock").get_json()
    expected = {
        "symbol": "AAPL",
        "exchange": "NASDAQ",
        "type": "stock",
        "kinds": ["common"],
        "currency": "USD",
        "country": "US",
        "provider_exchange": "NASDAQ",
    }
    assert expected.items() <= found["symbols"][0].items()
    assert (0, None, 0) == (found["remaining"], found["next_start"], found["unusable"])


def test_pages_of_a_search_follow_each_other(client: FlaskClient) -> None:
    """`next_start` continues where the page ended, until no match remains."""
    seen: list[str] = []
    start: int | None = 0
    while start is not None:
        page = client.get(f"{SEARCH}?query=nasdaq:&limit=4&start={start}").get_json()
        seen += [each["symbol"] for each in page["symbols"]]
        start = page["next_start"]
    assert len(set(seen)) == len(seen) > 8
    assert 0 == page["remaining"]


@pytest.mark.parametrize(
    "query",
    ["", "query=", "query=%20", "query=a&type=shoes", "query=a&country=USA", "query=a&limit=51"],
)
def test_an_empty_search_is_refused(client: FlaskClient, query: str) -> None:
    """422 is returned before the provider is called."""
    assert 422 == client.get(f"{SEARCH}?{query}").status_code


def test_a_missing_provider_is_502(serve: Callable[..., FlaskClient], settings: Settings) -> None:
    """The error has its code."""
    away = serve(settings.model_copy(update={"tradingview_search_url": "http://127.0.0.1:1"}))
    answer = away.get(f"{SEARCH}?query=a")
    assert (502, "connection_lost") == (answer.status_code, answer.get_json()["error"])


@pytest.mark.parametrize("kind", ["stock", "fund", "futures", "forex", "crypto", "index"])
def test_a_found_symbol_can_be_synced(client: FlaskClient, kind: str) -> None:
    """This holds for every kind that the account may read."""
    platform = client.application.extensions["pocketquant"].platform
    syncer = wire_syncer(platform)
    found = client.get(f"{SEARCH}?query=:&type={kind}&limit=3").get_json()["symbols"]
    assert found
    for each in found:
        body = {"exchange": each["exchange"], "symbol": each["symbol"], "n_bars": 10}
        assert 202 == client.post(f"{ROOT}/sync/background", json=body).status_code
        (unit,) = platform.mongo["units"].find({"state": "queued"})
        syncer.do(unit["_id"])
        path = f"{each['exchange']}/{each['symbol']}"
        status = client.get(f"{ROOT}/sync-status/{path}").get_json()
        assert ("completed", None) == (status["status"], status["error"])
        assert each["type"] == client.get(f"{ROOT}/symbols/{path}").get_json()["type"]
    syncer.provider.hang_up()
