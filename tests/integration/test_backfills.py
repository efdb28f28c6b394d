"""Backfills: set aside behind other work, paused, resumed, cancelled, and continued after kills."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from pocketquant.domain.backfills import Total
from pocketquant.domain.errors import Conflict, NotFound
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import JobState, QueueName, SyncRequest, UnitState
from pocketquant.history.syncer import Syncer
from pocketquant.simulator.market.prices import Resolution
from pocketquant.simulator.server import Simulator, running
from pocketquant.simulator.wire import tokens
from pocketquant.storage.units import Job, Unit
from pocketquant.wiring import Platform, wire_syncer
from tests.integration.ranges import APPLE, NOW, market_bars, premium, witness
from tests.integration.syncers import Killed, killing, lose, watched
from tests.simulated import known

NEWEST = SyncRequest(APPLE, 100)


def requests(count: int) -> list[SyncRequest]:
    return [SyncRequest(Series.parse(f"SIM:S{n:04d}|1d"), start=0) for n in range(1, count + 1)]


def backfill(platform: Platform, *wanted: SyncRequest) -> str:
    """Submit and plan a backfill."""
    estimate = Total(len(wanted), 0, 100, 1)
    job_id = platform.intake.submit_large("backfill", wanted, QueueName.BACKFILL, estimate=estimate)
    platform.planner.plan(job_id)
    return job_id


def job_of(platform: Platform, job_id: str) -> Job:
    job = platform.jobs.get(job_id)
    assert job is not None
    return job


def unit_of(platform: Platform, job_id: str) -> Unit:
    """Return the one unit of the job."""
    (unit,), _ = platform.jobs.units(job_id, None, None, 0, 2)
    return unit


def claimed(platform: Platform, job_id: str) -> Unit:
    unit = platform.ledger.claim(unit_of(platform, job_id).id)
    assert unit is not None
    return unit


def test_a_backfill_waits_aside_until_a_tick_has_room_for_it(wired: Platform) -> None:
    """No worker can claim it before; then it is published on the least urgent queue."""
    job_id = backfill(wired, *requests(3))
    assert (JobState.PENDING, 3) == (
        job_of(wired, job_id).state,
        job_of(wired, job_id).counts[UnitState.QUEUED],
    )
    units, _ = wired.jobs.units(job_id, None, None, 0, 10)
    assert [None] * 3 == [wired.ledger.claim(unit.id) for unit in units]
    wired.reconciler.run()
    assert 3 == wired.cache.llen("pocketquant:backfill")
    assert all(wired.ledger.claim(unit.id) for unit in units)
    assert JobState.RUNNING is job_of(wired, job_id).state


def test_no_backfill_is_added_while_others_wait_in_the_queue(wired: Platform) -> None:
    """So that most of them stay aside, where they block no series."""
    backfill(wired, requests(1)[0])
    wired.reconciler.run()
    job_id = backfill(wired, requests(2)[1])
    wired.reconciler.run()
    assert 1 == wired.cache.llen("pocketquant:backfill")
    assert wired.ledger.claim(unit_of(wired, job_id).id) is None


@pytest.mark.parametrize("is_planned", [False, True], ids=["single", "large job"])
def test_other_syncs_do_not_wait_for_a_backfill_of_their_series(
    wired: Platform, is_planned: bool
) -> None:
    """It makes way unless it runs, and comes back once the series has no other active unit."""
    job_id = backfill(wired, SyncRequest(APPLE, start=0))
    wired.reconciler.run()
    if is_planned:
        other = wired.intake.submit_large("bulk", [NEWEST], QueueName.SCHEDULED)
        wired.planner.plan(other)
    else:
        other = wired.intake.submit(NEWEST, QueueName.INTERACTIVE).job_id
    assert wired.ledger.claim(unit_of(wired, job_id).id) is None
    wired.cache.delete("pocketquant:backfill")
    wired.reconciler.run()
    assert 0 == wired.cache.llen("pocketquant:backfill")
    held = claimed(wired, other)
    assert NEWEST == held.request
    wired.intake.cancel(other)
    wired.ledger.cancel(held, Conflict("no longer wanted"))
    wired.reconciler.run()
    assert 0 == claimed(wired, job_id).request.start


def test_a_sync_joins_a_backfill_that_runs(wired: Platform) -> None:
    """The unit moves to the more urgent queue, and fetches what both want."""
    job_id = backfill(wired, SyncRequest(APPLE, start=0))
    wired.reconciler.run()
    claimed(wired, job_id)
    joined = wired.intake.submit(NEWEST, QueueName.INTERACTIVE).unit
    assert unit_of(wired, job_id).id == joined.id
    assert (0, QueueName.INTERACTIVE) == (joined.request.start, joined.queue)


def test_a_removal_waits_for_a_backfill(wired: Platform) -> None:
    """Set aside or paused, it would store the bars again."""
    job_id = backfill(wired, SyncRequest(APPLE, start=0))
    assert [APPLE] == wired.ledger.active([APPLE])
    wired.intake.pause(job_id)
    assert [APPLE] == wired.ledger.active([APPLE])
    wired.intake.cancel(job_id)
    assert [] == wired.ledger.active([APPLE])


def test_a_paused_job_waits_until_it_is_resumed(wired: Platform) -> None:
    """Ticks leave it, other syncs of its series do not wait; pausing twice changes nothing."""
    job_id = backfill(wired, SyncRequest(APPLE, start=0))
    wired.reconciler.run()
    for _ in range(2):
        wired.intake.pause(job_id)
    wired.cache.delete("pocketquant:backfill")
    wired.reconciler.run()
    job = job_of(wired, job_id)
    assert (JobState.PAUSED, 1, 0) == (job.state, job.counts[UnitState.PAUSED], job.ended)
    assert [job_id] == [each.id for each in wired.jobs.page(JobState.PAUSED, None, None, 0, 9)[0]]
    assert ([], 0) == wired.jobs.page(JobState.PENDING, None, None, 0, 9)
    assert wired.ledger.claim(unit_of(wired, job_id).id) is None
    other = wired.intake.submit(NEWEST, QueueName.BULK)
    assert NEWEST == other.unit.request
    wired.intake.cancel(other.job_id)
    for _ in range(2):
        wired.intake.resume(job_id)
    assert JobState.PENDING is job_of(wired, job_id).state
    wired.reconciler.run()
    assert 0 == claimed(wired, job_id).request.start


def test_a_running_unit_is_paused_when_its_worker_puts_it_back(wired: Platform) -> None:
    """Whatever it is put back for; it learns of it when it renews its lease."""
    job_id = backfill(wired, SyncRequest(APPLE, start=0))
    wired.reconciler.run()
    held = claimed(wired, job_id)
    assert not wired.ledger.extend(held).is_pausing
    wired.intake.pause(job_id)
    assert wired.ledger.extend(held).is_pausing
    assert UnitState.RUNNING is unit_of(wired, job_id).state
    wired.ledger.hand_back(held)
    unit = unit_of(wired, job_id)
    assert (UnitState.PAUSED, False) == (unit.state, unit.is_pausing)
    assert wired.ledger.claim(unit.id) is None
    wired.cache.delete("pocketquant:backfill")
    wired.intake.resume(job_id)
    wired.reconciler.run()
    assert not claimed(wired, job_id).is_pausing


def test_a_pause_that_is_taken_back_lets_a_running_unit_go_on(wired: Platform) -> None:
    """It is put back as any other."""
    job_id = backfill(wired, SyncRequest(APPLE, start=0))
    wired.reconciler.run()
    held = claimed(wired, job_id)
    wired.intake.pause(job_id)
    wired.intake.resume(job_id)
    assert not wired.ledger.extend(held).is_pausing
    wired.ledger.hand_back(held)
    claimed(wired, job_id)


def test_a_job_that_is_paused_before_it_is_planned_stays_so(wired: Platform) -> None:
    """Its units are paused once they are made."""
    wanted = requests(3)
    job_id = wired.intake.submit_large("bulk", wanted, QueueName.BULK)
    wired.intake.pause(job_id)
    wired.planner.plan(job_id)
    job = job_of(wired, job_id)
    assert (JobState.PAUSED, 3) == (job.state, job.counts[UnitState.PAUSED])
    wired.intake.resume(job_id)
    wired.cache.delete("pocketquant:bulk")
    wired.reconciler.run()
    assert 3 == wired.cache.llen("pocketquant:bulk")


def test_a_unit_that_another_job_wants_is_not_paused(wired: Platform) -> None:
    """A sync of the other job must not stop for this one."""
    job_id = wired.intake.submit_large("bulk", [NEWEST], QueueName.BULK)
    wired.planner.plan(job_id)
    wired.intake.submit(NEWEST, QueueName.BULK)
    wired.intake.pause(job_id)
    claimed(wired, job_id)


def test_a_paused_job_can_be_cancelled(wired: Platform) -> None:
    """All its units end, those aside too; an ended job can be neither paused nor resumed."""
    job_id = backfill(wired, *requests(2))
    wired.intake.pause(job_id)
    assert 2 == wired.intake.cancel(job_id).cancelled
    job = job_of(wired, job_id)
    assert (JobState.CANCELLED, 2) == (job.state, job.counts[UnitState.CANCELLED])
    assert job.finished_at is not None
    for change in (wired.intake.pause, wired.intake.resume):
        with pytest.raises(Conflict):
            change(job_id)
        with pytest.raises(NotFound):
            change("nonsense")
    assert 2 == wired.intake.cancel(backfill(wired, *requests(2))).cancelled


def work_until(platform: Platform, job_id: str, state: JobState) -> None:
    """Do what ticks publish until the job is in this state."""
    syncer = wire_syncer(platform)
    while job_of(platform, job_id).state is not state:
        platform.reconciler.run()
        platform.cache.delete("pocketquant:backfill")
        syncer.do(unit_of(platform, job_id).id)


@pytest.mark.parametrize(
    ("limit", "count", "stop"), [(None, 19_999, "limit"), (0, 47_171, "end")], ids=["premium", "no"]
)
def test_a_backfill_reports_what_came_and_where_it_stopped(
    platform: Platform, simulator: Simulator, limit: int | None, count: int, stop: str
) -> None:
    """All bars of an independent reader, up to the plan's limit or back to the listing.

    It takes several turns if there are more than eight pages, and all the time was walked back.
    """
    if limit is not None:
        simulator.order("bar_limit", value=limit)
    job_id = backfill(platform, SyncRequest(APPLE, start=0))
    work_until(platform, job_id, JobState.COMPLETED)
    stored = platform.bars.read(APPLE)
    read = witness(simulator.url, tokens.issue(1, NOW), "NASDAQ:AAPL", "60")
    assert (count, read[:-1]) == (len(stored), stored.columns.T.tolist())
    job = job_of(platform, job_id)
    came = platform.jobs.progress(job, job.created_at).came
    assert came is not None
    assert (count, {stop: 1}, 1.0) == (came.inserted, came.stops, came.share_of_time)
    assert (stored.first_time, stored.last_time) == (came.oldest, came.newest)
    reach = platform.statuses.reaches([APPLE])[APPLE]
    assert (stop, stored.first_time) == (reach.stop, reach.oldest)
    listed = simulator.market.first_time(known("NASDAQ:AAPL"), Resolution(60, "m"))
    assert (listed == stored.first_time) is (stop == "end")
    assert (reach.bars if stop == "limit" else None) == platform.statuses.limit()


def test_a_pause_stops_a_range_after_its_page_and_outlasts_a_kill(
    platform: Platform, simulator: Simulator
) -> None:
    """Also if the worker that should have stopped was killed; resumed, it goes on from there."""
    job_id = backfill(platform, SyncRequest(APPLE, start=0))
    platform.reconciler.run()
    unit_id = unit_of(platform, job_id).id

    def pause_then_die(number: int) -> None:
        if number == 1:
            platform.intake.pause(job_id)
            raise Killed

    with pytest.raises(Killed):
        watched(wire_syncer(platform), pause_then_die)[0].do(unit_id)
    lose(platform.mongo)
    work_until(platform, job_id, JobState.PAUSED)
    wire_syncer(platform).do(unit_id)
    assert 9998 == platform.bars.count(APPLE)
    assert 1 == job_of(platform, job_id).counts[UnitState.PAUSED]
    platform.intake.resume(job_id)
    work_until(platform, job_id, JobState.COMPLETED)
    assert market_bars(simulator, 19_999) == platform.bars.read(APPLE)


def test_a_joined_backfill_brings_the_newest_bars_first(
    wire_with: Callable[..., Platform],
) -> None:
    """A schedule or a user that joined a range does not wait for years of old bars."""
    clock = [float(NOW)]
    with running(clock=lambda: clock[0]) as simulator:
        platform = premium(wire_with, simulator)
        job_id = backfill(platform, SyncRequest(APPLE, start=0))
        platform.reconciler.run()
        unit_id = unit_of(platform, job_id).id

        def join_then_die(number: int) -> None:
            if number == 1:
                platform.intake.submit(NEWEST, QueueName.SCHEDULED)
                raise Killed

        syncer = replace(wire_syncer(platform), clock=lambda: clock[0])
        with pytest.raises(Killed):
            watched(syncer, join_then_die)[0].do(unit_id)
        clock[0] += 7200
        lose(platform.mongo)
        with pytest.raises(Killed):
            watched(syncer, killing(0))[0].do(unit_id)
        status = platform.statuses.get(APPLE)
        assert status is not None
        assert clock[0] == status.last_sync_at
        assert 5001 == platform.bars.count(APPLE)


def test_mongodb_away_between_bars_and_coverage(platform: Platform, simulator: Simulator) -> None:
    """Bars that are not noted are not covered; their page alone is fetched once more."""
    job_id = backfill(platform, SyncRequest(APPLE, start=0))
    platform.reconciler.run()
    unit_id = unit_of(platform, job_id).id

    class Away:
        """Statuses of a MongoDB that is gone when the second page is noted."""

        notes = 0

        def mark_stored(self, *args: Any, **more: Any) -> bool:
            self.notes += 1
            if self.notes == 2:
                raise AutoReconnect("gone")
            return platform.statuses.mark_stored(*args, **more)

        def __getattr__(self, name: str) -> object:
            return getattr(platform.statuses, name)

    replace(wire_syncer(platform), statuses=Away()).do(unit_id)
    unit = unit_of(platform, job_id)
    assert (UnitState.QUEUED, 1) == (unit.state, unit.troubles)
    kept = platform.statuses.coverage(APPLE)
    assert kept is not None
    assert 9999 == platform.bars.count(APPLE)
    assert market_bars(simulator, 4999).first_time == kept.coverage.start
    lose(platform.mongo)
    work_until(platform, job_id, JobState.COMPLETED)
    assert market_bars(simulator, 19_999) == platform.bars.read(APPLE)
    report = unit_of(platform, job_id).report
    assert report is not None
    assert 5001 == report["unchanged"]  # an attempt begins with the oldest bar noted
    kept = platform.statuses.coverage(APPLE)
    assert kept is not None
    assert [platform.bars.extent(APPLE).first_time] == [each.start for each in kept.coverage.ranges]


@pytest.mark.parametrize("name", ["NYSE:UNBORN", "OTC:QUIET"])
def test_a_symbol_that_does_not_trade_is_not_repaired_for_ever(
    platform: Platform, name: str
) -> None:
    """Its backfill ends, and leaves no hole that another sync could fill."""
    series = Series.parse(f"{name}|1h")
    job_id = backfill(platform, SyncRequest(series, start=0))
    work_until(platform, job_id, JobState.COMPLETED)
    assert unit_of(platform, job_id).progress is not None
    examined = replace(platform.holes, clock=lambda: float(NOW)).find(series)
    assert (None, []) == (examined.problem, examined.missing and examined.missing.fillable)


def finished(platform: Platform, syncer: Syncer, request: SyncRequest) -> Unit:
    """Return the unit of a backfill that is over."""
    job_id = backfill(platform, request)
    while job_of(platform, job_id).state is not JobState.COMPLETED:
        platform.reconciler.run()
        platform.cache.delete("pocketquant:backfill")
        syncer.do(unit_of(platform, job_id).id)
    return unit_of(platform, job_id)


def test_a_second_backfill_fetches_the_newest_bars_alone(
    platform: Platform, simulator: Simulator
) -> None:
    """All others were fetched; the provider's word for its end is remembered with them."""
    simulator.order("bar_limit", value=0)
    days = Series.parse("NASDAQ:AAPL|1d")
    wanted = SyncRequest(days, start=0, is_missing_only=True)
    syncer, provider = watched(wire_syncer(platform), lambda _: None)
    assert "end" == (finished(platform, syncer, wanted).report or {})["stop"]
    stored, asked = platform.bars.read(days), simulator.tally.served["NASDAQ:AAPL"]
    again = finished(platform, syncer, wanted)
    assert [None, None] == provider.oldest
    assert 1 == simulator.tally.served["NASDAQ:AAPL"] - asked
    report = again.report or {}
    assert ("end", stored.first_time, 0) == (
        report["stop"],
        report["reached_back_to"],
        report["inserted"],
    )
    assert report["fetched"] < 30
    reach = platform.statuses.reaches([days])[days]
    assert ("end", stored.first_time) == (reach.stop, reach.oldest)
    bounded = replace(wanted, start=int(stored.time[9]), end=int(stored.time[-9]))
    report = finished(platform, syncer, bounded).report or {}
    assert ("reached", 0, bounded.start) == (
        report["stop"],
        report["fetched"],
        report["reached_back_to"],
    )
    assert 1 == simulator.tally.served["NASDAQ:AAPL"] - asked
    assert stored == platform.bars.read(days)


