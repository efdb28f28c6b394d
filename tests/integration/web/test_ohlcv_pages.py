"""`GET /market-data/ohlcv`: pages, tags, compression, columns, lengths made of stored bars."""

import gzip
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from pocketquant.domain.bars import Bars
from pocketquant.domain.errors import TooManyExports
from pocketquant.domain.symbols import Series
from pocketquant.servers.connections import wait_until
from pocketquant.wiring import Platform

AAPL = "/api/v1/market-data/ohlcv/NASDAQ/AAPL"

Store = Callable[..., None]
Daily = Callable[[int], Bars]


def pages(client: FlaskClient, query: str, between: Callable[[], None] | None = None) -> list[Any]:
    """Return the closes of every page."""
    found, cursor = [], ""
    while True:
        answer = client.get(f"{AAPL}?{query}{cursor}")
        assert 200 == answer.status_code, answer.text
        document = answer.get_json()
        found.append([bar["close"] for bar in document["data"]])
        assert document["next_cursor"] == answer.headers.get("X-Next-Cursor")
        if document["next_cursor"] is None:
            return found
        cursor = f"&cursor={document['next_cursor']}"
        if between:
            between()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=4", [[9, 8, 7, 6], [5, 4, 3, 2], [1, 0]]),
        ("limit=5", [[9, 8, 7, 6, 5], [4, 3, 2, 1, 0]]),
        ("limit=4&order=asc", [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]),
        ("limit=2&start_date=1970-01-03&end_date=1970-01-06", [[4, 3], [2]]),
        ("limit=2&start_date=1970-01-03&end_date=1970-01-06&order=asc", [[2, 3], [4]]),
    ],
)
def test_each_bar_is_on_one_page(
    client: FlaskClient, store: Store, daily: Daily, query: str, expected: list[list[float]]
) -> None:
    """In both orders; the last page has no cursor; kept answers have theirs."""
    store("NASDAQ:AAPL|1d", daily(10))
    for _ in range(2):
        assert expected == pages(client, query)


def test_bars_added_between_pages_shift_none(
    client: FlaskClient, store: Store, daily: Daily
) -> None:
    """Newest first they are not seen, oldest first they come at the end."""
    counts = iter(range(11, 30))

    def add() -> None:
        store("NASDAQ:AAPL|1d", daily(next(counts)))

    store("NASDAQ:AAPL|1d", daily(10))
    newest_first = list(chain(*pages(client, "limit=3", add)))
    assert list(range(9, -1, -1)) == newest_first
    oldest_first = list(chain(*pages(client, "limit=3&order=asc", add)))
    assert list(range(len(oldest_first))) == oldest_first


@pytest.mark.parametrize("query", ["order=asc", "start_date=1970-01-02", "interval=1w"])
def test_a_cursor_of_another_query_is_refused(
    client: FlaskClient, store: Store, daily: Daily, query: str
) -> None:
    """So is what is none, and one for a stream, which has no pages."""
    store("NASDAQ:AAPL|1d", daily(10))
    cursor = client.get(f"{AAPL}?limit=2").get_json()["next_cursor"]
    bad = [f"cursor={cursor}&{query}", f"cursor={cursor[:-3]}AAA", "cursor=x", "cursor=%C3%A9"]
    for each in [*bad, f"cursor={cursor}&format=csv"]:
        answer = client.get(f"{AAPL}?limit=2&{each}")
        assert 422 == answer.status_code, answer.text
        assert "cursor" in answer.get_json()["message"]


def test_a_known_answer_is_304_until_it_changes(
    client: FlaskClient, store: Store, daily: Daily
) -> None:
    """Both encodings have one tag; a write changes it."""
    store("NASDAQ:AAPL|1d", daily(10))
    first = client.get(AAPL)
    tag = first.headers["ETag"]
    for encoding in ("identity", "gzip"):
        headers = {"If-None-Match": tag, "Accept-Encoding": encoding}
        known = client.get(AAPL, headers=headers)
        assert (304, b"", tag) == (known.status_code, known.data, known.headers["ETag"])
    store("NASDAQ:AAPL|1d", daily(11))
    changed = client.get(AAPL, headers={"If-None-Match": tag})
    assert (200, True) == (changed.status_code, changed.headers["ETag"] != tag)


def test_a_large_answer_is_compressed_for_callers_that_accept_gzip(
    client: FlaskClient, store: Store, daily: Daily
) -> None:
    """Compressed and plain responses hold one document, cached or not."""
    store("NASDAQ:AAPL|1d", daily(1000))
    for _ in range(2):
        small = client.get(AAPL, headers={"Accept-Encoding": "gzip"})
        plain = client.get(AAPL)
        assert "gzip" == small.headers["Content-Encoding"]
        assert "Accept-Encoding" == small.headers["Vary"] == plain.headers["Vary"]
        assert plain.data == gzip.decompress(small.data)
        assert len(small.data) < len(plain.data) / 3


def test_columns_hold_the_same_values(client: FlaskClient, store: Store, daily: Daily) -> None:
    """Six lists in the requested order."""
    store("NASDAQ:AAPL|1d", daily(10))
    rows = client.get(f"{AAPL}?limit=3").get_json()
    columns = client.get(f"{AAPL}?limit=3&format=columns").get_json()
    expected = {name: [bar[name] for bar in rows["data"]] for name in rows["data"][0]}
    assert expected == columns.pop("columns")
    del rows["data"]
    assert rows == columns


