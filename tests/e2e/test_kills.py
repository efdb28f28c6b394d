"""Workers killed again and again during one large job."""

import random
from typing import Any

import pytest

from pocketquant.domain.symbols import Series
from pocketquant.servers.connections import wait_until
from pocketquant.simulator.market.prices import Resolution
from pocketquant.storage.bars import BarStore
from tests.simulated import known

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

LIMIT = 12_000  # bars of a series: three pages
CHUNKS = 12  # of a series, about


def test_kills_during_many_syncs(
    platform_without_workers: Any,
    start_worker: Any,
    simulator: Any,
    request: pytest.FixtureRequest,
    is_whole: bool,
) -> None:
    """Every unit is completed, and every series has the provider's bars.

    There are eight kills during 800 syncs, or with `--whole` twenty during 2000.
    """
    chance = random.Random(20261122)
    all_kills, syncs = (20, 2000) if is_whole else (8, 800)
    wanted = [f"SIM:S{1000 + n:04}" for n in range(syncs)]
    simulator.order("latency", None, 0.2)
    request.addfinalizer(simulator.lift)
    workers = [
        start_worker(platform_without_workers, worker_slots=16, max_attempts=20) for _ in range(2)
    ]
    job_id = platform_without_workers.sync_in_bulk(wanted)
    for kills in range(all_kills):
        done = platform_without_workers.counts(job_id)["completed"]
        goal = min(done + chance.randrange(1, 80), syncs * (kills + 1) // (all_kills + 1))
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
    assert (syncs, syncs) == (counts["total"], counts["completed"])
    assert [unit for unit in platform_without_workers.units(job_id) if unit["attempt"] > 1]
    assert [] == platform_without_workers.wrong_series(wanted)


def test_kills_during_backfills_of_many_pages(
    platform_without_workers: Any,
    start_worker: Any,
    simulator: Any,
    request: pytest.FixtureRequest,
    is_whole: bool,
) -> None:
    """Each series is complete, without a hole where its worker was killed.

    There are five kills during 20 series, or with `--whole` twenty during 100.
    """
    platform, chance = platform_without_workers, random.Random(20261127)
    kills, series = (20, 100) if is_whole else (5, 20)
    wanted = [f"SIM:S{4000 + number:04}" for number in range(series)]
    simulator.order("bar_limit", value=LIMIT)
    simulator.order("latency", value=0.2)
    request.addfinalizer(simulator.lift)
    workers = [start_worker(platform, worker_slots=8) for _ in range(2)]
    job_id = platform.backfill(wanted, "1h")

    def stored_chunks() -> int:
        return int(platform.mongo["ohlcv"].count_documents({"interval": "1h"}))

    step = series * CHUNKS // (kills + 1)
    for number in range(kills):
        goal = step * number + chance.randrange(1, step)
        wait_until("some pages are stored", lambda goal=goal: stored_chunks() >= goal, (), 240)
        victim = workers.pop(chance.randrange(2))
        victim.kill()
        victim.wait()
        workers.append(start_worker(platform, worker_slots=8))
    counts = platform.wait_for_job(job_id, 300)["counts"]
    assert (series, series) == (counts["total"], counts["completed"])
    assert [unit for unit in platform.units(job_id) if unit["attempt"] > 1]
    for unit in platform.units(job_id):
        stored = BarStore(platform.mongo).read(Series.parse(unit["series"]))
        assert stored.last_time is not None
        instrument = known(unit["series"].partition("|")[0])
        newest = simulator.market.newest(
            instrument,
            Resolution(60, "m"),
            now=stored.last_time + 3600,
            count=len(stored),
            before=stored.last_time + 1,
        )
        assert newest.bars == stored
        assert LIMIT - 3 <= len(stored) <= LIMIT  # hours may pass meanwhile
        assert "limit" == unit["report"]["stop"]
        path = f"/api/v1/market-data/holes/{instrument.exchange}/{instrument.ticker}"
        found = platform.get(path, interval="1h").body
        assert (None, []) == (found["calendar_problem"], _fillable(found))


def _fillable(found: dict[str, Any]) -> list[Any]:
    """Return the holes that a sync would fill; an hour that closed since the sync is none."""
    return [hole for hole in found["holes"] if hole["reason"] in {"not_fetched", "lost"}]
