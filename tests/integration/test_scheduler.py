"""Schedules run when they are due: on a real ledger, with concurrent ticks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Barrier

import pytest

from pocketquant.domain.errors import NoPermission, StorageUnavailable
from pocketquant.domain.intervals import Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.schedules import Schedule, ScheduleChange
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import JobState, SyncReport, UnitState
from pocketquant.machine.embedded import HOST, reserve_port
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import server_now
from pocketquant.storage.symbols import SymbolFilter
from pocketquant.storage.units import Job
from pocketquant.wiring import Platform

HOUR = 3600
SATURDAY = int(datetime(2026, 3, 7, tzinfo=UTC).timestamp())  # the daily schedule rests
SIX, NOON = SATURDAY + 6 * HOUR, SATURDAY + 12 * HOUR
MONDAY_NINE = SATURDAY + 2 * 24 * HOUR + 9 * HOUR
EVERYTHING = "schedule:all-series"
PAUSED = ScheduleChange(paused=True)

Tick = Callable[[int], None]
Show = Callable[..., Schedule]


@pytest.fixture
def platform(wired: Platform) -> Platform:
    """Tracks two symbols, one of them at two intervals; the schedules were made on Saturday."""
    for name, interval in (("A:A", Interval.D1), ("A:A", Interval.M15), ("B:B", Interval.D1)):
        wired.symbols.register(Listing(Symbol.parse(name)), interval, SATURDAY)
    wired.schedules.make_defaults(SATURDAY)
    wired.schedules.change(_of(wired, "after-close"), PAUSED, SATURDAY, never)
    return wired


def never(*_: object) -> None:
    """No market closes."""


@pytest.fixture
def tick(platform: Platform) -> Tick:
    """Runs the tick of this time."""

    def run(now: int) -> None:
        replace(platform.scheduler, now=lambda: datetime.fromtimestamp(now, UTC)).run_due()

    return run


@pytest.fixture
def show(platform: Platform) -> Show:
    """Reads the schedule."""

    def found(name: str = "all-series") -> Schedule:
        return _of(platform, name)

    return found


@pytest.fixture
def jobs(platform: Platform) -> Callable[[], list[Job]]:
    """Return all jobs, the oldest first."""
    return lambda: platform.jobs.page(None, None, None, offset=0, limit=100)[0][::-1]


@pytest.fixture
def work(platform: Platform) -> Callable[..., None]:
    """End all open units, as planner and workers would; `failing` ones become dead letters."""

    def do(failing: int = 0) -> None:
        for job in platform.mongo["jobs"].find({"open": True}):
            platform.planner.plan(job["_id"])
        for number, found in enumerate(list(platform.mongo["units"].find({"active": True}))):
            unit = platform.ledger.claim(found["_id"])
            assert unit
            if number < failing:
                platform.ledger.fail(unit, NoPermission("no"))
            else:
                platform.ledger.finish(unit, _report(unit.request.series, None))

    return do


@pytest.fixture
def requested(platform: Platform) -> Callable[[], dict[str, int]]:
    """Plan all jobs; return the number of bars of each series with an open unit."""

    def planned() -> dict[str, int]:
        for job in platform.mongo["jobs"].find({"open": True}):
            platform.planner.plan(job["_id"])
        found = platform.mongo["units"].find({"active": True})
        return {unit["series"]: unit["n_bars"] for unit in found}

    return planned


def test_a_schedule_runs_at_its_time(
    tick: Tick, show: Show, jobs: Callable[[], list[Job]], requested: Callable[[], dict[str, int]]
) -> None:
    """Not earlier; then it makes one job of all tracked series, on the queue of schedules."""
    tick(SIX - 1)
    assert [] == jobs()
    tick(SIX)
    tick(SIX + 1)
    (job,) = jobs()
    assert (EVERYTHING, QueueName.SCHEDULED, 3) == (job.kind, job.queue, job.total)
    assert {"A:A|1d": 500, "A:A|15m": 500, "B:B|1d": 500} == requested()
    schedule = show()
    assert (NOON, SIX, job.id) == (
        schedule.next_run_at,
        schedule.last_run_at,
        schedule.last_job_id,
    )


def test_the_daily_schedule_takes_daily_series(
    tick: Tick, platform: Platform, requested: Callable[[], dict[str, int]]
) -> None:
    """It requests ten bars each, in business hours."""
    platform.schedules.change(
        _of(platform, "all-series"), ScheduleChange(paused=True), SATURDAY, never
    )
    tick(MONDAY_NINE - 1)
    assert {} == requested()
    tick(MONDAY_NINE)
    assert {"A:A|1d": 10, "B:B|1d": 10} == requested()


def test_a_run_requests_only_missing_bars(
    tick: Tick, platform: Platform, requested: Callable[[], dict[str, int]]
) -> None:
    """It requests the bars missing now or by the next run, and two bars more."""
    for key, last_bar_at in (("A:A|15m", SATURDAY), ("A:A|1d", SATURDAY - 20 * 24 * HOUR)):
        report = _report(Series.parse(key), last_bar_at)
        platform.statuses.mark_completed(report, None, SATURDAY)
    tick(SIX)
    assert {"A:A|1d": 23, "A:A|15m": 50, "B:B|1d": 500} == requested()


def test_an_inactive_symbol_is_left_out(
    tick: Tick, platform: Platform, requested: Callable[[], dict[str, int]]
) -> None:
    """Schedules do not sync an inactive symbol."""
    platform.mongo["symbols"].update_one({"_id": "A:A"}, {"$set": {"active": False}})
    tick(SIX)
    assert {"B:B|1d": 500} == requested()


def test_no_two_runs_overlap(
    tick: Tick, show: Show, jobs: Callable[[], list[Job]], work: Callable[..., None]
) -> None:
    """A run that is due while the last one goes on starts once, after its end."""
    tick(SIX)
    tick(NOON)
    tick(NOON + 6 * HOUR)
    assert [EVERYTHING] == [job.kind for job in jobs()]
    assert NOON == show().next_run_at
    work()
    tick(NOON + 6 * HOUR + 1)
    tick(NOON + 6 * HOUR + 2)
    assert [JobState.COMPLETED, JobState.PENDING] == [job.state for job in jobs()]
    assert NOON + 12 * HOUR == show().next_run_at


def test_missed_runs_are_run_once(
    tick: Tick, show: Show, jobs: Callable[[], list[Job]], work: Callable[..., None]
) -> None:
    """After a day without ticks there is one run; the next is at its usual time."""
    for now in (SIX + 24 * HOUR + 5, SIX + 24 * HOUR + 10):
        tick(now)
        work()
    assert [EVERYTHING] == [job.kind for job in jobs()]
    assert NOON + 24 * HOUR == show().next_run_at


def test_a_run_requested_by_hand_starts_with_the_next_tick(
    tick: Tick, show: Show, platform: Platform, jobs: Callable[[], list[Job]]
) -> None:
    """It starts once, also if the schedule is paused; the usual time stays."""
    platform.schedules.change(show(), ScheduleChange(paused=True), SATURDAY, never)
    platform.schedules.request_run("all-series")
    tick(SATURDAY + 1)
    tick(SATURDAY + 2)
    assert [EVERYTHING] == [job.kind for job in jobs()]
    assert (SIX, SATURDAY + 1) == (show().next_run_at, show().last_run_at)


def test_a_run_requested_during_another_one_follows_it(
    tick: Tick, platform: Platform, jobs: Callable[[], list[Job]], work: Callable[..., None]
) -> None:
    """The running one may already have fetched bars that have changed since."""
    tick(SIX)
    platform.schedules.request_run("all-series")
    tick(SIX + 1)
    assert 1 == len(jobs())
    work()
    tick(SIX + 2)
    assert 2 == len(jobs())


@pytest.mark.parametrize(("failing", "has_success"), [(0, True), (2, True), (3, False)])
def test_a_run_succeeds_when_a_sync_of_it_does(
    tick: Tick,
    show: Show,
    jobs: Callable[[], list[Job]],
    work: Callable[..., None],
    failing: int,
    has_success: bool,
) -> None:
    """The success has the time of the job's end; a run whose syncs all failed is none."""
    tick(SIX)
    tick(SIX + 1)
    assert (True, None) == (show().has_open_job, show().last_success_at)
    work(failing)
    tick(SIX + 2)
    (job,) = jobs()
    assert 3 - failing == job.counts[UnitState.COMPLETED]
    assert job.finished_at
    expected = int(job.finished_at.timestamp()) if has_success else None
    assert (False, expected) == (show().has_open_job, show().last_success_at)


