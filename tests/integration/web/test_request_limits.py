"""Rate limits, and limits of open exports and streams per caller."""

import time
from collections.abc import Callable

import pytest
import redis
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pocketquant.domain.bars import Bars
from pocketquant.domain.errors import InvalidSettings
from pocketquant.machine import embedded
from pocketquant.settings import Environment, Settings
from pocketquant.storage.access import Scope
from pocketquant.storage.api_keys import ApiKeys
from pocketquant.wiring import Platform

PATH = "/nowhere"
YEAR = 360 * 86_400

Serve = Callable[..., FlaskClient]
Limited = Callable[..., FlaskClient]


@pytest.fixture
def limited(serve: Serve, settings: Settings) -> Limited:
    """A client of an API in production that takes five requests a year."""

    def make(**changes: object) -> FlaskClient:
        made = {"environment": Environment.PRODUCTION, "api_rate_limit": "5/year", **changes}
        return serve(settings.model_copy(update=made))

    return make


@pytest.fixture
def header(platform: Platform) -> Callable[[], dict[str, str]]:
    """The header of a new key."""

    def make() -> dict[str, str]:
        keys: ApiKeys = platform.api_keys
        return {"X-API-Key": str(keys.create("a test", Scope.ADMIN, int(time.time()))[1])}

    return make


def statuses(client: FlaskClient, count: int, **arguments: object) -> list[int]:
    return [client.get(PATH, **arguments).status_code for _ in range(count)]


def test_too_many_requests_are_429_with_retry_after(
    limited: Limited, header: Callable[[], dict[str, str]]
) -> None:
    """Earlier responses show how many requests are left."""
    client, sent = limited(), header()
    left = [client.get(PATH, headers=sent).headers["X-RateLimit-Remaining"] for _ in range(5)]
    assert ["4", "3", "2", "1", "0"] == left
    refused = client.get(PATH, headers=sent)
    assert (429, "too_many_requests") == (refused.status_code, refused.get_json()["error"])
    assert 1 <= int(refused.headers["Retry-After"]) <= YEAR
    assert "5" == refused.headers["X-RateLimit-Limit"]
    assert refused.headers["Retry-After"] == refused.headers["X-RateLimit-Reset"]


def test_each_key_has_a_limit_of_its_own(
    limited: Limited, header: Callable[[], dict[str, str]]
) -> None:
    """Requests with one key do not count for the next key."""
    client, one, other = limited(), header(), header()
    assert [404] * 5 + [429] == statuses(client, 6, headers=one)
    assert 404 == client.get(PATH, headers=other).status_code


def test_a_key_is_served_after_its_address_used_up_its_requests(
    limited: Limited, header: Callable[[], dict[str, str]]
) -> None:
    """Callers behind the same proxy sent no key; this key is new to the process."""
    client, sent = limited(), header()
    assert [401] * 5 + [429] == statuses(client, 6)
    assert [404] * 5 + [429] == statuses(client, 6, headers=sent)


def test_requests_with_a_revoked_key_count_for_its_address(
    limited: Limited, header: Callable[[], dict[str, str]], platform: Platform
) -> None:
    """A revoked key is like any other invalid key."""
    client, sent = limited(), header()
    platform.api_keys.revoke(sent["X-API-Key"].split("_")[1], int(time.time()))
    assert [401] * 5 + [429] == statuses(client, 6, headers=sent)
    assert 429 == client.get(PATH).status_code


def test_guessing_keys_is_limited_by_address(limited: Limited) -> None:
    """Each guess uses another key from the same address."""
    client = limited()
    guesses = [{"X-API-Key": f"pq_{n:012x}_{'A' * 43}"} for n in range(7)]
    found = [client.get(PATH, headers=guess).status_code for guess in guesses]
    assert [401] * 5 + [429] * 2 == found
    elsewhere = client.get(PATH, environ_base={"REMOTE_ADDR": "10.9.9.9"})
    assert 401 == elsewhere.status_code


