"""`GET ohlcv` with `as_of`: the answer of then, in every format, from history as it was."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.revisions import Cause, Reason
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import FormingBar
from pocketquant.servers.connections import wait_until
from pocketquant.settings import Settings
from pocketquant.wiring import Platform

AAPL = Symbol.parse("NASDAQ:AAPL")
URL = "/api/v1/market-data/ohlcv/NASDAQ/AAPL"
FILES = ["csv", "parquet", "arrow", "raw"]
LATER = FormingBar(86_400 * 40, 86_400 * 41, 1.0, 2.0, 0.5, 1.5, 10.0, 86_400 * 40)

Store = Callable[..., None]


def now() -> str:
    """Return the moment, and wait until the clock shows a later one."""
    moment = time.time_ns() // 1_000_000
    wait_until("a millisecond has passed", lambda: time.time_ns() // 1_000_000 > moment, (), 5.0)
    date = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=moment)
    return date.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def minutes(count: int, close: float, first: int = 0) -> Bars:
    number = np.arange(first, first + count, dtype=np.float64)
    price = close + number
    return Bars(np.array([60 * number, price, price + 1, price - 1, price, 10 * price]))


def get(client: FlaskClient, **query: Any) -> dict[str, Any]:
    response = client.get(URL, query_string={"interval": "1m", "order": "asc", **query})
    assert 200 == response.status_code, response.text
    document: dict[str, Any] = response.get_json()
    return document


@pytest.fixture
def then(client: FlaskClient, store: Store) -> tuple[str, dict[str, bytes]]:
    """A moment after which bars were changed and added, and the files of that moment."""
    store("NASDAQ:AAPL|1m", minutes(2500, 5.0))
    store("NASDAQ:AAPL|1m", minutes(7, 6.0, first=1020))
    moment = now()
    query = {"interval": "1m", "order": "asc"}
    files = {form: client.get(URL, query_string={**query, "format": form}).data for form in FILES}
    store("NASDAQ:AAPL|1m", minutes(20, 7.0, first=1010))
    store("NASDAQ:AAPL|1m", minutes(100, 8.0, first=2490), LATER)
    return moment, files


@pytest.mark.parametrize("form", FILES)
def test_a_file_is_that_of_the_moment(
    client: FlaskClient, then: tuple[str, dict[str, bytes]], form: str
) -> None:
    """Byte by byte, though bars were changed and added since."""
    moment, files = then
    query = {"interval": "1m", "order": "asc", "format": form}
    assert files[form] != client.get(URL, query_string=query).data
    response = client.get(URL, query_string={**query, "as_of": moment})
    assert files[form] == response.data
    assert "X-Reason" not in response.headers


@pytest.mark.parametrize("interval", ["1m", "10m", "1h"])
@pytest.mark.parametrize("form", ["json", "columns"])
def test_json_is_that_of_the_moment(
    client: FlaskClient, store: Store, interval: str, form: str
) -> None:
    """Stored bars and bars made of them, page by page; the answer names its moment."""
    query = {"interval": interval, "format": form, "limit": 700, "order": "desc"}
    store("NASDAQ:AAPL|1m", minutes(2500, 5.0))
    expected, moment = get(client, **query), now()
    store("NASDAQ:AAPL|1m", minutes(2400, 9.0, first=200), LATER)
    for _ in range(2):  # the second answer is a kept one
        found = get(client, **query, as_of=moment)
        assert None is found["reason"]
        assert datetime.fromisoformat(moment) == datetime.fromisoformat(found["as_of"])
        ours = {"as_of", "reason", "next_cursor"}
        assert {each: expected[each] for each in expected.keys() - ours} == {
            each: found[each] for each in found.keys() - ours
        }
    if interval == "1m":
        rest = get(client, **query, as_of=moment, cursor=found["next_cursor"])
        assert get(client, **query, cursor=expected["next_cursor"])["count"] == rest["count"]
        refused = client.get(URL, query_string={**query, "cursor": found["next_cursor"]})
        assert 422 == refused.status_code


def test_live_and_forming_bars_are_left_out(
    client: FlaskClient, store: Store, platform: Platform
) -> None:
    """They are not of history; nor is what the last sync saw of an open bar."""
    store("NASDAQ:AAPL|1m", minutes(10, 5.0), LATER)
    live = LiveBar(str(AAPL), Interval.M1, 600, 660, *[1.0] * 5, 3, True, 600, 600)
    platform.live_bars.upsert([live])
    assert 11 == get(client)["count"]
    found = get(client, as_of=now())
    assert (10, None, {"count": 0, "partial": []}) == (
        found["count"],
        found["forming"],
        found["live"],
    )


def test_a_moment_before_the_first_sync_has_no_bars(client: FlaskClient, store: Store) -> None:
    """The answer says why; a series that is not stored now either is not found."""
    moment = now()
    store("NASDAQ:AAPL|1m", minutes(10, 5.0))
    for interval in ("1m", "10m", "1h"):
        found = get(client, interval=interval, as_of=moment)
        assert ([], None) == (found["data"], found["next_cursor"])
        assert f"nothing of NASDAQ:AAPL|{interval} was stored at" in found["reason"]
    query = {"interval": "1m", "as_of": moment, "format": "csv"}
    response = client.get(URL, query_string=query)
    assert (200, ["datetime,open,high,low,close,volume"]) == (
        response.status_code,
        response.text.splitlines(),
    )
    assert "nothing of NASDAQ:AAPL|1m was stored at" in response.headers["X-Reason"]
    for form in ("json", "csv"):
        query = {"interval": "1d", "as_of": now(), "format": form}
        assert 404 == client.get(URL, query_string=query).status_code


def test_a_moment_of_the_future_is_refused(client: FlaskClient, store: Store) -> None:
    """Nobody knows which bars will be stored then."""
    store("NASDAQ:AAPL|1m", minutes(10, 5.0))
    response = client.get(URL, query_string={"interval": "1m", "as_of": "2999-01-01"})
    assert (422, True) == (response.status_code, "future" in response.get_json()["message"])


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_moment_too_long_ago_is_gone(client: FlaskClient, store: Store, form: str) -> None:
    """The error says from when on moments are known."""
    store("NASDAQ:AAPL|1m", minutes(10, 5.0))
    query = {"interval": "1m", "as_of": "2020-01-01", "format": form}
    response = client.get(URL, query_string=query)
    error = response.get_json()
    assert (410, "no_longer_kept") == (response.status_code, error["error"])
    kept_from = datetime.now(UTC) - timedelta(days=400)
    assert f"must not be before {kept_from:%Y-%m-%d}" in error["message"]


def test_without_kept_values_every_moment_is_gone(
    serve: Callable[..., FlaskClient], settings: Settings
) -> None:
    """With REVISION_DAYS=0 writes keep nothing, and the error names the setting."""
    client = serve(settings.model_copy(update={"revision_days": 0}))
    platform: Platform = client.application.extensions["pocketquant"].platform
    series = Series(AAPL, Interval.M1)
    for close in (5.0, 6.0):
        platform.bars.upsert({series: minutes(10, close)})
    assert 0 == platform.mongo["ohlcv_revisions"].count_documents({})
    response = client.get(URL, query_string={"interval": "1m", "as_of": now()})
    assert (410, True) == (response.status_code, "REVISION_DAYS" in response.get_json()["message"])


def test_revisions_of_a_series_are_listed(
    client: FlaskClient, platform: Platform, store: Store
) -> None:
    """The newest first, page by page, with what changed most and what changed it."""
    store("NASDAQ:AAPL|1m", minutes(10, 5.0))
    series = Series(AAPL, Interval.M1)
    before = now()
    platform.bars.upsert({series: minutes(2, 7.0)}, cause=Cause(Reason.SYNC, "a job"))
    after = now()
    store("NASDAQ:AAPL|1m", minutes(1, 7.0, first=9))
    url = URL.replace("ohlcv", "revisions")
    response = client.get(url, query_string={"interval": "1m", "page": 2, "page_size": 1})
    (found,) = response.get_json()
    assert before < found.pop("replaced_at") < after
    expected = {
        "bars": 2,
        "first_bar_at": "1970-01-01T00:00:00Z",
        "last_bar_at": "1970-01-01T00:01:00Z",
        "largest_change": {
            "datetime": "1970-01-01T00:00:00Z",
            "field": "low",
            "before": 4.0,
            "after": 6.0,
        },
        "reason": "sync",
        "job_id": "a job",
    }
    assert expected == found
    assert 2 == json.loads(response.headers["X-Pagination"])["total"]
    (newest,) = client.get(f"{url}?interval=1m&page_size=1").get_json()
    assert ("import", None) == (newest["reason"], newest["job_id"])
    assert 404 == client.get(f"{url}?interval=1d").status_code


def test_a_volume_that_appears_is_a_change(
    client: FlaskClient, platform: Platform, store: Store
) -> None:
    """The volume before is null."""
    bars = minutes(1, 5.0)
    store("NASDAQ:AAPL|1m", Bars(np.vstack([bars.columns[:5], [[np.nan]]])))
    platform.bars.upsert({Series(AAPL, Interval.M1): bars})
    (found,) = client.get(f"{URL.replace('ohlcv', 'revisions')}?interval=1m").get_json()
    change = found["largest_change"]
    assert ("volume", None, 50.0) == (change["field"], change["before"], change["after"])


def test_an_answer_says_where_its_bars_come_from(client: FlaskClient, store: Store) -> None:
    """In a field of JSON and a header of files; with a moment, what is known of it alone."""
    store("NASDAQ:AAPL|1m", minutes(10, 5.0))
    store("NASDAQ:AAPL|1m", minutes(2, 7.0, first=8))
    before = now()
    found = get(client, provenance="true", end_date="1970-01-01T00:09:00Z")
    assert "forming" == [*found][-1]
    known = found["provenance"]
    at, revised_at = known.pop("as_of"), known.pop("last_revised_at")
    assert revised_at < before <= at
    expected = {
        "symbol": "AAPL",
        "exchange": "NASDAQ",
        "interval": "1m",
        "resampled_from": None,
        "start": "1970-01-01T00:00:00Z",
        "end": "1970-01-01T00:09:00Z",
        "feed": None,
        "variant": "default",
        "fetched_at": "2023-11-14T22:13:20Z",
        "coverage": [],
        "calendar_version": None,
        "calendar_seen_from": None,
        "revisions": 1,
        "missing_bars": None,
        "complete": None,
        "differs_from_default": None,
    }
    assert expected == known
    earlier = get(client, provenance="true", end_date="1970-01-01T00:08:00Z")["provenance"]
    assert (0, None) == (earlier["revisions"], earlier["last_revised_at"])
    query = {"interval": "1m", "format": "csv", "provenance": "true", "as_of": before}
    query["end_date"] = "1970-01-02"
    header = json.loads(client.get(URL, query_string=query).headers["X-Provenance"])
    assert (before, 1) == (header["as_of"].replace("000Z", "Z"), header["revisions"])


@pytest.mark.parametrize("interval", ["3m", "10m", "1h"])
def test_computed_bars_come_from_stored_ones(
    client: FlaskClient, store: Store, interval: str
) -> None:
    """Their provenance names the stored interval, and is that of the bars which make them."""
    first = now()
    store("NASDAQ:AAPL|1m", minutes(123, 5.0))
    store("NASDAQ:AAPL|1m", minutes(1, 7.0, first=59))
    store("NASDAQ:AAPL|1m", minutes(1, 7.0, first=122))
    query = {"interval": interval, "provenance": "true", "limit": 1}
    found = get(client, **query)
    known = found["provenance"]
    assert (interval, "1m", "1m") == (
        known["interval"],
        known["resampled_from"],
        found["resampled_from"],
    )
    length = {"3m": 3, "10m": 10, "1h": 60}[interval]
    closed = 123 // length * length
    assert f"1970-01-01T{closed // 60:02}:{closed % 60:02}:00Z" == known["end"]
    assert (2 if closed == 123 else 1) == known["revisions"]
    file = client.get(URL, query_string={**query, "format": "parquet"})
    header = json.loads(file.headers["X-Provenance"])
    ignored = {"as_of"}
    assert {each: known[each] for each in known.keys() - ignored} == {
        each: header[each] for each in header.keys() - ignored
    }
    before = get(client, **query, as_of=first)
    assert (0, 0) == (before["count"], before["provenance"]["revisions"])
    refused = client.get(URL, query_string={"interval": "2d", "provenance": "true"})
    assert 404 == refused.status_code
