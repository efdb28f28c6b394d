"""Splits that a sync finds: every stored series has one scale at any moment."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pytest
from structlog.testing import capture_logs

from pocketquant.domain.bars import Bars
from pocketquant.domain.dates import to_date
from pocketquant.domain.intervals import DAY
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.syncs import SyncRequest, SyncState, UnitState
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import Mongo
from pocketquant.storage.generations import Current, generation_of
from pocketquant.wiring import Platform
from tests.integration.interleaving import Actor
from tests.integration.simulated_market import (
    APPLE,
    CLOSE,
    DAYS,
    HOURS,
    OPEN,
    PAGE,
    SimulatedMarket,
    Synced,
)

LONG_AGO = to_date(0)


@pytest.fixture
def synced(wired: Platform) -> Synced:
    return Synced(wired, SimulatedMarket())


def test_a_split_rescales_what_was_stored(synced: Synced) -> None:
    """The next small sync fetches the series again: all bars have the provider's scale."""
    synced.sync(50)
    before = synced.stored()
    synced.provider.split(OPEN + DAY, 10)
    synced.provider.now = CLOSE + DAY
    unit = synced.sync(3)
    assert UnitState.COMPLETED is unit.state
    after = synced.stored()
    assert synced.served(len(after)) == after
    rescaled = after.between(before.first_time, OPEN + DAY)
    assert pytest.approx(before.close / 10, abs=0.006) == rescaled.close


def test_without_a_split_a_sync_writes_into_the_same_chunks(synced: Synced) -> None:
    """Enough bars are compared, even if fewer are requested; there is one generation."""
    synced.sync(50)
    synced.provider.now = CLOSE + DAY
    synced.sync(3)
    assert [50, 3, 19] == synced.provider.asked
    assert 1 == synced.platform.generations.current(DAYS).number
    assert synced.served(50) == synced.stored().last(50)


def test_a_provider_that_is_late(synced: Synced) -> None:
    """New bars have the new scale and old ones the old, until the overlap shows the split."""
    synced.sync(50)
    synced.provider.split(OPEN + DAY, 10, OPEN + 2 * DAY)
    synced.provider.now = CLOSE + DAY
    synced.sync(3)
    assert 1 == synced.platform.generations.current(DAYS).number
    synced.provider.now = CLOSE + 2 * DAY
    synced.sync(3)
    stored = synced.stored()
    assert synced.served(len(stored)) == stored
    ((rescale,)) = synced.platform.generations.rescales(DAYS.symbol)
    assert ((OPEN + DAY, 0.1),) == tuple((each.before, each.factor) for each in rescale.splits)


def test_an_undone_split_and_another_the_next_day(synced: Synced) -> None:
    """Each sync ends with the provider's bars, and each change of scale is kept."""
    synced.sync(50)
    provider = synced.provider
    provider.split(OPEN + DAY, 10, OPEN + DAY, OPEN + 2 * DAY)  # by mistake, undone the next day
    provider.split(OPEN + 3 * DAY, 4, OPEN + 3 * DAY)
    provider.split(OPEN + 6 * DAY, 0.5, OPEN + 6 * DAY)
    for days in (1, 2, 3, 6, 7):  # 21 and 22 November are a weekend
        provider.now = CLOSE + days * DAY
        synced.sync(3)
        stored = synced.stored()
        assert synced.served(len(stored)) == stored
    found = synced.platform.generations.rescales(DAYS.symbol)
    assert [2.0, 0.25, 10.0, 0.1] == [each.factor for each in found]
    assert [5, 4, 3, 2] == [each.generation for each in found]


