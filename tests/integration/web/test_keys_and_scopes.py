"""API keys, scopes, and requests of this machine in development."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncRequest
from pocketquant.machine import embedded
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import open_mongo, wait_until
from pocketquant.settings import Environment, Settings
from pocketquant.storage.access import ApiKey, KeyText, Scope
from pocketquant.storage.api_keys import ApiKeys
from pocketquant.wiring import Platform
from web.guard.keyring import FRESH_SECONDS

SYMBOLS = "/api/v1/market-data/symbols"
KEYS = "/api/v1/keys"
LIVE = "/health/live"
DOCS = ("/docs", "/api/v1/docs", "/api/v1/redoc", "/api/v1/openapi.json")
AWAY = {"REMOTE_ADDR": "10.0.0.7"}

Serve = Callable[..., FlaskClient]
MakeKey = Callable[..., KeyText]


@pytest.fixture
def make_key(keys: ApiKeys) -> MakeKey:
    """Creates a valid key with a scope."""

    def make(scope: Scope = Scope.READ, expires_at: int | None = None) -> KeyText:
        return keys.create("a test", scope, int(time.time()), expires_at)[1]

    return make


def sent(text: object) -> dict[str, str]:
    return {"X-API-Key": str(text)}


def calls(app: Flask) -> Iterator[tuple[str, str]]:
    """Yields each method of each route, with a path that matches it."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            yield method, path_of(rule)


def path_of(rule: Rule) -> str:
    built = rule.build(dict.fromkeys(rule.arguments, "X"), append_unknown=False)
    assert built
    return built[1]


def test_without_a_key_every_route_but_liveness_and_the_docs_is_401(guarded: FlaskClient) -> None:
    """This includes metrics and unknown paths."""
    unknown = [("GET", "/"), ("GET", "/nowhere"), ("POST", "/health"), ("OPTIONS", SYMBOLS)]
    for method, path in [*calls(guarded.application), *unknown]:
        answer = guarded.open(path, method=method)
        if path == LIVE or path.startswith(DOCS):
            assert answer.status_code in {200, 302, 404}, (method, path)  # no asset is called X
            continue
        assert 401 == answer.status_code, (method, path)
        if method != "HEAD":
            assert "unauthorized" == answer.get_json()["error"]
            assert 'Bearer realm="PocketQuant"' == answer.headers["WWW-Authenticate"]


def test_a_browser_reads_the_docs_and_then_authorizes(
    guarded: FlaskClient, make_key: MakeKey
) -> None:
    """Swagger UI opens without a key; the document tells it to send one as a header."""
    led = guarded.get("/docs")
    assert (302, "/api/v1/docs") == (led.status_code, led.headers["Location"])
    page = guarded.get("/api/v1/docs").text
    assert '"persistAuthorization": true' in page
    document = guarded.get("/api/v1/openapi.json").get_json()
    scheme = document["components"]["securitySchemes"]["ApiKey"]
    needed = document["paths"][SYMBOLS]["get"]["security"][0]
    assert {"ApiKey": ["read"]} == needed
    assert ("header", "X-API-Key") == (scheme["in"], scheme["name"])
    assert 401 == guarded.get(SYMBOLS).status_code
    assert 200 == guarded.get(SYMBOLS, headers={scheme["name"]: str(make_key())}).status_code


def test_a_read_key_can_read_and_cannot_write(guarded: FlaskClient, make_key: MakeKey) -> None:
    """Every route that writes is 403; of those that read only the list of keys is."""
    headers = sent(make_key(Scope.READ))
    for method, path in calls(guarded.application):
        if path.endswith(("/events", "/stream")):
            continue  # they go on for long
        answer = guarded.open(path, method=method, headers=headers)
        if method in {"GET", "HEAD"} and path != KEYS:
            assert answer.status_code not in {401, 403}, (method, path)
        else:
            assert 403 == answer.status_code, (method, path)
            assert method == "HEAD" or "forbidden" == answer.get_json()["error"], path
        answer.close()


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("POST", "/api/v1/market-data/sync", Scope.SYNC),
        ("POST", "/api/v1/market-data/sync/background", Scope.SYNC),
        ("POST", "/api/v1/market-data/sync/bulk", Scope.SYNC),
        ("POST", "/api/v1/quotes/subscribe", Scope.SYNC),
        ("POST", "/api/v1/quotes/stop", Scope.SYNC),
        ("DELETE", "/api/v1/jobs/x", Scope.SYNC),
        ("POST", "/api/v1/jobs/x/retry", Scope.SYNC),
        ("POST", "/api/v1/dead-letters/retry", Scope.SYNC),
        ("PUT", "/api/v1/schedules/all-series", Scope.ADMIN),
        ("GET", KEYS, Scope.ADMIN),
        ("POST", KEYS, Scope.ADMIN),
        ("DELETE", f"{KEYS}/x", Scope.ADMIN),
        ("GET", f"{KEYS}/current", Scope.READ),
        ("POST", "/nowhere", Scope.ADMIN),
        ("GET", "/metrics", Scope.READ),
    ],
)
def test_a_route_is_open_to_its_scope_and_those_above(
    guarded: FlaskClient, make_key: MakeKey, method: str, path: str, needed: Scope
) -> None:
    """A key of a lower scope gets 403."""
    for scope in Scope:
        answer = guarded.open(path, method=method, headers=sent(make_key(scope)))
        assert scope.includes(needed) == (answer.status_code != 403), scope


