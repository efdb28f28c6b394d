"""The whole platform as users run it: supervisord, real servers, granian, Celery workers."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pymongo
import pytest
import redis
import requests

from pocketquant.coordination.fleet import Fleet, MemberKind
from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import Interval
from pocketquant.domain.schedules import ScheduleChange
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.machine import processes
from pocketquant.machine.embedded import HOST, reserve_port
from pocketquant.machine.parent_death import ending_with_parent
from pocketquant.servers.connections import Mongo, open_redis, wait_until
from pocketquant.settings import Settings
from pocketquant.simulator import server as simulator_server
from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.market.world import find
from pocketquant.storage.bars import BarStore
from pocketquant.storage.schedules import Schedules
from tests.e2e.suspending import suspended
from tests.resolutions import resolution_of

Json = dict[str, Any]

POCKETQUANT = str(Path(sys.executable).parent / "pocketquant")

# Everything that waits for a time-out in production waits less here; the logic is the same.
QUICK = {
    "provider_timeout_seconds": 3.0,
    "lease_seconds": 6.0,
    "tick_seconds": 1.0,
    "provider_start_rate": 200.0,
    "provider_start_concurrency": 200,
    "provider_handshake_rate": 100.0,
    "provider_handshake_burst": 100,
    "worker_slots": 8,
    "log_format": "json",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, decoded body and headers of one HTTP answer."""

    status: int
    body: Json
    headers: Any


