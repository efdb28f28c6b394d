"""`BoardWriter`: what a streamer puts on the quote board, a flush at a time.

A flush is some pipelines of scripts. Each script checks, in one step with what it writes, that the
lease still holds the writer's token: a streamer that has lost its shard writes nothing, not even
the rest of a flush that it has begun. A symbol's quote and bars are written in one step, so that
what is resumed from is of one moment.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import NamedTuple, TypeVar

import redis

from pocketquant.cache import board_records as records
from pocketquant.cache.board_records import StreamerStatus
from pocketquant.domain.batches import batched
from pocketquant.domain.errors import LeaseLost
from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.open_bars import LONGER, BarsState
from pocketquant.domain.quotes import Quote

_PIECE = 200  # symbols a script: Redis serves nobody else while it runs
_CALLS_A_TRIP = 6  # scripts a pipeline: all that is sent in it is in memory at once
_QUOTE_AND_BAR_SECONDS = (records.QUOTE_SECONDS, records.BAR_SECONDS)
_LONGER = [interval.value for interval in LONGER]
_ALL = [interval.value for interval in Interval]

T = TypeVar("T")
_Args = list[str | bytes | int | float]

# KEYS: lease, status, seen, shards; ARGV: token, shard, seconds, status, seconds, seen until
_TELL = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
if ARGV[4] ~= '' then
  redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[3])
  redis.call('SADD', KEYS[4], ARGV[2])
  redis.call('EXPIRE', KEYS[4], ARGV[3])
end
redis.call('SET', KEYS[3], ARGV[6], 'EX', ARGV[5])
return {}
"""

# KEYS: lease, waiting; ARGV: token, seconds, number of batches, each with its bars, batches stored
_WAIT = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
local last = 3 + 2 * tonumber(ARGV[3])
for place = 4, last, 2 do redis.call('HSET', KEYS[2], ARGV[place], ARGV[place + 1]) end
for place = last + 1, #ARGV do redis.call('HDEL', KEYS[2], ARGV[place]) end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return {}
"""


class Entry(NamedTuple):
    """A symbol whose quote or bars have changed; both as of the same moment.

    `is_news`: the quote has changed, and is to be published. `has_closed`: a minute has closed, so
    that the longer bars are others too.
    """

    quote: Quote
    bars: BarsState
    is_news: bool = True
    has_closed: bool = False


@dataclass(frozen=True, slots=True)
class Flush:
    """All that is to be written at `as_of`; `seen_until` then no tick is missing in any record.

    `kept` are symbols without a change, whose records shall live on, to be named every 20 s;
    `forgotten` those that are no longer watched. `closed` are closed bars by batch, kept until
    their batch is named in `stored`. A status goes along about once a second.
    """

    as_of: float
    seen_until: float
    entries: Iterable[Entry] = ()
    kept: Sequence[str] = ()
    forgotten: Sequence[str] = ()
    closed: Mapping[str, Sequence[LiveBar]] = field(default_factory=dict)
    stored: Sequence[str] = ()
    status: StreamerStatus | None = None


class _Call(NamedTuple):
    """One script; the lease's token goes before the other arguments."""

    script: "redis.commands.core.Script"
    keys: list[str]
    args: _Args


class BoardWriter:
    """Writes for one shard, while the lease at `lease_key` holds `token`.

    After the stream was lost or found again every symbol is to be written, since a record tells
    when its symbol was not seen.
    """

    def __init__(self, cache: redis.Redis, shard: str, lease_key: str, token: int) -> None:
        self._redis = cache
        self._shard = shard
        self._lease_key = lease_key
        self._token = token
        self._write = _script(cache, "board_write.lua")
        self._keep = _script(cache, "board_keep.lua")
        self._forget = _script(cache, "board_forget.lua")
        self._tell = cache.register_script(_TELL)
        self._wait = cache.register_script(_WAIT)

    def write(self, flush: Flush) -> list[str]:
        """Do all of it; those of the kept symbols that were gone, and must be written.

        LeaseLost, and nothing more is written, once the lease is not the writer's any more. Closed
        bars go first: a record in which they are closed is never there without them.
        """
        gone: list[str] = []
        for trip in batched(self._calls(flush), _CALLS_A_TRIP):
            gone += self._go(trip)
        return gone

    def _go(self, calls: "list[_Call]") -> list[str]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for script, keys, args in calls:
                script(keys, [self._token, *args], pipeline)
            answers: list[list[bytes] | None] = pipeline.execute()
        if None in answers:
            raise LeaseLost(f"another streamer has taken shard {self._shard} over")
        return [symbol.decode() for answer in answers for symbol in answer or ()]

    def _calls(self, flush: Flush) -> "Iterator[_Call]":
        keys = [self._lease_key, records.SYMBOLS]
        if flush.closed or flush.stored:
            yield self._waiting(flush)
        for entries in batched(flush.entries, _PIECE):
            args = _packed(entries, flush.as_of)
            yield _Call(self._write, keys, [*_QUOTE_AND_BAR_SECONDS, *args])
        for symbols in batched(flush.kept, _PIECE):
            yield _Call(self._keep, keys, [*_QUOTE_AND_BAR_SECONDS, *_ALL, *symbols])
        for symbols in batched(flush.forgotten, _PIECE):
            yield _Call(self._forget, keys, [*_ALL, *symbols])
        yield self._told(flush)

    def _waiting(self, flush: Flush) -> "_Call":
        args: _Args = [records.WAITING_SECONDS, len(flush.closed)]
        for batch, bars in flush.closed.items():
            args += (batch, records.encode(bars))
        keys = [self._lease_key, records.waiting_key(self._shard)]
        return _Call(self._wait, keys, [*args, *flush.stored])

    def _told(self, flush: Flush) -> "_Call":
        shard, status = self._shard, flush.status
        keys = [records.status_key(shard), records.seen_key(shard), records.SHARDS]
        args: _Args = [
            shard,
            records.STATUS_SECONDS,
            records.encode(status) if status else b"",
            records.BAR_SECONDS,
            flush.seen_until,
        ]
        return _Call(self._tell, [self._lease_key, *keys], args)


def _script(cache: redis.Redis, name: str) -> "redis.commands.core.Script":
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    return cache.register_script(text)


def _packed(entries: Sequence[Entry], as_of: float) -> _Args:
    """Three lists for the script, each its length first: quotes, minutes, longer bars."""
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
