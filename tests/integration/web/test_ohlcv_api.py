"""`GET /market-data/ohlcv`: bars as stored, from the cache where they still hold."""

import dataclasses
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from pocketquant.domain.bars import Bars
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import FormingBar
from pocketquant.machine import embedded
from pocketquant.servers.connections import wait_until
from pocketquant.settings import Settings
from pocketquant.wiring import Platform

AAPL = "/api/v1/market-data/ohlcv/NASDAQ/AAPL"

FAR = 4_102_444_800  # 2100-01-01

At = Callable[[float], None]
Store = Callable[..., None]
Daily = Callable[[int], Bars]


def closes(answer: Any) -> list[float]:
    return [bar["close"] for bar in answer.get_json()["data"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ("?limit=3", [9, 8, 7]),
        ("?limit=3&order=desc", [9, 8, 7]),
        ("?limit=3&order=asc", [0, 1, 2]),
        ("?start_date=1970-01-03", [9, 8, 7, 6, 5, 4, 3, 2]),
        ("?end_date=1970-01-03", [1, 0]),
        ("?start_date=1970-01-03&end_date=1970-01-06", [4, 3, 2]),
        ("?start_date=1970-01-03&end_date=1970-01-06&order=asc&limit=2", [2, 3]),
        ("?start_date=1970-01-03T00:00:01Z&limit=1&order=asc", [3]),
        ("?start_date=1970-01-03T01:00:00%2B01:00&limit=1&order=asc", [2]),
        ("?end_date=1970-01-03T00:00:00.5Z&limit=1", [2]),
        ("?start_date=2020-01-01", []),
        ("?end_date=0001-01-02", []),
        ("?start_date=9999-12-31", []),
    ],
)
def test_bars_of_a_range_come_in_the_requested_order(
    client: FlaskClient, store: Store, daily: Daily, query: str, expected: list[float]
) -> None:
    """Newest first; start inclusive, end exclusive; a limit cuts at the far end of the order.

    The second answer comes from the cache and is the same.
    """
    store("NASDAQ:AAPL|1d", daily(10))
    for _ in range(2):
        answer = client.get(AAPL + query)
        assert (200, expected) == (answer.status_code, closes(answer))
        assert len(expected) == answer.get_json()["count"]


def test_the_default_limit_is_1000(client: FlaskClient, store: Store, daily: Daily) -> None:
    """The default; 5000 is the most."""
    store("NASDAQ:AAPL|1d", daily(5001))
    counts = [client.get(AAPL + query).get_json()["count"] for query in ("", "?limit=5000")]
    assert [1000, 5000] == counts


def test_the_forming_bar_is_beside_the_closed_ones(
    client: FlaskClient, store: Store, daily: Daily
) -> None:
    """Never in the list, with when it was seen and by what."""
    forming = FormingBar(864_000, FAR, 1.0, 3.0, 0.5, 2.0, None, as_of=900_000)
    store("NASDAQ:AAPL|1d", daily(10), forming)
    answer = client.get(AAPL).get_json()
    assert 10 == answer["count"]
    expected = {
        "bar_start": "1970-01-11T00:00:00Z",
        "bar_end": "2100-01-01T00:00:00Z",
        "open": 1.0,
        "high": 3.0,
        "low": 0.5,
        "close": 2.0,
        "volume": None,
        "partial": False,
        "as_of": "1970-01-11T10:00:00Z",
        "source": "history",
        "trading_day": None,
    }
    assert expected == answer["forming"]


def test_a_bar_that_has_ended_is_not_forming(
    client: FlaskClient, store: Store, daily: Daily, at: At
) -> None:
    """Not from its end on, also beside an answer that was kept; the tag tells the difference."""
    store("NASDAQ:AAPL|1d", daily(30), FormingBar(FAR - 60, FAR, 1.0, 3.0, 0.5, 2.0, None, FAR - 9))
    at(FAR - 1.0)
    for encoding in ("identity", "gzip"):
        before = client.get(AAPL, headers={"Accept-Encoding": encoding})
        body = gzip.decompress(before.data) if encoding == "gzip" else before.data
        assert "2100-01-01T00:00:00Z" == json.loads(body)["forming"]["bar_end"]
    tag = client.get(AAPL).headers["ETag"]
    at(float(FAR))
    after = client.get(AAPL, headers={"If-None-Match": tag})
    assert (200, None) == (after.status_code, after.get_json()["forming"])


