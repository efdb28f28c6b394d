"""The application as a whole: OpenAPI document, docs, health, request ids, missing servers."""

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from structlog.testing import capture_logs

from pocketquant.machine import embedded
from pocketquant.servers.connections import Mongo, wait_until
from pocketquant.settings import Settings
from pocketquant.wiring import Platform

AAPL = {"symbol": "AAPL", "exchange": "NASDAQ"}
OHLCV = "/api/v1/market-data/ohlcv/NASDAQ/AAPL"

Serve = Callable[..., FlaskClient]


METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def mongo(new_mongo: Mongo) -> Mongo:
    """A database in which each collection is noticed."""
    return new_mongo


def test_the_document_is_valid_and_every_operation_is_described(client: FlaskClient) -> None:
    """It is OpenAPI 3.1; each operation has an id, a summary, a tag and a default error."""
    document = client.get("/api/v1/openapi.json").get_json()
    validate(document)
    assert document["openapi"].startswith("3.1")
    operations = [
        operation
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in METHODS
    ]
    ids = [operation["operationId"] for operation in operations]
    assert sorted(set(ids)) == sorted(ids)
    for operation in operations:
        assert operation["summary"]
        assert operation["tags"]
        assert {"default"} < operation["responses"].keys()


def test_every_field_and_parameter_is_described_with_an_example(client: FlaskClient) -> None:
    """All models and all paths are checked."""
    document = client.get("/api/v1/openapi.json").get_json()
    fields = {
        f"{model}.{name}": field
        for model, schema in document["components"]["schemas"].items()
        for name, field in schema.get("properties", {}).items()
    }
    parameters = {
        f"{path} {method} {parameter['name']}": parameter | parameter["schema"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for parameter in (operation.get("parameters", ()) if method in METHODS else operation)
    }
    assert len(fields) > 100
    assert len(parameters) > 30
    everything = fields | parameters
    assert [] == [name for name, each in everything.items() if not each.get("description")]
    unshown = [
        name for name, each in everything.items() if not {"example", "examples"} & each.keys()
    ]
    assert [] == unshown


def test_the_documented_sync_has_all_its_responses(client: FlaskClient) -> None:
    """They are the report, the job, and every error in which a sync can end."""
    document = client.get("/api/v1/openapi.json").get_json()
    responses = document["paths"]["/api/v1/market-data/sync"]["post"]["responses"]
    expected = {200, 202, 400, 401, 403, 404, 409, 413, 415, 422, 429, 502, 503, 504}
    assert {*map(str, expected), "default"} == responses.keys()


@pytest.mark.parametrize(("page", "count"), [("docs", 3), ("redoc", 1)])
def test_the_docs_load_nothing_from_other_servers(
    client: FlaskClient, page: str, count: int
) -> None:
    """Swagger UI and ReDoc get all their files from this one."""
    text = client.get(f"/api/v1/{page}").get_data(as_text=True)
    assert not re.search(r"https?://", text)
    files = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert count == len(files)
    for file in files:
        with client.get(file) as answer:
            assert 200 == answer.status_code
            assert not re.search(rb"https?://(cdn|fonts|unpkg|cdnjs)[.]", answer.data)


def test_health_is_200_when_all_servers_answer(client: FlaskClient) -> None:
    """The response names each server."""
    answer = client.get("/health")
    assert 200 == answer.status_code
    expected = {"status": "ok", "mongodb": "ok", "redis": "ok", "broker": "ok"}
    assert expected == answer.get_json()


@pytest.mark.parametrize("away", ["mongodb_url", "redis_url", "celery_broker_url"])
def test_health_names_the_server_that_is_away(serve: Serve, settings: Settings, away: str) -> None:
    """It answers 503 within seconds."""
    scheme = "mongodb" if away == "mongodb_url" else "redis"
    nowhere = f"{scheme}://127.0.0.1:{embedded.reserve_port()}"
    client = serve(
        settings.model_copy(update={"celery_broker_url": settings.redis_url, away: nowhere})
    )
    began = time.monotonic()
    answer = client.get("/health")
    assert time.monotonic() - began < 15
    down = {name for name, state in answer.get_json().items() if state == "does not answer"}
    names = {"mongodb_url": "mongodb", "redis_url": "redis", "celery_broker_url": "broker"}
    assert (503, "down", {names[away]}) == (answer.status_code, answer.get_json()["status"], down)


def test_health_answers_soon_while_servers_hang(
    serve: Serve, settings: Settings, tmp_path: Path
) -> None:
    """A frozen mongod and a frozen Redis delay each request by seconds only."""
    mongod, redis = embedded.private_mongod(tmp_path), embedded.private_redis(tmp_path)
    with embedded.running(mongod) as one, embedded.running(redis) as other:
        client = serve(
            settings.model_copy(update={"mongodb_url": mongod.url, "redis_url": redis.url})
        )
        assert 200 == client.get("/health").status_code
        for process in (one, other):
            process.send_signal(signal.SIGSTOP)
        try:
            for _ in range(3):
                began = time.monotonic()
                assert 503 == client.get("/health").status_code
                assert time.monotonic() - began < 15
        finally:
            for process in (one, other):
                process.send_signal(signal.SIGCONT)
        wait_until("health is back", lambda: client.get("/health").status_code == 200, (), 60)


def test_without_mongodb_it_answers_503_or_from_the_cache(
    serve: Serve, settings: Settings, client: FlaskClient, store: Callable[..., None], daily: object
) -> None:
    """The 503 has Retry-After and hides the server's address; a cached answer needs no MongoDB."""
    store("NASDAQ:AAPL|1d", daily(3))
    client.get(OHLCV)
    nowhere = f"mongodb://127.0.0.1:{embedded.reserve_port()}"
    without = serve(settings.model_copy(update={"mongodb_url": nowhere}))
    assert 3 == without.get(OHLCV).get_json()["count"]
    answers = [without.get(OHLCV + "?limit=2"), without.post("/api/v1/market-data/sync", json=AAPL)]
    for answer in answers:
        document = answer.get_json()
        assert (503, "storage_unavailable") == (answer.status_code, document["error"])
        assert "5" == answer.headers["Retry-After"]
        assert "MongoDB does not answer" == document["message"]


def test_collections_are_created_by_the_first_request_that_needs_them(
    client: FlaskClient, mongo: Mongo
) -> None:
    """Starting, a refused request or one without storage creates none."""
    client.get("/health")
    client.post("/api/v1/market-data/sync", json={})
    assert [] == mongo.list_collection_names()
    client.get("/api/v1/market-data/symbols")
    assert {"ohlcv", "units", "jobs"} <= set(mongo.list_collection_names())


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [
        ("abc-123_X.9", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("", False),
        ("a b", False),
        ("a;drop", False),
        ("é", False),
    ],
)
def test_a_valid_request_id_is_kept_and_any_other_replaced(
    client: FlaskClient, given: str, is_kept: bool
) -> None:
    """The response returns it in its header, error or not."""
    for path in ("/api/v1/market-data/symbols", "/nowhere"):
        answer = client.get(path, headers={"X-Request-ID": given})
        returned = answer.headers["X-Request-ID"]
        assert is_kept == (given == returned)
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", returned)


def test_each_request_logs_one_line_with_its_id(client: FlaskClient) -> None:
    """The line has path, status and duration; the next request has another id."""
    with capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        ids = [client.get("/nowhere").headers["X-Request-ID"] for _ in range(2)]
    assert ids == [line["request_id"] for line in lines]
    for line in lines:
        assert ("request_completed", "/nowhere", 404) == (
            line["event"],
            line["path"],
            line["status"],
        )
        assert line["milliseconds"] > 0


def test_the_request_id_travels_with_the_message(client: FlaskClient, platform: Platform) -> None:
    """The task of this sync will log under the id of this request."""
    client.post(
        "/api/v1/market-data/sync/background", json=AAPL, headers={"X-Request-ID": "trace-me"}
    )
    (message,) = platform.cache.lrange("pocketquant:bulk", 0, -1)
    assert b"trace-me" in message
