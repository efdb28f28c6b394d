"""Live quotes from the provider's socket to their readers.

Simulator, streamer, MongoDB, Redis, push and this reader are separate processes that share the
machine's processors. The streamer is the product with all 13 intervals and every flush. Each
measurement includes the end of a minute, when a bar of every symbol closes. The peer is a loop of
websocket-client and `json.loads` that receives equal quotes and only counts them.

The wait of a quote starts when its text was due to be sent, not when it was sent.
"""

import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import hiredis
import requests

from pocketquant.cache.board_records import CHANNEL_PREFIX
from pocketquant.domain.intervals import MINUTE
from pocketquant.machine.programs import push_command
from pocketquant.servers.connections import wait_until
from tests.benchmarks.live_feed import QUOTES_A_TEXT
from tests.benchmarks.live_listeners import listening
from tests.benchmarks.live_machine import Machine, Stream, started
from tests.benchmarks.live_waits import Waits
from tests.benchmarks.report import Row
from tests.benchmarks.size import sized

SYMBOLS = sized(1_000, 10)
WARM_UP_SECONDS = sized(5.0, 1.0)
SECONDS = sized(70.0, 4.0)  # with the end of a minute in it
PLAIN_SECONDS = sized(20.0, 1.0)
PACE = sized(20_000, 400)  # quotes a second
MANY_SYMBOLS, MANY_PACE, MANY_MINUTES = sized((10_000, 2_000, 4), (10, 400, 0))
MANY_SECONDS = sized(MANY_MINUTES * MINUTE, 2)
LISTENERS, LISTENERS_PACE = sized((1_000, 500), (5, 200))

_MEGABYTE = 1_000_000
_READY_SECONDS = 60.0
_PROMPT_SECONDS = 1.0
_LOOK_SECONDS = 0.1
_READ_BYTES = 1 << 20


def run() -> list[Row]:
    """Rates, waits and sizes, each beside its limit."""
    with started() as machine:
        return [*_sustained(machine), *_waits(machine), _size(machine), *_listeners(machine)]


def _sustained(machine: Machine) -> list[Row]:
    """Quotes a second at full speed, and quotes a second of the process's CPU time."""
    with machine.feed(SYMBOLS) as feed:
        command = [sys.executable, "-m", "tests.benchmarks.live_plain", feed.url]
        answer = subprocess.run(
            [*command, str(SYMBOLS), str(PLAIN_SECONDS)], capture_output=True, text=True, check=True
        )
    quotes, seconds, cpu = map(float, answer.stdout.split())
    with machine.stream(SYMBOLS) as stream:
        time.sleep(WARM_UP_SECONDS)
        number, began, cpu_began = _now(stream)
        time.sleep(SECONDS)
        last_number, ended, cpu_ended = _now(stream)
        stream.require_soundness()
    streamed = (last_number - number) * QUOTES_A_TEXT
    each = f"{SYMBOLS:,} symbols, 13 intervals, wire to Redis / websocket-client and json.loads"
    rate, cpu_rate = streamed / (ended - began), streamed / (cpu_ended - cpu_began)
    return [
        Row(each, rate, quotes / seconds, "quotes/s", "≥ 100,000"),
        Row("the same, by the process's CPU time", cpu_rate, quotes / cpu, "quotes/s"),
    ]


def _now(stream: Stream) -> tuple[int, float, float]:
    return stream.newest_number(), time.perf_counter(), stream.cpu_seconds()


def _waits(machine: Machine) -> list[Row]:
    """Milliseconds until a quote is in Redis, where the same step publishes it."""
    with machine.stream(SYMBOLS, PACE) as stream:
        waits = Waits(stream.feed.tape(), stream.feed.began_at() or 0)
        _follow(stream, waits, WARM_UP_SECONDS)
        waits.forget()
        cpu = stream.cpu_seconds()
        _follow(stream, waits, SECONDS)
        share = (stream.cpu_seconds() - cpu) / SECONDS
        stream.require_soundness()
    what = f"{PACE:,} quotes/s, sent to readable in Redis"
    return [
        Row(f"{what}, p50", 1000 * waits.quantile(0.5), 300, "ms"),
        Row(f"{what}, p99", 1000 * waits.quantile(0.99), 300, "ms", "≤ 300"),
        Row(f"{what}, longest of {waits.count:,}", 1000 * waits.quantile(1), 300, "ms"),
        Row("the streamer's CPU meanwhile", 100 * share, 100, "% of a core"),
    ]


def _follow(stream: Stream, waits: Waits, seconds: float) -> None:
    """Read all published messages by hand: redis-py needs more time for them than the streamer."""
    ends_at = time.monotonic() + seconds
    address = urlsplit(stream.platform.settings.redis_url)
    reader = hiredis.Reader()
    with socket.create_connection((address.hostname, address.port), timeout=seconds) as ear:
        ear.sendall(f"PSUBSCRIBE {CHANNEL_PREFIX}*\r\n".encode())
        while time.monotonic() < ends_at:
            reader.feed(ear.recv(_READ_BYTES))
            at = time.time()
            while message := reader.gets():
                if message[0] == b"pmessage":
                    waits.see(message[3], at)


def _size(machine: Machine) -> Row:
    """The most memory of a streamer that received quotes of this many symbols for some minutes."""
    most = 0
    with machine.stream(MANY_SYMBOLS, MANY_PACE) as stream:
        ends_at = time.monotonic() + MANY_SECONDS
        while time.monotonic() < ends_at:
            time.sleep(_LOOK_SECONDS)
            most = max(most, stream.process.memory_info().rss)
        stream.require_soundness()
        status = stream.status
        assert status is not None
        assert MANY_SYMBOLS == status.symbols
        assert status.bars_stored >= (MANY_MINUTES - 1) * MANY_SYMBOLS
    name = f"{MANY_SYMBOLS:,} symbols, {MANY_PACE:,} quotes/s, {MANY_MINUTES} minutes: memory"
    return Row(name, most / _MEGABYTE, 300, "MB", "≤ 300")


def _listeners(machine: Machine) -> list[Row]:
    """Milliseconds until a listener of the symbol has its quote; each listens to one symbol."""
    with machine.stream(LISTENERS, LISTENERS_PACE) as stream:
        settings = stream.platform.settings
        command, environment = push_command(settings), settings.environment_of_children()
        with machine.running(command, environment) as push:
            wait_until(
                "push is healthy",
                lambda: requests.get(f"{settings.own_push_url}/health", timeout=5).ok,
                requests.RequestException,
                _READY_SECONDS,
            )
            waits = Waits(stream.feed.tape(), stream.feed.began_at() or 0)
            with listening(settings.push_host, settings.push_port, stream.symbols) as listeners:
                listeners.hear(WARM_UP_SECONDS, waits.see)
                waits.forget()
                listeners.hear(SECONDS, waits.see)
                missed = waits.overdue(stream.symbols, time.time(), _PROMPT_SECONDS)
                size = sum(
                    each.memory_info().rss for each in (push, *push.children(recursive=True))
                )
    what = f"{LISTENERS:,} listeners, {LISTENERS_PACE} quotes/s, sent to heard"
    return [
        Row(f"{what}, p99", 1000 * waits.quantile(0.99), 1000, "ms"),
        Row(f"{what}, longest of {waits.count:,}", 1000 * waits.quantile(1), 1000, "ms", "≤ 1000"),
        Row("of them not heard within a second", missed, 1, "quotes", "0"),
        Row("push, memory of both its processes", size / _MEGABYTE, 300, "MB"),
    ]