def test_a_split_that_is_announced_twice(synced: Synced) -> None:
    """Undone, announced again and followed by another the next day: each is logged, in order."""
    provider, day = synced.provider, OPEN - 352 * DAY  # a Monday
    provider.now = day - DAY
    for series in (DAYS, HOURS):
        synced.sync(50, series)
    provider.split(day, 10, day, day + DAY)
    provider.split(day + DAY, 10, day + 2 * DAY)
    provider.split(day + 3 * DAY, 0.5)
    with capture_logs() as logs:
        for days in range(4):
            provider.now = day + days * DAY + 27_000
            for series in (HOURS, DAYS):
                synced.sync(3, series)
                fetched = synced.stored(series).last(4000)  # older ones are multiplied
                assert synced.served(len(fetched), series) == fetched
    logged = [each for each in logs if each["event"] == "series_rescaled"]
    assert [str(HOURS), str(DAYS)] * 4 == [each["series"] for each in logged]
    found = synced.platform.events.of(DAYS.symbol)
    assert [2.0, 0.1, 10.0, 0.1] == [each.factor for each in found]
    assert [{HOURS, DAYS}] * 4 == [{*each.found_by} for each in found]


def test_what_lies_deeper_than_a_fetch_is_multiplied(synced: Synced) -> None:
    """It is marked as rescaled; a job of its own fetches it again, and the mark goes."""
    synced.sync(series=HOURS, start=CLOSE - 1200 * DAY)
    count = len(synced.stored(HOURS))
    assert count > PAGE
    synced.provider.split(OPEN + DAY, 10)
    synced.provider.now = CLOSE + DAY
    synced.sync(series=HOURS)
    stored = synced.stored(HOURS)
    served = synced.served(len(stored), HOURS)
    assert served.last(PAGE) == stored.last(PAGE)
    assert pytest.approx(served.columns, abs=0.011) == stored.columns
    first = served.last(PAGE).first_time
    coverage = synced.platform.statuses.coverages([HOURS])[HOURS].coverage
    assert [("rescaled", first), ("complete", coverage.end)] == [
        (each.state, each.end) for each in coverage.ranges
    ]
    synced.platform.rescale_follow_up.run()
    jobs, _ = synced.platform.jobs.page(None, "rescale", None, 0, 10)
    synced.platform.planner.plan(jobs[0].id)
    units, _ = synced.platform.jobs.units(jobs[0].id, None, None, 0, 10)
    assert [HOURS] == [each.request.series for each in units]
    synced.syncer().do(units[0].id)
    again = synced.stored(HOURS)
    assert synced.served(len(again), HOURS) == again
    coverage = synced.platform.statuses.coverages([HOURS])[HOURS].coverage
    assert ["complete"] == [each.state for each in coverage.ranges]


def test_other_series_of_the_symbol_are_compared(synced: Synced) -> None:
    """They are synced as far as a fetch reaches, so a late provider is noticed there too."""
    for series in (DAYS, HOURS):
        synced.sync(50, series)
    synced.provider.split(OPEN + DAY, 10)
    synced.provider.now = CLOSE + DAY
    synced.sync(3)
    for _ in range(2):
        synced.platform.rescale_follow_up.run()
    jobs, count = synced.platform.jobs.page(None, "rescale", None, 0, 10)
    assert 1 == count
    synced.platform.planner.plan(jobs[0].id)
    units, _ = synced.platform.jobs.units(jobs[0].id, None, None, 0, 10)
    assert [SyncRequest(HOURS, PAGE)] == [each.request for each in units]
    synced.syncer().do(units[0].id)
    assert synced.served(50, HOURS) == synced.stored(HOURS).last(50)
    synced.platform.rescale_follow_up.run()
    assert 1 == synced.platform.jobs.page(None, "rescale", None, 0, 10)[1]


def lose(mongo: Mongo) -> None:
    """Let the leases of a killed worker expire."""
    expired = {"$set": {"lease_until": LONG_AGO}, "$unset": {"not_before": ""}}
    mongo["units"].update_many({"active": True}, expired)


