"""`ShardWriter`: where a shard's quotes and bars go, for as long as its lease is held.

Closed bars are noted in Redis together with the state in which they are closed, and then stored in
MongoDB by the keeper's thread. So they outlive this process wherever it ends, unless neither server
is there. Without Redis they are stored all the same, for whoever has the lease cannot lose it then
without MongoDB's fence telling so.
"""

import time
from dataclasses import replace
from itertools import count

import redis
import structlog

from pocketquant import metrics
from pocketquant.cache.board import QuoteBoard
from pocketquant.cache.board_writer import BoardWriter, Flush
from pocketquant.coordination.leases import Lease, Leases
from pocketquant.domain.batches import batched
from pocketquant.domain.errors import LeaseLost
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.shards import Shard
from pocketquant.live.bar_queue import BarQueue, Batch
from pocketquant.live.fenced_writes import FencedBarWriter
from pocketquant.live.recorder import QuoteRecorder
from pocketquant.presence.repeating import Loops

RENEWALS_A_LEASE = 3
KEEP_SECONDS = 20.0
AWAY_SECONDS = 1.0

_BARS_A_BATCH = 5_000
_LAST_WORDS_SECONDS = 1.0

_log = structlog.get_logger(__name__)


class ShardWriter:
    """Writes for one shard. LeaseLost passes through; a Redis that is away is waited for."""

    def __init__(
        self,
        shard: Shard,
        cache: redis.Redis,
        leases: Leases,
        storage: FencedBarWriter,
        lease_seconds: float,
        most_waiting_bars: int,
        loops: Loops,
    ) -> None:
        self._shard = shard
        self._cache = cache
        self._leases = leases
        self._storage = storage
        self._renewal_seconds = lease_seconds / RENEWALS_A_LEASE
        self._keeper = BarQueue(storage.store, storage.submit, most_waiting_bars, loops)
        self._writer = self._writer_for(storage.lease)
        self._numbers = count()
        self._prefix = storage.lease.token
        self._fresh: dict[str, list[LiveBar]] = {}  # not with the keeper yet
        self._unsaved: dict[str, list[LiveBar]] = {}  # not in Redis
        self._stored: list[str] = []  # by now, and still in Redis
        self._renewed = self._renewed_symbols = time.monotonic()
        self._is_away_until = 0.0
        self.bars_waiting = self.bars_stored = self.bars_dropped = 0

    def begin(self, board: QuoteBoard) -> None:
        """Begin with what others have left behind; the driver's errors pass through."""
        for name, bars in board.waiting(self._shard.name).items():
            self._give(Batch(name, bars))
        self._keeper.begin()

    def put(self, bars: list[LiveBar]) -> None:
        """Bars that have closed, for the next flush."""
        for batch in batched(bars, _BARS_A_BATCH):
            name = f"{self._prefix}.{next(self._numbers)}"
            self._fresh[name] = self._unsaved[name] = batch

    def repair(self, recorder: QuoteRecorder, now: float) -> None:
        """Have what is due by now synced."""
        if due := recorder.repairs_due(now):
            self._keeper.repair(due)

    def flush(self, recorder: QuoteRecorder, flush: Flush, is_live: bool) -> bool:
        """Write what has changed, and what else `flush` says; whether Redis took it.

        Quotes are kept alive only while the connection they come by `is_live`.
        """
        self._take_note_of_what_is_done()
        has_written = time.monotonic() >= self._is_away_until and self._try(
            recorder, flush, is_live
        )
        for name, bars in self._fresh.items():
            self._give(Batch(name, bars))
        self._fresh.clear()
        return has_written

    def end(self, recorder: QuoteRecorder, flush: Flush) -> None:
        """Write all of it a last time, and let somebody else have the shard."""
        has_written = self.flush(recorder, flush, is_live=False)
        self._keeper.end(_LAST_WORDS_SECONDS)
        if has_written and self.flush(recorder, replace(flush, status=None), is_live=False):
            self._leases.release(self._storage.lease)

    def close(self) -> None:
        """Store nothing more."""
        self._keeper.end(0)

    def _writer_for(self, lease: Lease) -> BoardWriter:
        return BoardWriter(self._cache, self._shard.name, lease.key, lease.token)

    def _give(self, batch: Batch) -> None:
        self.bars_waiting += len(batch.bars)
        self._keeper.keep(batch)

    def _take_note_of_what_is_done(self) -> None:
        if self._keeper.is_fenced:
            raise LeaseLost(f"another streamer has taken shard {self._shard.name} over")
        for done in self._keeper.done():
            self.bars_waiting -= done.stored + done.dropped
            self.bars_stored += done.stored
            self.bars_dropped += done.dropped
            metrics.LIVE_BARS.labels(result="stored").inc(done.stored)
            metrics.LIVE_BARS.labels(result="dropped").inc(done.dropped)
            for name in done.batches:
                if self._unsaved.pop(name, None) is None:
                    self._stored.append(name)

    def _try(self, recorder: QuoteRecorder, flush: Flush, is_live: bool) -> bool:
        try:
            self._hold()
            self._write(recorder, flush, is_live)
        except redis.RedisError as error:
            if not self._is_away_until:
                _log.warning("redis_away", cause=str(error))
            self._is_away_until = time.monotonic() + AWAY_SECONDS
            return False
        if self._is_away_until:
            _log.info("redis_back")
            self._is_away_until = 0.0
        return True

    def _hold(self) -> None:
        """Renew the lease in time. One that ran out may be had again if nobody else has it."""
        if time.monotonic() - self._renewed < self._renewal_seconds and not self._is_away_until:
            return
        if not self._leases.renew(self._storage.lease):
            self._take_again()
        self._renewed = time.monotonic()

    def _take_again(self) -> None:
        lease = self._leases.acquire(self._storage.lease.name)
        if lease is None:
            raise LeaseLost(f"another streamer has taken shard {self._shard.name} over")
        _log.warning("shard_held_again", shard=self._shard.name, token=lease.token)
        self._storage.lease = lease
        self._writer = self._writer_for(lease)

    def _write(self, recorder: QuoteRecorder, flush: Flush, is_live: bool) -> None:
        is_renewal = is_live and time.monotonic() - self._renewed_symbols > KEEP_SECONDS
        if is_renewal:
            self._renewed_symbols = time.monotonic()
        flush = replace(flush, closed=self._unsaved, stored=self._stored)
        with metrics.BOARD_FLUSH_SECONDS.time():
            recorder.write(self._writer, flush, is_renewal)
        self._unsaved, self._stored = {}, []
