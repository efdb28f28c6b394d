"""`ResponseCache`: encoded answers of reads, one Redis hash a series.

Who has to compute an answer asks for a token *before* reading the store, and puts the answer back
under it. A write drops the hash, token included, so an answer computed from older data finds its
token gone and is not kept:

    reader   begin ──── reads the store ──── put: refused
    writer          upsert ── drop

A token never comes back, so whoever has kept an answer with its token knows that the answer holds
for as long as the token does. A hash lives at most `_TTL_SECONDS` from its token on, however often
it is used.
"""

import secrets
from enum import StrEnum
from typing import cast

import orjson
import redis

from pocketquant.domain.symbols import Series

DROPS = "ohlcv:drops"  # a channel

_TTL_SECONDS = 300
_MOST_ANSWERS = 64  # of one series; beyond it answers are not kept

_TOKEN = "token"  # noqa: S105  # the name of a hash field
_ANSWER = "answer:"

# KEYS: hash; ARGV: token field, new token, seconds to live
_BEGIN = """
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 1 then
  redis.call('EXPIRE', KEYS[1], ARGV[3])
end
return redis.call('HGET', KEYS[1], ARGV[1])
"""

# KEYS: hash; ARGV: token field, token, answer field, answer, most fields
_PUT = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 'outdated' end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then return 'full' end
redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
return 'kept'
"""


class Put(StrEnum):
    """What became of an answer: kept, or the series was written since, or has too many."""

    KEPT = "kept"
    OUTDATED = "outdated"
    FULL = "full"


class ResponseCache:
    """Answers by series and query; the driver's errors pass through."""

    def __init__(self, cache: redis.Redis) -> None:
        self._redis = cache
        self._begin = cache.register_script(_BEGIN)
        self._put = cache.register_script(_PUT)

    def get(self, series: Series, query: str) -> bytes | None:
        """The answer that was kept for this query, if it still holds."""
        return cast(bytes | None, self._redis.hget(key_of(series), _ANSWER + query))

    def token(self, series: Series) -> bytes | None:
        """The token that holds now; None where the series has none."""
        return cast(bytes | None, self._redis.hget(key_of(series), _TOKEN))

    def begin(self, series: Series) -> bytes:
        """A token that holds until the series is written; take it before reading the store."""
        fresh = secrets.token_bytes(12)
        return cast(bytes, self._begin([key_of(series)], [_TOKEN, fresh, _TTL_SECONDS]))

    def put(self, series: Series, query: str, token: bytes, body: bytes) -> Put:
        """Keep the answer, if the token of `begin` still holds and there is room."""
        answer = (_ANSWER + query, body)
        most = _MOST_ANSWERS + 1  # the token is a field too
        done = cast(bytes, self._put([key_of(series)], [_TOKEN, token, *answer, most]))
        return Put(done.decode())

    def drop(self, *all_series: Series) -> None:
        """Forget all answers of these series, refuse those still being computed, and tell readers.

        In one transaction, whose message Redis sends before it answers.
        """
        if not all_series:
            return
        keys = [key_of(series) for series in all_series]
        with self._redis.pipeline(transaction=True) as both:
            both.unlink(*keys)
            both.publish(DROPS, orjson.dumps(keys))
            both.execute()


def key_of(series: Series) -> str:
    """The name of the series' hash."""
    symbol = series.symbol
    return f"ohlcv:{symbol.ticker}:{symbol.exchange}:{series.interval.value}"


def dropped_keys(message: bytes) -> list[str]:
    """The hashes that a message on the channel `DROPS` tells of."""
    keys: list[str] = orjson.loads(message)
    return keys
