"""`ShardStream`: streams one shard of the watched symbols under a lease.

    listen          read the connection until it is time to write; or dial if there is none
    advance         move the clock: bars close
    flush           write changes to the board, put closed bars into their queue

One loop does all of it, without locks. Only threads wait for long: dialing, MongoDB, and reading
the subscriptions.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from random import choices
from string import ascii_letters
from threading import Event

import redis
import structlog

from pocketquant import metrics
from pocketquant.cache.board_records import StreamerStatus
from pocketquant.cache.board_writer import Flush
from pocketquant.domain.errors import BadToken, ConnectionLost, PocketQuantError
from pocketquant.domain.shards import Shard
from pocketquant.live.recorder import QuoteRecorder
from pocketquant.presence.alive_file import AliveFile
from pocketquant.storage.calendars import KeptCalendar
from pocketquant.storage.subscriptions import SubscriptionSet
from workers.streamer.dialer import Dialed, Dialer, pause_seconds
from workers.streamer.quote_link import QuoteLink
from workers.streamer.shard_writer import ShardWriter
from workers.streamer.subscription_watch import SubscriptionWatch

_STATUS_SECONDS = 1.0
_CATCH_UP = 4  # after a long flush, texts are read for a quarter of the time between flushes
_NAME_LETTERS = 12
_TICK_COUNTERS = {  # by the recorder's attribute
    "ticks": metrics.LIVE_TICKS,
    "late_ticks": metrics.LIVE_LATE_TICKS,
    "missed_ticks": metrics.LIVE_MISSED_TICKS,
    "out_of_session_ticks": metrics.LIVE_OUT_OF_SESSION_TICKS,
    "unreadable_quotes": metrics.LIVE_UNREADABLE_QUOTES,
}
_GAUGES = (metrics.STREAM_SYMBOLS, metrics.STREAM_LAG_SECONDS, metrics.LIVE_BARS_WAITING)

_log = structlog.get_logger(__name__)


class ShardStream:
    """Streams from `run` until its event is set.

    `clock` gives epoch seconds by the provider's clock. `step` returns by how many seconds the
    machine's clock was set since the last call; more than `most_step_seconds` is a gap.
    """

    def __init__(
        self,
        shard: Shard,
        recorder: QuoteRecorder,
        writer: ShardWriter,
        subscriptions: SubscriptionWatch,
        dialer: Dialer,
        alive: AliveFile,
        flush_seconds: float,
        silence_seconds: float,
        clock: Callable[[], float],
        step: Callable[[], float],
        most_step_seconds: float,
    ) -> None:
        self._shard = shard
        self._recorder = recorder
        self._writer = writer
        self._subscriptions = subscriptions
        self._dialer = dialer
        self._alive = alive
        self._flush_seconds = flush_seconds
        self._silence_seconds = silence_seconds
        self._clock = clock
        self._step = step
        self._most_step_seconds = most_step_seconds
        self._started_at = clock()
        self._link: QuoteLink | None = None
        self._seen_until = 0.0
        self._followed: SubscriptionSet | None = None
        self._calendars: Mapping[str, KeptCalendar] = {}
        self._connections = self._failures = 0
        self._counted = [0] * len(_TICK_COUNTERS)
        self._dial_time = self._flush_time = self._status_time = time.monotonic()
        self._token = ""
        self._last_error: PocketQuantError | None = None

    def run(self, ending: Event) -> None:
        """Stream until `ending` is set. LeaseLost if another streamer takes the shard over."""
        try:
            while not ending.is_set():
                self._follow_subscriptions()
                self._listen_or_dial(ending)
                self._flush()
            self._advance()
            self._writer.end(self._recorder, self._changes(self._status()))
        finally:
            for gauge in _GAUGES:
                gauge.set(0)
            self._writer.close()
            self._dialer.end()
            if self._link is not None:
                self._link.hang_up()

    def _follow_subscriptions(self) -> None:
        """Watch the subscribed symbols of this shard; without Redis, try again next turn."""
        subscribed, calendars = self._subscriptions.newest, self._subscriptions.calendars
        if calendars is not self._calendars:
            self._recorder.learn(calendars, self._clock())
            self._calendars = calendars
        if subscribed is None or subscribed is self._followed:
            return
        wanted = frozenset(map(str, subscribed.since)) if subscribed.is_on else frozenset()
        try:
            self._recorder.watch(frozenset(filter(self._shard.holds, wanted)))
        except redis.RedisError as error:
            _log.warning("subscriptions_not_followed", cause=str(error))
            return
        self._followed = subscribed
        metrics.STREAM_SYMBOLS.set(len(self._recorder.watched))
        _log.info("watching", shard=self._shard.name, symbols=len(self._recorder.watched))

    def _listen_or_dial(self, ending: Event) -> None:
        left = max(self._flush_time - time.monotonic(), self._flush_seconds / _CATCH_UP)
        try:
            self._require_no_step()
            if self._link is not None:
                self._listen(self._link, left)
            elif self._recorder.watched and time.monotonic() >= self._dial_time:
                self._dial(left)
            else:
                ending.wait(left)
        except PocketQuantError as error:
            self._lose(error)

    def _require_no_step(self) -> None:
        """Drop the connection after a step of the clock: the machine may have slept."""
        step = self._step()
        if abs(step) > self._most_step_seconds:
            metrics.CLOCK_STEPS.inc()
            _log.warning("clock_stepped", shard=self._shard.name, seconds=round(step, 3))
            raise ConnectionLost(f"the clock of this machine was set by {step:+.1f} s")

    def _listen(self, link: QuoteLink, seconds: float) -> None:
        if not self._recorder.watched:
            self._hang_up(link)
            return
        link.listen(seconds)
        link.require_life()
        if link.has_quotes:
            self._failures = 0
            self._dialer.accept()

    def _dial(self, seconds: float) -> None:
        self._dialer.begin()
        dialed = self._dialer.result(seconds)
        if dialed is not None:
            self._open(dialed)

    def _open(self, dialed: Dialed) -> None:
        name = "qs_" + "".join(choices(ascii_letters, k=_NAME_LETTERS))  # noqa: S311  # not a secret
        session = self._recorder.open(name, dialed.token)
        self._token = dialed.token
        self._link = QuoteLink(
            dialed.socket, session, self._recorder, self._silence_seconds, self._clock
        )
        self._connections += 1
        metrics.STREAM_CONNECTIONS.labels(outcome="ok").inc()
        if self._seen_until:
            metrics.STREAM_GAP_SECONDS.observe(max(self._link.opened_at - self._seen_until, 0.0))
        self._status_time = time.monotonic()
        _log.info("connected", shard=self._shard.name, symbols=len(self._recorder.watched))

    def _lose(self, error: PocketQuantError) -> None:
        """Note the gap, and dial again; after each attempt without a quote the pause grows."""
        self._failures += 1
        pause = pause_seconds(self._failures)
        self._dial_time = time.monotonic() + pause
        self._last_error = error
        self._status_time = time.monotonic()
        metrics.STREAM_CONNECTIONS.labels(outcome=error.code).inc()
        _log.warning(
            "not_connected", shard=self._shard.name, code=error.code, cause=str(error), pause=pause
        )
        if self._link is not None:
            if isinstance(error, BadToken):
                self._dialer.refuse(self._token)
            self._seen_until = self._link.lost_since
            self._writer.put(self._recorder.lose(self._seen_until))
            self._drop(self._link)

    def _hang_up(self, link: QuoteLink) -> None:
        """Give up the connection: no symbol is watched."""
        self._recorder.lose(self._clock())
        self._drop(link)

    def _drop(self, link: QuoteLink) -> None:
        link.hang_up()
        self._link = None

    def _flush(self) -> None:
        steady = time.monotonic()
        if steady < self._flush_time:
            return
        self._flush_time = steady + self._flush_seconds
        self._advance()
        is_status_due = steady >= self._status_time
        flush = self._changes(self._status() if is_status_due else None)
        if self._writer.flush(self._recorder, flush, self._link is not None) and is_status_due:
            self._status_time = steady + _STATUS_SECONDS

    def _advance(self) -> None:
        """Move the clock to the time up to which all received texts have been read.

        Before the first text only our own clock is known, which may close bars too early.
        """
        if not self._recorder.has_heard:
            return
        now = self._clock()
        horizon, heard_at = now, now
        if self._link is not None:
            heard_at = self._link.news_at
            horizon = self._seen_until = self._link.drained_at
            if not self._link.is_drained:
                horizon = max(horizon, min(now, self._recorder.newest_tick_at))
        metrics.STREAM_LAG_SECONDS.set(now - horizon)
        self._writer.put(self._recorder.advance(horizon, heard_at))
        self._writer.repair(self._recorder, horizon)
        self._writer.note_reports(self._recorder)

    def _changes(self, status: StreamerStatus | None) -> Flush:
        return Flush(as_of=self._seen_until, seen_until=self._seen_until, status=status)

    def _status(self) -> StreamerStatus:
        recorder, writer, link = self._recorder, self._writer, self._link
        self._alive.touch()
        self._count_ticks()
        metrics.LIVE_BARS_WAITING.set(writer.bars_waiting)
        return StreamerStatus(
            shard=self._shard.name,
            host=socket.gethostname(),
            pid=os.getpid(),
            started_at=self._started_at,
            as_of=self._clock(),
            version=self._followed.version if self._followed else 0,
            connected_at=link.opened_at if link else None,
            symbols=len(recorder.watched) - len(recorder.refused),
            refused=recorder.refused,
            unreadable=recorder.unreadable,
            unreadable_quotes=recorder.unreadable_quotes,
            ticks=recorder.ticks,
            late_ticks=recorder.late_ticks,
            missed_ticks=recorder.missed_ticks,
            out_of_session_ticks=recorder.out_of_session_ticks,
            reconnects=max(self._connections - 1, 0),
            bars_stored=writer.bars_stored,
            bars_waiting=writer.bars_waiting,
            bars_dropped=writer.bars_dropped,
            last_error=self._last_error.code if self._last_error else None,
            last_error_message=str(self._last_error) if self._last_error else None,
        )

    def _count_ticks(self) -> None:
        counts = [getattr(self._recorder, name) for name in _TICK_COUNTERS]
        for counter, new, old in zip(_TICK_COUNTERS.values(), counts, self._counted, strict=True):
            counter.inc(new - old)
        self._counted = counts