def test_monitoring_has_limits_of_its_own(
    limited: Limited, header: Callable[[], dict[str, str]]
) -> None:
    """Liveness has no limit; metrics and fleet are counted separately."""
    client, sent = limited(), header()
    assert 429 in statuses(client, 8, headers=sent)
    assert [200] * 20 == [client.get("/health/live").status_code for _ in range(20)]
    for path in ("/metrics", "/api/v1/fleet"):
        assert 200 == client.get(path, headers=sent).status_code


def test_processes_share_their_counts(
    limited: Limited, header: Callable[[], dict[str, str]], cache: redis.Redis
) -> None:
    """Each process learns the counts of the others at its next exchange."""
    one, other, sent = limited(), limited(), header()
    assert [404] * 5 + [429] == statuses(one, 6, headers=sent)
    (counted,) = [key for key in cache.keys("limit:*") if b"key:" in key]
    cache.incrby(counted, 5)  # what the first process had not shared yet
    statuses(other, 1, headers=sent)
    assert 429 == other.get(PATH, headers=sent).status_code
    assert 0 < cache.ttl(counted) <= 2 * YEAR


def test_without_redis_each_process_counts_alone(
    limited: Limited, header: Callable[[], dict[str, str]]
) -> None:
    """There is no error, and requests are still limited."""
    sent = header()
    client = limited(redis_url=f"redis://127.0.0.1:{embedded.reserve_port()}")
    assert [404] * 5 + [429] == statuses(client, 6, headers=sent)


def test_local_development_and_an_empty_limit_are_unlimited(
    serve: Serve, settings: Settings, limited: Limited
) -> None:
    """Responses have no limit headers."""
    free = serve(settings.model_copy(update={"api_rate_limit": "1/year"}))
    assert [404] * 5 == statuses(free, 5)
    unlimited = limited(api_rate_limit="")
    assert [401] * 9 == statuses(unlimited, 9)


def test_an_invalid_limit_is_an_error_at_start(limited: Limited) -> None:
    """The error names the setting."""
    with pytest.raises(InvalidSettings, match="API_RATE_LIMIT"):
        limited(api_rate_limit="often")


def test_one_caller_cannot_take_all_export_slots(
    limited: Limited,
    header: Callable[[], dict[str, str]],
    store: Callable[..., None],
    daily: Callable[[int], Bars],
) -> None:
    """A caller has half of the four until its files are read; the others are for other keys."""
    store("NASDAQ:AAPL|1d", daily(6000))
    client, one, other = limited(api_threads=16, api_rate_limit=""), header(), header()

    def opened(headers: dict[str, str]) -> TestResponse:
        url = "/api/v1/market-data/ohlcv/NASDAQ/AAPL?format=csv"
        return client.get(url, headers=headers, buffered=False)

    exports = [opened(one), opened(one)]
    refused = opened(one)
    assert (503, "too_many_exports") == (refused.status_code, refused.get_json()["error"])
    assert "2 exports" in refused.get_json()["message"]
    exports.append(opened(other))
    exports.pop(0).close()
    exports.append(opened(one))
    assert [200, 200, 200] == [export.status_code for export in exports]
    for export in exports:
        export.close()


def test_one_caller_cannot_take_all_stream_slots(
    limited: Limited, header: Callable[[], dict[str, str]]
) -> None:
    """A caller has half of the four; closing a stream frees its slot."""
    client, one, other = limited(api_threads=32, api_rate_limit=""), header(), header()

    def opened(headers: dict[str, str]) -> TestResponse:
        url = "/api/v1/quotes/stream?symbols=NASDAQ:AAPL"
        return client.get(url, headers=headers, buffered=False)

    streams = [opened(one), opened(one)]
    refused = opened(one)
    assert (503, "too_many_streams") == (refused.status_code, refused.get_json()["error"])
    assert "2 streams" in refused.get_json()["message"]
    streams.append(opened(other))
    streams.pop(0).close()
    streams.append(opened(one))
    assert [200, 200, 200] == [stream.status_code for stream in streams]
    for stream in streams:
        stream.close()
