"""Workers killed again and again during one large job."""

import random
from typing import Any

import pytest

from pocketquant.servers.connections import wait_until

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

SYNCS = 2000
KILLS = 20


def test_twenty_kills_during_two_thousand_syncs(
    platform_without_workers: Any, start_worker: Any, simulator: Any, request: pytest.FixtureRequest
) -> None:
    """Every unit is completed, and every series has the provider's bars."""
    chance = random.Random(20261122)
    wanted = [f"SIM:S{1000 + n:04}" for n in range(SYNCS)]
    simulator.order("latency", None, 0.2)
    request.addfinalizer(simulator.lift)
    workers = [
        start_worker(platform_without_workers, worker_slots=16, max_attempts=20) for _ in range(2)
    ]
    job_id = platform_without_workers.sync_in_bulk(wanted)
    for kills in range(KILLS):
        done = platform_without_workers.counts(job_id)["completed"]
        goal = min(done + chance.randrange(1, 80), SYNCS * (kills + 1) // (KILLS + 1))
        platform_without_workers.wait_for_completed(job_id, goal, 240)
        wait_until(
            "some are running", lambda: platform_without_workers.counts(job_id)["running"], (), 60
        )
        victim = workers.pop(chance.randrange(2))
        victim.kill()
        victim.wait()
        workers.append(start_worker(platform_without_workers, worker_slots=16, max_attempts=20))
    simulator.lift()
    counts = platform_without_workers.wait_for_job(job_id, 300)["counts"]
    assert (SYNCS, SYNCS) == (counts["total"], counts["completed"])
    assert [unit for unit in platform_without_workers.units(job_id) if unit["attempt"] > 1]
    assert [] == platform_without_workers.wrong_series(wanted)