def test_a_worker_that_is_killed_at_any_step_leaves_one_scale(synced: Synced, mongo: Mongo) -> None:
    """Readers have the old bars or the new ones, and another attempt ends with the new ones."""
    provider, killed = synced.provider, 0
    synced.sync(50)
    while True:
        provider.split(OPEN, 2 if killed % 2 == 0 else 0.5, CLOSE)
        old = synced.stored()
        assert not synced.is_served()
        unit_id = synced.platform.intake.submit(SyncRequest(DAYS, 3), QueueName.BULK).unit.id
        worker = Actor(partial(synced.syncer().do, unit_id), killed_after=killed)
        while worker.step():
            pass
        assert synced.is_served() or old == synced.stored()
        if not worker.was_killed:
            break
        lose(mongo)
        synced.syncer().do(unit_id)
        assert synced.is_served()
        killed += 1
    assert synced.is_served()
    assert killed > 20


def test_old_generations_are_deleted_when_they_are_due(synced: Synced, mongo: Mongo) -> None:
    """So is what a killed worker left; the current one stays, and the series goes on."""
    synced.sync(50)
    platform, provider = synced.platform, synced.provider
    provider.split(OPEN + DAY, 10)
    provider.now = CLOSE + DAY
    unit_id = platform.intake.submit(SyncRequest(DAYS, 3), QueueName.BULK).unit.id
    worker = Actor(partial(synced.syncer().do, unit_id))
    unfinished = generation_of(DAYS, 2)
    while not platform.bars.count(unfinished):
        assert worker.step()
    worker.kill()
    lose(mongo)
    synced.syncer().do(unit_id)
    assert 3 == platform.generations.current(DAYS).number
    assert platform.bars.count(DAYS)
    stored = synced.stored()
    platform.rescale_follow_up.run()  # by the server's clock, years of REVISION_DAYS too early
    assert platform.bars.count(DAYS)
    now = datetime.now(UTC)
    for days in (2, 401):
        assert platform.bars.count(DAYS)
        at = now + timedelta(days=days)
        replace(platform.rescale_follow_up, now=partial(lambda at: at, at)).run()
        assert not platform.bars.count(unfinished)
    assert not platform.bars.count(DAYS)
    assert [] == platform.generations.expired(int(at.timestamp()))
    assert stored == synced.stored()


def test_bars_imported_during_a_rescale_are_not_lost(synced: Synced) -> None:
    """The rescale is repeated with them, and the import finds the generation that counts."""
    synced.sync(50)
    platform, provider = synced.platform, synced.provider
    first = synced.stored().first_time
    assert first is not None
    old = np.array([[first - 9000 * DAY], [100.0], [101], [99], [100], [7]])
    provider.split(OPEN + DAY, 10)
    provider.now = CLOSE + DAY
    provider.meanwhile = lambda: platform.importing.do(DAYS, old) if provider.asked[-1] == 3 else 0
    unit = synced.sync(3)
    assert UnitState.QUEUED is unit.state
    provider.meanwhile = lambda: None
    synced.provider.asked.clear()
    platform.mongo["units"].update_one({"_id": unit.id}, {"$unset": {"not_before": ""}})
    synced.syncer().do(unit.id)
    imported = synced.stored().first(1)
    assert [first - 9000 * DAY, 10, 10.1, 9.9, 10, 70] == pytest.approx(imported.columns[:, 0])
    platform.importing.do(DAYS, old - [[DAY], [0], [0], [0], [0], [0]])
    assert first - 9001 * DAY == synced.stored().first_time


def test_an_import_that_loses_the_race_is_stored_again(synced: Synced) -> None:
    """It writes into the old generation first, and sees that it no longer counts."""
    synced.sync(50)
    generations = synced.platform.generations
    before = generations.current(DAYS)
    assert generations.note_import(before)
    synced.provider.split(OPEN + DAY, 10)
    synced.provider.now = CLOSE + DAY
    synced.sync(3)
    assert not generations.note_import(before)
    assert generations.note_import(Current(generation_of(DAYS, 2)))
    assert generations.note_import(Current(HOURS))  # a series without a status