def test_a_key_may_be_sent_as_a_bearer_token(guarded: FlaskClient, make_key: MakeKey) -> None:
    """`Bearer` may be in any case; any other scheme is refused."""
    text = make_key()
    for header, status in (
        (f"Bearer {text}", 200),
        (f"bearer {text}", 200),
        (f"Basic {text}", 401),
        (f"Bearer {text} {text}", 401),
        ("Bearer", 401),
    ):
        answer = guarded.get(SYMBOLS, headers={"Authorization": header})
        assert status == answer.status_code, header


def test_a_wrong_secret_an_unknown_and_an_expired_key_are_refused_alike(
    guarded: FlaskClient, make_key: MakeKey
) -> None:
    """The single message does not reveal what was wrong."""
    right = make_key()
    assert 200 == guarded.get(SYMBOLS, headers=sent(right)).status_code
    wrong = [
        KeyText(right.id, "A" * 43),
        KeyText("0" * 12, right.secret),
        make_key(expires_at=int(time.time()) - 1),
        "pq_1_2",
        "",
        "\N{LATIN SMALL LETTER E WITH ACUTE}" * 9,
    ]
    answers = [guarded.get(SYMBOLS, headers=sent(text)) for text in wrong]
    assert [401] * len(wrong) == [answer.status_code for answer in answers]
    assert 1 == len({answer.get_json()["message"] for answer in answers})


def test_a_revoked_key_is_refused_within_seconds(
    guarded: FlaskClient, keys: ApiKeys, make_key: MakeKey
) -> None:
    """This holds although the process has cached the key."""
    text = make_key()

    def is_refused() -> bool:
        return guarded.get(SYMBOLS, headers=sent(text)).status_code == 401

    assert not is_refused()
    keys.revoke(text.id, int(time.time()))
    wait_until("it is refused", is_refused, (), FRESH_SECONDS + 5)


@pytest.mark.parametrize("ends", ["revoked", "expired"])
def test_streams_end_soon_after_their_key_does(
    guarded: FlaskClient, platform: Platform, make_key: MakeKey, ends: str
) -> None:
    """This holds for streams of quotes and of a job, even while they are silent."""
    request = SyncRequest(Series.parse("NASDAQ:AAPL|1d"), 5)
    job_id = platform.intake.submit(request, QueueName.BULK).job_id
    text = make_key(expires_at=int(time.time()) + 3 if ends == "expired" else None)
    paths = ("quotes/stream?symbols=NASDAQ:AAPL", f"jobs/{job_id}/events")
    opened = [guarded.get(f"/api/v1/{path}", headers=sent(text), buffered=False) for path in paths]
    assert [200, 200] == [answer.status_code for answer in opened]
    bodies = [iter(answer.response) for answer in opened]  # type: ignore[arg-type]
    assert [b"retry: 2000\n\n"] * 2 == [next(body) for body in bodies]
    if ends == "revoked":
        platform.api_keys.revoke(text.id, int(time.time()))
    for body in bodies:
        received = list(body)
        assert b": still there\n\n" not in received  # the first comes after fifteen seconds
    for answer in opened:
        answer.close()


def test_the_use_of_a_key_is_noted_once_a_minute(
    guarded: FlaskClient, keys: ApiKeys, make_key: MakeKey
) -> None:
    """The first use is noted; the next one a minute later."""
    text = make_key()
    guarded.get(SYMBOLS, headers=sent(text))
    key = known(keys, text)
    assert key.last_used_at is not None
    keys.note_use(key, key.last_used_at + 59)
    assert key == known(keys, text)
    keys.note_use(key, key.last_used_at + 60)
    assert key.last_used_at + 60 == known(keys, text).last_used_at


def known(keys: ApiKeys, text: KeyText) -> ApiKey:
    key = keys.get(text.id)
    assert key
    return key


@pytest.mark.fault
def test_without_mongodb_a_known_key_works_and_an_unknown_one_is_503(
    serve: Serve, settings: Settings, tmp_path: Path
) -> None:
    """The unknown key may be valid, so it is not refused with 401."""
    mongod = embedded.private_mongod(tmp_path)
    with embedded.running(mongod) as process:
        changes = {"environment": Environment.PRODUCTION, "mongodb_url": mongod.url}
        client = serve(settings.model_copy(update=changes))
        with open_mongo(mongod.url, settings.mongodb_database).client as connection:
            store = ApiKeys(connection[settings.mongodb_database])
            seen, unseen = (
                store.create("a test", Scope.READ, int(time.time()))[1] for _ in range(2)
            )
        assert 404 == client.get("/nowhere", headers=sent(seen)).status_code
        process.send_signal(signal.SIGKILL)
        process.wait()
        answer = client.get("/nowhere", headers=sent(unseen))
        assert (503, "storage_unavailable") == (answer.status_code, answer.get_json()["error"])
        began = time.monotonic()

        def is_stale() -> bool:
            assert 404 == client.get("/nowhere", headers=sent(seen)).status_code
            return time.monotonic() - began > FRESH_SECONDS

        wait_until("it would be looked up", is_stale, (), 60)


