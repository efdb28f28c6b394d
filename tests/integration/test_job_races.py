"""Jobs that share series, cancelled, retried and planned at once, in every order.

In any order and after any crash: each job ends, its counts are those of its units, a unit is
cancelled only if all jobs that wanted it were, and no status stays pending or syncing forever.
"""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import redis

from pocketquant.domain.errors import (
    Cancelled,
    Conflict,
    LeaseLost,
    ProviderTimeout,
    UnknownSymbol,
)
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import JobState, SyncReport, SyncRequest, SyncState, UnitState
from pocketquant.history.intake import Key
from pocketquant.messaging.dispatcher import LONG_QUEUE
from pocketquant.messaging.queues import QueueName
from pocketquant.storage.interventions import DeadLetterFilter
from pocketquant.storage.sync_status import StatusFilter
from pocketquant.storage.units import Job, Unit
from pocketquant.wiring import Platform
from tests.integration.interleaving import Actor, interleave

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
SERIES = 6


def requests(count: int, first: int = 1, n_bars: int = 100) -> list[SyncRequest]:
    names = (f"SIM:S{number:04d}|1d" for number in range(first, first + count))
    return [SyncRequest(Series.parse(name), n_bars) for name in names]


def submitted(
    wired: Platform, count: int, first: int = 1, queue: QueueName = QueueName.BULK
) -> str:
    return wired.intake.submit_large("bulk", requests(count, first), queue)


def planned(wired: Platform, count: int, first: int = 1) -> str:
    job_id = submitted(wired, count, first)
    wired.planner.plan(job_id)
    return job_id


def job_of(wired: Platform, job_id: str) -> Job:
    job = wired.jobs.get(job_id)
    assert job is not None
    return job


def units_of(wired: Platform, job_id: str) -> list[Unit]:
    return wired.jobs.units(job_id, None, None, 0, 100_000)[0]


def claimed(wired: Platform, unit: Unit) -> Unit:
    held = wired.ledger.claim(unit.id)
    assert held is not None
    return held


def complete(wired: Platform, held: Unit) -> None:
    report = SyncReport(held.request.series, 1, 1, 0, 0, {}, 1, 0, 0)
    wired.statuses.mark_completed(report, None, 1_700_000_000, held.lease)
    wired.ledger.finish(held, report)


def fail(wired: Platform, held: Unit) -> None:
    error = UnknownSymbol("no such symbol")
    wired.statuses.mark_failed(held.request.series, error, held.lease)
    wired.ledger.fail(held, error)


def counts_of_units(wired: Platform, job_id: str) -> Counter[UnitState]:
    return Counter(unit.state for unit in units_of(wired, job_id))


def states_of_series(wired: Platform) -> Counter[SyncState]:
    return Counter(each.status for each in wired.statuses.page(StatusFilter(), 0, 10_000)[0])


@pytest.mark.parametrize("steps", range(1, 10))
def test_a_cancelled_job_takes_no_unit_from_one_that_is_planned_meanwhile(
    wired: Platform, steps: int
) -> None:
    """Each write decides by the jobs that want the unit at that moment."""
    first = planned(wired, 20)
    running = claimed(wired, units_of(wired, first)[0])
    second = submitted(wired, 20)
    cancelling = Actor(lambda: wired.intake.cancel(first))
    for _ in range(steps):
        cancelling.step()
    wired.planner.plan(second)
    while cancelling.step():
        pass
    wired.ledger.extend(running)
    expected = Counter({UnitState.QUEUED: 19, UnitState.RUNNING: 1})
    assert expected == counts_of_units(wired, second)
    assert 20 == job_of(wired, second).total
    assert JobState.CANCELLED == job_of(wired, first).state
    assert SyncState.ERROR not in states_of_series(wired)


def test_a_stopped_unit_that_another_job_joins_goes_on(wired: Platform) -> None:
    """Its worker notices the cancellation, but ends the unit only if no job wants it."""
    first = planned(wired, 1)
    held = claimed(wired, units_of(wired, first)[0])
    wired.intake.cancel(first)
    second = planned(wired, 1)
    assert not wired.ledger.cancel(held, Conflict("cancelled"))
    wired.ledger.extend(held)
    complete(wired, held)
    assert 1 == job_of(wired, second).counts[UnitState.COMPLETED]


