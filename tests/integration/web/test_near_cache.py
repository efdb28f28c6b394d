"""The reader's cache over a Redis that is away."""

import pytest
import redis

from pocketquant.cache.responses import ResponseCache
from pocketquant.connections import open_redis
from pocketquant.domain.symbols import Series
from pocketquant.embedded import HOST, free_port
from pocketquant.logs import set_up_logs
from pocketquant.settings import LogFormat
from web.response_cache import NearCache

AAPL = Series.parse("NASDAQ:AAPL|1d")


@pytest.fixture
def logs() -> None:
    """Log lines as the processes write them."""
    set_up_logs(LogFormat.JSON, "INFO")


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.usefixtures("logs")
def test_a_redis_that_is_away_is_reported_once_and_left_alone_for_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is cached and nothing fails; it is asked again every five seconds, silently."""
    clock = Clock()
    with open_redis(f"redis://{HOST}:{free_port()}", is_patient=False) as away:
        near = NearCache(ResponseCache(away), clock)
        for second in range(12):
            clock.now = float(second)
            assert near.get(AAPL, "limit=5") is None
            assert near.begin(AAPL) is None
            near.put(AAPL, "limit=5", b"token", b"answer")
    assert ["response_cache_lost"] == [record.msg["event"] for record in caplog.records]


def test_a_copy_is_served_without_fetching_it_again(cache: redis.Redis) -> None:
    """As long as the token holds, Redis is asked for nothing else."""
    responses = ResponseCache(cache)
    near = NearCache(responses)
    token = near.begin(AAPL)
    assert token is not None
    near.put(AAPL, "limit=5", token, b"answer")
    assert b"answer" == near.get(AAPL, "limit=5")
    cache.hdel("ohlcv:AAPL:NASDAQ:1d", "answer:limit=5")
    assert b"answer" == near.get(AAPL, "limit=5")
    responses.drop(AAPL)
    assert near.get(AAPL, "limit=5") is None
