"""One machine for the fleet's benchmarks: every server and process but workers, which are added.

Broker and cache are two Redis servers, so that the commands of each can be counted. There are two
simulators, one that answers at once and one that takes its time, in processes of their own.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import redis
import requests

from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncRequest, UnitState
from pocketquant.machine import processes
from pocketquant.machine.embedded import HOST, private_redis, reserve_port, running, stop
from pocketquant.machine.parent_death import ending_with_parent
from pocketquant.machine.programs import Program, simulator_program, worker_command
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import wait_until
from pocketquant.settings import LogLevel, Settings
from pocketquant.wiring import Platform, wire

LATENCY_SECONDS = 0.5

_UNLIMITED = 100_000  # the governor must not limit the figures
_WITHOUT = frozenset({"worker", "interactive", "push", "flower", "streamer"})
_START_SECONDS = 60.0
_WARM_UP_NUMBERS = 9_000  # the symbols from here on warm workers up


@dataclass(frozen=True, slots=True)
class Providers:
    """The simulators' URLs: one answers at once, one after LATENCY_SECONDS."""

    instant: str
    slow: str


@dataclass(frozen=True, slots=True)
class Machine:
    """The running processes, and our own objects on its servers."""

    api_url: str
    providers: Providers
    settings: Settings
    platform: Platform
    broker: redis.Redis
    environment: dict[str, str]
    folder: Path
    supervisord: int

    @contextmanager
    def workers(
        self,
        slots: Sequence[int],
        provider: str,
        queues: Sequence[QueueName] = (QueueName.INTERACTIVE, QueueName.BULK),
        app: str = "workers.app",
        changes: Mapping[str, str] | None = None,
    ) -> Iterator[list[psutil.Process]]:
        """A worker process for each number of slots, warm: libraries loaded, connections made.

        `changes` are environment variables of the workers.
        """
        before = len(self.platform.fleet.members())
        environment = {**self.environment, "TRADINGVIEW_URL": provider, **(changes or {})}
        commands = [
            _of_app(app, worker_command(queues, each, f"bench-{before}-{number}"))
            for number, each in enumerate(slots)
        ]
        with self.processes(commands, environment) as started:
            wait_until(
                "all workers are there",
                lambda: len(self.platform.fleet.members()) == before + len(slots),
                (),
                _START_SECONDS,
            )
            if QueueName.BULK in queues:
                self.sync(pairs(_WARM_UP_NUMBERS, 2 * sum(slots), n_bars=10))
            yield started

    @contextmanager
    def processes(
        self, commands: Sequence[list[str]], environment: dict[str, str] | None = None
    ) -> Iterator[list[psutil.Process]]:
        """Run these commands as processes until the end of the block."""
        with ExitStack() as stack:
            log = stack.enter_context((self.folder / "bench.log").open("ab"))
            started = [
                subprocess.Popen(
                    ending_with_parent(command),
                    env=environment or self.environment,
                    stdout=log,
                    stderr=log,
                )
                for command in commands
            ]
            for process in started:
                stack.callback(stop, process)
            for process in started:
                stack.callback(process.terminate)  # stop all, then wait for each
            yield [psutil.Process(process.pid) for process in started]

    def bulk_seconds(self, first: int, count: int, n_bars: int) -> float:
        """Seconds from the call of the API to the end of its job, all completed."""
        symbols = [{"exchange": "SIM", "symbol": f"S{n:04}"} for n in range(first, first + count)]
        began = time.perf_counter()
        job_id = self.post_bulk({"symbols": symbols, "interval": "1m", "n_bars": n_bars})
        self.wait_for(job_id, count)
        return time.perf_counter() - began

    def post_bulk(self, body: dict[str, object]) -> str:
        """The id of the job that the API has accepted."""
        url = f"{self.api_url}/api/v1/market-data/sync/bulk"
        answer = requests.post(url, json=body, timeout=60)
        answer.raise_for_status()
        return str(answer.json()["job_id"])

    def sync(self, wanted: list[SyncRequest], timeout_seconds: float = 120) -> float:
        """Seconds until a bulk job of them has ended, all completed."""
        began = time.perf_counter()
        job_id = self.platform.intake.submit_large("bulk", wanted, QueueName.BULK)
        self.wait_for(job_id, len(wanted), timeout_seconds)
        return time.perf_counter() - began

    def wait_for(self, job_id: str, units: int, timeout_seconds: float = 120) -> None:
        """Wait for the job's end with a command that no unit uses, so that counts stay right."""
        ended = {"_id": job_id, "open": None}

        def has_ended() -> bool:
            return bool(self.platform.mongo.command("count", "jobs", query=ended)["n"])

        wait_until(f"job {job_id} has ended", has_ended, (), timeout_seconds)
        job = self.platform.jobs.get(job_id)
        if job is None or job.counts[UnitState.COMPLETED] != units:
            raise AssertionError(f"not all of {units} syncs were completed: {job}")

    def process(self, text: str) -> psutil.Process:
        """The process of the machine whose command line holds the text."""
        children = psutil.Process(self.supervisord).children(recursive=True)
        return next(child for child in children if text in " ".join(child.cmdline()))


@contextmanager
def started() -> Iterator[Machine]:
    """Yield the running machine; it ends with the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pocketquant-bench-")))
        broker = private_redis(folder / "broker")
        stack.enter_context(running(broker))
        simulators = _simulator("instant", 0), _simulator("slow", LATENCY_SECONDS)
        settings = Settings(
            _env_file=None,  # type: ignore[call-arg]  # of pydantic-settings
            celery_broker_url=broker.url,
            api_host=HOST,
            api_port=reserve_port(),
            provider_rate=_UNLIMITED,
            provider_burst=_UNLIMITED,
            provider_concurrency=_UNLIMITED,
            provider_start_rate=_UNLIMITED,
            provider_start_concurrency=_UNLIMITED,
            provider_handshake_rate=_UNLIMITED,
            provider_handshake_burst=_UNLIMITED,
            log_level=LogLevel.WARNING,
        )
        extra = tuple(program for program, _ in simulators)
        machine = stack.enter_context(
            processes.running(settings, folder / "machine", extra=extra, without=_WITHOUT)
        )
        environment = psutil.Process(machine.supervisord.pid).environ()
        urls = {name: environment[name.upper()] for name in ("mongodb_url", "redis_url")}
        platform = wire(settings.model_copy(update=urls))
        stack.callback(platform.close)
        yield Machine(
            machine.api_url,
            Providers(*(url for _, url in simulators)),
            platform.settings,
            platform,
            stack.enter_context(redis.Redis.from_url(broker.url)),
            {**os.environ, **environment},
            folder,
            machine.supervisord.pid,
        )


def pairs(first: int, count: int, n_bars: int, interval: str = "1m") -> list[SyncRequest]:
    """Return syncs of `count` simulated pairs from this number on."""
    numbers = range(first, first + count)
    return [SyncRequest(Series.parse(f"SIM:S{each:04}|{interval}"), n_bars) for each in numbers]


def cpu_seconds(processes_: Sequence[psutil.Process]) -> float:
    """Return the CPU seconds that the processes have used."""
    times = [process.cpu_times() for process in processes_]
    return float(sum(each.user + each.system for each in times))


def _of_app(app: str, command: list[str]) -> list[str]:
    return [app if word == "workers.app" else word for word in command]


def _simulator(name: str, latency_seconds: float) -> tuple[Program, str]:
    port = reserve_port()
    program = simulator_program(port, reserve_port(), latency_seconds)
    return replace(program, name=f"simulator-{name}"), f"ws://{HOST}:{port}/socket.io/websocket"