@pytest.fixture
def at(client: FlaskClient) -> At:
    """Sets the clock of the services."""
    app = client.application

    def be(time: float) -> None:
        site = app.extensions["pocketquant"]
        app.extensions["pocketquant"] = dataclasses.replace(site, clock=lambda: time)

    return be


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("NASDAQ:AAPL|1d", "nasdaq/aapl"),
        ("FX:EUR/USD|1d", "FX/EUR/USD"),
        ("FX:EUR/USD|1d", "FX/EUR%2FUSD"),
        ("X:A//B|1d", "X/A//B"),
        ("CME:ES1!|1d", "CME/ES1!"),
        ("CME:ES1!|1d", "CME/ES1%21"),
        ("NSE:M&M|1d", "NSE/M&M"),
        ("NYSE:BRK.B|1d", "NYSE/BRK.B"),
    ],
)
def test_every_ticker_has_a_path(
    client: FlaskClient, store: Store, daily: Daily, key: str, path: str
) -> None:
    """In any case; a slash as it is or as %2F; the status is found at the same path."""
    store(key, daily(2))
    symbol = Series.parse(key).symbol
    answer = client.get(f"/api/v1/market-data/ohlcv/{path}").get_json()
    assert (symbol.exchange, symbol.ticker, 2) == (
        answer["exchange"],
        answer["symbol"],
        answer["count"],
    )
    status = client.get(f"/api/v1/market-data/sync-status/{path}").get_json()
    assert (symbol.ticker, 2) == (status["symbol"], status["bar_count"])


def test_a_series_never_synced_is_404_and_says_what_to_do(
    client: FlaskClient, platform: Platform
) -> None:
    """Neither never asked for nor never completed is the same as having no bars."""
    never = client.get(AAPL)
    assert (404, "not_found") == (never.status_code, never.get_json()["error"])
    assert "POST /api/v1/market-data/sync" in never.get_json()["message"]
    platform.statuses.mark_pending([Series.parse("NASDAQ:AAPL|1d")], "job")
    pending = client.get(AAPL)
    assert 404 == pending.status_code
    assert "pending" in pending.get_json()["message"]


def test_a_series_without_bars_is_an_empty_answer(client: FlaskClient, store: Store) -> None:
    """A listing that never traded was synced: 200, no bars."""
    store("NASDAQ:AAPL|1d", Bars.empty())
    answer = client.get(AAPL)
    assert (200, 0, []) == (
        answer.status_code,
        answer.get_json()["count"],
        answer.get_json()["data"],
    )


def test_a_write_is_seen_by_the_next_read(client: FlaskClient, store: Store, daily: Daily) -> None:
    """Neither Redis nor the process serves the older answer."""
    for count in (1, 5, 6):
        store("NASDAQ:AAPL|1d", daily(count))
        for _ in range(3):
            assert count == client.get(AAPL).get_json()["count"]


def test_a_hit_reads_no_bars(
    client: FlaskClient, platform: Platform, store: Store, daily: Daily
) -> None:
    """Queries that mean the same share one answer, and it does not need MongoDB."""
    store("NASDAQ:AAPL|1d", daily(3))
    client.get(AAPL)
    platform.mongo["ohlcv"].drop()
    for query in ("", "?limit=1000", "?interval=1d&order=desc"):
        assert [2, 1, 0] == closes(client.get(AAPL + query))
    assert [] == closes(client.get(AAPL + "?limit=999"))


def test_another_process_s_answer_is_served(
    client: FlaskClient,
    serve: Callable[..., FlaskClient],
    settings: Settings,
    platform: Platform,
    store: Store,
    daily: Daily,
) -> None:
    """One web process finds in Redis the response that the other one has computed."""
    store("NASDAQ:AAPL|1d", daily(3))
    client.get(AAPL)
    platform.mongo["ohlcv"].drop()
    assert [2, 1, 0] == closes(serve(settings).get(AAPL))


def test_reads_go_on_without_redis_and_it_is_used_again_when_it_is_back(
    settings: Settings,
    serve: Callable[..., FlaskClient],
    store: Store,
    daily: Daily,
    tmp_path: Path,
) -> None:
    """The cache is optional: bars come from MongoDB while it is away."""
    store("NASDAQ:AAPL|1d", daily(3))
    server = embedded.private_redis(tmp_path)
    own = serve(settings.model_copy(update={"redis_url": server.url}))
    with embedded.running(server):
        assert [2, 1, 0] == closes(own.get(AAPL))
    for _ in range(3):
        assert [2, 1, 0] == closes(own.get(AAPL + "?limit=4"))
    with embedded.running(server), redis.Redis.from_url(server.url) as back:
        key = "ohlcv:AAPL:NASDAQ:1d"
        back.delete(key)

        def is_used() -> bool:
            assert [2, 1, 0] == closes(own.get(AAPL + "?limit=5"))
            return bool(back.exists(key))

        wait_until("answers are cached again", is_used, (), 60)