def test_a_job_that_has_vanished_has_ended(
    tick: Tick, show: Show, platform: Platform, jobs: Callable[[], list[Job]]
) -> None:
    """The vanished job counts as ended without success; the schedule goes on."""
    tick(SIX)
    platform.mongo["jobs"].delete_many({})
    tick(SIX + 1)
    assert (False, None) == (show().has_open_job, show().last_success_at)
    tick(NOON)
    assert 1 == len(jobs())


def test_a_run_without_tracked_series_makes_no_job(
    tick: Tick, show: Show, platform: Platform, jobs: Callable[[], list[Job]]
) -> None:
    """Such a run counts as a success."""
    platform.mongo["symbols"].delete_many({})
    tick(SIX)
    assert [] == jobs()
    schedule = show()
    assert (SIX, SIX, NOON) == (
        schedule.last_run_at,
        schedule.last_success_at,
        schedule.next_run_at,
    )


def test_a_crash_after_the_job_was_made_makes_no_second_one(
    tick: Tick, show: Show, platform: Platform, jobs: Callable[[], list[Job]]
) -> None:
    """A run that was begun and has its job is noted as started by the next tick."""
    tick(SIX)
    (job,) = jobs()
    as_before_the_note = {"starting": f"{EVERYTHING}:{SIX}", "has_open_job": False}
    platform.mongo["schedules"].update_one(
        {"_id": "all-series"}, {"$set": {**as_before_the_note, "last_job_id": None}}
    )
    tick(SIX + 1)
    assert [job] == jobs()
    assert (job.id, True, None) == (show().last_job_id, show().has_open_job, show().starting)