def test_in_development_local_requests_need_no_key(client: FlaskClient) -> None:
    """Any name of this machine will do, with or without a port, and so will a local page."""
    for host in ("localhost", "localhost:8000", "127.0.0.1:5", "[::1]:80", "x.localhost"):
        assert 200 == client.get(SYMBOLS, headers={"Host": host}).status_code, host
    own = {"Origin": "http://localhost:3000"}
    assert 200 == client.get(SYMBOLS, headers=own).status_code


def test_in_development_a_key_that_is_sent_is_checked(
    client: FlaskClient, make_key: MakeKey
) -> None:
    """A wrong key is refused, a valid one is limited to its scope."""
    assert 401 == client.get(SYMBOLS, headers=sent("pq_wrong")).status_code
    answer = client.post("/api/v1/quotes/stop", headers=sent(make_key(Scope.READ)))
    assert 403 == answer.status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example.com"},
        {"Host": "rebound.example.com:8000"},
        {"Host": "127.0.0.1.example.com"},
        {"Host": "0.0.0.0"},
        {"Host": "localhost@example.com"},
        {"Host": "["},
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Origin": "http://["},
    ],
)
def test_in_development_other_web_sites_are_refused(
    client: FlaskClient, make_key: MakeKey, headers: dict[str, str]
) -> None:
    """Neither a rebound name nor a foreign origin gets in without a key."""
    for method, path in (("GET", SYMBOLS), ("POST", "/api/v1/quotes/stop")):
        answer = client.open(path, method=method, headers=headers)
        assert answer.status_code in {400, 403}, (method, path)
    assert 200 == client.get(LIVE, headers=headers).status_code
    if "Origin" in headers:
        assert 200 == client.get(SYMBOLS, headers=headers | sent(make_key())).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.9"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"x-forwarded-proto": "https"},
        {"X-Forwarded-Host": "quant.example.com"},
        {"Forwarded": "for=203.0.113.9"},
        {"Via": "1.1 proxy"},
        {"X-Real-IP": "203.0.113.9"},
    ],
)
def test_in_development_forwarded_requests_need_a_key(
    client: FlaskClient, make_key: MakeKey, headers: dict[str, str]
) -> None:
    """This holds although the proxy calls from this machine by a local name."""
    local = {"Host": "127.0.0.1:8000"}
    for method, path in (("GET", SYMBOLS), ("POST", "/api/v1/quotes/stop")):
        assert 401 == client.open(path, method=method, headers=local | headers).status_code
    assert 200 == client.get(LIVE, headers=local | headers).status_code
    key = sent(make_key(Scope.READ))
    assert 200 == client.get(SYMBOLS, headers=local | headers | key).status_code


def test_in_development_other_machines_need_a_key(client: FlaskClient, make_key: MakeKey) -> None:
    """The Host header does not matter."""
    assert 401 == client.get(SYMBOLS, environ_base=AWAY).status_code
    answer = client.get(SYMBOLS, environ_base=AWAY, headers=sent(make_key()))
    assert 200 == answer.status_code


def test_an_api_that_listens_to_the_network_requires_keys_in_development(
    serve: Serve, settings: Settings
) -> None:
    """Local requests need one as well."""
    client = serve(settings.model_copy(update={"api_host": "0.0.0.0"}))
    assert 401 == client.get(SYMBOLS).status_code


def test_the_document_names_keys_and_scopes(client: FlaskClient) -> None:
    """It has both ways to send a key, each operation's scope, and 401, 403 and 429."""
    document = client.get("/api/v1/openapi.json").get_json()
    schemes = document["components"]["securitySchemes"]
    assert {"ApiKey", "Bearer"} == schemes.keys()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            if path == LIVE:
                assert [] == operation["security"]
                continue
            (scope,) = operation["security"][0]["ApiKey"]
            assert scope in set(Scope)
            assert (scope == "read") == (method == "get" and path != KEYS), path
            assert {"401", "403", "429"} <= operation["responses"].keys(), path


def test_each_api_key_has_idempotency_keys_of_its_own(
    guarded: FlaskClient, make_key: MakeKey
) -> None:
    """Two callers who choose the same text get a job each, also for different requests."""
    path = "/api/v1/market-data/sync/background"
    mine, others = (sent(make_key(Scope.SYNC)) | {"Idempotency-Key": "monday"} for _ in range(2))
    apple, gold = ({"exchange": "NASDAQ", "symbol": symbol} for symbol in ("AAPL", "GOLD"))
    first, again, other = (
        guarded.post(path, json=body, headers=headers)
        for body, headers in [(apple, mine), (apple, mine), (gold, others)]
    )
    assert [202, 202, 202] == [answer.status_code for answer in (first, again, other)]
    assert first.get_json()["job_id"] == again.get_json()["job_id"]
    assert first.get_json()["job_id"] != other.get_json()["job_id"]
