"""Jobs of ten thousand units: time until accepted and published, and interactive waits.

The first job runs with a small worker for interactive units alone, so that no unit is done. The
second has two workers of 16 slots too, like `pocketquant up`, and a provider that answers at once:
the highest possible load. Both jobs are cancelled after the measurement.
"""

import time
from dataclasses import dataclass

import numpy as np
import psutil
import requests

from pocketquant.domain.syncs import UnitState
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import wait_until
from tests.benchmarks.fleet_machine import Machine
from tests.benchmarks.report import Row
from tests.benchmarks.size import is_smallest, sized

SYMBOLS = sized(5_000, 50)
INTERVALS = ("5m", "1h")
UNITS = SYMBOLS * len(INTERVALS)
CALLS = sized(100, 2)

_ANSWER_MILLISECONDS = 500
_PUBLISHED_SECONDS = 10
_PICKED_UP_MILLISECONDS = 1_000
_INTERACTIVE_SLOTS = 4
_BULK_SLOTS = sized((16, 16), (2,))
_FIRST_ALONE, _FIRST_LOADED = 6_001, 6_501


@dataclass(frozen=True, slots=True)
class Taken:
    """The times to accept and publish a large job, and the memory of web after it."""

    job_id: str
    answer_milliseconds: float
    published_seconds: float
    web_megabytes: float


@dataclass(frozen=True, slots=True)
class Waits:
    """Milliseconds of interactive syncs, and until a worker claimed each."""

    calls: np.ndarray
    pick_ups: np.ndarray


def run(machine: Machine) -> list[Row]:
    """Figures of two jobs, and of interactive syncs before and during the second."""
    instant = machine.providers.instant
    with machine.workers([_INTERACTIVE_SLOTS], instant, [QueueName.INTERACTIVE]):
        _forget(machine, _take_in(machine, "1d"))  # the first large body makes web grow, once
        alone = _take_in(machine, *INTERVALS)
        _forget(machine, alone)
        with machine.workers(_BULK_SLOTS, instant):
            idle = _wait_interactively(machine, _FIRST_ALONE)
            loaded = _take_in(machine, *INTERVALS)
            busy = _wait_interactively(machine, _FIRST_LOADED)
            _require_load(machine, loaded)
            _forget(machine, loaded)
    return [*_job_rows(alone, loaded), *_wait_rows(idle, busy)]


def _take_in(machine: Machine, *intervals: str) -> Taken:
    """Post a large job; wait until its planner has published all of it."""
    symbols = [{"exchange": "SIM", "symbol": f"S{n:04}"} for n in range(1, SYMBOLS + 1)]
    body = {"symbols": symbols, "intervals": list(intervals), "n_bars": 500}
    began = time.perf_counter()
    job_id = machine.post_bulk(body)
    answered = time.perf_counter()
    planned = {"_id": job_id, "planned": True}
    count = machine.platform.mongo["jobs"].count_documents
    wait_until("all units are published", lambda: count(planned), (), 60)
    published = time.perf_counter()
    megabytes = _web(machine).memory_info().rss / 2**20
    return Taken(job_id, 1000 * (answered - began), published - began, megabytes)


def _web(machine: Machine) -> psutil.Process:
    """The process of granian that serves."""
    (serving,) = machine.process("web.app:create_worker_app").children()
    return serving


def _wait_interactively(machine: Machine, first: int) -> Waits:
    """Make one call after the other, each for another series."""
    url = f"{machine.api_url}/api/v1/market-data/sync"
    milliseconds = []
    with requests.Session() as session:
        for number in range(first, first + CALLS):
            symbol = {"exchange": "SIM", "symbol": f"S{number}", "interval": "1m", "n_bars": 10}
            began = time.perf_counter()
            answer = session.post(url, json=symbol, timeout=60)
            milliseconds.append(1000 * (time.perf_counter() - began))
            if answer.status_code != requests.codes.ok:
                raise AssertionError(f"{symbol} was not synced: {answer.text}")
    return Waits(np.array(milliseconds), _pick_ups(machine, first))


def _pick_ups(machine: Machine, first: int) -> np.ndarray:
    """Milliseconds from a unit's creation by web to its claim by a worker."""
    series = [f"SIM:S{number}|1m" for number in range(first, first + CALLS)]
    units = machine.platform.mongo["units"].find({"series": {"$in": series}})
    waits = [each["begun_at"] - each["created_at"] for each in units]
    return np.array([1000 * wait.total_seconds() for wait in waits])


def _require_load(machine: Machine, taken: Taken) -> None:
    job = machine.platform.jobs.get(taken.job_id)
    if job is None or not (is_smallest() or job.counts[UnitState.QUEUED]):
        raise AssertionError("the large job ended before the calls that it should hinder")


def _forget(machine: Machine, taken: Taken) -> None:
    """Cancel the job, and drop the messages of its cancelled units."""
    machine.platform.intake.cancel(taken.job_id)
    machine.broker.delete("pocketquant:bulk")


def _job_rows(alone: Taken, loaded: Taken) -> list[Row]:
    answer, published = _ANSWER_MILLISECONDS, _PUBLISHED_SECONDS
    job = f"{UNITS:,} units"
    what = "no worker for them", "workers busy"
    return [
        row
        for taken, when in zip((alone, loaded), what, strict=True)
        for row in (
            Row(f"{job}, answer, {when}", taken.answer_milliseconds, answer, "ms", "≤ 1"),
            Row(f"{job}, all published, {when}", taken.published_seconds, published, "s", "≤ 1"),
        )
    ] + [
        Row("web memory, another such job", loaded.web_megabytes, alone.web_megabytes, "MB", "flat")
    ]


def _wait_rows(idle: Waits, busy: Waits) -> list[Row]:
    calls = [
        Row(
            f"interactive sync p{part}, under load / idle",
            float(np.percentile(busy.calls, part)),
            float(np.percentile(idle.calls, part)),
            "ms",
        )
        for part in (50, 99)
    ]
    pick_ups = [
        Row(
            f"interactive sync picked up, p99, {when}",
            float(np.percentile(waits.pick_ups, 99)),
            _PICKED_UP_MILLISECONDS,
            "ms",
            "≤ 1",
        )
        for when, waits in (("idle", idle), ("under load", busy))
    ]
    return [*calls, *pick_ups]
