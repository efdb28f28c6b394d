"""The cache of encoded answers, on a real Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from pocketquant.cache.responses import Put, ResponseCache, answers_key
from pocketquant.domain.symbols import Series
from pocketquant.machine import embedded

AAPL = Series.parse("NASDAQ:AAPL|1d")
MSFT = Series.parse("NASDAQ:MSFT|1d")
HOURLY = Series.parse("NASDAQ:AAPL|1h")


def found(responses: ResponseCache, series: Series, query: str) -> bytes | None:
    """The answer under the current token."""
    token = responses.token(series)
    return token and responses.get(series, query, token)


def test_an_answer_is_kept_by_series_and_query(cache: redis.Redis) -> None:
    """Another query or another series has its own answer, or none."""
    responses = ResponseCache(cache)
    assert responses.put(AAPL, "limit=5", responses.begin(AAPL), b"five") is Put.KEPT
    for series in (MSFT, HOURLY):
        responses.begin(series)
    assert b"five" == found(responses, AAPL, "limit=5")
    assert [None, None, None] == [
        found(responses, AAPL, "limit=6"),
        found(responses, MSFT, "limit=5"),
        found(responses, HOURLY, "limit=5"),
    ]


def test_a_write_drops_only_the_answers_of_its_series(cache: redis.Redis) -> None:
    """Other series keep their tokens, also if readers have begun since."""
    responses = ResponseCache(cache)
    for series in (AAPL, MSFT):
        for query in ("a", "b"):
            responses.put(series, query, responses.begin(series), b"answer")
    responses.drop(AAPL)
    for _ in range(2):
        left = [found(responses, series, query) for series in (AAPL, MSFT) for query in ("a", "b")]
        assert [None, None, b"answer", b"answer"] == left
        responses.begin(AAPL)


def test_an_answer_from_before_a_write_is_not_put_back_after_it(cache: redis.Redis) -> None:
    """The token of `begin` ends with the write, even if another reader has begun since."""
    responses = ResponseCache(cache)
    before = responses.begin(AAPL)
    responses.drop(AAPL)
    assert responses.put(AAPL, "a", before, b"old") is Put.OUTDATED
    after = responses.begin(AAPL)
    assert responses.put(AAPL, "a", before, b"old") is Put.OUTDATED
    assert responses.put(AAPL, "a", after, b"new") is Put.KEPT
    assert b"new" == found(responses, AAPL, "a")


def test_readers_share_a_token_until_a_write(cache: redis.Redis) -> None:
    """`begin` returns the current token, a new one after a write, and never an old one again."""
    responses = ResponseCache(cache)
    assert responses.token(AAPL) is None
    first = responses.begin(AAPL)
    assert first == responses.begin(AAPL) == responses.token(AAPL)
    responses.drop(AAPL)
    assert responses.token(AAPL) is None
    assert first != responses.begin(AAPL)


def test_answers_expire_after_five_minutes_even_if_used(cache: redis.Redis) -> None:
    """Reads do not extend them, so answers that a lost drop left behind expire too."""
    responses = ResponseCache(cache)
    token = responses.begin(AAPL)
    responses.put(AAPL, "a", token, b"answer")
    for key in ("ohlcv:AAPL:NASDAQ:1d", answers_key(AAPL, token)):
        assert 290 < cache.ttl(key) <= 300
        cache.expire(key, 100)
        responses.put(AAPL, "b", responses.begin(AAPL), b"answer")
        found(responses, AAPL, "a")
        assert cache.ttl(key) <= 100
    cache.delete("ohlcv:AAPL:NASDAQ:1d")  # as its end would
    assert responses.put(AAPL, "b", token, b"answer") is Put.OUTDATED


def test_a_series_keeps_a_limited_number_of_answers(cache: redis.Redis) -> None:
    """Endless queries cannot fill Redis; stored answers are still served."""
    responses = ResponseCache(cache)
    token = responses.begin(AAPL)
    kept = [responses.put(AAPL, str(number), token, b"answer") for number in range(70)]
    assert [Put.KEPT] * 64 + [Put.FULL] * 6 == kept
    assert b"answer" == found(responses, AAPL, "63")
    assert 64 == cache.hlen(answers_key(AAPL, token))


def test_a_query_cannot_name_the_token(cache: redis.Redis) -> None:
    """A query of any text has its own field."""
    responses = ResponseCache(cache)
    token = responses.begin(AAPL)
    for query in ("token", token.decode(), f":{token.decode()}", ""):
        assert responses.put(AAPL, query, token, query.encode()) is Put.KEPT
        assert query.encode() == found(responses, AAPL, query)
    assert token == responses.token(AAPL)
    responses.drop(AAPL)
    assert found(responses, AAPL, "token") is None


def test_answers_of_all_series_and_processes_keep_to_one_budget(cache: redis.Redis) -> None:
    """All answers of the last five minutes count, dropped or not; smaller ones may still fit."""
    processes = [ResponseCache(cache, most_bytes=2500) for _ in range(2)]
    for series, process in ((AAPL, processes[0]), (MSFT, processes[1])):
        assert process.put(series, "a", process.begin(series), b"0" * 1000) is Put.KEPT
    for process in processes:
        process.drop(AAPL)
        for series in (AAPL, HOURLY):
            assert process.put(series, "b", process.begin(series), b"0" * 1000) is Put.FULL
    assert processes[0].put(AAPL, "c", processes[0].begin(AAPL), b"0" * 500) is Put.KEPT
    counted = cache.keys("ohlcv:bytes:*")
    assert 2500 == sum(int(count or 0) for count in cache.mget(counted))
    assert all(300 < cache.ttl(key) <= 360 for key in counted)
    cache.delete(*counted)  # as their end would
    assert processes[0].put(HOURLY, "b", processes[0].begin(HOURLY), b"0" * 1000) is Put.KEPT


@pytest.fixture
def evicting(tmp_path: Path) -> Iterator[redis.Redis]:
    """The private server of `up` for answers, limited to two megabytes."""
    server = embedded.private_cache(tmp_path)
    with embedded.running(server), redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + 2_000_000)
        yield client


def test_a_server_of_answers_evicts_old_ones(cache: redis.Redis, evicting: redis.Redis) -> None:
    """None is in the shared Redis, and the newest one is found."""
    responses = ResponseCache(cache, evicting)
    for number in range(100):
        series = Series.parse(f"NASDAQ:S{number}|1d")
        assert responses.put(series, "a", responses.begin(series), b"0" * 100_000) is Put.KEPT
        assert b"0" * 100_000 == found(responses, series, "a")
    assert 0 < evicting.info("stats")["evicted_keys"] < 100
    assert 100 == cache.dbsize()


def test_a_write_needs_no_server_of_the_answers(cache: redis.Redis, evicting: redis.Redis) -> None:
    """A drop works without it, and the answers that it still has are never found."""
    responses = ResponseCache(cache, evicting)
    responses.put(AAPL, "a", responses.begin(AAPL), b"old")
    with redis.Redis(port=embedded.reserve_port()) as away:
        ResponseCache(cache, away).drop(AAPL)
    responses.begin(AAPL)
    assert found(responses, AAPL, "a") is None
