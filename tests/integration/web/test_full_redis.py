"""Many reads beside a broker whose Redis must never become full."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient

from pocketquant.domain.bars import Bars
from pocketquant.machine import embedded
from pocketquant.servers.connections import open_redis
from pocketquant.settings import Settings

AAPL = "/api/v1/market-data/ohlcv/NASDAQ/AAPL"
ROOM = 6_000_000
BUDGET = 2_000_000
SYNC = {"symbol": "AAPL", "exchange": "NASDAQ"}

Serve = Callable[..., FlaskClient]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[redis.Redis]:
    """A Redis with some megabytes of room."""
    server = embedded.private_redis(tmp_path)
    with embedded.running(server), open_redis(server.url) as client:
        client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + ROOM)
        yield client


def url_of(client: redis.Redis) -> str:
    return "redis://{host}:{port}/0".format(**client.get_connection_kwargs())


def test_reads_leave_room_for_messages(
    serve: Serve,
    settings: Settings,
    small: redis.Redis,
    store: Callable[..., None],
    daily: Callable[[int], Bars],
) -> None:
    """Cached answers keep to their budget, a sync can still be published, and no read fails."""
    store("NASDAQ:AAPL|1d", daily(5000))
    changes = {"redis_url": url_of(small), "answers_most_mb": BUDGET // 1_000_000}
    client = serve(settings.model_copy(update=changes))
    read = [client.get(f"{AAPL}?limit={limit}") for limit in range(5000, 4970, -1)]
    assert {200} == {answer.status_code for answer in read}
    assert sum(len(answer.get_data()) for answer in read) > 2 * ROOM
    kept = sum(small.memory_usage(key) or 0 for key in small.keys("ohlcv:*"))
    assert BUDGET // 2 < kept < BUDGET * 5 // 4
    answer = client.post("/api/v1/market-data/sync/background", json=SYNC)
    assert 202 == answer.status_code
    assert 1 == small.llen("pocketquant:bulk")


def test_with_a_cache_url_answers_are_cached_there_alone(
    serve: Serve,
    settings: Settings,
    small: redis.Redis,
    store: Callable[..., None],
    daily: Callable[[int], Bars],
    tmp_path: Path,
) -> None:
    """None is in the broker's Redis, and another process finds them in the cache."""
    store("NASDAQ:AAPL|1d", daily(50))
    server = embedded.private_cache(tmp_path)
    with embedded.running(server), open_redis(server.url) as answers:
        urls = {"redis_url": url_of(small), "cache_url": server.url}
        one, other = (serve(settings.model_copy(update=urls)) for _ in range(2))
        first = one.get(AAPL)
        (kept,) = answers.keys("ohlcv:*")
        assert [] == small.keys(kept)
        assert first.get_data() == other.get(AAPL).get_data()
        assert 1 == answers.info("commandstats")["cmdstat_hset"]["calls"]