def test_live_bars_of_before_the_split_do_not_come_back(synced: Synced) -> None:
    """Neither those that history replaced, nor older ones that it lacks."""
    synced.sync(50, HOURS)
    platform, provider = synced.platform, synced.provider
    first = synced.stored(HOURS).first_time
    assert first is not None
    prices = (100.0, 101.0, 99.0, 100.0)
    live = [
        LiveBar(APPLE, HOURS.interval, start, start + 3600, *prices, 7.0, 1, False, start, start)
        for start in (first - 5 * DAY, OPEN + DAY)
    ]
    platform.live_bars.upsert(live)
    provider.split(OPEN + DAY, 10)
    provider.now = CLOSE + DAY
    synced.sync(3, HOURS)
    assert synced.is_served(HOURS)
    assert not platform.live_bars.has_any(HOURS)


def test_other_prices_without_a_ratio_are_refused(synced: Synced) -> None:
    """Nothing is stored; a sync from the first stored bar on takes the fetched bars instead."""
    synced.sync(series=HOURS, start=CLOSE - 1200 * DAY)
    before = synced.stored(HOURS)
    noise = np.random.default_rng(7).uniform(0.5, 2, len(before))
    other = before.columns * np.vstack([np.ones_like(noise), *(noise,) * 4, np.ones_like(noise)])
    synced.platform.bars.upsert({HOURS: Bars(other)})
    synced.provider.now = CLOSE + DAY
    unit = synced.sync(10, HOURS)
    assert UnitState.FAILED is unit.state
    status = synced.platform.statuses.get(HOURS)
    assert status is not None
    assert (SyncState.ERROR, "suspect_history") == (status.status, status.error_code)
    assert "no common ratio" in str(unit.error)
    assert Bars(other) == synced.stored(HOURS)
    synced.sync(series=HOURS, start=before.first_time)
    assert synced.is_served(HOURS)
    assert len(before) <= len(synced.stored(HOURS))


def test_other_prices_of_all_that_is_stored_are_replaced(synced: Synced) -> None:
    """A fetch that reaches the first stored bar needs no ratio."""
    synced.sync(50)
    before = synced.stored()
    noise = np.random.default_rng(7).uniform(0.5, 2, len(before))
    other = before.columns * np.vstack([np.ones_like(noise), *(noise,) * 4, np.ones_like(noise)])
    synced.platform.bars.upsert({DAYS: Bars(other)})
    synced.sync(3)
    assert synced.is_served()
    ((found,)) = synced.platform.generations.rescales(DAYS.symbol)
    assert ((), None) == (found.splits, found.factor)


@pytest.mark.parametrize("pages", [1, 2])
def test_a_split_between_two_attempts_at_a_range(synced: Synced, mongo: Mongo, pages: int) -> None:
    """The next attempt compares the newest bars before it goes on, also with a range's end."""
    synced.sync(100, HOURS)
    provider = synced.provider
    asked = iter(range(10))

    def stop() -> None:
        if next(asked) == pages:
            raise ZeroDivisionError

    provider.meanwhile = stop
    unit = synced.sync(series=HOURS, start=CLOSE - 5000 * DAY)
    assert unit.progress is not None
    provider.meanwhile = lambda: None
    provider.split(OPEN + DAY, 10)
    provider.now = CLOSE + DAY
    lose(mongo)
    synced.syncer().do(unit.id)
    stored = synced.stored(HOURS)
    served = synced.served(len(stored), HOURS)
    assert pytest.approx(served.columns, abs=0.011) == stored.columns
    assert len(stored) > 14_000


def test_a_removed_symbol_leaves_no_generation(synced: Synced, wired: Platform) -> None:
    """All of its chunks go, whichever generation they are of."""
    synced.sync(50)
    synced.provider.split(OPEN + DAY, 10)
    synced.provider.now = CLOSE + DAY
    synced.sync(3)
    wired.removal.remove(DAYS.symbol, with_bars=True)
    assert 0 == wired.mongo["ohlcv"].count_documents({})
    assert Current(DAYS) == wired.generations.current(DAYS)
