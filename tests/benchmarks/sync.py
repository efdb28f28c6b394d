"""The main job: what a 5000-bar sync costs a worker, how well slots are used, what memory it takes.

One worker process with 8 slots does 200 syncs of 5000 bars against the simulator, which waits
1 s before each answer; then 200 more. The ideal is 200 × 1 s / 8 slots = 25 s.
"""

import tempfile
import time
from pathlib import Path

import psutil

from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import MAX_BARS, SyncRequest, UnitState
from pocketquant.machine import processes
from pocketquant.machine.embedded import HOST, reserve_port
from pocketquant.machine.processes import Machine
from pocketquant.machine.programs import simulator_program
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import wait_until
from pocketquant.settings import LogLevel, Settings
from pocketquant.wiring import Platform, wire
from tests.benchmarks.report import Row
from tests.benchmarks.size import sized

SYNCS = sized(200, 8)
BARS = sized(MAX_BARS, 10)
SLOTS = 8
LATENCY_SECONDS = sized(1.0, 0.1)
IDEAL_SECONDS = SYNCS * LATENCY_SECONDS / SLOTS


def run() -> list[Row]:
    """CPU and wall clock of 200 syncs, memory after 200 and after 400."""
    port, http_port = reserve_port(), reserve_port()
    settings = Settings(
        tradingview_url=f"ws://{HOST}:{port}/socket.io/websocket",
        tradingview_http_url=f"http://{HOST}:{http_port}",
        api_host=HOST,
        api_port=reserve_port(),
        workers=1,
        worker_slots=SLOTS,
        provider_start_rate=200,
        provider_start_concurrency=200,
        provider_handshake_rate=200,
        log_level=LogLevel.WARNING,
    )
    simulator = simulator_program(port, http_port, latency_seconds=LATENCY_SECONDS)
    with (
        tempfile.TemporaryDirectory(prefix="pocketquant-bench-") as folder,
        processes.running(settings, Path(folder), extra=(simulator,)) as machine,
    ):
        return _measure(machine)


def _measure(machine: Machine) -> list[Row]:
    worker = _worker(machine)
    servers = worker.environ()
    platform = wire(Settings(mongodb_url=servers["MONGODB_URL"], redis_url=servers["REDIS_URL"]))
    _sync(platform, first=9000, count=2 * SLOTS)  # libraries loaded, connections made

    cpu_before = _cpu_seconds(worker)
    seconds = _sync(platform, first=1000, count=SYNCS)
    cpu = _cpu_seconds(worker) - cpu_before
    resident = worker.memory_info().rss / 2**20
    _sync(platform, first=2000, count=SYNCS)
    grown = worker.memory_info().rss / 2**20

    return [
        Row(f"sync of {BARS} bars, worker CPU", 1000 * cpu / SYNCS, 80, "ms", target="≤ 80 ms"),
        Row(
            f"{SYNCS} syncs, {LATENCY_SECONDS:g} s latency, {SLOTS} slots",
            seconds,
            IDEAL_SECONDS,
            "s",
            target="≤ 1.25 × ideal",
        ),
        Row(f"worker memory after {SYNCS} syncs", resident, 200, "MB", target="≤ 200 MB"),
        Row(
            f"worker memory after {2 * SYNCS} syncs", grown, resident, "MB", target="does not grow"
        ),
    ]


def _sync(platform: Platform, first: int, count: int) -> float:
    """Seconds until as many series of one-minute bars are stored."""
    requests = [
        SyncRequest(Series.parse(f"SIM:S{number:04}|1m"), BARS)
        for number in range(first, first + count)
    ]
    began = time.perf_counter()
    job_id = platform.intake.submit_large("bulk", requests, QueueName.BULK)

    def has_ended() -> bool:
        job = platform.jobs.get(job_id)
        return job is not None and job.counts[UnitState.COMPLETED] == count

    wait_until("all series are synced", has_ended, (), 300)
    return time.perf_counter() - began


def _worker(machine: Machine) -> psutil.Process:
    children = psutil.Process(machine.supervisord.pid).children(recursive=True)
    return next(child for child in children if "workers.app worker" in " ".join(child.cmdline()))


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