def test_a_broker_that_is_away_loses_no_run(
    wire_with: Callable[..., Platform],
    tick: Tick,
    show: Show,
    jobs: Callable[[], list[Job]],
) -> None:
    """The tick fails; the next one finds the run begun and makes one job."""
    lonely = wire_with(celery_broker_url=f"redis://{HOST}:{reserve_port()}/0")
    at_six = replace(lonely.scheduler, now=lambda: datetime.fromtimestamp(SIX, UTC))
    with pytest.raises(StorageUnavailable):
        at_six.run_due()
    assert f"{EVERYTHING}:{SIX}" == show().starting
    tick(SIX + 1)
    (job,) = jobs()
    assert (job.id, SIX) == (show().last_job_id, show().last_run_at)


def test_a_schedule_that_can_not_be_run_stops_no_other(
    tick: Tick, show: Show, platform: Platform, jobs: Callable[[], list[Job]]
) -> None:
    """It is shown with its reason, and runs once it can."""
    cron = show().cron
    platform.mongo["schedules"].update_one({"_id": "all-series"}, {"$set": {"cron": "spoilt"}})
    tick(MONDAY_NINE)
    assert ["schedule:daily-series"] == [job.kind for job in jobs()]
    (step,) = platform.tick_problems.all()
    assert "schedule all-series" == step
    platform.mongo["schedules"].update_one({"_id": "all-series"}, {"$set": {"cron": cron}})
    tick(MONDAY_NINE + 5)
    assert {"schedule:daily-series", EVERYTHING} == {job.kind for job in jobs()}
    assert {} == platform.tick_problems.all()


@pytest.mark.parametrize(
    "spoilt",
    [
        {"_id": "NO COLON", "intervals": ["1d"]},
        {"_id": "C:C", "intervals": ["7x"]},
        {"_id": "C:C", "intervals": None},
        {"_id": "C:C"},
    ],
)
def test_an_unreadable_symbol_is_left_out(
    tick: Tick,
    platform: Platform,
    requested: Callable[[], dict[str, int]],
    spoilt: dict[str, object],
) -> None:
    """The other symbols are synced and listed."""
    platform.mongo["symbols"].insert_one({"active": True, **spoilt})
    tick(SIX)
    assert {"A:A|1d": 500, "A:A|15m": 500, "B:B|1d": 500} == requested()
    listed, _ = platform.symbols.page(SymbolFilter(), offset=0, limit=10)
    assert ["A:A", "B:B"] == [str(each.listing.symbol) for each in listed]


def test_an_unreadable_schedule_stops_no_other(
    tick: Tick, platform: Platform, jobs: Callable[[], list[Job]]
) -> None:
    """A schedule of another version may be unreadable."""
    platform.mongo["schedules"].insert_one({"_id": "of-the-future", "cron": "0 0 * * *"})
    tick(SIX)
    assert [EVERYTHING] == [job.kind for job in jobs()]


def test_schedules_run_by_the_clock_of_mongodb(wired: Platform) -> None:
    """MongoDB's clock decides on every host that ticks or changes schedules."""
    before = server_now(wired.mongo)
    now = wired.scheduler.now()
    assert before <= now <= server_now(wired.mongo)


def test_racing_ticks_start_each_run_once(
    tick: Tick, platform: Platform, jobs: Callable[[], list[Job]], work: Callable[..., None]
) -> None:
    """Eight ticks at once, some with a request by hand, make one job a run, never two open."""
    together = Barrier(8, timeout=60)

    opened: list[int] = []

    def one(number: int) -> None:
        for now in range(SIX, SIX + 5 * 6 * HOUR, 6 * HOUR):
            together.wait()
            if number == 0:
                platform.schedules.request_run("all-series")
            tick(now)
            together.wait()
            if number == 0:
                end_the_round(now)

    def end_the_round(now: int) -> None:
        """End the started run, then run the request if it came too late for that run."""
        for seconds in (1, 2):
            opened.append(sum(job.finished_at is None for job in jobs()))
            work()
            tick(now + seconds)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(one, range(8)))
    assert [1] * 5 == opened[::2]
    assert set(opened[1::2]) <= {0, 1}
    assert sum(opened) == len(jobs())


def _of(platform: Platform, name: str) -> Schedule:
    schedule = platform.schedules.get(name)
    assert schedule
    return schedule


def _report(series: Series, last_bar_at: int | None) -> SyncReport:
    return SyncReport(series, 1, 1, 0, 0, {}, 1, last_bar_at, last_bar_at)