def test_a_backfill_passes_over_what_is_covered(platform: Platform, simulator: Simulator) -> None:
    """It asks for the newest bars, then between the fetched stretches, then before them.

    What was fetched and then lost is fetched again; and the plan's limit counts all bars.
    """
    simulator.order("bar_limit", value=40_000)
    bars = market_bars(simulator, 39_999)
    syncer, provider = watched(wire_syncer(platform), lambda _: None)
    low, high = int(bars.time[6_000]), int(bars.time[33_000])
    for request in (SyncRequest(APPLE, start=low, end=high), SyncRequest(APPLE, 4_000)):
        unit_id = platform.intake.submit(request, QueueName.BULK).unit.id
        syncer.do(unit_id)
        assert UnitState.COMPLETED is platform.ledger.get_unit(unit_id).state
    kept = platform.statuses.coverage(APPLE)
    assert kept is not None
    middle, newest = kept.coverage.ranges
    provider.oldest.clear()
    asked = simulator.tally.served["NASDAQ:AAPL"]
    report = finished(platform, syncer, SyncRequest(APPLE, start=0, is_missing_only=True)).report
    assert [None, newest.start, middle.start] == provider.oldest
    assert bars == platform.bars.read(APPLE)
    assert report is not None
    assert ("limit", bars.first_time) == (report["stop"], report["reached_back_to"])
    assert 3 == simulator.tally.served["NASDAQ:AAPL"] - asked  # eight without coverage
    assert 39_999 == platform.statuses.limit()
    lost = platform.mongo["ohlcv"].find({"_id": {"$regex": "AAPL"}}).sort("_id", 1).skip(4)
    platform.mongo["ohlcv"].delete_one({"_id": lost[0]["_id"]})
    provider.oldest.clear()
    report = finished(platform, syncer, SyncRequest(APPLE, start=0, is_missing_only=True)).report
    assert bars == platform.bars.read(APPLE)
    assert report is not None
    assert report["fetched"] < 5_100
    assert 39_999 == platform.statuses.limit()


