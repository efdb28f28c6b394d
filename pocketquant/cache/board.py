"""`QuoteBoard`: reads the latest quotes and forming bars that streamers write to Redis.

Without a streamer, a symbol's quote expires after one minute and its bars after five.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import redis

from pocketquant.cache import board_records as records
from pocketquant.cache.board_records import Minutes, StreamerStatus
from pocketquant.domain.batches import batched
from pocketquant.domain.calendar import Calendar
from pocketquant.domain.day_bars import closing_time
from pocketquant.domain.intervals import MINUTE, Interval
from pocketquant.domain.live_bars import LiveBar, put_together
from pocketquant.domain.open_bars import LONGER, BarsState
from pocketquant.domain.quotes import Quote

_LONGEST_OVERDUE_SECONDS = MINUTE
_SYMBOLS_A_TRIP = 500


@dataclass(frozen=True, slots=True)
class CurrentBar:
    """A forming bar, the epoch second of its last change, and when its last quotes arrive."""

    bar: LiveBar
    as_of: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class Resumable:
    """A symbol's state for a streamer to continue from; contains all ticks until `seen_until`."""

    bars: BarsState
    quote: Quote
    seen_until: float


class QuoteBoard:
    """The driver's errors pass through."""

    def __init__(self, cache: redis.Redis) -> None:
        self._redis = cache

    def latest(self, symbol: str) -> bytes | None:
        """The symbol's live quote as JSON, or None."""
        return cast(bytes | None, self._redis.get(records.quote_key(symbol)))

    def latest_of(self, symbols: Sequence[str]) -> dict[str, bytes]:
        """The live quotes as JSON, by symbol; symbols without one are left out."""
        keys = [records.quote_key(symbol) for symbol in symbols]
        found = cast(list[bytes | None], self._redis.mget(keys)) if keys else []
        return {
            symbol: quote for symbol, quote in zip(symbols, found, strict=True) if quote is not None
        }

    def all_latest(self) -> list[bytes]:
        """All live quotes as JSON, ordered by symbol."""
        symbols = cast(set[bytes], self._redis.smembers(records.SYMBOLS))
        return list(self.latest_of(sorted(symbol.decode() for symbol in symbols)).values())

    def current_bar(
        self, symbol: str, interval: Interval, now: float, calendar: Calendar | None
    ) -> CurrentBar | None:
        """The forming bar of the newest period with a tick; None if it is closed.

        Without the symbol's calendar only minutes are known. Weeks and months are on no board.

        A bar that should have closed more than a minute ago counts as none: its streamer is dead.
        """
        keys = [records.bar_key(symbol, Interval.M1), records.bar_key(symbol, interval)]
        found, made = cast(list[bytes | None], self._redis.mget(keys))
        if found is None:
            return None
        common = records.decode_minutes(found)
        bar, end = _forming(common, interval, made, calendar)
        if bar is None or end + common.delay_seconds + _LONGEST_OVERDUE_SECONDS < now:
            return None
        return CurrentBar(bar, int(common.as_of), end + common.delay_seconds)

    def resumable(self, shard: str, symbols: Sequence[str]) -> list[Resumable]:
        """The stored states of those symbols, which must belong to the shard."""
        seen = cast(bytes | None, self._redis.get(records.seen_key(shard)))
        seen_until = float(seen) if seen else 0.0
        resumable: list[Resumable] = []
        for piece in batched(symbols, _SYMBOLS_A_TRIP):
            resumable += self._resumable_batch(piece, seen_until)
        return resumable

    def waiting(self, shard: str) -> dict[str, list[LiveBar]]:
        """The shard's closed bars that are not known to be in MongoDB, by batch."""
        found = cast(dict[bytes, bytes], self._redis.hgetall(records.waiting_key(shard)))
        return {batch.decode(): records.decode_bars(bars) for batch, bars in found.items()}

    def statuses(self) -> list[StreamerStatus]:
        """The status of each shard with a streamer, ordered by shard."""
        shards = cast(set[bytes], self._redis.smembers(records.SHARDS))
        keys = sorted(records.status_key(shard.decode()) for shard in shards)
        found = cast(list[bytes | None], self._redis.mget(keys)) if keys else []
        return [records.decode_status(status) for status in found if status is not None]

    def _resumable_batch(self, symbols: Sequence[str], seen_until: float) -> Iterator[Resumable]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for symbol in symbols:
                pipeline.mget([records.bar_key(symbol, each) for each in (Interval.M1, *LONGER)])
            found: list[list[bytes | None]] = pipeline.execute()
        for symbol, (minutes, *longer) in zip(symbols, found, strict=True):
            if minutes is not None:
                yield _resumable(symbol, records.decode_minutes(minutes), longer, seen_until)

    def forget(self, symbols: Sequence[str]) -> None:
        """Delete the quotes of these symbols; a streamer may write them again."""
        if symbols:
            self._redis.unlink(*map(records.quote_key, symbols))


def _forming(
    common: Minutes, interval: Interval, made: bytes | None, calendar: Calendar | None
) -> tuple[LiveBar | None, int]:
    """The forming bar, if any, and when it closes by its own clock."""
    if not interval.is_intraday:
        day = common.day if interval is Interval.D1 else None
        return day, closing_time((day.start, day.end), calendar) if day else 0
    parts = list(common.minutes)
    if made is not None and interval is not Interval.M1:
        parts.insert(0, records.decode_bar(made))
    bar = put_together(interval, parts, common.unseen.seen_since, calendar)
    return bar, bar.end if bar else 0


def _resumable(
    symbol: str, common: Minutes, longer: Sequence[bytes | None], seen_until: float
) -> Resumable:
    bars = BarsState(
        symbol=symbol,
        delay_seconds=common.delay_seconds,
        unseen=common.unseen,
        closed_until=common.closed_until,
        minutes=common.minutes,
        longer=tuple(records.decode_bar(bar) for bar in longer if bar is not None),
        day=common.day,
    )
    return Resumable(bars, common.quote, max(common.as_of, seen_until))
