"""`LocalCache` over a real Redis, also one that is away."""

import pytest
import redis
from structlog.testing import capture_logs

from pocketquant.cache.responses import ResponseCache, answers_key
from pocketquant.domain.symbols import Series
from pocketquant.machine.embedded import HOST, reserve_port
from pocketquant.servers.connections import open_redis
from web.bars.answers import answer_of
from web.bars.fresh_tokens import FreshTokens
from web.bars.local_cache import LocalCache, Looked

AAPL = Series.parse("NASDAQ:AAPL|1d")
ANSWER = answer_of(b'{"data":[],"forming":null}', None)
OTHER = answer_of(b'{"data":[1],"forming":null}', "cursor")


class Clock:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_redis_that_is_away_is_logged_once_and_called_every_five_seconds() -> None:
    """Reads succeed, and no response is cached."""
    clock = Clock()
    with open_redis(f"redis://{HOST}:{reserve_port()}") as away, capture_logs() as logged:
        local = LocalCache(ResponseCache(away), FreshTokens(ResponseCache(away), away), clock)
        for second in range(12):
            clock.now = float(second)
            assert Looked() == local.look(AAPL, "limit=5")
            assert local.begin(AAPL) is None
            local.put(AAPL, "limit=5", b"token", ANSWER)
    assert ["response_cache_lost"] == [
        line["event"] for line in logged if "debug" != line["log_level"]
    ]


@pytest.fixture
def local(cache: redis.Redis) -> LocalCache:
    """The cache of one process."""
    responses = ResponseCache(cache)
    return LocalCache(responses, FreshTokens(responses, cache))


def test_a_copy_is_served_without_fetching_it_again(local: LocalCache, cache: redis.Redis) -> None:
    """No answer is fetched from Redis while the token is valid."""
    token = local.begin(AAPL)
    assert token is not None
    local.put(AAPL, "limit=5", token, ANSWER)
    assert 1 == cache.delete(answers_key(AAPL, token))
    assert Looked(token, ANSWER) == local.look(AAPL, "limit=5")
    ResponseCache(cache).drop(AAPL)
    assert Looked() == local.look(AAPL, "limit=5")


def test_another_process_finds_the_answer_in_redis(local: LocalCache, cache: redis.Redis) -> None:
    """It then has a copy of its own, which replaces an outdated one."""
    responses = ResponseCache(cache)
    other = LocalCache(responses, FreshTokens(responses, cache))
    for answer in (ANSWER, OTHER):
        responses.drop(AAPL)
        token = local.begin(AAPL)
        assert token is not None
        local.put(AAPL, "limit=5", token, answer)
        assert Looked(token, answer) == other.look(AAPL, "limit=5")
        assert Looked(token, answer) == other.look(AAPL, "limit=5")


def test_a_copy_is_served_though_redis_has_no_room_for_it(
    local: LocalCache, cache: redis.Redis
) -> None:
    """Until the series is written."""
    token = local.begin(AAPL)
    assert token is not None
    for number in range(70):
        local.put(AAPL, str(number), token, ANSWER)
    assert 64 == cache.hlen(answers_key(AAPL, token))
    assert Looked(token, ANSWER) == local.look(AAPL, "69")
    ResponseCache(cache).drop(AAPL)
    assert Looked() == local.look(AAPL, "69")


def test_copies_are_served_without_the_server_of_the_answers(cache: redis.Redis) -> None:
    """The loss is logged once; that server is called every five seconds, and tokens stay valid."""
    clock = Clock()
    with open_redis(f"redis://{HOST}:{reserve_port()}") as away, capture_logs() as logged:
        responses = ResponseCache(cache, away)
        local = LocalCache(responses, FreshTokens(responses, cache), clock)
        token = local.begin(AAPL)
        assert token is not None
        for second in range(12):
            clock.now = float(second)
            assert Looked(token) == local.look(AAPL, f"limit={second}")
            local.put(AAPL, f"limit={second}", token, ANSWER)
            assert Looked(token, ANSWER) == local.look(AAPL, f"limit={second}")
    lost = [line for line in logged if "debug" != line["log_level"]]
    assert [("response_cache_lost", "answers")] == [(each["event"], each["holds"]) for each in lost]


def test_a_value_is_computed_once_under_a_token(local: LocalCache) -> None:
    """Without a token, or if it was None, it is computed each time."""
    values = iter(range(10))
    assert [0, 0] == [local.under(b"first", "status", lambda: next(values)) for _ in range(2)]
    assert 1 == local.under(b"second", "status", lambda: next(values))
    assert [2, 3] == [local.under(None, "status", lambda: next(values)) for _ in range(2)]
    assert local.under(b"third", "status", lambda: None) is None
    assert 4 == local.under(b"third", "status", lambda: next(values))