def test_no_status_waits_for_a_unit_that_no_job_wants(wired: Platform) -> None:
    """The job that made the unit is cancelled first, the one that joined it later."""
    first, second = planned(wired, 3), planned(wired, 3)
    wired.intake.cancel(first)
    assert Counter({SyncState.PENDING: 3}) == states_of_series(wired)
    wired.intake.cancel(second)
    assert Counter({SyncState.ERROR: 3}) == states_of_series(wired)


@pytest.mark.parametrize("steps", range(1, 9))
def test_a_stalled_planner_does_no_harm(wired: Platform, steps: int) -> None:
    """If another planner has planned the job, no job is cancelled and no series synced twice."""
    other = planned(wired, 3)
    job_id = submitted(wired, 4)
    stalled = Actor(lambda: wired.planner.plan(job_id))
    for _ in range(steps):
        stalled.step()
    lease_is_over = {"$set": {"planning_until": LONG_AGO}}
    wired.mongo["jobs"].update_one({"_id": job_id}, lease_is_over)
    wired.planner.plan(job_id)
    for unit in units_of(wired, other):
        complete(wired, claimed(wired, unit))
    while stalled.step():
        pass
    assert stalled.failure is None
    for unit in wired.mongo["units"].find({"active": True}):
        held = wired.ledger.claim(unit["_id"])
        assert held
        complete(wired, held)
    wired.jobs.close_one(job_id)
    job = job_of(wired, job_id)
    assert (JobState.COMPLETED, 4) == (job.state, job.counts[UnitState.COMPLETED])
    assert (4, 4) == (job.total, len(units_of(wired, job_id)))
    assert Counter({SyncState.COMPLETED: 4}) == states_of_series(wired)


def test_dead_letters_of_one_series_become_one_unit(wired: Platform) -> None:
    """The second joins the first and is counted; it is no longer a dead letter."""
    jobs = []
    for _ in range(2):
        jobs.append(planned(wired, 2))
        for unit in units_of(wired, jobs[-1]):
            fail(wired, claimed(wired, unit))
    assert 4 == wired.intake.retry(DeadLetterFilter(code="unknown_symbol"))
    assert ([], 0) == wired.jobs.dead_letters(None, 0, 10)
    assert [2, 2] == [job_of(wired, each).counts[UnitState.QUEUED] for each in jobs]
    for unit in units_of(wired, jobs[0]):
        complete(wired, claimed(wired, unit))
    assert [2, 2] == [job_of(wired, each).counts[UnitState.COMPLETED] for each in jobs]
    assert 0 == wired.intake.retry(DeadLetterFilter(code="unknown_symbol"))


def test_a_dead_letter_joins_a_unit_that_was_to_be_cancelled(wired: Platform) -> None:
    """The unit then goes on."""
    failed = planned(wired, 1)
    fail(wired, claimed(wired, units_of(wired, failed)[0]))
    other = planned(wired, 1)
    held = claimed(wired, units_of(wired, other)[0])
    wired.intake.cancel(other)
    assert 1 == wired.intake.retry(DeadLetterFilter(failed))
    wired.ledger.extend(held)
    complete(wired, held)
    assert 1 == job_of(wired, failed).counts[UnitState.COMPLETED]


@pytest.mark.parametrize("steps", range(1, 9))
def test_a_job_closed_while_it_is_tried_again_is_opened_again(wired: Platform, steps: int) -> None:
    """Whenever the reconciler closes it, its counts are the final ones."""
    job_id = planned(wired, 1)
    (unit,) = units_of(wired, job_id)
    fail(wired, claimed(wired, unit))
    retrying = Actor(lambda: wired.intake.retry(DeadLetterFilter(job_id)))
    for _ in range(steps):
        retrying.step()
    wired.jobs.close_one(job_id)
    while retrying.step():
        pass
    assert JobState.PENDING != job_of(wired, job_id).state
    assert job_of(wired, job_id).finished_at is None
    complete(wired, claimed(wired, unit))
    job = job_of(wired, job_id)
    assert (1, 0) == (job.counts[UnitState.COMPLETED], job.counts[UnitState.FAILED])
    assert job.finished_at is not None