@dataclass(frozen=True, slots=True)
class Platform:
    """A running machine with helpers for tests."""

    url: str
    push_url: str
    flower_url: str
    broker_url: str
    folder: Path
    mongo: Mongo
    broker: redis.Redis
    supervisord: int

    def get(self, path: str, **query: object) -> Answer:
        return self.call("GET", path, params=query)

    def post(self, path: str, body: Json, **query: object) -> Answer:
        return self.call("POST", path, json=body, params=query)

    def call(self, method: str, path: str, **arguments: Any) -> Answer:
        answer = requests.request(method, f"{self.url}{path}", timeout=70, **arguments)
        return Answer(answer.status_code, answer.json(), answer.headers)

    def sync(self, symbol: str, interval: str = "1d", n_bars: int = 100, **query: object) -> Answer:
        return self.post(
            "/api/v1/market-data/sync", sync_request(symbol, interval, n_bars), **query
        )

    def sync_in_bulk(self, symbols: Iterable[str], interval: str = "1d", n_bars: int = 30) -> str:
        return self._submit("sync/bulk", symbols, interval=interval, n_bars=n_bars)

    def backfill(self, symbols: Iterable[str], interval: str) -> str:
        return self._submit("backfill", symbols, intervals=[interval], start="all")

    def _submit(self, path: str, symbols: Iterable[str], **wanted: object) -> str:
        names = [dict(zip(("exchange", "symbol"), one.split(":"), strict=True)) for one in symbols]
        answer = self.post(f"/api/v1/market-data/{path}", {"symbols": names, **wanted})
        assert answer.status == 202, answer.body
        return str(answer.body["job_id"])

    def sync_in_background(self, symbol: str, interval: str = "1d", n_bars: int = 100) -> str:
        path = "/api/v1/market-data/sync/background"
        answer = self.post(path, sync_request(symbol, interval, n_bars))
        assert answer.status == 202, answer.body
        return str(answer.body["job_id"])

    def sync_each_in_background(self, symbols: Iterable[str], n_bars: int = 10) -> list[str]:
        """Start a job for each symbol; workers begin after all jobs exist."""
        with suspended(self.processes("worker-")):
            return [self.sync_in_background(symbol, n_bars=n_bars) for symbol in symbols]

    def ended(self, jobs: list[str]) -> int:
        """Return how many of these jobs have ended."""
        has_ended = {"_id": {"$in": jobs}, "finished_at": {"$ne": None}}
        return self.mongo["jobs"].count_documents(has_ended)

    def status_of(self, symbol: str, interval: str = "1d") -> Json:
        exchange, ticker = symbol.split(":")
        path = f"/api/v1/market-data/sync-status/{exchange}/{ticker}"
        return self.get(path, interval=interval).body

    def job(self, job_id: str) -> Json:
        return self.get(f"/api/v1/jobs/{job_id}").body

    def counts(self, job_id: str) -> Json:
        return dict(self.job(job_id)["counts"])

    def units(self, job_id: str) -> list[Json]:
        return list(self.mongo["units"].find({"jobs": job_id}))

    def fleet(self) -> Json:
        return self.get("/api/v1/fleet").body

    def wait_for_job(self, job_id: str, timeout_seconds: float = 60) -> Json:
        def has_ended() -> bool:
            return bool(self.job(job_id).get("finished_at"))  # it may be 503 for a while

        wait_until(f"job {job_id} has ended", has_ended, (), timeout_seconds)
        return self.job(job_id)

    def wait_for_completed(self, job_id: str, count: int, timeout_seconds: float = 60) -> None:
        """Wait until at least `count` units of the job are completed."""

        def has_come_so_far() -> bool:
            return bool(self.counts(job_id)["completed"] >= count)

        wait_until(f"{count} units are completed", has_come_so_far, KeyError, timeout_seconds)

    def wrong_series(self, symbols: Iterable[str], interval: str = "1d") -> list[str]:
        """Return the series whose stored bars are not the market's 30, without the forming one."""
        store = BarStore(self.mongo)
        wanted = [Series(Symbol.parse(symbol), Interval(interval)) for symbol in symbols]
        return [str(one) for one in wanted if not _is_right(store.read(one), one)]

    def pause_schedules(self) -> None:
        """Pause all schedules, so that no test sees their syncs."""
        schedules, now = Schedules(self.mongo), int(time.time())
        for schedule in schedules.made(now):
            schedules.change(schedule, ScheduleChange(paused=True), now, lambda *_: None)

    def wait_for_workers(self, count: int) -> None:
        """Wait until at least so many workers take syncs."""

        def are_there() -> bool:
            members = Fleet(self.broker).members()
            return sum(member.kind is MemberKind.WORKER for member in members) >= count

        wait_until(f"{count} workers are there", are_there, redis.RedisError, 120)

    def control(self, action: str, program: str) -> None:
        """Start or stop a program with supervisorctl."""
        config = str(self.folder / "supervisord.conf")
        supervisorctl = str(Path(sys.executable).parent / "supervisorctl")
        subprocess.run([supervisorctl, "-c", config, action, program], check=True, timeout=60)

    def processes(self, text: str) -> list[psutil.Process]:
        """Return the children of supervisord whose command line contains the text."""
        children = psutil.Process(self.supervisord).children(recursive=True)
        return [child for child in children if text in _command_line(child)]

    def workers(self) -> list[psutil.Process]:
        return self.processes("workers.app worker")


def sync_request(symbol: str, interval: str, n_bars: int) -> Json:
    exchange, ticker = symbol.split(":")
    return {"exchange": exchange, "symbol": ticker, "interval": interval, "n_bars": n_bars}


def _is_right(stored: Bars, series: Series) -> bool:
    instrument, resolution = find(str(series.symbol)), resolution_of(series.interval)
    assert instrument
    expected = Market({}).newest(instrument, resolution, int(time.time()), 40).bars
    if stored.first_time is None or stored.last_time is None:
        return False
    is_whole = len(stored) in {29, 30}
    return is_whole and stored == expected.between(stored.first_time, stored.last_time + 1)


