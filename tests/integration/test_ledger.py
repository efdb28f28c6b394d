"""The ledger on a real MongoDB: races, leases, fencing, joins."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from pocketquant.connections import Mongo, wait_until
from pocketquant.domain.errors import (
    AttemptsExhausted,
    LeaseLost,
    ProviderTimeout,
    UnknownSymbol,
)
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import JobState, SyncReport, SyncRequest, UnitState
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.storage.ledger import Ledger
from pocketquant.storage.units import Unit

APPLE = Series.parse("NASDAQ:AAPL|1d")
BITCOIN = Series.parse("BINANCE:BTCUSDT|1m")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def make_ledger(mongo: Mongo) -> Callable[..., Ledger]:
    """Makes ledgers on one database, with leases that hold unless asked otherwise."""
    make_collections_and_indexes(mongo)

    def make(lease_seconds: float = 60.0, max_attempts: int = 3) -> Ledger:
        return Ledger(mongo, lease_seconds, max_attempts)

    return make


@pytest.fixture
def ledger(make_ledger: Callable[..., Ledger]) -> Ledger:
    """A ledger."""
    return make_ledger()


def submit(ledger: Ledger, series: Series = APPLE, n_bars: int = 100) -> tuple[str, Unit]:
    job_id, units = ledger.submit("sync", [SyncRequest(series, n_bars)], "bulk", NOW)
    return job_id, units[0]


def claim(ledger: Ledger, unit: Unit) -> Unit:
    claimed = ledger.claim(unit.id)
    assert claimed is not None
    return claimed


def report(series: Series = APPLE) -> SyncReport:
    return SyncReport(
        series=series,
        fetched=4,
        inserted=2,
        changed=1,
        unchanged=0,
        refused={"not_finite": 1},
        bar_count=9,
        first_bar_at=0,
        last_bar_at=86400,
    )


def job_state(ledger: Ledger, job_id: str) -> JobState | None:
    job = ledger.get_job(job_id)
    return job.state if job else None


def test_a_unit_runs_from_queued_to_completed(ledger: Ledger) -> None:
    """Submit, claim, finish: the unit and its job are completed, the report is kept."""
    job_id, unit = submit(ledger)
    assert (UnitState.QUEUED, 0) == (unit.state, unit.attempt)
    assert JobState.PENDING == job_state(ledger, job_id)

    held = claim(ledger, unit)
    assert (UnitState.RUNNING, 1) == (held.state, held.attempt)
    assert JobState.RUNNING == job_state(ledger, job_id)

    assert ledger.finish(held, report()) is None
    ended = ledger.get_unit(unit.id)
    assert ended is not None
    assert (UnitState.COMPLETED, 1) == (ended.state, ended.ended_attempt)
    assert ended.report == {
        "fetched": 4,
        "inserted": 2,
        "changed": 1,
        "unchanged": 0,
        "refused": {"not_finite": 1},
        "bar_count": 9,
        "first_bar_at": 0,
        "last_bar_at": 86400,
    }
    job = ledger.get_job(job_id)
    assert job is not None
    assert JobState.COMPLETED == job.state
    assert job.finished_at is not None
    assert 1 == job.counts[UnitState.COMPLETED] == job.total


def test_of_twenty_racing_claims_one_wins(ledger: Ledger) -> None:
    """A unit has one holder, however many copies of its message there are."""
    _, unit = submit(ledger)
    with ThreadPoolExecutor(20) as threads:
        claims = list(threads.map(ledger.claim, [unit.id] * 20))
    assert 1 == sum(claimed is not None for claimed in claims)


def test_of_forty_racing_submissions_one_makes_the_unit(ledger: Ledger) -> None:
    """A series has one active unit, and every job that asked for it holds that one."""
    with ThreadPoolExecutor(40) as threads:
        submitted = list(threads.map(lambda _: submit(ledger), range(40)))
    assert 1 == len({unit.id for _, unit in submitted})
    held = claim(ledger, submitted[0][1])
    assert 40 == len(held.jobs)
    ledger.finish(held, report())
    states = {job_state(ledger, job_id) for job_id, _ in submitted}
    assert {JobState.COMPLETED} == states


def test_a_series_whose_unit_has_ended_gets_a_new_one(ledger: Ledger) -> None:
    """Only active units are joined."""
    _, first = submit(ledger)
    ledger.finish(claim(ledger, first), report())
    _, second = submit(ledger)
    assert first.id != second.id
    assert UnitState.QUEUED == second.state


def test_joining_with_more_bars_raises_what_the_unit_fetches(ledger: Ledger) -> None:
    """A queued unit fetches as many bars as its most demanding job wants."""
    _, unit = submit(ledger, n_bars=10)
    submit(ledger, n_bars=500)
    submit(ledger, n_bars=20)
    assert 500 == claim(ledger, unit).request.n_bars


def test_a_running_unit_asked_for_more_bars_goes_on(ledger: Ledger) -> None:
    """Its finish hands it back with the larger request, still held; the next finish ends it."""
    first_job, unit = submit(ledger, n_bars=10)
    held = claim(ledger, unit)
    second_job, _ = submit(ledger, n_bars=500)

    going_on = ledger.finish(held, report())
    assert going_on is not None
    assert (500, held.attempt) == (going_on.request.n_bars, going_on.attempt)
    assert JobState.RUNNING == job_state(ledger, first_job)

    assert ledger.finish(going_on, report()) is None
    assert JobState.COMPLETED == job_state(ledger, first_job)
    assert JobState.COMPLETED == job_state(ledger, second_job)


def test_a_lease_that_ran_out_lets_another_claim(make_ledger: Callable[..., Ledger]) -> None:
    """The unit of a dead worker is claimed again, as the next attempt."""
    ledger = make_ledger(lease_seconds=0.05)
    _, unit = submit(ledger)
    claim(ledger, unit)
    claims: list[Unit] = []

    def is_claimed() -> bool:
        claims.extend(filter(None, [ledger.claim(unit.id)]))
        return bool(claims)

    wait_until("the lease has run out", is_claimed, (), 10)
    assert 2 == claims[0].attempt


@pytest.mark.parametrize("end", ["extend", "finish", "defer", "fail"])
def test_an_attempt_that_lost_its_unit_can_write_nothing(
    make_ledger: Callable[..., Ledger], end: str
) -> None:
    """Every write of a running unit is fenced by the attempt."""
    _, unit = submit(make_ledger())
    stale = claim(make_ledger(lease_seconds=0), unit)
    holder = claim(make_ledger(), unit)
    ledger = make_ledger()
    writes = {
        "extend": lambda: ledger.extend(stale),
        "finish": lambda: ledger.finish(stale, report()),
        "defer": lambda: ledger.defer(stale, ProviderTimeout("late"), 1),
        "fail": lambda: ledger.fail(stale, UnknownSymbol("no")),
    }
    with pytest.raises(LeaseLost):
        writes[end]()
    assert holder == ledger.get_unit(unit.id)


def test_extending_keeps_the_unit(make_ledger: Callable[..., Ledger]) -> None:
    """An extended lease keeps other workers out."""
    _, unit = submit(make_ledger())
    held = claim(make_ledger(lease_seconds=0), unit)
    make_ledger(lease_seconds=60).extend(held)
    assert make_ledger().claim(unit.id) is None


def test_a_deferred_unit_is_not_due_before_its_time(ledger: Ledger) -> None:
    """It keeps its error, is not claimed early, and is due when the delay is over."""
    _, unit = submit(ledger)
    ledger.defer(claim(ledger, unit), ProviderTimeout("too slow"), 3600)
    deferred = ledger.get_unit(unit.id)
    assert deferred is not None
    assert deferred.state is UnitState.QUEUED
    assert isinstance(deferred.error, ProviderTimeout)
    assert "too slow" == str(deferred.error)
    assert 1 == deferred.ended_attempt
    assert ledger.claim(unit.id) is None
    assert [] == ledger.due_units(0, 0, 10)


def test_asking_again_makes_a_deferred_unit_due(ledger: Ledger) -> None:
    """Somebody wants it now."""
    _, unit = submit(ledger)
    ledger.defer(claim(ledger, unit), ProviderTimeout("too slow"), 3600)
    submit(ledger)
    assert 2 == claim(ledger, unit).attempt


def test_the_last_attempt_is_known(ledger: Ledger) -> None:
    """Of three allowed attempts the third is the last."""
    _, unit = submit(ledger)
    last = []
    for _ in range(3):
        held = claim(ledger, unit)
        last.append(ledger.is_last_attempt(held))
        ledger.defer(held, ProviderTimeout("slow"), 0)
    assert [False, False, True] == last
    assert ledger.claim(unit.id) is None


def test_a_failed_unit_is_a_dead_letter(ledger: Ledger) -> None:
    """What is rejected is not tried again, and says why."""
    _, unit = submit(ledger)
    ledger.fail(claim(ledger, unit), UnknownSymbol("NASDAQ:AAPL is unknown"))
    failed = ledger.get_unit(unit.id)
    assert failed is not None
    assert isinstance(failed.error, UnknownSymbol)
    assert ledger.claim(unit.id) is None


def test_a_unit_nobody_published_lately_is_due(ledger: Ledger) -> None:
    """A lost message is found by the silence of its unit, and only once a round."""
    _, unit = submit(ledger)
    assert [] == ledger.due_units(3600, 3600, 10)
    assert [unit.id] == [due.id for due in ledger.due_units(0, 3600, 10)]
    assert [] == ledger.due_units(60, 60, 10)


def test_a_unit_of_a_dead_worker_is_due(make_ledger: Callable[..., Ledger]) -> None:
    """A lease that ran out makes the unit due even while queued ones are left alone."""
    ledger = make_ledger(lease_seconds=0)
    _, unit = submit(ledger)
    claim(ledger, unit)
    assert [unit.id] == [due.id for due in ledger.due_units(3600, 0, 10)]


def test_a_unit_whose_every_attempt_died_is_given_up(make_ledger: Callable[..., Ledger]) -> None:
    """A sync that kills its worker each time ends as a dead letter."""
    ledger = make_ledger(lease_seconds=0, max_attempts=2)
    job_id, unit = submit(ledger)
    claim(ledger, unit)
    assert [] == ledger.give_up_exhausted(10)
    claim(ledger, unit)
    assert ledger.claim(unit.id) is None
    (failed,) = ledger.give_up_exhausted(10)
    assert (unit.id, UnitState.FAILED) == (failed.id, failed.state)
    assert isinstance(failed.error, AttemptsExhausted)
    assert JobState.COMPLETED == job_state(ledger, job_id)
    assert [] == ledger.give_up_exhausted(10)


def test_a_queued_unit_without_attempts_is_given_up(make_ledger: Callable[..., Ledger]) -> None:
    """When an operator allows fewer attempts than a unit has had, it does not wait for ever."""
    _, unit = submit(make_ledger())
    patient = make_ledger(max_attempts=3)
    patient.defer(claim(patient, unit), ProviderTimeout("slow"), 0)
    (failed,) = make_ledger(max_attempts=1).give_up_exhausted(10)
    assert UnitState.FAILED == failed.state


def test_a_job_whose_submitter_died_is_planned(ledger: Ledger, mongo: Mongo) -> None:
    """A job without its units gets them; planning twice makes no second unit."""
    job_id, unit = submit(ledger)
    mongo["units"].delete_one({"_id": unit.id})
    mongo["jobs"].update_one({"_id": job_id}, {"$unset": {"planned": ""}})
    assert 0 == ledger.mend_jobs(NOW, 10)
    assert 1 == ledger.mend_jobs(LATER, 10)
    assert 0 == ledger.mend_jobs(LATER, 10)
    assert UnitState.RUNNING == claim(ledger, unit).state


def test_planning_again_after_the_unit_ended_makes_no_second_one(
    ledger: Ledger, mongo: Mongo
) -> None:
    """A submitter that died between planning and noting it costs no second sync."""
    job_id, unit = submit(ledger)
    ledger.finish(claim(ledger, unit), report())
    requests = [[str(APPLE), 100]]
    reopened = {"$set": {"open": True, "requests": requests}, "$unset": {"planned": ""}}
    mongo["jobs"].update_one({"_id": job_id}, reopened)
    ledger.mend_jobs(LATER, 10)
    assert 1 == mongo["units"].count_documents({})


def test_a_job_whose_finisher_died_is_closed(ledger: Ledger, mongo: Mongo) -> None:
    """A job left open by the crash of its last worker is closed by the mending."""
    job_id, unit = submit(ledger)
    ledger.finish(claim(ledger, unit), report())
    mongo["jobs"].update_one(
        {"_id": job_id}, {"$set": {"open": True}, "$unset": {"finished_at": ""}}
    )
    assert JobState.COMPLETED == job_state(ledger, job_id)
    assert 1 == ledger.mend_jobs(LATER, 10)
    job = ledger.get_job(job_id)
    assert job is not None
    assert job.finished_at is not None


def test_a_job_of_two_units_ends_with_the_second(ledger: Ledger) -> None:
    """The finish that leaves no unit open closes the job."""
    requests = [SyncRequest(APPLE), SyncRequest(BITCOIN)]
    job_id, units = ledger.submit("sync", requests, "bulk", NOW)
    ledger.finish(claim(ledger, units[0]), report())
    assert JobState.RUNNING == job_state(ledger, job_id)
    ledger.fail(claim(ledger, units[1]), UnknownSymbol("no"))
    assert JobState.COMPLETED == job_state(ledger, job_id)


def test_there_is_no_unknown_job(ledger: Ledger) -> None:
    """Nothing is None, not an error."""
    assert ledger.get_job("none") is None
    assert ledger.get_unit("none") is None