def test_a_cancelled_jobs_dead_letters_stay_dead(wired: Platform) -> None:
    """They stay when all of their code are retried; a unit of another job too is retried for it."""
    cancelled, shared = planned(wired, 3), planned(wired, 1)
    for unit in units_of(wired, cancelled)[:2]:
        fail(wired, claimed(wired, unit))
    wired.intake.cancel(cancelled)
    assert 1 == wired.intake.retry(DeadLetterFilter(code="unknown_symbol"))
    assert Counter({UnitState.QUEUED: 1}) == counts_of_units(wired, shared)
    assert (1, 2) == (
        job_of(wired, shared).total,
        job_of(wired, cancelled).counts[UnitState.FAILED],
    )
    assert 1 == wired.mongo["units"].count_documents({"active": True})


def test_a_job_planned_twice_has_no_unit_twice(wired: Platform) -> None:
    """This holds also if the unit that it joined has ended meanwhile."""
    other = planned(wired, 1)
    job_id = planned(wired, 2)
    for unit in units_of(wired, other):
        complete(wired, claimed(wired, unit))
    group = {"interval": "1d", "n_bars": 100, "symbols": ["SIM:S0001", "SIM:S0002"]}
    died = {"$set": {"wants": [group]}, "$unset": {"planned": ""}}
    wired.mongo["jobs"].update_one({"_id": job_id}, died)
    wired.planner.plan(job_id)
    expected = Counter({UnitState.COMPLETED: 1, UnitState.QUEUED: 1})
    assert (expected, 2) == (counts_of_units(wired, job_id), job_of(wired, job_id).total)


@pytest.mark.parametrize(
    ("waiting", "joining", "expected"),
    [
        (QueueName.SCHEDULED, QueueName.INTERACTIVE, QueueName.INTERACTIVE),
        (QueueName.BULK, QueueName.INTERACTIVE, QueueName.INTERACTIVE),
        (QueueName.SCHEDULED, QueueName.BULK, QueueName.BULK),
        (QueueName.INTERACTIVE, QueueName.SCHEDULED, QueueName.INTERACTIVE),
        (QueueName.BULK, QueueName.SCHEDULED, QueueName.BULK),
    ],
)
def test_a_joined_unit_waits_in_the_more_urgent_queue(
    wired: Platform, waiting: QueueName, joining: QueueName, expected: QueueName
) -> None:
    """A single sync and a large job both move the unit."""
    (request,) = requests(1)
    unit = wired.intake.submit(request, waiting).unit
    assert expected == wired.intake.submit(request, joining).unit.queue
    wired.mongo["units"].update_one({"_id": unit.id}, {"$set": {"queue": waiting}})
    wired.planner.plan(wired.intake.submit_large("bulk", [request], joining))
    assert expected == claimed(wired, unit).queue


def test_a_lost_interactive_message_does_not_wait_for_the_bulk_queue(
    wired: Platform, cache: redis.Redis
) -> None:
    """The reconciler checks the length of the unit's own queue, urgent queues first."""
    planned(wired, 20)
    lost = wired.intake.submit(requests(1, first=30)[0], QueueName.INTERACTIVE).unit
    cache.delete("pocketquant:interactive")
    silent = {"$set": {"dispatched_at": datetime.now(UTC) - timedelta(seconds=11)}}
    wired.mongo["units"].update_many({}, silent)
    wired.reconciler.run()
    assert (1, 20) == (cache.llen("pocketquant:interactive"), cache.llen("pocketquant:bulk"))
    dispatched = wired.mongo["units"].find_one(sort=[("dispatched_at", -1)])
    assert dispatched
    assert lost.id == dispatched["_id"]


def test_a_long_queue_grows_no_longer(wired: Platform, cache: redis.Redis) -> None:
    """Units stay in the ledger, and are published by the ticks once there is room."""
    cache.rpush("pocketquant:bulk", *["{}"] * LONG_QUEUE)
    job_id = planned(wired, 3)
    long_ago = {"$set": {"dispatched_at": LONG_AGO}}
    wired.mongo["units"].update_many({}, long_ago)
    wired.reconciler.run()
    assert LONG_QUEUE == cache.llen("pocketquant:bulk")
    cache.delete("pocketquant:bulk")
    wired.reconciler.run()
    assert 3 == cache.llen("pocketquant:bulk") == job_of(wired, job_id).counts[UnitState.QUEUED]


