"""Series that leave the provider's window are synced before others."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.errors import ProviderTimeout
from pocketquant.domain.intervals import DAY, HOUR, MINUTE
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncReport, SyncRequest
from pocketquant.history.window_guard import WindowGuard
from pocketquant.messaging.queues import QueueName
from pocketquant.storage.coverage import KeptCoverage
from pocketquant.wiring import Platform

NOW = int(datetime(2026, 11, 18, 15, 34, 30, tzinfo=UTC).timestamp())
HOURS = CalendarTexts("Etc/UTC", "24x7")


@pytest.fixture
def guard(wired: Platform) -> WindowGuard:
    """The guard at a fixed time."""
    return replace(wired.guard, now=lambda: datetime.fromtimestamp(NOW, UTC))


def fetched_until(platform: Platform, key: str, end: int) -> Series:
    """Store the status of a tracked series that was last synced then."""
    series = Series.parse(key)
    listing = Listing(series.symbol, hours=HOURS)
    bars = Bars(np.array([[end - DAY, end - MINUTE]] * 6, dtype=np.float64))
    kept = KeptCoverage().after(series, bars, (end - DAY, end), end, is_all=False)
    kept = kept.foreseen(listing, series.interval, end)
    report = SyncReport(series, 2, 2, 0, 0, {}, 2, end - DAY, end - MINUTE)
    platform.statuses.mark_completed(report, None, end, kept=kept)
    platform.symbols.register(listing, series.interval, end)
    return series


def requests_of(platform: Platform) -> list[tuple[SyncRequest, str]]:
    """Return the requests of all active units, in order, with their queues."""
    for document in platform.mongo["jobs"].find({"kind": "at-risk"}):
        platform.planner.plan(document["_id"])
    units = platform.mongo["units"].find({"active": True}).sort("_id", 1)
    found = [platform.ledger.get_unit(each["_id"]) for each in units]
    return [(unit.request, unit.queue) for unit in found if unit is not None]


def test_series_at_risk_become_one_job_the_most_urgent_first(
    wired: Platform, guard: WindowGuard
) -> None:
    """As the newest bars, or as a range. One that has time, days, and a paused one are left."""
    urgent = fetched_until(wired, "A:URGENT|1m", NOW - 80 * HOUR)
    longer = fetched_until(wired, "A:LONGER|1m", NOW - 90 * HOUR)
    fetched_until(wired, "A:FRESH|1m", NOW - 50 * HOUR)
    fetched_until(wired, "A:DAYS|1d", NOW - 900 * DAY)
    paused = fetched_until(wired, "A:PAUSED|1m", NOW - 85 * HOUR)
    wired.symbols.change(paused.symbol, False, None)
    assert 2 == guard.run()
    assert [
        (SyncRequest(longer, start=NOW - 90 * HOUR), QueueName.BULK),
        (SyncRequest(urgent, 80 * 60 + 5), QueueName.BULK),
    ] == requests_of(wired)


def test_each_series_has_four_turns_while_it_is_at_risk(
    wired: Platform, guard: WindowGuard
) -> None:
    """One that can't be synced takes no more; it counts as at risk all the time."""
    series = fetched_until(wired, "A:URGENT|1m", NOW - 60 * HOUR)
    wired.statuses.mark_failed(series, ProviderTimeout("no answer"))
    turns = []
    for minutes in range(0, 24 * 60, 30):
        moment = datetime.fromtimestamp(NOW + minutes * MINUTE, UTC)
        turns.append(replace(guard, now=lambda moment=moment: moment).run())
        assert [series] == [each.series for each in guard.at_risk(NOW + minutes * MINUTE)]
    assert 4 == sum(turns) == wired.mongo["jobs"].count_documents({"kind": "at-risk"})


def test_a_sync_that_waits_moves_to_the_front(wired: Platform, guard: WindowGuard) -> None:
    """The guard joins it."""
    series = fetched_until(wired, "A:URGENT|1m", NOW - 80 * HOUR)
    wired.intake.submit(SyncRequest(series, 10), QueueName.SCHEDULED)
    guard.run()
    assert [(SyncRequest(series, 80 * 60 + 5), QueueName.BULK)] == requests_of(wired)
