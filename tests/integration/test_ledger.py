"""The ledger on a real MongoDB: races, leases, fencing, joins."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from pocketquant.domain.errors import (
    AttemptsExhausted,
    LeaseLost,
    ProviderDown,
    ProviderTimeout,
    UnknownSymbol,
)
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import (
    JobState,
    RangeProgress,
    SyncReport,
    SyncRequest,
    UnitState,
)
from pocketquant.servers.connections import Mongo, wait_until
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.storage.jobs import JobStore
from pocketquant.storage.ledger import Ledger
from pocketquant.storage.lost_units import LostUnits
from pocketquant.storage.plans import JobPlans
from pocketquant.storage.units import Job, Unit

APPLE = Series.parse("NASDAQ:AAPL|1d")
BITCOIN = Series.parse("BINANCE:BTCUSDT|1m")
GOLD = Series.parse("TVC:GOLD|1d")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Books:
    """All stores of jobs and units on one database."""

    jobs: JobStore
    plans: JobPlans
    ledger: Ledger
    lost_units: LostUnits

    def submit(self, series: Series = APPLE, n_bars: int = 100) -> tuple[str, Unit]:
        job_id, (unit,) = self.submit_all([SyncRequest(series, n_bars)])
        return job_id, unit

    def submit_all(self, requests: list[SyncRequest]) -> tuple[str, list[Unit]]:
        opened = self.jobs.open("sync", requests, "bulk", NOW)
        return opened.job_id, self.plan(opened.job_id)

    def plan(self, job_id: str) -> list[Unit]:
        plan = self.plans.take(job_id)
        assert plan is not None
        units = [self.plans.join(plan, want) for want in plan.wants()]
        self.plans.end(job_id)
        return units

    def claim(self, unit: Unit) -> Unit:
        claimed = self.ledger.claim(unit.id)
        assert claimed is not None
        return claimed

    def unit(self, unit: Unit) -> Unit:
        found = self.ledger.get_unit(unit.id)
        assert found is not None
        return found

    def job(self, job_id: str) -> Job:
        job = self.jobs.get(job_id)
        assert job is not None
        return job


@pytest.fixture
def open_books(mongo: Mongo) -> Callable[..., Books]:
    """Makes the stores of one database; leases last long unless a test shortens them."""
    make_collections_and_indexes(mongo)

    def make(lease_seconds: float = 60.0, max_attempts: int = 3) -> Books:
        jobs = JobStore(mongo)
        ledger = Ledger(mongo, jobs, lease_seconds, max_attempts)
        return Books(jobs, JobPlans(mongo), ledger, LostUnits(mongo, jobs, max_attempts))

    return make


@pytest.fixture
def books(open_books: Callable[..., Books]) -> Books:
    """Stores of one database."""
    return open_books()


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


def test_a_unit_runs_from_queued_to_completed(books: Books) -> None:
    """After submit, claim and finish, unit and job are completed, and the report is stored."""
    job_id, unit = books.submit()
    assert (UnitState.QUEUED, 0) == (unit.state, unit.attempt)
    assert JobState.PENDING == books.job(job_id).state

    held = books.claim(unit)
    assert (UnitState.RUNNING, 1) == (held.state, held.attempt)
    assert JobState.RUNNING == books.job(job_id).state

    assert books.ledger.finish(held, report()) is None
    ended = books.ledger.get_unit(unit.id)
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
        "forming": 0,
    }
    job = books.job(job_id)
    assert JobState.COMPLETED == job.state
    assert job.finished_at is not None
    assert 1 == job.counts[UnitState.COMPLETED] == job.total


def test_of_twenty_racing_claims_one_wins(books: Books) -> None:
    """A unit has one holder, however many copies of its message there are."""
    _, unit = books.submit()
    with ThreadPoolExecutor(20) as threads:
        claims = list(threads.map(books.ledger.claim, [unit.id] * 20))
    assert 1 == sum(claimed is not None for claimed in claims)


def test_of_forty_racing_submissions_one_makes_the_unit(books: Books) -> None:
    """A series has one open unit, which every job that requested the series joins."""
    with ThreadPoolExecutor(40) as threads:
        submitted = list(threads.map(lambda _: books.submit(), range(40)))
    assert 1 == len({unit.id for _, unit in submitted})
    held = books.claim(submitted[0][1])
    assert 40 == len(held.jobs)
    books.ledger.finish(held, report())
    states = {books.job(job_id).state for job_id, _ in submitted}
    assert {JobState.COMPLETED} == states


def test_a_series_whose_unit_has_ended_gets_a_new_one(books: Books) -> None:
    """Only open units are joined."""
    _, first = books.submit()
    books.ledger.finish(books.claim(first), report())
    _, second = books.submit()
    assert first.id != second.id
    assert UnitState.QUEUED == second.state


def test_joining_with_more_bars_raises_what_the_unit_fetches(books: Books) -> None:
    """A queued unit fetches as many bars as its most demanding job wants."""
    _, unit = books.submit(n_bars=10)
    books.submit(n_bars=500)
    books.submit(n_bars=20)
    assert 500 == books.claim(unit).request.n_bars


def test_a_running_unit_asked_for_more_bars_goes_on(books: Books) -> None:
    """The first finish returns the unit, still held, with the larger request; the next ends it."""
    first_job, unit = books.submit(n_bars=10)
    held = books.claim(unit)
    second_job, _ = books.submit(n_bars=500)

    going_on = books.ledger.finish(held, report())
    assert going_on is not None
    assert (500, held.attempt) == (going_on.request.n_bars, going_on.attempt)
    assert JobState.RUNNING == books.job(first_job).state

    assert books.ledger.finish(going_on, report()) is None
    assert JobState.COMPLETED == books.job(first_job).state
    assert JobState.COMPLETED == books.job(second_job).state


def test_a_lease_that_ran_out_lets_another_claim(open_books: Callable[..., Books]) -> None:
    """The unit of a dead worker is claimed again, as the next attempt."""
    books = open_books(lease_seconds=0.05)
    _, unit = books.submit()
    books.claim(unit)
    claims: list[Unit] = []

    def is_claimed() -> bool:
        claims.extend(filter(None, [books.ledger.claim(unit.id)]))
        return bool(claims)

    wait_until("the lease has run out", is_claimed, (), 60)
    assert 2 == claims[0].attempt


@pytest.mark.parametrize("end", ["extend", "confirm", "progress", "finish", "defer", "fail"])
def test_an_attempt_that_lost_its_unit_can_write_nothing(
    open_books: Callable[..., Books], end: str
) -> None:
    """Every write of a running unit is conditional on its attempt."""
    _, unit = open_books().submit()
    stale = open_books(lease_seconds=0).claim(unit)
    holder = open_books().claim(unit)
    books = open_books()
    writes = {
        "extend": lambda: books.ledger.extend(stale),
        "confirm": lambda: books.ledger.confirm(stale),
        "progress": lambda: books.ledger.note_progress(stale, RangeProgress()),
        "finish": lambda: books.ledger.finish(stale, report()),
        "defer": lambda: books.ledger.defer(stale, ProviderTimeout("late"), 1),
        "fail": lambda: books.ledger.fail(stale, UnknownSymbol("no")),
    }
    with pytest.raises(LeaseLost):
        writes[end]()
    assert holder == books.ledger.get_unit(unit.id)


def test_extending_keeps_the_unit(open_books: Callable[..., Books]) -> None:
    """An extended lease keeps other workers out."""
    _, unit = open_books().submit()
    held = open_books(lease_seconds=0).claim(unit)
    open_books(lease_seconds=60).ledger.extend(held)
    assert open_books().ledger.claim(unit.id) is None


def test_confirming_renews_a_lease_of_which_half_is_over(open_books: Callable[..., Books]) -> None:
    """A fresh one stays as it is, and nothing is written."""
    _, unit = open_books().submit()
    held = open_books(lease_seconds=60).claim(unit)
    assert held == open_books(lease_seconds=60).ledger.confirm(held)
    renewed = open_books(lease_seconds=600).ledger.confirm(held)
    assert renewed.lease.until - held.lease.until > timedelta(minutes=8)
    assert renewed.lease_until == open_books().ledger.held(held).lease_until


def test_noted_progress_keeps_others_out_but_does_not_lengthen_the_fence(
    open_books: Callable[..., Books],
) -> None:
    """It is not sure to outlast a crash of the server, so no write counts on its lease."""
    _, unit = open_books().submit()
    held = open_books(lease_seconds=0).claim(unit)
    noted = open_books(lease_seconds=60).ledger.note_progress(held, RangeProgress(oldest=60))
    assert (held.lease_until, RangeProgress(oldest=60)) == (noted.lease_until, noted.progress)
    assert open_books().ledger.claim(unit.id) is None


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_last_unit_that_runs_here_closes_the_job(books: Books, order: tuple[int, int]) -> None:
    """Units that end earlier leave the job open."""
    job_id, units = books.submit_all([SyncRequest(APPLE, 10), SyncRequest(BITCOIN, 10)])
    held = [books.claim(unit) for unit in units]
    for index in order:
        assert books.job(job_id).finished_at is None
        books.ledger.finish(held[index], report())
    assert books.job(job_id).finished_at is not None


def test_an_attempt_that_was_lost_leaves_the_job_to_others(
    open_books: Callable[..., Books],
) -> None:
    """Its unit ends elsewhere, before another one of the job ends here."""
    books = open_books(lease_seconds=0)
    job_id, units = books.submit_all([SyncRequest(APPLE, 10), SyncRequest(BITCOIN, 10)])
    lost, held = (books.claim(unit) for unit in units)
    elsewhere = open_books()
    elsewhere.ledger.finish(elsewhere.claim(lost), report())
    books.ledger.let_go(lost)
    books.ledger.finish(held, report())
    assert books.job(job_id).finished_at is not None


def test_a_deferred_unit_is_not_due_before_its_time(books: Books) -> None:
    """It keeps its error, is not claimed early, and is due after the delay."""
    _, unit = books.submit()
    books.ledger.defer(books.claim(unit), ProviderTimeout("too slow"), 3600)
    deferred = books.ledger.get_unit(unit.id)
    assert deferred is not None
    assert deferred.state is UnitState.QUEUED
    assert isinstance(deferred.error, ProviderTimeout)
    assert "too slow" == str(deferred.error)
    assert 1 == deferred.ended_attempt
    assert books.ledger.claim(unit.id) is None
    assert [] == books.lost_units.take_due(0, 0, 10)


def test_a_new_request_makes_a_deferred_unit_due(books: Books) -> None:
    """A new request makes the unit due at once."""
    _, unit = books.submit()
    books.ledger.defer(books.claim(unit), ProviderTimeout("too slow"), 3600)
    books.submit()
    assert 2 == books.claim(unit).attempt


def test_the_last_attempt_is_known(books: Books) -> None:
    """The third of three allowed attempts is the last."""
    _, unit = books.submit()
    last = []
    for _ in range(3):
        held = books.claim(unit)
        last.append(books.ledger.is_last_attempt(held))
        books.ledger.defer(held, ProviderTimeout("slow"), 0)
    assert [False, False, True] == last
    assert books.ledger.claim(unit.id) is None


def test_a_failed_unit_is_a_dead_letter(books: Books) -> None:
    """A rejected unit is not retried, and stores its error."""
    _, unit = books.submit()
    books.ledger.fail(books.claim(unit), UnknownSymbol("NASDAQ:AAPL is unknown"))
    failed = books.ledger.get_unit(unit.id)
    assert failed is not None
    assert isinstance(failed.error, UnknownSymbol)
    assert books.ledger.claim(unit.id) is None


def test_a_unit_not_published_lately_is_due(books: Books) -> None:
    """A unit without a recent publication is returned, once a round."""
    _, unit = books.submit()
    assert [] == books.lost_units.take_due(3600, 3600, 10)
    assert [unit.id] == [due.id for due in books.lost_units.take_due(0, 3600, 10)]
    assert [] == books.lost_units.take_due(60, 60, 10)


def test_a_unit_of_a_dead_worker_is_due(open_books: Callable[..., Books]) -> None:
    """A unit with an expired lease is returned, once a round."""
    books = open_books(lease_seconds=0)
    _, unit = books.submit()
    books.claim(unit)
    assert [unit.id] == [due.id for due in books.lost_units.take_orphans(0, 10)]
    assert [] == books.lost_units.take_orphans(60, 10)


def test_a_unit_whose_every_attempt_died_is_given_up(open_books: Callable[..., Books]) -> None:
    """A sync that kills its worker each time ends as a dead letter."""
    books = open_books(lease_seconds=0, max_attempts=2)
    job_id, unit = books.submit()
    books.claim(unit)
    assert [] == books.lost_units.give_up_exhausted(10)
    books.claim(unit)
    assert books.ledger.claim(unit.id) is None
    (failed,) = books.lost_units.give_up_exhausted(10)
    assert (unit.id, UnitState.FAILED) == (failed.id, failed.state)
    assert isinstance(failed.error, AttemptsExhausted)
    assert JobState.COMPLETED == books.job(job_id).state
    assert [] == books.lost_units.give_up_exhausted(10)


def test_a_queued_unit_without_attempts_is_given_up(open_books: Callable[..., Books]) -> None:
    """When an operator allows fewer attempts than a unit has had, it does not wait for ever."""
    _, unit = open_books().submit()
    patient = open_books(max_attempts=3)
    patient.ledger.defer(patient.claim(unit), ProviderTimeout("slow"), 0)
    (failed,) = open_books(max_attempts=1).lost_units.give_up_exhausted(10)
    assert UnitState.FAILED == failed.state


def test_a_unit_that_waits_for_its_turn_loses_no_attempt(books: Books) -> None:
    """Waiting costs no attempt, however often, and wakes no waiting call."""
    _, unit = books.submit()
    for _ in range(10):
        books.ledger.postpone(books.claim(unit), 0)
    postponed = books.unit(unit)
    assert (UnitState.QUEUED, 0, 0) == (
        postponed.state,
        postponed.tries,
        postponed.ended_attempt,
    )
    assert 1 == books.claim(unit).tries


def test_a_postponed_unit_keeps_its_error_for_waiting_calls(books: Books) -> None:
    """The error is stored for waiting calls, though the attempt does not count."""
    _, unit = books.submit()
    books.ledger.postpone(books.claim(unit), 3600, ProviderDown("down"))
    postponed = books.unit(unit)
    assert (0, 1) == (postponed.tries, postponed.ended_attempt)
    assert isinstance(postponed.error, ProviderDown)
    assert books.ledger.claim(unit.id) is None


def test_a_unit_handed_back_is_due_at_once(books: Books) -> None:
    """Its worker ended: the next tick publishes it, and the attempt does not count."""
    _, unit = books.submit()
    books.ledger.hand_back(books.claim(unit))
    assert [unit.id] == [due.id for due in books.lost_units.take_due(3600, 10, 10)]
    assert 1 == books.claim(unit).tries


def test_units_that_lost_two_workers_are_tried_one_at_a_time(
    open_books: Callable[..., Books],
) -> None:
    """A unit that may kill workers runs while no other such unit does."""
    books = open_books(lease_seconds=0, max_attempts=8)
    _, units = books.submit_all([SyncRequest(APPLE), SyncRequest(BITCOIN), SyncRequest(GOLD)])
    for unit in units:
        books.claim(unit)
    assert 3 == len(books.lost_units.take_orphans(0, 10))
    for unit in units:
        books.claim(unit)
    (suspect,) = books.lost_units.take_orphans(0, 10)
    tried = open_books(max_attempts=8)
    held = tried.claim(suspect)
    assert [] == books.lost_units.take_orphans(0, 10)
    tried.ledger.finish(held, report(suspect.request.series))
    (next_one,) = books.lost_units.take_orphans(0, 10)
    assert next_one.id != suspect.id


def test_a_job_whose_finisher_died_is_closed(books: Books, mongo: Mongo) -> None:
    """A job left open by the crash of its last worker is found and closed."""
    job_id, unit = books.submit()
    books.ledger.finish(books.claim(unit), report())
    mongo["jobs"].update_one(
        {"_id": job_id}, {"$set": {"open": True}, "$unset": {"finished_at": "", "counts": ""}}
    )
    assert JobState.COMPLETED == books.job(job_id).state
    assert [] == books.jobs.unclosed(NOW, 10)
    assert [job_id] == books.jobs.unclosed(LATER, 10)
    assert books.jobs.close_one(job_id)
    assert books.job(job_id).finished_at is not None


def test_a_job_of_two_units_ends_with_the_second(books: Books) -> None:
    """The finish that leaves no unit open closes the job."""
    requests = [SyncRequest(APPLE), SyncRequest(BITCOIN)]
    job_id, units = books.submit_all(requests)
    books.ledger.finish(books.claim(units[0]), report())
    assert JobState.RUNNING == books.job(job_id).state
    books.ledger.fail(books.claim(units[1]), UnknownSymbol("no"))
    assert JobState.COMPLETED == books.job(job_id).state


def test_an_unknown_job_is_none(books: Books) -> None:
    """An unknown job is None, not an error."""
    assert books.jobs.get("none") is None
    assert books.ledger.get_unit("none") is None
