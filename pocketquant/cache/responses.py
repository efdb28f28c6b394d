"""`ResponseCache`: encoded answers of reads, each stored under the token of its series.

A reader takes the token *before* it reads the store, and stores its answer under that token. A
write drops the token, so an answer computed from older data is never found again:

    reader   begin ──── reads the store ──── put: outdated
    writer          upsert ── drop

A token never returns: an answer that a process has kept is valid as long as its token exists. A
token lives at most `_TTL_SECONDS`, however often it is used.

Tokens are in the Redis that all processes share. Answers are large: they are on another server that
evicts them when it is full, or in the shared Redis within a budget of bytes. The answers of one
token are one hash, which expires, so a write need not reach the server of the answers.
"""

import secrets
from enum import StrEnum
from typing import cast

import orjson
import redis

from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series

DROPS = "ohlcv:drops"  # a channel

_TTL_SECONDS = 300
_MOST_ANSWERS = 64  # of one token; beyond it answers are not kept
_NO_BUDGET = 0

# KEYS: token; ARGV: new token, seconds to live
_BEGIN = """
redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2])
return redis.call('GET', KEYS[1])
"""

# The bytes put within the last `seconds to live` are an upper bound of the stored bytes. They are
# counted by the minute, in keys that expire, so no counter has to be decreased.
# KEYS: hash; ARGV: field, answer, seconds to live, most fields, most bytes of all hashes or 0
_PUT = """
local fields = redis.call('HLEN', KEYS[1])
if fields >= tonumber(ARGV[4]) then return 'full' end
local most, size = tonumber(ARGV[5]), #ARGV[2]
if most > 0 then
  local minute, used = math.floor(redis.call('TIME')[1] / 60), size
  for ago = 0, ARGV[3] / 60 do
    used = used + (redis.call('GET', 'ohlcv:bytes:' .. (minute - ago)) or 0)
  end
  if used > most then return 'full' end
  redis.call('INCRBY', 'ohlcv:bytes:' .. minute, size)
  redis.call('EXPIRE', 'ohlcv:bytes:' .. minute, ARGV[3] + 60)
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if fields == 0 then redis.call('EXPIRE', KEYS[1], ARGV[3]) end
return 'kept'
"""


class Put(StrEnum):
    """The result of `put`: kept; outdated, as the series was written since; or no room."""

    KEPT = "kept"
    OUTDATED = "outdated"
    FULL = "full"


class ResponseCache:
    """Answers by series and query; the driver's errors pass through.

    `answers` is a server that evicts. Without it the answers share the server of the tokens, with
    at most `most_bytes` of them.
    """

    def __init__(
        self,
        tokens: redis.Redis,
        answers: redis.Redis | None = None,
        most_bytes: int = _NO_BUDGET,
    ) -> None:
        self._tokens = tokens
        self._answers = answers or tokens
        self._most_bytes = _NO_BUDGET if answers else most_bytes
        self._begin = self._tokens.register_script(_BEGIN)
        self._put = self._answers.register_script(_PUT)

    def get(self, series: Series, query: str, token: bytes) -> bytes | None:
        """The answer to this query under this token, or None."""
        return cast(bytes | None, self._answers.hget(answers_key(series, token), query))

    def token(self, series: Series) -> bytes | None:
        """The current token of the series, or None."""
        return cast(bytes | None, self._tokens.get(key_of(series)))

    def begin(self, series: Series) -> bytes:
        """The token that is valid until the next write; call this before reading the store."""
        fresh = secrets.token_hex(12)
        return cast(bytes, self._begin([key_of(series)], [fresh, _TTL_SECONDS]))

    def put(self, series: Series, query: str, token: bytes, body: bytes) -> Put:
        """Store the answer if the token of `begin` is still valid and there is room.

        If the token ends at this moment, the answer is stored, but never read.
        """
        if self.token(series) != token:
            return Put.OUTDATED
        limits = (_TTL_SECONDS, _MOST_ANSWERS, self._most_bytes)
        done = cast(bytes, self._put([answers_key(series, token)], [query, body, *limits]))
        return Put(done.decode())

    def drop(self, *all_series: Series) -> None:
        """Delete the tokens of these series, and publish that to the channel `DROPS`.

        Weeks and months are made of days, so their tokens go with those of days. One transaction
        does all: Redis has sent the message before this returns.
        """
        if not all_series:
            return
        keys = [key_of(each) for series in all_series for each in _made_of(series)]
        with self._tokens.pipeline(transaction=True) as both:
            both.unlink(*keys)
            both.publish(DROPS, orjson.dumps(keys))
            both.execute()


def _made_of(series: Series) -> list[Series]:
    """The series, and those that are made of its bars when they are read."""
    longer = (Interval.W1, Interval.MONTH) if series.interval is Interval.D1 else ()
    return [series, *(Series(series.symbol, interval) for interval in longer)]


def key_of(series: Series) -> str:
    """The key of the series' token."""
    symbol = series.symbol
    return f"ohlcv:{symbol.name}:{symbol.exchange}:{series.interval.value}"


def answers_key(series: Series, token: bytes) -> str:
    """The key of the hash with the answers under a token."""
    return f"{key_of(series)}:{token.decode()}"


def dropped_keys(message: bytes) -> list[str]:
    """The keys of the tokens in a message of the channel `DROPS`."""
    keys: list[str] = orjson.loads(message)
    return keys
