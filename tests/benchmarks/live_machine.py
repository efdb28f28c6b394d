"""One machine for the live benchmarks: private servers, a simulator, and a streamer in between.

Each is a separate process. Everything is measured from outside: by quotes in Redis, the streamer's
status, and the system's figures of its process.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil
import requests

from pocketquant.cache.board_records import StreamerStatus
from pocketquant.domain.symbols import Symbol
from pocketquant.machine import embedded
from pocketquant.machine.embedded import HOST, reserve_port, stop
from pocketquant.machine.parent_death import ending_with_parent
from pocketquant.machine.programs import streamer_command
from pocketquant.servers.connections import wait_until
from pocketquant.settings import LogLevel, Settings
from pocketquant.simulator.sockets import PATH
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.wiring import Platform, wire
from tests.benchmarks.live_feed import StampedTape, names, number_of, stamped_tape

_START_SECONDS = 120.0


class _Shown(msgspec.Struct):
    volume: float | None


_shown = msgspec.json.Decoder(_Shown).decode


@dataclass(frozen=True, slots=True)
class Feed:
    """A simulator that plays a tape to any client that adds this many symbols."""

    url: str
    http_url: str
    symbols: int
    quotes_per_second: float

    def tape(self) -> StampedTape:
        """The tape that it plays."""
        return stamped_tape(self.symbols, self.quotes_per_second or None)

    def began_at(self) -> float | None:
        """The epoch second at which the first text of the tape was due."""
        began: float | None = requests.get(
            f"{self.http_url}/control/statistics", timeout=10
        ).json()["replay_began_at"]
        return began


@dataclass(frozen=True, slots=True)
class Stream:
    """A streamer that receives the tape, and its servers."""

    feed: Feed
    process: psutil.Process
    platform: Platform
    symbols: list[str]

    @property
    def status(self) -> StreamerStatus | None:
        return next(iter(self.platform.board.statuses()), None)

    def newest_number(self) -> int:
        """The newest text of the tape that has been written to Redis."""
        quotes = self.platform.board.latest_of(self.symbols).values()
        return max(number_of(_shown(quote).volume or 0) or 0 for quote in quotes)

    def cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def require_soundness(self) -> None:
        """Raise AssertionError if a tick was lost; trades from before the start do not count."""
        status = self.status
        assert status is not None
        lost = status.late_ticks, status.reconnects, status.bars_dropped
        assert not any(lost), status


class Machine:
    """The servers and their folder; the other processes are started one after the other."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._started = 0

    @contextmanager
    def feed(self, symbols: int, quotes_per_second: float = 0) -> Iterator[Feed]:
        """The simulator; 0 quotes a second means as fast as they are read."""
        port, http_port = reserve_port(), reserve_port()
        arguments = map(str, (port, http_port, symbols, quotes_per_second))
        url = f"http://{HOST}:{http_port}"
        feed = Feed(f"ws://{HOST}:{port}{PATH}", url, symbols, quotes_per_second)
        with self.running([sys.executable, "-m", "tests.benchmarks.live_feed", *arguments], {}):
            wait_until(
                "the simulator serves",
                lambda: feed.began_at() is None,
                requests.RequestException,
                _START_SECONDS,
            )
            yield feed

    @contextmanager
    def stream(self, symbols: int, quotes_per_second: float = 0) -> Iterator[Stream]:
        """A streamer on an empty database, after its symbols were subscribed and the tape began."""
        self._started += 1
        with self.feed(symbols, quotes_per_second) as feed:
            settings = self._settings.model_copy(
                update={
                    "mongodb_database": f"bench_{self._started}",
                    "tradingview_url": feed.url,
                    "tradingview_http_url": feed.http_url,
                }
            )
            platform = wire(settings)
            platform.cache.flushall()
            make_collections_and_indexes(platform.mongo)
            wanted = names(symbols)
            platform.watching.subscribe([Symbol.parse(name) for name in wanted])
            environment = settings.environment_of_children()
            with self.running(streamer_command(), environment) as process:
                stream = Stream(feed, process, platform, wanted)
                wait_until("the tape has begun", lambda: _has_begun(stream), (), _START_SECONDS)
                yield stream
            platform.close()

    @contextmanager
    def running(self, command: list[str], environment: dict[str, str]) -> Iterator[psutil.Process]:
        """The command as a process, which ends with the block."""
        with (self._folder / "bench.log").open("ab") as log:
            process = subprocess.Popen(
                ending_with_parent(command),
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
            )
            try:
                yield psutil.Process(process.pid)
            finally:
                stop(process)


@contextmanager
def started() -> Iterator[Machine]:
    """Servers until the end of the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pocketquant-bench-")))
        mongod, redis = embedded.private_mongod(folder), embedded.private_redis(folder)
        for server in (mongod, redis):
            stack.enter_context(embedded.running(server))
        settings = Settings(
            _env_file=None,  # type: ignore[call-arg]  # of pydantic-settings
            mongodb_url=mongod.url,
            redis_url=redis.url,
            push_host=HOST,
            push_port=reserve_port(),
            log_level=LogLevel.WARNING,
        )
        yield Machine(settings, folder)


def _has_begun(stream: Stream) -> bool:
    return stream.feed.began_at() is not None and stream.newest_number() > 0
