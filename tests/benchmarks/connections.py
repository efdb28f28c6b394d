"""Kept connections: fetches a second from afar, beside a connection for each fetch.

One worker of 8 slots fetches from a provider that answers at once and is a round trip of 60 ms
away. The peer is another worker like it that uses each connection once. The provider counts
handshakes. The fetches alone are measured too, in 8 threads without queue and store: a worker that
does more of them needs more of the processors, which all programs share.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import requests

from pocketquant.machine.embedded import HOST, reserve_port
from pocketquant.machine.programs import simulator_program
from pocketquant.servers.connections import wait_until
from pocketquant.tradingview.account import Account
from pocketquant.tradingview.connections import MOST_SESSIONS, Connections
from pocketquant.tradingview.tvdatafeed import TvDatafeedHistory
from tests.benchmarks.fleet_machine import Machine, pairs, started
from tests.benchmarks.report import Row
from tests.benchmarks.size import sized

ROUND_TRIP_SECONDS = 0.06
SLOTS = 8
FETCHES = sized(1000, 10)
N_BARS = 10
MOST_HANDSHAKES = 30  # for 1000 fetches


@dataclass(frozen=True, slots=True)
class Provider:
    """A running simulator, as far away as was asked for."""

    url: str
    http_url: str

    @property
    def handshakes(self) -> int:
        """How many handshakes it has accepted."""
        answer = requests.get(f"{self.http_url}/control/statistics", timeout=10)
        return int(answer.json()["connections"])


@dataclass(frozen=True, slots=True)
class Measured:
    """A worker's fetches a second, its handshakes for 1000 fetches, how busy processors were."""

    rate: float
    handshakes: float
    busy: float


def run() -> list[Row]:
    """Return fetches a second and handshakes."""
    with started() as machine, provider(machine, ROUND_TRIP_SECONDS) as distant:
        once = _measure(machine, distant, first=1, sessions=1)
        kept = _measure(machine, distant, first=1 + FETCHES, sessions=MOST_SESSIONS)
        once_alone = _rate_alone(machine, distant, sessions=1)
        kept_alone = _rate_alone(machine, distant, sessions=MOST_SESSIONS)
    return [
        Row(
            f"{SLOTS} slots, {1000 * ROUND_TRIP_SECONDS:.0f} ms away (processors"
            f" {kept.busy:.0%} and {once.busy:.0%} busy) / a connection each",
            kept.rate,
            once.rate,
            "fetches/s",
            "≥ 3",
        ),
        Row("fetches alone / a connection each", kept_alone, once_alone, "fetches/s", "≥ 3"),
        Row("handshakes", kept.handshakes, MOST_HANDSHAKES, "in 1000 fetches", "≤ 1"),
        Row("handshakes / a connection each", kept.handshakes, once.handshakes, "in 1000 fetches"),
    ]


@contextmanager
def provider(machine: Machine, round_trip_seconds: float) -> Iterator[Provider]:
    """Run a simulator at this distance, in a process of its own."""
    port, http_port = reserve_port(), reserve_port()
    found = Provider(f"ws://{HOST}:{port}/socket.io/websocket", f"http://{HOST}:{http_port}")
    program = simulator_program(port, http_port, round_trip_seconds=round_trip_seconds)
    with machine.processes([program.command]):
        wait_until("the simulator runs", lambda: found.handshakes == 0, OSError, 60)
        yield found


def _measure(machine: Machine, source: Provider, first: int, sessions: int) -> Measured:
    changes = {"PROVIDER_CONNECTION_SESSIONS": str(sessions)}
    with machine.workers([SLOTS], source.url, changes=changes):
        before = source.handshakes
        psutil.cpu_percent()  # from here on
        seconds = machine.bulk_seconds(first, FETCHES, N_BARS)
        busy = psutil.cpu_percent() / 100
        handshakes = source.handshakes - before
    return Measured(FETCHES / seconds, 1000 * handshakes / FETCHES, busy)


def _rate_alone(machine: Machine, source: Provider, sessions: int) -> float:
    """Return the fetches a second of 8 threads that store nothing."""
    account = Account(source.http_url, "", "", "", machine.platform.cache)
    connections = Connections(source.url, most_sessions=sessions)
    history = TvDatafeedHistory(connections, account, timeout_seconds=60.0)
    with ThreadPoolExecutor(SLOTS) as threads:
        began = time.perf_counter()
        list(threads.map(history.fetch, pairs(1, FETCHES, N_BARS)))
        seconds = time.perf_counter() - began
    connections.hang_up()
    return FETCHES / seconds
