"""Bad input: each gets its status, names its field, and changes nothing."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from pocketquant.servers.connections import Mongo
from pocketquant.wiring import Platform

SYNC = "/api/v1/market-data/sync"
AAPL = {"symbol": "AAPL", "exchange": "NASDAQ"}

BODIES = [
    *(({**AAPL, "n_bars": bad}, "n_bars") for bad in (0, -1, 5001, "x", "5", True, 2.5, None)),
    *(({**AAPL, "interval": bad}, "interval") for bad in ("2m", "1D", "", 1, None)),
    *(
        ({**AAPL, "symbol": bad}, "symbol")
        for bad in ("$", "../", "A/../B", "A\0", "A" * 10_240, "")
    ),
    *(({**AAPL, "exchange": bad}, "exchange") for bad in ("$", "../", "N\0", "N" * 10_240, "")),
    *(
        ({**AAPL, "start": bad}, "start")
        for bad in ("1899-12-31", "9000-01-01", "2024-01-31T14:30:00", "2024-13-01", 0, "all", True)
    ),
    ({**AAPL, "start": "2024-01-31", "n_bars": 10}, "start"),
    *(({**AAPL, "start": "2024-01-31", "end": bad}, "end") for bad in ("2024-01-31", "9000-01-01")),
    ({**AAPL, "end": "2024-01-31"}, "end"),
    ({"symbol": "AAPL"}, "exchange"),
    ({"exchange": "NASDAQ"}, "symbol"),
    ({**AAPL, "colour": "red"}, "colour"),
]


@pytest.fixture
def mongo(new_mongo: Mongo) -> Mongo:
    """A database in which each collection is noticed."""
    return new_mongo


@pytest.mark.parametrize("path", [SYNC, SYNC + "/background"])
@pytest.mark.parametrize(("body", "field"), BODIES)
def test_a_bad_body_is_422_names_its_field_and_enqueues_nothing(
    client: FlaskClient, platform: Platform, path: str, body: dict[str, Any], field: str
) -> None:
    """No job, unit or status is written."""
    answer = client.post(path, json=body)
    document = answer.get_json()
    assert (422, "invalid_request") == (answer.status_code, document["error"])
    assert [[field]] == [problem["loc"] for problem in document["errors"]["json"]]
    assert field in document["message"]
    assert [] == platform.mongo.list_collection_names()


@pytest.mark.parametrize(
    ("data", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "bad_request"),
        (b"", "application/json", 400, "bad_request"),
        (b"symbol=AAPL", "application/json", 400, "bad_request"),
        (b'{"symbol": NaN}', "application/json", 400, "bad_request"),
        (b"[" * 5000, "application/json", 400, "bad_request"),
        (b'{"symbol":"AAPL","exchange":"NASDAQ"}', "text/plain", 415, "unsupported_media_type"),
        (b"symbol=AAPL", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"", None, 415, "unsupported_media_type"),
        (b"[]", "application/json", 422, "invalid_request"),
        (b"null", "application/json", 422, "invalid_request"),
        (b'"' + b"A" * 2_200_000 + b'"', "application/json", 413, "request_too_large"),
    ],
)
def test_a_body_that_is_not_a_json_object_is_refused(
    client: FlaskClient,
    platform: Platform,
    data: bytes,
    content_type: str | None,
    status: int,
    code: str,
) -> None:
    """Bad JSON, a wrong type or shape, too large a body: each has its status, no job is made."""
    answer = client.post(SYNC, data=data, content_type=content_type)
    assert (status, code) == (answer.status_code, answer.get_json()["error"])
    assert [] == platform.mongo.list_collection_names()


@pytest.mark.parametrize(
    ("path", "location", "field"),
    [
        *(
            (f"/ohlcv/NASDAQ/{bad}", "path", "symbol")
            for bad in ("A$", "A%00", "..%2F", "A" * 10_240)
        ),
        *((f"/sync-status/NASDAQ/{bad}", "path", "symbol") for bad in ("A$", "A%00", "%D0%90")),
        *((f"/ohlcv/{bad}/AAPL", "path", "exchange") for bad in ("$", "N%00", "N.Y", "N" * 33)),
        *(
            (f"/ohlcv/NASDAQ/AAPL?limit={bad}", "query", "limit")
            for bad in ("0", "-1", "5001", "x")
        ),
        ("/ohlcv/NASDAQ/AAPL?limit=1&limit=2", "query", "limit"),
        ("/ohlcv/NASDAQ/AAPL?interval=2x", "query", "interval"),
        ("/ohlcv/NASDAQ/AAPL?order=up", "query", "order"),
        ("/ohlcv/NASDAQ/AAPL?start_date=2024-01-31T00:00:00", "query", "start_date"),
        ("/ohlcv/NASDAQ/AAPL?start_date=2024-01-31T00:00:00+01:00", "query", "start_date"),
        ("/ohlcv/NASDAQ/AAPL?start_date=0.5", "query", "start_date"),
        ("/ohlcv/NASDAQ/AAPL?start_date=2024-02-01&end_date=2024-01-31", "query", "end_date"),
        ("/ohlcv/NASDAQ/AAPL?begin=2024-02-01", "query", "begin"),
        ("/symbols?exchange=$", "query", "exchange"),
        ("/symbols?page=0", "query", "page"),
        ("/symbols?page_size=501", "query", "page_size"),
        ("/sync-status?page=99999999999999999999", "query", "page"),
        ("/sync-status/NASDAQ/AAPL?interval=day", "query", "interval"),
    ],
)
def test_a_bad_query_or_path_is_422_and_names_its_field(
    client: FlaskClient, path: str, location: str, field: str
) -> None:
    """The problem is listed under `path` or `query`."""
    answer = client.get(f"/api/v1/market-data{path}")
    document = answer.get_json()
    assert (422, "invalid_request") == (answer.status_code, document["error"])
    assert [[field]] == [problem["loc"] for problem in document["errors"][location]]


def test_a_repeated_parameter_is_reported_as_repeated(client: FlaskClient) -> None:
    """The message does not call its type wrong."""
    answer = client.get("/api/v1/market-data/ohlcv/NASDAQ/AAPL?limit=1&limit=2&order=up")
    message = answer.get_json()["message"]
    assert "limit: given more than once" in message
    assert "order: Input should be" in message


@pytest.mark.parametrize("timeout", ["-1", "60.1", "nan", "soon"])
def test_a_bad_timeout_enqueues_nothing(
    client: FlaskClient, platform: Platform, timeout: str
) -> None:
    """The query is validated before any work begins."""
    answer = client.post(f"{SYNC}?timeout={timeout}", json=AAPL)
    assert 422 == answer.status_code
    assert [] == platform.mongo.list_collection_names()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api/v1/market-data", 404),
        ("GET", "/api/v1/market-data/ohlcv/NASDAQ", 404),
        ("GET", "/api/v1/../../etc/passwd", 404),
        ("GET", SYNC, 405),
        ("DELETE", "/api/v1/market-data/symbols", 405),
        ("POST", "/health", 405),
    ],
)
def test_unknown_paths_and_methods_get_the_usual_error_body(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    """A wrong method is also answered with Allow."""
    answer = client.open(path, method=method)
    assert (status, status) == (answer.status_code, answer.get_json()["code"])
    assert (status == 405) == ("Allow" in answer.headers)