def minutes(count: int, step: int = 60) -> Bars:
    numbers = np.arange(count, dtype=np.float64)
    flat = [numbers, numbers + 1, numbers - 1, numbers, np.ones(count)]
    return Bars(np.array([step * numbers, *flat]))


def test_a_length_that_is_not_stored_is_made_of_the_longest_that_fits(
    client: FlaskClient, store: Store
) -> None:
    """Closed bars only, in pages too; `resampled_from` names their source."""
    store("NASDAQ:AAPL|1m", minutes(35))
    store("NASDAQ:AAPL|5m", minutes(7, 300))
    answer = client.get(f"{AAPL}?interval=10m&order=asc").get_json()
    assert ("10m", "5m", 3) == (answer["interval"], answer["resampled_from"], answer["count"])
    expected = {
        "datetime": "1970-01-01T00:00:00Z",
        "open": 0.0,
        "high": 2.0,
        "low": -1.0,
        "close": 1.0,
        "volume": 2.0,
    }
    assert expected == answer["data"][0]
    assert [[5, 3], [1]] == pages(client, "interval=10m&limit=2")
    assert [[1, 3], [5]] == pages(client, "interval=10m&limit=2&order=asc")


def test_a_stored_interval_without_bars_is_made_too(client: FlaskClient, store: Store) -> None:
    """An hour of minutes; an interval that no bars make says what to sync."""
    store("NASDAQ:AAPL|1m", minutes(125))
    answer = client.get(f"{AAPL}?interval=1h").get_json()
    assert ("1h", "1m", 2) == (answer["interval"], answer["resampled_from"], answer["count"])
    missing = client.get("/api/v1/market-data/ohlcv/NASDAQ/MSFT?interval=10m")
    assert 404 == missing.status_code
    assert "5m or 1m" in missing.get_json()["message"]
    too_many = client.get(f"{AAPL}?interval=100h&limit=5000")
    assert (422, True) == (too_many.status_code, "limit" in too_many.get_json()["message"])


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_csv_holds_the_whole_range(
    client: FlaskClient, store: Store, platform: Platform, order: str
) -> None:
    """In the order asked, as many as the limit says; a volume that is not there is empty."""
    bars = minutes(70_000)
    bars.columns[5, 0] = np.nan
    platform.bars.upsert({Series.parse("NASDAQ:AAPL|1m"): bars})
    text = client.get(f"{AAPL}?interval=1m&format=csv&order={order}", buffered=True).text
    head, *lines = text.split("\r\n")[:-1]
    if order == "desc":
        lines.reverse()
    assert "datetime,open,high,low,close,volume" == head
    assert "1970-01-01T00:00:00Z,0.0,1.0,-1.0,0.0," == lines[0]
    assert list(map(float, range(70_000))) == [float(line.split(",")[4]) for line in lines]
    few = client.get(f"{AAPL}?interval=1m&format=csv&order={order}&limit=2", buffered=True).text
    assert text.split("\r\n")[:3] == few.split("\r\n")[:3]
    assert 4 == len(few.split("\r\n"))


def test_an_export_of_an_unknown_series_is_404(client: FlaskClient) -> None:
    """Before a byte is sent; its slot is free again."""
    for _ in range(20):
        answer = client.get(f"{AAPL}?format=arrow")
        assert (404, "not_found") == (answer.status_code, json.loads(answer.data)["error"])


def test_too_many_exports_at_once_are_503_with_retry_after(
    client: FlaskClient, store: Store, daily: Daily
) -> None:
    """503 with Retry-After, until one ends; a few bars take no place."""
    store("NASDAQ:AAPL|1d", daily(6000))
    services = client.application.extensions["pocketquant"]
    held = 0
    with suppress(TooManyExports):
        while True:
            services.exports.slots.take(None)
            held += 1
    refused = client.get(f"{AAPL}?format=csv")
    assert (503, "too_many_exports") == (refused.status_code, refused.get_json()["error"])
    assert "5" == refused.headers["Retry-After"]
    few = client.get(f"{AAPL}?format=csv&limit=5000")
    assert (200, 5001) == (few.status_code, len(few.text.splitlines()))
    assert str(len(few.data)) == few.headers["Content-Length"]
    for _ in range(held):
        services.exports.slots.give_back(None)
    assert 200 == client.get(f"{AAPL}?format=csv", buffered=True).status_code


def test_an_export_waits_for_those_that_are_being_written(
    client: FlaskClient, store: Store, daily: Daily
) -> None:
    """It is written when one of them has ended."""
    store("NASDAQ:AAPL|1d", daily(6000))
    services = client.application.extensions["pocketquant"]
    held = 0
    while services.exports.writing.acquire(blocking=False):
        held += 1
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.get, f"{AAPL}?format=csv", buffered=True)
        is_taken = partial(_is_taken, services)
        wait_until("its place is taken", is_taken, (), 60)
        assert not asked.done()
        services.exports.writing.release(held)
        assert 6001 == len(asked.result().text.splitlines())
    wait_until("its place is free", lambda: not is_taken(), (), 60)


def _is_taken(services: Any) -> bool:
    return bool(services.exports.slots.taken)


def test_a_file_of_made_bars_wants_a_limit(client: FlaskClient, store: Store) -> None:
    """It could hold fewer bars than its range without a sign of it."""
    store("NASDAQ:AAPL|5m", minutes(7, 300))
    assert 422 == client.get(f"{AAPL}?interval=10m&format=csv").status_code
    answer = client.get(f"{AAPL}?interval=10m&format=csv&limit=2", buffered=True)
    assert (200, 3) == (answer.status_code, len(answer.text.splitlines()))
