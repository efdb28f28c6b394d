"""`ShardWriter`: writes the quotes and bars of one shard while its lease is held.

A flush to Redis notes closed bars together with the state in which they are closed. The thread of
`BarQueue` then stores them in MongoDB. So they survive the end of this process unless both servers
are away. Without Redis they are stored all the same: a lease cannot change hands then, except
through MongoDB's fence, which refuses the write.
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

RENEWALS_A_LEASE = 3  # within the life of a lease
RENEW_QUOTES_SECONDS = 20.0
REDIS_RETRY_SECONDS = 1.0

_BARS_A_BATCH = 5_000
_LAST_STORE_SECONDS = 1.0

_log = structlog.get_logger(__name__)


class ShardWriter:
    """Writes for one shard. LeaseLost passes through; without Redis it retries each second."""

    def __init__(
        self,
        shard: Shard,
        cache: redis.Redis,
        leases: Leases,
        bar_writer: FencedBarWriter,
        lease_seconds: float,
        most_waiting_bars: int,
        loops: Loops,
    ) -> None:
        self._shard = shard
        self._cache = cache
        self._leases = leases
        self._bar_writer = bar_writer
        self._renewal_seconds = lease_seconds / RENEWALS_A_LEASE
        self._queue = BarQueue(
            bar_writer.store,
            bar_writer.submit,
            most_waiting_bars,
            loops,
            bar_writer.note_reports,
        )
        self._board_writer = self._board_writer_for(bar_writer.lease)
        self._numbers = count()
        self._prefix = bar_writer.lease.token
        self._fresh: dict[str, list[LiveBar]] = {}  # not in the queue yet
        self._unsaved: dict[str, list[LiveBar]] = {}  # not in Redis
        self._stored: list[str] = []  # and still in Redis
        self._lease_renewed = self._quotes_renewed = time.monotonic()
        self._retry_at = 0.0
        self.bars_waiting = self.bars_stored = self.bars_dropped = 0

    def begin(self, board: QuoteBoard) -> None:
        """Queue bars that earlier streamers left in Redis; the driver's errors pass through."""
        for name, bars in board.waiting(self._shard.name).items():
            self._queue_batch(Batch(name, bars))
        self._queue.begin()

    def put(self, bars: list[LiveBar]) -> None:
        """Write these closed bars with the next flush."""
        for batch in batched(bars, _BARS_A_BATCH):
            name = f"{self._prefix}.{next(self._numbers)}"
            self._fresh[name] = self._unsaved[name] = batch

    def repair(self, recorder: QuoteRecorder, now: float) -> None:
        """Submit the repairs that are due by `now`."""
        if due := recorder.repairs_due(now):
            self._queue.repair(due)

    def note_reports(self, recorder: QuoteRecorder) -> None:
        """Store what quotes have reported since the last call."""
        if new := recorder.new_reports():
            self._queue.note_reports(new)

    def flush(self, recorder: QuoteRecorder, flush: Flush, is_live: bool) -> bool:
        """Write all changes with the flush; False if Redis could not be reached.

        Unchanged quotes are kept from expiring only while the connection `is_live`.
        """
        self._note_finished()
        has_written = time.monotonic() >= self._retry_at and self._try(recorder, flush, is_live)
        for name, bars in self._fresh.items():
            self._queue_batch(Batch(name, bars))
        self._fresh.clear()
        return has_written

    def end(self, recorder: QuoteRecorder, flush: Flush) -> None:
        """Write everything a last time, and release the shard."""
        has_written = self.flush(recorder, flush, is_live=False)
        self._queue.end(_LAST_STORE_SECONDS)
        if has_written and self.flush(recorder, replace(flush, status=None), is_live=False):
            self._leases.release(self._bar_writer.lease)

    def close(self) -> None:
        """Stop the thread, without waiting for it."""
        self._queue.end(0)

    def _board_writer_for(self, lease: Lease) -> BoardWriter:
        return BoardWriter(self._cache, self._shard.name, lease.key, lease.token)

    def _queue_batch(self, batch: Batch) -> None:
        self.bars_waiting += len(batch.bars)
        self._queue.put(batch)

    def _note_finished(self) -> None:
        if self._queue.is_fenced:
            raise LeaseLost(f"another streamer has taken shard {self._shard.name} over")
        for done in self._queue.finished():
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
            self._renew_lease()
            self._write(recorder, flush, is_live)
        except redis.RedisError as error:
            if not self._retry_at:
                _log.warning("redis_away", cause=str(error))
            self._retry_at = time.monotonic() + REDIS_RETRY_SECONDS
            return False
        if self._retry_at:
            _log.info("redis_back")
            self._retry_at = 0.0
        return True

    def _renew_lease(self) -> None:
        """Renew the lease in time. If it has expired, acquire it again, or raise LeaseLost."""
        if time.monotonic() - self._lease_renewed < self._renewal_seconds and not self._retry_at:
            return
        if not self._leases.renew(self._bar_writer.lease):
            self._acquire_again()
        self._lease_renewed = time.monotonic()

    def _acquire_again(self) -> None:
        lease = self._leases.acquire(self._bar_writer.lease.name)
        if lease is None:
            raise LeaseLost(f"another streamer has taken shard {self._shard.name} over")
        _log.warning("shard_held_again", shard=self._shard.name, token=lease.token)
        self._bar_writer.lease = lease
        self._board_writer = self._board_writer_for(lease)

    def _write(self, recorder: QuoteRecorder, flush: Flush, is_live: bool) -> None:
        is_renewal = is_live and time.monotonic() - self._quotes_renewed > RENEW_QUOTES_SECONDS
        if is_renewal:
            self._quotes_renewed = time.monotonic()
        flush = replace(flush, closed=self._unsaved, stored=self._stored)
        with metrics.BOARD_FLUSH_SECONDS.time():
            recorder.write(self._board_writer, flush, is_renewal)
        self._unsaved, self._stored = {}, []
