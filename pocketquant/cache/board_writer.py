"""`BoardWriter`: writes a streamer's changes to the quote board, one flush at a time.

A flush consists of pipelines of scripts. Each script atomically checks that the lease still holds
the writer's token, and writes. So a streamer that has lost its shard writes no more, not even the
rest of a flush. A symbol's quote and bars are written by one script, so that a resumed state is of
one moment.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import NamedTuple

import redis

from pocketquant.cache import board_records as records
from pocketquant.cache.board_records import StreamerStatus
from pocketquant.domain.batches import batched
from pocketquant.domain.errors import LeaseLost
from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.open_bars import LONGER, BarsState
from pocketquant.domain.quotes import Quote

_PIECE = 200  # symbols a script: Redis serves no other client while it runs
_CALLS_A_TRIP = 6  # scripts a pipeline: a whole pipeline is held in memory
_QUOTE_AND_BAR_SECONDS = (records.QUOTE_SECONDS, records.BAR_SECONDS)
_LONGER = [interval.value for interval in LONGER]
_ALL = [Interval.M1.value, *_LONGER]

_Args = list[str | bytes | int | float]

# KEYS: lease, status, seen, shards; ARGV: token, shard, seconds, status, seconds, seen until
_STATUS = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
local shard, status_seconds, status = ARGV[2], ARGV[3], ARGV[4]
if status ~= '' then
  redis.call('SET', KEYS[2], status, 'EX', status_seconds)
  redis.call('SADD', KEYS[4], shard)
  redis.call('EXPIRE', KEYS[4], status_seconds)
end
local seen_seconds, seen_until = ARGV[5], ARGV[6]
redis.call('SET', KEYS[3], seen_until, 'EX', seen_seconds)
return {}
"""

# KEYS: lease, waiting; ARGV: token, seconds, number of batches, each with its bars, batches stored
_WAITING = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
local seconds, batches, first_batch = ARGV[2], tonumber(ARGV[3]), 4
local first_stored = first_batch + 2 * batches
for index = first_batch, first_stored - 1, 2 do
  redis.call('HSET', KEYS[2], ARGV[index], ARGV[index + 1])
end
for index = first_stored, #ARGV do redis.call('HDEL', KEYS[2], ARGV[index]) end
redis.call('EXPIRE', KEYS[2], seconds)
return {}
"""


class Entry(NamedTuple):
    """A symbol whose quote or bars have changed; both are of the same moment.

    `is_news`: the quote has changed, and is published. `has_closed`: a bar has closed, so the
    longer bars have changed too.
    """

    quote: Quote
    bars: BarsState
    is_news: bool = True
    has_closed: bool = False


@dataclass(frozen=True, slots=True)
class Flush:
    """The changes to write at `as_of`. All records contain all ticks until `seen_until`.

    `kept` are symbols without a change whose records must not expire, passed every 20 s;
    `forgotten` are symbols that are no longer watched. `closed` are closed bars by batch, kept in
    Redis until their batch is named in `stored`. A status is passed about once a second.
    """

    as_of: float
    seen_until: float
    entries: Iterable[Entry] = ()
    kept: Sequence[str] = ()
    forgotten: Sequence[str] = ()
    closed: Mapping[str, Sequence[LiveBar]] = field(default_factory=dict)
    stored: Sequence[str] = ()
    status: StreamerStatus | None = None


class _ScriptCall(NamedTuple):
    """A call of a script; the lease's token is added before the other arguments."""

    script: "redis.commands.core.Script"
    keys: list[str]
    args: _Args


class BoardWriter:
    """Writes for one shard while the lease at `lease_key` holds `token`.

    A record contains the gaps of its symbol, so all symbols must be written after the stream was
    lost or is back.
    """

    def __init__(self, cache: redis.Redis, shard: str, lease_key: str, token: int) -> None:
        self._redis = cache
        self._shard = shard
        self._lease_key = lease_key
        self._token = token
        self._write = _script(cache, "board_write.lua")
        self._renew = _script(cache, "board_keep.lua")
        self._forget = _script(cache, "board_forget.lua")
        self._write_status = cache.register_script(_STATUS)
        self._write_waiting = cache.register_script(_WAITING)

    def write(self, flush: Flush) -> list[str]:
        """Write all changes; return the kept symbols whose records have expired.

        LeaseLost if the lease has another token; the rest is not written then. Closed bars are
        written first, so that no record ever lacks bars that it counts as closed.
        """
        expired: list[str] = []
        for trip in batched(self._calls(flush), _CALLS_A_TRIP):
            expired += self._send(trip)
        return expired

    def _send(self, calls: "list[_ScriptCall]") -> list[str]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for script, keys, args in calls:
                script(keys, [self._token, *args], pipeline)
            answers: list[list[bytes] | None] = pipeline.execute()
        if None in answers:
            raise LeaseLost(f"another streamer has taken shard {self._shard} over")
        return [symbol.decode() for answer in answers for symbol in answer or ()]

    def _calls(self, flush: Flush) -> "Iterator[_ScriptCall]":
        keys = [self._lease_key, records.SYMBOLS]
        if flush.closed or flush.stored:
            yield self._waiting_call(flush)
        for entries in batched(flush.entries, _PIECE):
            args = _packed(entries, flush.as_of)
            yield _ScriptCall(self._write, keys, [*_QUOTE_AND_BAR_SECONDS, *args])
        for symbols in batched(flush.kept, _PIECE):
            yield _ScriptCall(self._renew, keys, [*_QUOTE_AND_BAR_SECONDS, *_ALL, *symbols])
        for symbols in batched(flush.forgotten, _PIECE):
            yield _ScriptCall(self._forget, keys, [*_ALL, *symbols])
        yield self._status_call(flush)

    def _waiting_call(self, flush: Flush) -> "_ScriptCall":
        args: _Args = [records.WAITING_SECONDS, len(flush.closed)]
        for batch, bars in flush.closed.items():
            args += (batch, records.encode(bars))
        keys = [self._lease_key, records.waiting_key(self._shard)]
        return _ScriptCall(self._write_waiting, keys, [*args, *flush.stored])

    def _status_call(self, flush: Flush) -> "_ScriptCall":
        shard, status = self._shard, flush.status
        keys = [records.status_key(shard), records.seen_key(shard), records.SHARDS]
        args: _Args = [
            shard,
            records.STATUS_SECONDS,
            records.encode(status) if status else b"",
            records.BAR_SECONDS,
            flush.seen_until,
        ]
        return _ScriptCall(self._write_status, [self._lease_key, *keys], args)


def _script(cache: redis.Redis, name: str) -> "redis.commands.core.Script":
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    return cache.register_script(text)


def _packed(entries: Sequence[Entry], as_of: float) -> _Args:
    """The three lists of board_write.lua, each after its length: quotes, minutes, longer bars."""
    news = [entry.quote for entry in entries if entry.is_news]
    closed = [entry.bars for entry in entries if entry.has_closed]
    packed: _Args = [len(news)]
    for quote in news:
        packed += (quote.symbol, records.encode_quote(quote))
    packed.append(len(entries))
    for quote, bars, *_ in entries:
        packed += (bars.symbol, records.encode_minutes(bars, quote, as_of))
    packed.append(len(closed))
    for bars in closed:
        packed.append(f"{records.BAR_PREFIX}{bars.symbol}:")
        for interval, record in zip(_LONGER, records.encode_longer(bars), strict=True):
            packed += (interval, record)
    return packed
