"""Jobs of any size: planned in batches, joined, cancelled, retried, submitted twice."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import redis

from pocketquant.domain.errors import Conflict, KeyReused, NotFound, ProviderTimeout, UnknownSymbol
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import JobState, SyncReport, SyncRequest, UnitState
from pocketquant.history.intake import Key
from pocketquant.messaging.queues import QueueName
from pocketquant.storage.interventions import DeadLetterFilter
from pocketquant.storage.units import Job, Unit
from pocketquant.wiring import Platform

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def wishes(count: int, n_bars: int = 100) -> list[SyncRequest]:
    return [SyncRequest(Series.parse(f"SIM:S{n:04d}|1d"), n_bars) for n in range(1, count + 1)]


def bulk(wired: Platform, count: int, key: Key | None = None) -> str:
    return wired.intake.submit_large("bulk", wishes(count), QueueName.BULK, key)


def planned(wired: Platform, count: int) -> str:
    job_id = bulk(wired, count)
    wired.planner.plan(job_id)
    return job_id


def job_of(wired: Platform, job_id: str) -> Job:
    job = wired.jobs.get(job_id)
    assert job is not None
    return job


def units_of(wired: Platform, job_id: str, state: UnitState | None = None) -> list[Unit]:
    return wired.jobs.units(job_id, state, None, 0, 10_000)[0]


def claimed(wired: Platform, unit: Unit) -> Unit:
    held = wired.ledger.claim(unit.id)
    assert held is not None
    return held


def complete(wired: Platform, unit: Unit) -> None:
    held = claimed(wired, unit)
    wired.ledger.finish(held, SyncReport(unit.request.series, 1, 1, 0, 0, {}, 1, 0, 0))


def fail(wired: Platform, unit: Unit, error: Exception | None = None) -> None:
    assert error is None or isinstance(error, UnknownSymbol | ProviderTimeout)
    wired.ledger.fail(claimed(wired, unit), error or UnknownSymbol("no such symbol"))


def test_a_large_job_is_stored_then_planned(wired: Platform, cache: redis.Redis) -> None:
    """Its units are counted from the start, and each has one message once it is planned."""
    job_id = bulk(wired, 2500)
    assert (JobState.PENDING, 2500) == (job_of(wired, job_id).state, job_of(wired, job_id).total)
    assert [] == units_of(wired, job_id)
    assert 1 == cache.llen("pocketquant:interactive")
    wired.planner.plan(job_id)
    assert 2500 == job_of(wired, job_id).counts[UnitState.QUEUED]
    assert 2500 == len(units_of(wired, job_id)) == cache.llen("pocketquant:bulk")
    status = wired.statuses.get(wishes(1)[0].series)
    assert status is not None
    assert (job_id, "pending") == (status.job_id, str(status.status))


def test_a_repeated_series_is_synced_once(wired: Platform) -> None:
    """A job has one unit a series and number of bars."""
    job_id = wired.intake.submit_large("bulk", wishes(3) + wishes(2), QueueName.BULK)
    wired.planner.plan(job_id)
    assert 3 == job_of(wired, job_id).total == len(units_of(wired, job_id))


def test_planning_twice_makes_no_second_unit(wired: Platform, cache: redis.Redis) -> None:
    """The planner after one that died half-way keeps existing units, ended or not."""
    job_id = planned(wired, 5)
    units = units_of(wired, job_id)
    complete(wired, units[0])
    wanted = {"interval": "1d", "n_bars": 100, "symbols": [f"SIM:S000{n}" for n in range(1, 8)]}
    died = {"$set": {"wants": [wanted], "total": 7}, "$unset": {"planned": ""}}
    wired.mongo["jobs"].update_one({"_id": job_id}, died)
    wired.planner.plan(job_id)
    assert 7 == len(units_of(wired, job_id)) == cache.llen("pocketquant:bulk")
    assert 1 == job_of(wired, job_id).counts[UnitState.COMPLETED]


def test_a_job_whose_planner_died_gets_another(wired: Platform, cache: redis.Redis) -> None:
    """The reconciler publishes the job again once the lease of the plan has expired."""
    job_id = bulk(wired, 5)
    cache.flushall()
    wired.reconciler.run()
    assert 0 == cache.llen("pocketquant:interactive")
    wired.mongo["jobs"].update_one({"_id": job_id}, {"$set": {"created_at": LONG_AGO}})
    wired.reconciler.run()
    assert 1 == cache.llen("pocketquant:interactive")


def test_a_large_job_joins_the_units_under_way(wired: Platform) -> None:
    """A series with an open unit of another job is not synced twice."""
    first, second = planned(wired, 3), planned(wired, 5)
    assert 5 == wired.mongo["units"].count_documents({})
    for unit in units_of(wired, first):
        complete(wired, unit)
    assert JobState.COMPLETED == job_of(wired, first).state
    assert 3 == job_of(wired, second).counts[UnitState.COMPLETED]


def test_a_job_whose_units_have_all_ended_is_closed(wired: Platform) -> None:
    """If the units that it joined ended before it was planned, its planner closes it."""
    job_id = wired.intake.submit_large("bulk", [], QueueName.BULK)
    wired.planner.plan(job_id)
    assert job_of(wired, job_id).finished_at is not None


def test_the_counts_of_an_ended_job_outlive_its_units(wired: Platform) -> None:
    """Units that ended early expire early; the counts of the job stay."""
    job_id = planned(wired, 2)
    first, second = units_of(wired, job_id)
    complete(wired, first)
    fail(wired, second)
    wired.mongo["units"].delete_many({})
    job = job_of(wired, job_id)
    assert (1, 1) == (job.counts[UnitState.COMPLETED], job.counts[UnitState.FAILED])


def test_the_same_key_gives_the_same_job(wired: Platform) -> None:
    """A key returns its job for a day, and only for the same request."""
    key = Key("k", "print")
    job_id = bulk(wired, 2, key)
    assert job_id == bulk(wired, 2, key)
    with pytest.raises(KeyReused):
        bulk(wired, 3, Key("k", "another"))
    yesterday = datetime.now(UTC) - timedelta(hours=25)
    wired.mongo["jobs"].update_one({"_id": job_id}, {"$set": {"created_at": yesterday}})
    assert job_id != bulk(wired, 2, key)


def test_the_same_key_gives_the_same_sync(wired: Platform) -> None:
    """A repeated request for a single sync does not run again after its end."""
    wish = wishes(1)[0]
    submitted = wired.intake.submit(wish, QueueName.INTERACTIVE, Key("k"))
    complete(wired, submitted.unit)
    waited = wired.intake.sync(wish, 5, Key("k"))
    assert (submitted.job_id, True) == (waited.job_id, waited.has_ended)
    assert 1 == wired.mongo["units"].count_documents({})


def test_cancelling_ends_waiting_units_and_stops_running_ones(wired: Platform) -> None:
    """A running unit may finish first; the job is closed when none is left."""
    job_id = planned(wired, 4)
    running = claimed(wired, units_of(wired, job_id)[0])
    cancellation = wired.intake.cancel(job_id)
    assert (3, [running.request.series]) == (cancellation.cancelled, cancellation.stopping)
    job = job_of(wired, job_id)
    assert (JobState.CANCELLED, None) == (job.state, job.finished_at)
    wired.ledger.finish(running, SyncReport(running.request.series, 1, 1, 0, 0, {}, 1, 0, 0))
    job = job_of(wired, job_id)
    assert (1, 3) == (job.counts[UnitState.COMPLETED], job.counts[UnitState.CANCELLED])
    assert job.finished_at is not None


def test_cancelling_leaves_other_jobs_their_units(wired: Platform) -> None:
    """A unit that two jobs want goes on for the other job."""
    first, second = planned(wired, 2), planned(wired, 3)
    cancellation = wired.intake.cancel(second)
    assert (1, 2) == (cancellation.cancelled, len(cancellation.kept))
    assert {UnitState.QUEUED} == {unit.state for unit in units_of(wired, first)}
    assert 3 == job_of(wired, second).counts[UnitState.CANCELLED]


def test_a_cancelled_series_is_not_pending(wired: Platform) -> None:
    """Its status says that its job was cancelled."""
    job_id = planned(wired, 1)
    wired.intake.cancel(job_id)
    status = wired.statuses.get(wishes(1)[0].series)
    assert status is not None
    assert ("error", "cancelled") == (str(status.status), status.error_code)


def test_only_open_jobs_are_cancelled(wired: Platform) -> None:
    """An ended job is a conflict, an unknown one not found; cancelling twice is harmless."""
    job_id = planned(wired, 1)
    complete(wired, units_of(wired, job_id)[0])
    with pytest.raises(Conflict):
        wired.intake.cancel(job_id)
    with pytest.raises(NotFound):
        wired.intake.cancel("none")
    other = bulk(wired, 2)
    wired.intake.cancel(other)
    assert 0 == wired.intake.cancel(other).cancelled


def test_a_job_cancelled_before_it_was_planned_is_never_planned(wired: Platform) -> None:
    """Its planner finds nothing to do, and every unit counts as cancelled."""
    job_id = bulk(wired, 3)
    wired.intake.cancel(job_id)
    wired.planner.plan(job_id)
    job = job_of(wired, job_id)
    assert ([], 3) == (units_of(wired, job_id), job.counts[UnitState.CANCELLED])
    assert job.finished_at is not None


def test_a_cancellation_that_died_half_way_is_finished(wired: Platform) -> None:
    """The reconciler cancels the rest."""
    job_id = planned(wired, 3)
    half = {"$set": {"cancelled": True, "created_at": LONG_AGO}}
    wired.mongo["jobs"].update_one({"_id": job_id}, half)
    wired.reconciler.run()
    assert 3 == len(units_of(wired, job_id, UnitState.CANCELLED))
    assert job_of(wired, job_id).finished_at is not None


def test_a_stopped_unit_whose_worker_died_ends(wire_with: Callable[..., Platform]) -> None:
    """It is not published again; the reconciler cancels it."""
    wired = wire_with(lease_seconds=0.001, provider_timeout_seconds=0.0001)
    job_id = planned(wired, 1)
    claimed(wired, units_of(wired, job_id)[0])
    wired.intake.cancel(job_id)
    wired.reconciler.run()
    assert 1 == len(units_of(wired, job_id, UnitState.CANCELLED))
    assert job_of(wired, job_id).finished_at is not None


def test_failed_units_are_tried_again(wired: Platform, cache: redis.Redis) -> None:
    """Only units with the requested code are; the job is open until they have ended."""
    job_id = planned(wired, 3)
    first, second, third = units_of(wired, job_id)
    fail(wired, first)
    fail(wired, second, ProviderTimeout("too slow"))
    complete(wired, third)
    cache.flushall()
    assert 1 == wired.intake.retry(DeadLetterFilter(job_id, "provider_timeout"))
    assert (1, JobState.RUNNING) == (cache.llen("pocketquant:bulk"), job_of(wired, job_id).state)
    again = claimed(wired, second)
    assert (1, 2) == (again.tries, again.attempt)
    wired.ledger.finish(again, SyncReport(again.request.series, 1, 1, 0, 0, {}, 1, 0, 0))
    job = job_of(wired, job_id)
    assert (2, 1) == (job.counts[UnitState.COMPLETED], job.counts[UnitState.FAILED])
    assert job.finished_at is not None


def test_one_dead_letter_is_tried_again(wired: Platform) -> None:
    """It is named by its id alone."""
    job_id = planned(wired, 2)
    first, second = units_of(wired, job_id)
    fail(wired, first)
    fail(wired, second)
    assert 1 == wired.intake.retry(DeadLetterFilter(unit_ids=(second.id,)))
    assert [first.id] == [unit.id for unit in wired.jobs.dead_letters(None, 0, 10)[0]]
    assert {"unknown_symbol": 1} == wired.jobs.dead_letter_codes()


def test_a_dead_letter_joins_the_open_unit_of_its_series(wired: Platform) -> None:
    """The series is not synced twice at once, and the job ends with the other's unit."""
    job_id = planned(wired, 1)
    fail(wired, units_of(wired, job_id)[0])
    other = planned(wired, 1)
    assert 1 == wired.intake.retry(DeadLetterFilter(job_id))
    assert JobState.COMPLETED != job_of(wired, job_id).state
    complete(wired, units_of(wired, other)[0])
    assert 1 == job_of(wired, job_id).counts[UnitState.COMPLETED]
    assert job_of(wired, job_id).finished_at is not None