def _is_dead(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


@pytest.fixture(scope="session")
def simulator() -> Iterator[simulator_server.Simulator]:
    """A simulated TradingView for the whole run."""
    with simulator_server.running() as simulator:
        yield simulator


@pytest.fixture(scope="session")
def start_platform(
    simulator: simulator_server.Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., AbstractContextManager[Platform]]:
    """Starts platforms on the simulator, with the test's settings and paused schedules.

    By default they have one web process, and no Flower, streamer or worker for interactive units.
    """

    @contextmanager
    def start(
        without: frozenset[str] = frozenset({"flower", "interactive", "streamer"}), **changes: Any
    ) -> Iterator[Platform]:
        settings = Settings.model_validate(
            {
                **QUICK,
                "tradingview_url": simulator.url,
                "tradingview_http_url": simulator.http_url,
                "tradingview_search_url": simulator.http_url,
                "api_host": HOST,
                "api_port": reserve_port(),
                "push_host": HOST,
                "push_port": reserve_port(),
                "flower_host": HOST,
                "flower_port": reserve_port(),
                "workers": 1,
                "web_processes": 1,
                **changes,
            }
        )
        folder = tmp_path_factory.mktemp("platform")
        with processes.running(settings, folder, without=without) as machine:
            environment = psutil.Process(machine.supervisord.pid).environ()
            with (
                pymongo.MongoClient(environment["MONGODB_URL"], tz_aware=True) as mongo,
                open_redis(environment["REDIS_URL"]) as broker,
            ):
                platform = Platform(
                    url=machine.api_url,
                    push_url=machine.push_url,
                    flower_url=machine.flower_url,
                    broker_url=environment["CELERY_BROKER_URL"] or environment["REDIS_URL"],
                    folder=folder,
                    mongo=mongo["pocketquant"],
                    broker=broker,
                    supervisord=machine.supervisord.pid,
                )
                platform.pause_schedules()
                if "worker" not in without:  # else the first sync may take longer than a call waits
                    platform.wait_for_workers(settings.workers)
                yield platform

    return start


@pytest.fixture(scope="session")
def shared_platform(
    start_platform: Callable[..., AbstractContextManager[Platform]],
) -> Iterator[Platform]:
    """One platform for all tests that do not change it."""
    with start_platform() as platform:
        yield platform


@pytest.fixture
def platform(
    shared_platform: Platform, simulator: simulator_server.Simulator
) -> Iterator[Platform]:
    """The shared platform; faults are lifted after the test."""
    yield shared_platform
    simulator.lift()


@pytest.fixture(scope="session")
def platform_without_workers(
    start_platform: Callable[..., AbstractContextManager[Platform]],
) -> Iterator[Platform]:
    """A platform whose workers the tests start and kill themselves."""
    with start_platform(
        without=frozenset({"flower", "interactive", "push", "streamer", "worker"})
    ) as platform:
        yield platform


@pytest.fixture
def start_program() -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts programs on a platform's servers; they end with the test."""
    with ExitStack() as ends:

        def start(
            platform: Platform, command: str, prefix: tuple[str, ...] = (), **changes: object
        ) -> "subprocess.Popen[bytes]":
            """Run `pocketquant COMMAND`; `changes` replace its settings."""
            settings = {name.upper(): str(value) for name, value in changes.items()}
            environment = psutil.Process(platform.supervisord).environ() | settings
            log = ends.enter_context((platform.folder / "logs" / "own.log").open("ab"))
            process = subprocess.Popen(
                ending_with_parent([*prefix, POCKETQUANT, command]),
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            ends.callback(process.wait)
            ends.callback(process.kill)
            return process

        yield start


@pytest.fixture
def start_worker(
    start_program: Callable[..., "subprocess.Popen[bytes]"],
) -> Callable[..., "subprocess.Popen[bytes]"]:
    """Starts `pocketquant worker`, optionally with its own provider."""

    def start(
        platform: Platform,
        provider: simulator_server.Simulator | None = None,
        **changes: Any,
    ) -> "subprocess.Popen[bytes]":
        if provider:
            urls = {"tradingview_url": provider.url, "tradingview_http_url": provider.http_url}
            changes = {**urls, **changes}
        return start_program(platform, "worker", **changes)

    return start


@pytest.fixture
def start_simulator() -> Iterator[Callable[..., simulator_server.Simulator]]:
    """Starts more providers; the requests of one show which worker sent them."""
    with ExitStack() as ends:
        yield lambda **options: ends.enter_context(simulator_server.running(**options))


@pytest.fixture
def kill() -> Callable[[psutil.Process], None]:
    """Kills a process with SIGKILL and waits for its end."""

    def kill_and_wait(process: psutil.Process) -> None:
        process.send_signal(signal.SIGKILL)
        wait_until("it is dead", lambda: _is_dead(process), psutil.Error, 60)

    return kill_and_wait
