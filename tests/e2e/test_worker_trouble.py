"""Workers killed, terminated, or killed by a series: no sync is lost or done twice."""

from typing import Any

import pytest

from pocketquant.servers.connections import wait_until

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

SLOTS = 8
# Time for a test to kill a worker before its fetches end by themselves.
NEARLY_A_LEASE = {"provider_timeout_seconds": 5.5, "lease_seconds": 8.5}
PATIENT = {"provider_timeout_seconds": 30, "lease_seconds": 60}


def symbols(first: int, count: int) -> list[str]:
    return [f"SIM:S{first + n:04}" for n in range(count)]


def asked(provider: Any) -> int:
    """How many fetches a worker's own provider has received."""
    return int(provider.tally.requested.total())


def all_completed(total: int) -> dict[str, int]:
    nothing = dict.fromkeys(("queued", "running", "paused", "failed", "cancelled"), 0)
    return {"total": total, "completed": total, **nothing}


def test_a_killed_workers_syncs_are_done_by_another(
    platform_without_workers: Any, start_worker: Any, start_simulator: Any
) -> None:
    """After `kill -9` with all slots busy, another worker completes each sync, once in effect."""
    wanted = symbols(400, SLOTS)
    stuck, healthy = start_simulator(), start_simulator()
    stuck.order("latency", None, 60)
    victim = start_worker(platform_without_workers, stuck, **NEARLY_A_LEASE)
    job_id = platform_without_workers.sync_in_bulk(wanted)
    wait_until("every slot is at work", lambda: asked(stuck) == SLOTS, (), 60)
    victim.kill()
    start_worker(platform_without_workers, healthy)
    job = platform_without_workers.wait_for_job(job_id, 75)
    assert all_completed(SLOTS) == job["counts"]
    assert dict.fromkeys(wanted, 1) == {name: healthy.tally.served[name] for name in wanted}
    assert {2} == {unit["attempt"] for unit in platform_without_workers.units(job_id)}
    assert [] == platform_without_workers.wrong_series(wanted)


def test_a_job_goes_on_after_all_workers_were_killed(
    platform_without_workers: Any, start_worker: Any, start_simulator: Any
) -> None:
    """After `kill -9` of all workers halfway, new ones complete the job."""
    wanted = symbols(420, 120)
    provider = start_simulator()
    provider.order("latency", None, 0.3)
    workers = [start_worker(platform_without_workers, provider) for _ in range(2)]
    job_id = platform_without_workers.sync_in_bulk(wanted)
    platform_without_workers.wait_for_completed(job_id, 40)
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.wait()
    assert platform_without_workers.counts(job_id)["completed"] < len(wanted)
    for _ in workers:
        start_worker(platform_without_workers, provider)
    assert (
        all_completed(len(wanted)) == platform_without_workers.wait_for_job(job_id, 120)["counts"]
    )
    assert [] == platform_without_workers.wrong_series(wanted)


def test_a_worker_told_to_end_finishes_what_it_has_and_begins_nothing(
    platform_without_workers: Any, start_worker: Any, start_simulator: Any
) -> None:
    """At SIGTERM it exits with 0 after completing its running syncs; another does the rest."""
    wanted = symbols(550, 80)
    ending, going_on = start_simulator(), start_simulator()
    for provider in (ending, going_on):
        provider.order("latency", None, 0.4)
    worker = start_worker(platform_without_workers, ending)
    job_id = platform_without_workers.sync_in_bulk(wanted)
    platform_without_workers.wait_for_completed(job_id, 1)
    worker.terminate()
    begun = asked(ending)
    assert 0 == worker.wait(20)
    assert asked(ending) <= begun + SLOTS
    assert ending.tally.requested == ending.tally.served
    assert platform_without_workers.counts(job_id)["completed"] == asked(ending) < len(wanted)
    start_worker(platform_without_workers, going_on)
    assert all_completed(len(wanted)) == platform_without_workers.wait_for_job(job_id)["counts"]
    assert {1} == {unit["tries"] for unit in platform_without_workers.units(job_id)}


def test_a_worker_stuck_in_fetches_hands_them_back_when_told_to_end(
    platform_without_workers: Any, start_worker: Any, start_simulator: Any
) -> None:
    """At SIGTERM it exits with 0 after the grace; another worker's attempt counts as the first."""
    wanted = symbols(680, SLOTS)
    stuck, healthy = start_simulator(), start_simulator()
    stuck.order("stall")
    worker = start_worker(platform_without_workers, stuck, worker_grace_seconds=1, **PATIENT)
    job_id = platform_without_workers.sync_in_bulk(wanted)
    wait_until("every slot is at work", lambda: asked(stuck) == SLOTS, (), 60)
    worker.terminate()
    assert 0 == worker.wait(20)
    handed_back = platform_without_workers.units(job_id)
    assert {("queued", 0)} == {(unit["state"], unit["tries"]) for unit in handed_back}
    start_worker(platform_without_workers, healthy)
    assert all_completed(SLOTS) == platform_without_workers.wait_for_job(job_id)["counts"]
    assert dict.fromkeys(wanted, 1) == healthy.tally.served
    assert {1} == {unit["tries"] for unit in platform_without_workers.units(job_id)}


def test_a_series_that_kills_its_workers_is_given_up(
    platform_without_workers: Any, start_worker: Any, start_simulator: Any
) -> None:
    """After the allowed attempts it is a dead letter with a code; the others are completed."""
    poison, others = "SIM:S0700", symbols(701, 30)
    hands: dict[int, tuple[Any, Any]] = {}

    def hire(number: int) -> None:
        provider = start_simulator()
        provider.order("latency", None, 0.2)
        provider.order("latency", poison, 60)  # time for the test to see who has it
        worker = start_worker(platform_without_workers, provider, max_attempts=3, **NEARLY_A_LEASE)
        hands[number] = (worker, provider)

    def victims() -> list[int]:
        return [n for n, (_, provider) in hands.items() if provider.tally.requested[poison]]

    hire(0)
    hire(1)
    job_id = platform_without_workers.sync_in_bulk([poison, *others])
    for attempt in (1, 2, 3):
        wait_until(f"attempt {attempt} runs", victims, (), 60)
        (victim,) = victims()
        hands[victim][0].kill()
        hire(victim)
    counts = platform_without_workers.wait_for_job(job_id)["counts"]
    assert (len(others), 1) == (counts["completed"], counts["failed"])
    assert [] == platform_without_workers.wrong_series(others)
    letters = platform_without_workers.get("/api/v1/dead-letters").body
    (letter,) = [one for one in letters if f"{one['exchange']}:{one['symbol']}" == poison]
    assert ("attempts_exhausted", 3) == (letter["error"], letter["attempts"])
