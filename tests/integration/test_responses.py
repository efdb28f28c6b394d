"""The cache of encoded answers, on a real Redis."""

import redis

from pocketquant.cache.responses import Put, ResponseCache
from pocketquant.domain.symbols import Series

AAPL = Series.parse("NASDAQ:AAPL|1d")
MSFT = Series.parse("NASDAQ:MSFT|1d")
HOURLY = Series.parse("NASDAQ:AAPL|1h")


def test_an_answer_is_kept_by_series_and_query(cache: redis.Redis) -> None:
    """Another query or another series has its own answer, or none."""
    responses = ResponseCache(cache)
    assert responses.put(AAPL, "limit=5", responses.begin(AAPL), b"five") is Put.KEPT
    assert b"five" == responses.get(AAPL, "limit=5")
    assert [None, None, None] == [
        responses.get(AAPL, "limit=6"),
        responses.get(MSFT, "limit=5"),
        responses.get(HOURLY, "limit=5"),
    ]


def test_a_write_forgets_all_answers_of_its_series_alone(cache: redis.Redis) -> None:
    """One key is deleted, the other series keep theirs."""
    responses = ResponseCache(cache)
    for series in (AAPL, MSFT):
        for query in ("a", "b"):
            responses.put(series, query, responses.begin(series), b"answer")
    responses.drop(AAPL)
    found = [responses.get(series, query) for series in (AAPL, MSFT) for query in ("a", "b")]
    assert [None, None, b"answer", b"answer"] == found


def test_an_answer_from_before_a_write_is_not_put_back_after_it(cache: redis.Redis) -> None:
    """The token of `begin` ends with the write, also when another reader has begun since."""
    responses = ResponseCache(cache)
    before = responses.begin(AAPL)
    responses.drop(AAPL)
    assert responses.put(AAPL, "a", before, b"old") is Put.OUTDATED
    after = responses.begin(AAPL)
    assert responses.put(AAPL, "a", before, b"old") is Put.OUTDATED
    assert responses.put(AAPL, "a", after, b"new") is Put.KEPT
    assert b"new" == responses.get(AAPL, "a")


def test_readers_share_a_token_until_a_write(cache: redis.Redis) -> None:
    """`begin` gives the token that holds; a new one after a write, and never an old one again."""
    responses = ResponseCache(cache)
    assert responses.token(AAPL) is None
    first = responses.begin(AAPL)
    assert first == responses.begin(AAPL) == responses.token(AAPL)
    responses.drop(AAPL)
    assert responses.token(AAPL) is None
    assert first != responses.begin(AAPL)


def test_a_hash_ends_after_five_minutes_however_often_it_is_used(cache: redis.Redis) -> None:
    """Using it does not lengthen its life, so what a lost drop left behind ends too."""
    responses = ResponseCache(cache)
    token = responses.begin(AAPL)
    key = "ohlcv:AAPL:NASDAQ:1d"
    assert 290 < cache.ttl(key) <= 300
    cache.expire(key, 100)
    responses.put(AAPL, "a", responses.begin(AAPL), b"answer")
    responses.get(AAPL, "a")
    assert cache.ttl(key) <= 100
    cache.delete(key)  # as its end would
    assert responses.put(AAPL, "b", token, b"answer") is Put.OUTDATED


def test_a_series_keeps_a_limited_number_of_answers(cache: redis.Redis) -> None:
    """Queries without end cannot fill Redis; those kept are still served."""
    responses = ResponseCache(cache)
    token = responses.begin(AAPL)
    kept = [responses.put(AAPL, str(number), token, b"answer") for number in range(70)]
    assert [Put.KEPT] * 64 + [Put.FULL] * 6 == kept
    assert b"answer" == responses.get(AAPL, "63")
    assert 65 == cache.hlen("ohlcv:AAPL:NASDAQ:1d")


def test_a_query_cannot_name_the_token(cache: redis.Redis) -> None:
    """Whatever a query reads like, it is no field but its own."""
    responses = ResponseCache(cache)
    responses.begin(AAPL)
    assert responses.get(AAPL, "token") is None