def test_a_backfill_fetches_again_what_was_multiplied(
    platform: Platform, simulator: Simulator
) -> None:
    """Stretches that are rescaled or were out of the plan's reach are not complete."""
    bars = market_bars(simulator, 9_000)
    syncer = wire_syncer(platform)
    wanted = SyncRequest(APPLE, start=int(bars.time[0]), is_missing_only=True)
    finished(platform, syncer, wanted)
    kept = platform.statuses.coverage(APPLE)
    assert kept is not None
    rescaled = kept.rescaled(int(bars.time[6_000])).document()
    status = {"_id": str(APPLE)}
    platform.mongo["sync_status"].update_one(status, {"$set": {"coverage": rescaled}})
    report = finished(platform, syncer, wanted).report or {}
    assert report["fetched"] > 6_000
    kept = platform.statuses.coverage(APPLE)
    assert kept is not None
    assert ["complete"] == [each.state for each in kept.coverage.ranges]


def test_a_range_joins_a_backfill_as_one_that_fetches_all(wired: Platform) -> None:
    """A sync of the newest bars leaves it as it is."""
    missing = SyncRequest(APPLE, start=500, is_missing_only=True)
    joined: list[bool] = []
    for others in ([NEWEST], [SyncRequest(APPLE, start=700)], [NEWEST, missing], [missing]):
        job_id = backfill(wired, missing)
        wired.reconciler.run()
        claimed(wired, job_id)
        for other in others:
            wired.intake.submit(other, QueueName.BULK)
        joined.append(unit_of(wired, job_id).request.is_missing_only)
        wired.mongo["units"].delete_many({})
        wired.cache.flushdb()
    assert [True, False, True, True] == joined


@pytest.mark.parametrize("name", ["NYSE:UNBORN", "NASDAQ:AAPL"], ids=["never traded", "renamed"])
def test_a_series_that_the_provider_has_no_bars_of_is_not_repaired(
    platform: Platform, simulator: Simulator, name: str
) -> None:
    """Before its first sync it is; afterwards each repair would make a unit in vain."""
    series = Series.parse(f"{name}|1h")
    syncer = wire_syncer(platform)
    holes = replace(platform.holes, clock=lambda: float(NOW))
    repairs: list[int] = []
    if series == APPLE:
        syncer.do(platform.intake.submit(SyncRequest(APPLE, 10), QueueName.BULK).unit.id)
        holes = replace(holes, clock=lambda: NOW + 30 * 86400.0)
        simulator.order("symbol_error")
    else:
        platform.statuses.mark_pending([series], "job")
    for _ in range(2):
        wanted = list(holes.repairs([series.symbol], []))
        repairs.append(len(wanted))
        for request in wanted:
            syncer.do(platform.intake.submit(request, QueueName.BULK).unit.id)
    assert [1, 0] == repairs
