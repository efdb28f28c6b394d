"""The cost of a unit: CPU and wall clock beside an empty task, and its round trips.

One worker process of 16 slots, a provider that answers at once; new series, so that everything is
written for the first time. The servers count the commands themselves.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import psutil
import redis

from pocketquant.messaging.queues import QueueName, celery_app
from pocketquant.servers.connections import wait_until
from tests.benchmarks.fleet_commands import BROKER, CACHE, MONGODB, Commands
from tests.benchmarks.fleet_machine import Machine, cpu_seconds
from tests.benchmarks.report import Row
from tests.benchmarks.size import sized

NOTHING = "benchmarks.nothing"  # the task of fleet_noop

UNITS = sized(400, 4)
NOTHINGS = sized(2_000, 20)
SLOTS = sized(16, 2)
FIRSTS = {10: 2_001, 500: 3_001}  # bars of a sync, and the first of the series

_BATCH = sized(500, 10)
_QUEUE, _UNACKNOWLEDGED = "pocketquant:bulk", "pocketquant:unacked"


@dataclass(slots=True)
class Cost:
    """The milliseconds of one unit, and its commands to each server."""

    cpu: float = 0.0
    wall: float = 0.0
    commands: dict[str, Counter[str]] = field(default_factory=dict)


def run(machine: Machine) -> list[Row]:
    """Return milliseconds and commands of a unit, beside an empty task and the documentation."""
    with machine.workers([SLOTS], machine.providers.instant, app="tests.benchmarks.fleet_noop") as (
        worker,
    ):
        _do_nothing(machine, _BATCH)  # warm
        with _measured(machine, worker, NOTHINGS) as nothing:
            _do_nothing(machine, NOTHINGS)
        costs = {}
        for n_bars, first in FIRSTS.items():
            with _measured(machine, worker, UNITS) as costs[n_bars]:
                machine.bulk_seconds(first, UNITS, n_bars)
    return [*_times(costs, nothing), *_commands(costs[500])]


@contextmanager
def _measured(machine: Machine, worker: psutil.Process, units: int) -> Iterator[Cost]:
    """Measure the cost of the block, per unit."""
    cost, commands = Cost(), Commands(machine)
    cpu, began = cpu_seconds([worker]), perf_counter()
    yield cost
    cost.wall = 1000 * (perf_counter() - began) / units
    cost.cpu = 1000 * (cpu_seconds([worker]) - cpu) / units
    cost.commands = commands.since(units)


def _do_nothing(machine: Machine, times: int) -> None:
    """Publish empty tasks like the dispatcher, and wait until all have run."""
    app = celery_app(machine.settings.broker_url)
    producers: Any = app.producer_pool  # our producers, which publish in batches
    with producers.acquire(block=True) as producer:
        for _ in range(times // _BATCH):
            with producer.batch(_BATCH):
                for _ in range(_BATCH):
                    app.send_task(NOTHING, ["-"], queue=QueueName.BULK, producer=producer)
    wait_until("nothing is done", lambda: _is_idle(machine.broker), (), 120)
    app.close()


def _is_idle(broker: redis.Redis) -> bool:
    return not broker.llen(_QUEUE) and not broker.hlen(_UNACKNOWLEDGED)


def _times(costs: dict[int, Cost], nothing: Cost) -> list[Row]:
    return [
        row
        for n_bars, cost in costs.items()
        for row in (
            Row(f"sync of {n_bars} bars, worker CPU / no-op task", cost.cpu, nothing.cpu, "ms"),
            Row(f"sync of {n_bars} bars, wall clock / no-op task", cost.wall, nothing.wall, "ms"),
        )
    ]


def _commands(cost: Cost) -> list[Row]:
    """Return the number of commands of each name beside the documented one."""
    return [
        Row(f"{server}: {name}", cost.commands[server][name], count, "a unit", "as listed")
        for server, listed in (("MongoDB", MONGODB), ("cache", CACHE), ("broker", BROKER))
        for name, count in listed.items()
    ]