def test_a_key_whose_job_has_lost_its_unit_plans_it_again(wired: Platform) -> None:
    """The unit may be lost with a primary of MongoDB."""
    (request,) = requests(1)
    first = wired.intake.submit(request, QueueName.INTERACTIVE, Key("k"))
    complete(wired, claimed(wired, first.unit))
    wired.mongo["units"].delete_many({})
    again = wired.intake.submit(request, QueueName.INTERACTIVE, Key("k"))
    assert first.job_id == again.job_id
    complete(wired, claimed(wired, again.unit))
    assert 1 == job_of(wired, first.job_id).counts[UnitState.COMPLETED]


def test_a_key_whose_job_was_cancelled_says_so(wired: Platform) -> None:
    """The request raises Cancelled, also while the unit goes on for another job."""
    (request,) = requests(1)
    first = wired.intake.submit(request, QueueName.INTERACTIVE, Key("k"))
    wired.intake.submit(request, QueueName.INTERACTIVE)
    wired.intake.cancel(first.job_id)
    with pytest.raises(Cancelled, match=first.job_id):
        wired.intake.submit(request, QueueName.INTERACTIVE, Key("k"))


@dataclass
class Fleet:
    """Actions of users, workers and ticks on a few shared series."""

    wired: Platform
    chance: random.Random
    jobs: list[str]
    cancelled: set[str]

    def plan(self, job_id: str) -> None:
        self.wired.planner.plan(job_id)

    def cancel(self, job_id: str) -> None:
        self.cancelled.add(job_id)
        with suppress(Conflict):
            self.wired.intake.cancel(job_id)

    def pause(self, job_id: str) -> None:
        with suppress(Conflict):
            self.wired.intake.pause(job_id)

    def resume(self, job_id: str) -> None:
        with suppress(Conflict):
            self.wired.intake.resume(job_id)

    def retry(self) -> None:
        self.wired.intake.retry(DeadLetterFilter(code="unknown_symbol"))

    def sync(self) -> None:
        (request,) = requests(1, self.chance.randrange(1, SERIES + 1), self.chance.choice([9, 500]))
        self.jobs.append(self.wired.intake.submit(request, QueueName.INTERACTIVE).job_id)

    def work(self) -> None:
        """Claim and end some of the due units, as a worker would."""
        found = list(self.wired.mongo["units"].find({"active": True}, {"_id": True}))
        for unit in self.chance.sample(found, min(4, len(found))):
            held = self.wired.ledger.claim(unit["_id"])
            with suppress(LeaseLost):
                if held is not None:
                    self._do(held)

    def tick(self) -> None:
        later = datetime.now(UTC) + timedelta(minutes=1)
        replace(self.wired.reconciler, now=lambda: later).run()

    def stall(self) -> None:
        """Let the leases of all planners expire."""
        over = {"$set": {"planning_until": LONG_AGO}}
        self.wired.mongo["jobs"].update_many({"planning_until": {"$exists": True}}, over)

    def recover(self) -> None:
        """Let all leases expire and resume all jobs; planners, workers and ticks end the rest."""
        for _ in range(30):
            self.wired.cache.delete("pocketquant:backfill")
            for job in list(self.wired.mongo["jobs"].find({"open": True})):
                self.resume(job["_id"])
            self.stall()
            held_by_nobody = {"$set": {"lease_until": LONG_AGO}}
            self.wired.mongo["units"].update_many({"state": "running"}, held_by_nobody)
            self.tick()
            for job in list(self.wired.mongo["jobs"].find({"open": True})):
                self.plan(job["_id"])
            self.work()
            if not self.wired.mongo["jobs"].count_documents({"open": True}):
                return
        raise AssertionError(list(self.wired.mongo["jobs"].find({"open": True})))

    def _do(self, held: Unit) -> None:
        """End the unit as `Syncer` does, with a random outcome."""
        wired, series = self.wired, held.request.series
        wired.statuses.mark_syncing(series, held.newest_job, held.tries, held.lease)
        try:
            held = wired.ledger.extend(held)
            luck = self.chance.random()
            if luck < 0.3:
                fail(wired, held)
            elif luck < 0.4:
                wired.statuses.mark_deferred(series, ProviderTimeout("late"), 0, held.lease)
                wired.ledger.defer(held, ProviderTimeout("late"), 0)
            else:
                complete(wired, held)
        except Cancelled as error:
            wired.statuses.mark_cancelled(series, held.lease)
            if not wired.ledger.cancel(held, error):
                wired.statuses.mark_postponed(series, 0, held.lease)
                wired.ledger.hand_back(held)


