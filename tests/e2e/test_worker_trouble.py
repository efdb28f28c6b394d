"""Workers killed at random and a broker wiped clean: nothing is lost, nothing is done wrongly."""

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pocketquant import wiring
from pocketquant.connections import wait_until
from pocketquant.domain.bars import Bars
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncRequest
from pocketquant.queues import QueueName
from pocketquant.settings import Settings
from pocketquant.simulator.market import Market, Resolution
from pocketquant.simulator.world import find

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

SYNCS = 2000
KILLS = 20


@pytest.fixture(scope="module")
def fleet(start_platform: Any) -> Iterator[Any]:
    """A platform with two worker processes to kill."""
    with start_platform(workers=2, worker_slots=16, max_attempts=20) as platform:
        yield platform


@pytest.fixture
def wired(fleet: Any) -> Iterator[wiring.Platform]:
    """Our own objects on the fleet's servers."""
    servers = fleet.workers()[0].environ()
    settings = Settings(mongodb_url=servers["MONGODB_URL"], redis_url=servers["REDIS_URL"])
    platform = wiring.wire(settings)
    yield platform
    platform.close()


def test_a_killed_workers_sync_is_done_by_another(fleet: Any, simulator: Any, kill: Any) -> None:
    """`kill -9` in mid-sync: another attempt does it, once in effect; the caller hears of it."""
    simulator.order("stall", "SIM:S0401", None)
    job_id = fleet.sync_in_background("SIM:S0401", n_bars=40)
    wait_until("it is running", lambda: simulator.tally.requested["SIM:S0401"] == 1, (), 10)
    assert fleet.job(job_id)["counts"]["running"] == 1
    simulator.lift()
    for worker in fleet.workers():
        kill(worker)
    answer = fleet.sync("SIM:S0401", n_bars=40, timeout=60)
    assert answer.status == 200, answer.body
    job = fleet.wait_for_job(job_id)
    assert job["counts"] == {**dict.fromkeys(job["counts"], 0), "total": 1, "completed": 1}
    unit = fleet.mongo["units"].find_one({"jobs": job_id})
    assert unit["attempt"] >= 2


def test_a_broker_wiped_clean_loses_nothing(fleet: Any) -> None:
    """FLUSHALL while units are queued: the next ticks publish them again."""
    for worker in ("worker-0", "worker-1"):
        fleet.control("stop", f"pocketquant:{worker}")
    jobs = [fleet.sync_in_background(f"SIM:S{410 + n:04}", n_bars=10) for n in range(5)]
    fleet.broker.flushall()
    for worker in ("worker-0", "worker-1"):
        fleet.control("start", f"pocketquant:{worker}")
    for job_id in jobs:
        assert fleet.wait_for_job(job_id, 90)["counts"]["completed"] == 1


def test_twenty_kills_during_two_thousand_syncs(
    fleet: Any, wired: wiring.Platform, simulator: Any, kill: Any
) -> None:
    """Every unit is completed and every series holds the provider's bars, whatever was killed."""
    chance = random.Random(20261122)
    simulator.order("latency", None, 0.2)
    series = [Series.parse(f"SIM:S{1000 + n:04}|1d") for n in range(SYNCS)]
    requests = [SyncRequest(one, 30) for one in series]
    job_id = wired.intake.submit("sync", requests, QueueName.BULK).job_id

    kills = 0
    while kills < KILLS:
        done = fleet.job(job_id)["counts"]["completed"]
        goal = min(done + chance.randrange(1, 80), SYNCS * (kills + 1) // (KILLS + 1))
        _wait_for(fleet, job_id, lambda counts, goal=goal: counts["completed"] >= goal)
        _wait_for(fleet, job_id, lambda counts: counts["running"] > 0)
        workers = fleet.workers()
        if workers:
            kill(chance.choice(workers))
            kills += 1
    simulator.lift()

    job = fleet.wait_for_job(job_id, 300)
    assert job["counts"]["completed"] == job["counts"]["total"] == SYNCS
    assert fleet.mongo["units"].count_documents({"jobs": job_id, "attempt": {"$gte": 2}}) > 0
    wrong = [str(one) for one in series if not _is_right(wired.bars.read(one), one)]
    assert wrong == []


def _wait_for(fleet: Any, job_id: str, is_so: Any) -> None:
    def holds() -> bool:
        counts = fleet.job(job_id)["counts"]
        return bool(is_so(counts) or counts["completed"] == SYNCS)

    wait_until("the job has come so far", holds, (), 240)


def _is_right(stored: Bars, series: Series) -> bool:
    """All 30 asked for but the forming one, if there is one, each as the market made it."""
    instrument, resolution = find(str(series.symbol)), Resolution.parse(series.interval.resolution)
    assert instrument
    assert resolution
    expected = Market({}).newest(instrument, resolution, int(time.time()), 40).bars
    assert stored.first_time is not None
    assert stored.last_time is not None
    is_whole = len(stored) in {29, 30}
    return is_whole and stored == expected.between(stored.first_time, stored.last_time + 1)
