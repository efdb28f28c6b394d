"""The reader's cache over a Redis that is away."""

import pytest
import redis
from structlog.testing import capture_logs

from pocketquant.cache.responses import ResponseCache, answers_key
from pocketquant.domain.symbols import Series
from pocketquant.machine.embedded import HOST, reserve_port
from pocketquant.servers.connections import open_redis
from web.bars.answers import answer_of
from web.bars.fresh_tokens import FreshTokens
from web.bars.response_cache import Looked, NearCache

AAPL = Series.parse("NASDAQ:AAPL|1d")
ANSWER = answer_of(b'{"data":[],"forming":null}', None)
OTHER = answer_of(b'{"data":[1],"forming":null}', "cursor")


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_redis_that_is_away_is_reported_once_and_left_alone_for_a_while() -> None:
    """Nothing is cached and nothing fails; it is asked again every five seconds, silently."""
    clock = Clock()
    with open_redis(f"redis://{HOST}:{reserve_port()}") as away, capture_logs() as told:
        near = NearCache(ResponseCache(away), FreshTokens(ResponseCache(away), away), clock)
        for second in range(12):
            clock.now = float(second)
            assert Looked() == near.look(AAPL, "limit=5")
            assert near.begin(AAPL) is None
            near.put(AAPL, "limit=5", b"token", ANSWER)
    assert ["response_cache_lost"] == [
        line["event"] for line in told if "debug" != line["log_level"]
    ]


@pytest.fixture
def near(cache: redis.Redis) -> NearCache:
    """What one process keeps."""
    responses = ResponseCache(cache)
    return NearCache(responses, FreshTokens(responses, cache))


def test_a_copy_is_served_without_fetching_it_again(near: NearCache, cache: redis.Redis) -> None:
    """As long as the token holds, Redis is not asked for the answer."""
    token = near.begin(AAPL)
    assert token is not None
    near.put(AAPL, "limit=5", token, ANSWER)
    assert 1 == cache.delete(answers_key(AAPL, token))
    assert Looked(token, ANSWER) == near.look(AAPL, "limit=5")
    ResponseCache(cache).drop(AAPL)
    assert Looked() == near.look(AAPL, "limit=5")


def test_another_process_finds_the_answer_in_redis(near: NearCache, cache: redis.Redis) -> None:
    """And keeps a copy of its own, also in the place of one that was dropped."""
    responses = ResponseCache(cache)
    other = NearCache(responses, FreshTokens(responses, cache))
    for answer in (ANSWER, OTHER):
        responses.drop(AAPL)
        token = near.begin(AAPL)
        assert token is not None
        near.put(AAPL, "limit=5", token, answer)
        assert Looked(token, answer) == other.look(AAPL, "limit=5")
        assert Looked(token, answer) == other.look(AAPL, "limit=5")


def test_where_redis_has_no_room_the_copy_is_served_all_the_same(
    near: NearCache, cache: redis.Redis
) -> None:
    """Until the series is written."""
    token = near.begin(AAPL)
    assert token is not None
    for number in range(70):
        near.put(AAPL, str(number), token, ANSWER)
    assert 64 == cache.hlen(answers_key(AAPL, token))
    assert Looked(token, ANSWER) == near.look(AAPL, "69")
    ResponseCache(cache).drop(AAPL)
    assert Looked() == near.look(AAPL, "69")


def test_without_the_server_of_the_answers_copies_are_served(cache: redis.Redis) -> None:
    """It is reported once and asked again every five seconds; tokens hold all the while."""
    clock = Clock()
    with open_redis(f"redis://{HOST}:{reserve_port()}") as away, capture_logs() as told:
        responses = ResponseCache(cache, away)
        near = NearCache(responses, FreshTokens(responses, cache), clock)
        token = near.begin(AAPL)
        assert token is not None
        for second in range(12):
            clock.now = float(second)
            assert Looked(token) == near.look(AAPL, f"limit={second}")
            near.put(AAPL, f"limit={second}", token, ANSWER)
            assert Looked(token, ANSWER) == near.look(AAPL, f"limit={second}")
    lost = [line for line in told if "debug" != line["log_level"]]
    assert [("response_cache_lost", "answers")] == [(each["event"], each["holds"]) for each in lost]


def test_what_hangs_on_a_token_is_computed_once_under_it(near: NearCache) -> None:
    """Without a token, and where it was nothing, each time."""
    values = iter(range(10))
    assert [0, 0] == [near.under(b"first", "status", lambda: next(values)) for _ in range(2)]
    assert 1 == near.under(b"second", "status", lambda: next(values))
    assert [2, 3] == [near.under(None, "status", lambda: next(values)) for _ in range(2)]
    assert near.under(b"third", "status", lambda: None) is None
    assert 4 == near.under(b"third", "status", lambda: next(values))
