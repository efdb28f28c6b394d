"""Tokens that are believed until Redis tells of a write."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from pocketquant.cache.responses import DROPS, ResponseCache, key_of
from pocketquant.domain.symbols import Series
from pocketquant.machine import embedded
from pocketquant.servers.connections import open_redis, wait_until
from web.bars.fresh_tokens import FreshTokens

AAPL, MSFT = Series.parse("NASDAQ:AAPL|1d"), Series.parse("NASDAQ:MSFT|1d")


class Clock:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Counted(ResponseCache):
    """Counts the calls of Redis for a token."""

    calls = 0

    def token(self, series: Series) -> bytes | None:
        self.calls += 1
        return super().token(series)


@pytest.fixture
def responses(cache: redis.Redis) -> Counted:
    return Counted(cache)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(responses: Counted, cache: redis.Redis, clock: Clock) -> FreshTokens:
    """Tokens of a process whose subscription is confirmed."""
    return _subscribed(FreshTokens(responses, cache, clock), responses)


def _subscribed(tokens: FreshTokens, responses: Counted) -> FreshTokens:
    """Wait until a token is returned without a call of Redis."""
    responses.begin(AAPL)
    wait_until("writes are heard", _is_kept(tokens, responses), (), 60.0)
    responses.drop(AAPL)
    return tokens


def _is_kept(tokens: FreshTokens, responses: Counted) -> Callable[[], bool]:
    def is_kept() -> bool:
        tokens.get(AAPL)
        before = responses.calls
        tokens.get(AAPL)
        return before == responses.calls

    return is_kept


def test_redis_is_called_for_a_token_once_a_second(
    tokens: FreshTokens, responses: Counted, clock: Clock
) -> None:
    """A lost message can cost no more than that."""
    token, before = responses.begin(AAPL), responses.calls
    assert [token] * 5 == [tokens.get(AAPL) for _ in range(5)]
    assert before + 1 == responses.calls
    clock.now += 1.0
    assert token == tokens.get(AAPL)
    assert before + 2 == responses.calls


def test_a_write_takes_effect_before_the_writer_goes_on(
    tokens: FreshTokens, responses: Counted
) -> None:
    """Two hundred times in a row, of several series at a time."""
    for _ in range(200):
        for series in (AAPL, MSFT):
            responses.begin(series)
            assert tokens.get(series) == tokens.get(series) is not None
        responses.drop(MSFT, AAPL)
        assert [None, None] == [tokens.get(AAPL), tokens.get(MSFT)]


def test_a_write_of_another_series_ends_no_token(tokens: FreshTokens, responses: Counted) -> None:
    """Its message is read, and the token is still returned without a call afterwards."""
    responses.begin(AAPL)
    tokens.get(AAPL)
    responses.drop(MSFT)
    tokens.get(AAPL)
    before = responses.calls
    assert tokens.get(AAPL) is not None
    assert before == responses.calls


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[redis.Redis]:
    """A server without other subscribers."""
    server = embedded.private_redis(tmp_path)
    with embedded.running(server), open_redis(server.url) as client:
        yield client


def test_very_many_writes_are_not_all_read(own_redis: redis.Redis, clock: Clock) -> None:
    """The subscription is made anew instead; meanwhile Redis is called."""
    responses = Counted(own_redis)
    tokens = _subscribed(FreshTokens(responses, own_redis, clock), responses)
    responses.begin(AAPL)
    tokens.get(AAPL)
    for number in range(1000):
        own_redis.publish(DROPS, f'["ohlcv:{number}:X:1d"]')
    responses.drop(AAPL)
    assert tokens.get(AAPL) is None
    _subscribed(tokens, responses)
    assert 1 == own_redis.pubsub_numsub(DROPS)[0][1]


def test_a_subscription_that_breaks_is_made_anew(own_redis: redis.Redis, clock: Clock) -> None:
    """Its tokens are forgotten, and after a pause there is another subscription."""
    responses = Counted(own_redis)
    tokens = _subscribed(FreshTokens(responses, own_redis, clock), responses)
    responses.begin(AAPL)
    tokens.get(AAPL)
    own_redis.delete(key_of(AAPL))  # a write that this process can't hear of any more
    own_redis.client_kill_filter(_type="pubsub")
    assert tokens.get(AAPL) is None
    clock.now += 5.0
    _subscribed(tokens, responses)
