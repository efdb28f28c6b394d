"""The process that streams live quotes: `python -m workers.streamer.main`.

It takes a shard without a streamer, and streams it until it ends or loses the shard. While all
shards have a streamer it stands by, and takes over the shard of one that dies.
"""

import gc
import signal
import time
from collections.abc import Callable
from threading import Event

import click
import redis
import structlog

from pocketquant.cache.board import QuoteBoard
from pocketquant.coordination.fleet import Fleet
from pocketquant.coordination.leases import Lease, Leases
from pocketquant.domain.errors import LeaseLost
from pocketquant.domain.intervals import Interval
from pocketquant.domain.market_clock import MarketClock
from pocketquant.domain.repairs import Repairs
from pocketquant.domain.shards import Shard, all_shards
from pocketquant.hints import wrong_settings_in_one_line
from pocketquant.live.fenced_writes import FencedBarWriter
from pocketquant.live.recorder import QuoteRecorder
from pocketquant.logs import set_up_logs
from pocketquant.presence.alive_file import AliveFile
from pocketquant.presence.fleet_member import streamer_presence
from pocketquant.redaction import redactor_for
from pocketquant.servers.connections import open_redis
from pocketquant.settings import Settings
from pocketquant.simulator.clocks import market_clock
from pocketquant.storage.fences import Fences
from pocketquant.wiring import Platform, wire, wire_account, wire_handshakes
from workers.streamer.dialer import Dialer
from workers.streamer.shard_stream import ShardStream
from workers.streamer.shard_writer import ShardWriter
from workers.streamer.subscription_watch import SubscriptionWatch

_REDIS_SECONDS = 1.0
_LOOK_SECONDS = 1.0  # between two looks for a shard without a streamer
_DIAL_SECONDS = 10.0
_HISTORY_SECONDS = 3.0  # until the provider's history has a bar, after its end and the grace
_COLLECTOR_THRESHOLDS = (50_000, 20, 50)  # new objects, then collections of the younger generation

_log = structlog.get_logger(__name__)


class Streamer:
    """Streams one shard at a time, from `run` until `end`.

    `clock` is this machine's, in epoch seconds. `steady` counts seconds and is never set; a test's
    clock is steady itself.
    """

    def __init__(
        self,
        platform: Platform,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] | None = None,
    ) -> None:
        settings = platform.settings
        self._platform = platform
        self._settings = settings
        self._wall = clock
        self._steady = steady or (time.monotonic if clock is time.time else clock)
        self._market_clock = MarketClock(clock(), self._steady(), settings.streamer_grace_seconds)
        self._intervals = [Interval.parse(each) for each in settings.streamer_intervals.split(",")]
        self._shards = all_shards(settings.streamer_shards)
        self._cache = open_redis(settings.redis_url, _REDIS_SECONDS)
        self._leases = Leases(self._cache, settings.streamer_lease_seconds)
        self._board = QuoteBoard(self._cache)
        self.fleet = Fleet(self._cache)
        self._alive = AliveFile(settings.streamer_alive_file, platform.loops)
        self._ending = Event()
        self.shard: Shard | None = None

    def run(self) -> None:
        """Stream or stand by until `end` is called."""
        self._alive.make()
        try:
            self._run()
        finally:
            self._alive.remove()

    def end(self) -> None:
        """Have `run` finish and return; signal handlers and other threads may call this."""
        self._ending.set()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._alive.touch()
            try:
                self._stream_a_shard()
            except LeaseLost as error:
                _log.warning("shard_lost", cause=str(error))
            except redis.RedisError as error:
                _log.warning("waiting_for_redis", cause=str(error))
            if self.shard is not None:
                self.shard = None
                gc.collect()  # the objects of a stream refer to each other
            self._ending.wait(_LOOK_SECONDS)

    def _stream_a_shard(self) -> None:
        for shard in self._shards:
            lease = self._leases.acquire(f"streamer:{shard.name}")
            if lease is not None:
                self.shard = shard
                _log.info("shard_taken", shard=shard.name, token=lease.token)
                self._stream(shard, lease)
                return

    def _stream(self, shard: Shard, lease: Lease) -> None:
        platform, settings = self._platform, self._settings
        writer = self._writer(shard, lease)
        writer.begin(self._board)
        subscriptions = SubscriptionWatch(
            platform.subscriptions,
            platform.calendars,
            shard.holds,
            platform.nudges,
            platform.loops,
        )
        repairs = Repairs(
            tuple(self._intervals), settings.streamer_grace_seconds + _HISTORY_SECONDS
        )
        stream = ShardStream(
            shard=shard,
            recorder=QuoteRecorder(
                self._board,
                shard.name,
                self._intervals,
                settings.streamer_grace_seconds,
                repairs,
                self._market_clock,
            ),
            writer=writer,
            subscriptions=subscriptions,
            alive=self._alive,
            dialer=Dialer(
                settings.tradingview_url,
                wire_account(platform),
                _DIAL_SECONDS,
                wire_handshakes(settings, self._cache, needs_redis=False),
            ),
            flush_seconds=settings.streamer_flush_seconds,
            silence_seconds=settings.streamer_silence_seconds,
            clock=self._now,
            step=lambda: self._market_clock.step(self._wall(), self._steady()),
            most_step_seconds=settings.streamer_grace_seconds,
        )
        with subscriptions.watching():
            stream.run(self._ending)

    def _now(self) -> float:
        """The epoch second by the provider's clock."""
        return self._market_clock.time(self._steady())

    def _writer(self, shard: Shard, lease: Lease) -> ShardWriter:
        platform, settings = self._platform, self._settings
        bar_writer = FencedBarWriter(
            lease,
            Fences(platform.mongo),
            platform.live_bars,
            platform.responses,
            platform.symbols,
            platform.intake,
            platform.reports,
            self._now,
        )
        return ShardWriter(
            shard,
            self._cache,
            self._leases,
            bar_writer,
            settings.streamer_lease_seconds,
            settings.streamer_most_waiting_bars,
            platform.loops,
        )


@click.command()
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    help="That of a simulated market's clock, whose time the streamer takes over.",
)
def main(speed: float) -> None:
    """Stream until SIGTERM or SIGINT."""
    with wrong_settings_in_one_line():
        settings = Settings()
        set_up_logs(settings.log_format, settings.log_level, redactor_for(settings))
        platform = wire(settings)
    streamer = Streamer(platform, market_clock(speed))
    _collect_rarely()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: streamer.end())
    presence = streamer_presence(
        streamer.fleet,
        settings,
        platform.loops,
        lambda: streamer.shard.name if streamer.shard else None,
    )
    try:
        streamer.run()
    finally:
        presence.end()


def _collect_rarely() -> None:
    """Collect garbage rarely: full collections held up the loop for 0.1 s every few seconds."""
    gc.freeze()
    gc.set_threshold(*_COLLECTOR_THRESHOLDS)


if __name__ == "__main__":
    main()