@pytest.mark.parametrize("seed", range(40))
def test_the_ledger_is_right_in_any_order_and_after_any_kill(wired: Platform, seed: int) -> None:
    """Planners, users, workers and ticks at once, a third of them killed; users do all they can."""
    chance = random.Random(seed)
    fleet = Fleet(wired, chance, [], set())
    fleet.jobs.append(planned(wired, SERIES))
    for _ in range(2):
        fleet.work()
    for _ in range(3):
        queue = chance.choice([QueueName.BULK, QueueName.BACKFILL])
        fresh = submitted(wired, SERIES - 1, chance.randrange(1, 3), queue)
        fleet.jobs.append(fresh)
        acts: list[Callable[[], object]] = [
            partial(fleet.plan, fresh),
            partial(fleet.plan, fresh),
            partial(fleet.cancel, chance.choice(fleet.jobs)),
            partial(fleet.pause, chance.choice(fleet.jobs)),
            partial(fleet.resume, chance.choice(fleet.jobs)),
            fleet.retry,
            fleet.retry,
            fleet.sync,
            fleet.work,
            fleet.work,
            fleet.tick,
            fleet.stall,
        ]
        interleave(chance, chance.sample(acts, 8), kills=0.3)
    fleet.recover()
    _require_right(fleet)


def _is_open(unit: Any) -> bool:
    return any(unit.get(mark) for mark in ("active", "aside", "pausing", "stop"))


def _require_right(fleet: Fleet) -> None:
    wired = fleet.wired
    for stored in wired.mongo["jobs"].find():
        job = job_of(wired, stored["_id"])
        units = units_of(wired, job.id)
        series = [str(unit.request.series) for unit in units]
        assert sorted(set(series)) == sorted(series)
        assert job.total == stored["total"]
        if job.id not in fleet.cancelled:
            assert JobState.COMPLETED == job.state
            assert 0 == job.counts[UnitState.CANCELLED]
            assert len(units) == stored["total"]
        if job.state is JobState.COMPLETED:
            derived = Counter(unit.state for unit in units)
            assert derived == +Counter(job.counts)
    everything = list(wired.mongo["units"].find())
    assert [] == [unit for unit in everything if not unit["jobs"] or _is_open(unit)]
    assert set(states_of_series(wired)) <= {SyncState.COMPLETED, SyncState.ERROR}


@pytest.mark.parametrize("steps", [5, 15, 25])
def test_a_job_of_many_pieces_is_planned_whole_though_its_planner_dies(
    wired: Platform, steps: int
) -> None:
    """Its requests are stored in documents of a thousand series each, until all are planned."""
    job_id = submitted(wired, 2500)
    stored = wired.mongo["jobs"].find_one({"_id": job_id})
    assert stored
    assert (2500, 1000) == (stored["total"], len(stored["wants"][0]["symbols"]))
    assert 2 == wired.mongo["job_wants"].count_documents({})
    dying = Actor(lambda: wired.planner.plan(job_id), killed_after=steps)
    while dying.step():
        pass
    lease_is_over = {"$set": {"planning_until": LONG_AGO}}
    wired.mongo["jobs"].update_one({"_id": job_id}, lease_is_over)
    wired.planner.plan(job_id)
    assert 2500 == job_of(wired, job_id).counts[UnitState.QUEUED]
    expected = [str(each.series) for each in requests(2500)]
    assert expected == sorted(str(each.request.series) for each in units_of(wired, job_id))
    assert 0 == wired.mongo["job_wants"].count_documents({})


def test_a_key_that_has_made_a_job_writes_no_pieces(wired: Platform) -> None:
    """A job that was cancelled before it was planned keeps no pieces either."""
    key = Key("k")
    asked = requests(1500)
    first = wired.intake.submit_large("bulk", asked, QueueName.BULK, key)
    assert first == wired.intake.submit_large("bulk", asked, QueueName.BULK, key)
    assert 1 == wired.mongo["job_wants"].count_documents({})
    wired.intake.cancel(first)
    assert 0 == wired.mongo["job_wants"].count_documents({})