def test_progress_tells_rate_end_and_first_errors(wired: Platform) -> None:
    """The rate is of the last minute; at most five errors are returned."""
    job_id = planned(wired, 10)
    units = units_of(wired, job_id)
    for unit in units[:6]:
        fail(wired, unit)
    now = datetime.now(UTC)
    progress = wired.jobs.progress(job_of(wired, job_id), now)
    assert [unit.id for unit in units[:5]] == [unit.id for unit in progress.first_errors]
    assert progress.units_per_second
    assert progress.estimated_end_at
    assert progress.estimated_end_at > now


@pytest.mark.parametrize("state", list(JobState))
def test_jobs_are_listed_by_state(wired: Platform, state: JobState) -> None:
    """A job is in one of five states, whose lists are the newest first."""
    pending = planned(wired, 1)
    completed = wired.intake.submit(SyncRequest(Series.parse("A:B|1d")), QueueName.BULK)
    complete(wired, completed.unit)
    running = wired.intake.submit(SyncRequest(Series.parse("A:C|1d")), QueueName.BULK)
    claimed(wired, running.unit)
    cancelled = wired.intake.submit(SyncRequest(Series.parse("A:D|1d")), QueueName.BULK)
    wired.intake.cancel(cancelled.job_id)
    paused = wired.intake.submit(SyncRequest(Series.parse("A:E|1d")), QueueName.BULK)
    wired.intake.pause(paused.job_id)
    expected = {
        JobState.PAUSED: paused.job_id,
        JobState.PENDING: pending,
        JobState.RUNNING: running.job_id,
        JobState.COMPLETED: completed.job_id,
        JobState.CANCELLED: cancelled.job_id,
    }
    found, total = wired.jobs.page(state, None, None, 0, 10)
    assert ([expected[state]], 1) == ([job.id for job in found], total)
    newest_first, _ = wired.jobs.page(None, None, None, 0, 10)
    assert sorted(expected.values(), reverse=True) == [job.id for job in newest_first]
    assert [pending] == [job.id for job in wired.jobs.page(None, "bulk", None, 0, 10)[0]]
