"""Bars that may be wrong are noted when they are stored, until the provider corrects them."""

from functools import partial

import pytest

from pocketquant.domain.dates import to_date
from pocketquant.domain.intervals import DAY
from pocketquant.domain.reports import QuotedDay, Report
from pocketquant.domain.syncs import SyncRequest
from pocketquant.messaging.queues import QueueName
from pocketquant.simulator.market.bad_prints import BadPrint
from pocketquant.storage.sync_status import StatusFilter
from pocketquant.wiring import Platform
from tests.integration.interleaving import Actor
from tests.integration.simulated_market import (
    APPLE,
    CLOSE,
    DAYS,
    HOURS,
    OPEN,
    SimulatedMarket,
    Synced,
)
from tests.integration.syncers import lose
from tests.simulated import calendar_of, known

PRINTED = OPEN + 3600
CORRECTED = OPEN + 40 * DAY


@pytest.fixture
def synced(wired: Platform) -> Synced:
    return Synced(wired, SimulatedMarket())


def noted(synced: Synced) -> list[int]:
    """Return the open times of outliers in the daily series, after a tick has judged it."""
    synced.platform.judging.run()
    document = synced.platform.mongo["sync_status"].find_one({"_id": str(DAYS)}) or {}
    assert len(document.get("outliers", [])) == document.get("outlier_count", 0)
    return [int(each["time"].timestamp()) for each in document.get("outliers", [])]


def test_a_bad_print_is_noted_until_it_is_corrected(synced: Synced) -> None:
    """A bar is judged once ten newer ones are stored; a correction takes the note back."""
    provider = synced.provider
    provider.market.bad_print(APPLE, BadPrint(PRINTED, 9_000.0, CORRECTED))
    synced.sync(60)
    assert [] == noted(synced)
    for days in (7, 15, 18):
        provider.now = CLOSE + days * DAY
        synced.sync(3)
        assert [OPEN] * (days > 7) == noted(synced)
    wanted = StatusFilter(has_outliers=True)
    ((status,), count) = synced.platform.statuses.page(wanted, 0, 10)
    assert (DAYS, 1, 1) == (status.series, status.outliers, count)
    provider.now = CORRECTED
    synced.sync(60)
    assert [] == noted(synced)
    assert ([], 0) == synced.platform.statuses.page(wanted, 0, 10)


def test_a_worker_that_is_killed_before_it_judges(synced: Synced) -> None:
    """The next attempt judges the bars, although it finds nothing to write."""
    synced.provider.market.bad_print(APPLE, BadPrint(PRINTED, 9_000.0, CORRECTED))
    synced.provider.now = CLOSE + 20 * DAY
    platform = synced.platform
    unit_id = platform.intake.submit(SyncRequest(DAYS, 50), QueueName.BULK).unit.id
    worker = Actor(partial(synced.syncer().do, unit_id))
    while not platform.bars.count(DAYS):
        assert worker.step()
    worker.kill()
    assert [] == noted(synced)
    lose(platform.mongo)
    synced.syncer().do(unit_id)
    assert [OPEN] == noted(synced)


def test_imported_bars_are_judged(synced: Synced) -> None:
    """They are judged with those around them, of which some may have been stored before."""
    synced.sync(50)
    stored = synced.stored().columns
    printed = stored[:, 30:31].copy()
    printed[2] *= 9
    synced.platform.importing.do(DAYS, printed)
    assert [int(printed[0, 0])] == noted(synced)
    synced.platform.importing.do(DAYS, stored[:, 30:31])
    assert [] == noted(synced)


def test_outliers_stay_after_a_split(synced: Synced) -> None:
    """A rescale keeps their times, and judges the bars that came with it."""
    provider = synced.provider
    provider.market.bad_print(APPLE, BadPrint(PRINTED, 9_000.0, CORRECTED))
    provider.now = CLOSE + 5 * DAY
    synced.sync(50)
    assert [] == noted(synced)
    provider.split(OPEN + 12 * DAY, 10)
    provider.now = CLOSE + 20 * DAY
    synced.sync(3)
    assert 2 == synced.platform.generations.current(DAYS).number
    assert [OPEN] == noted(synced)


def differing(synced: Synced) -> list[tuple[int, str, str]]:
    """Return day, source and field of what differs in the daily series, after a tick."""
    synced.platform.judging.run()
    found = synced.platform.findings.differences(DAYS)
    document = synced.platform.mongo["sync_status"].find_one({"_id": str(DAYS)}) or {}
    assert len(found) == document.get("difference_count", 0)
    return [(each.time, each.against, each.field) for each in found]


@pytest.fixture
def hours_of_apple(synced: Synced) -> None:
    """Keep the calendar of the symbol, as syncs with its listing do."""
    texts = calendar_of(known(APPLE)).texts
    synced.platform.calendars.keep(DAYS.symbol, texts, None, now=0)


@pytest.mark.usefixtures("hours_of_apple")
def test_days_are_compared_with_their_hours(synced: Synced) -> None:
    """Hours that still have a bad print differ from the corrected day, until they are synced."""
    provider, day = synced.provider, OPEN - 2 * DAY
    provider.market.bad_print(APPLE, BadPrint(day + 3600, 9_000.0, OPEN))
    provider.now = OPEN - 3600
    synced.sync(60, HOURS)
    provider.now = CLOSE
    synced.sync(60)
    assert [(day, "1h", "high")] == differing(synced)
    ((status,), _) = synced.platform.statuses.page(StatusFilter(has_differences=True), 0, 10)
    assert (DAYS, 1) == (status.series, status.differences)
    synced.sync(60, HOURS)
    provider.now = CLOSE + DAY
    synced.sync(3)
    assert [] == differing(synced)
    assert 0 == synced.platform.statuses.page(StatusFilter(has_differences=True), 0, 10)[1]


@pytest.mark.usefixtures("hours_of_apple")
@pytest.mark.parametrize("at", [OPEN + 3 * 3600, CLOSE + DAY])
def test_a_session_of_which_a_part_was_fetched_is_not_compared(synced: Synced, at: int) -> None:
    """Hours that were synced during the session do not make its day."""
    provider = synced.provider
    provider.market.bad_print(APPLE, BadPrint(PRINTED, 9_000.0, CLOSE + 2 * DAY))
    provider.now = at
    synced.sync(60, HOURS)
    provider.now = CLOSE + 2 * DAY
    synced.sync(60)
    assert [(OPEN, "1h", "high")] * (at > CLOSE) == differing(synced)


@pytest.mark.usefixtures("hours_of_apple")
def test_days_are_compared_with_the_quotes(synced: Synced) -> None:
    """The newest day that a quote reported as over; one in another scale is not compared."""
    synced.sync(60)
    (bar,) = synced.stored().last(1).columns.T.tolist()
    day = QuotedDay(to_date(OPEN).date(), *bar[1:3], bar[3] / 2, *bar[4:])
    split = QuotedDay(to_date(OPEN).date(), *(price / 10 for price in bar[1:5]), bar[5] * 10)
    for days, quoted, fields in ((1, day, ["low"]), (2, split, []), (5, day, ["low"])):
        synced.platform.reports.note(DAYS.symbol, Report(previous_day=quoted), CLOSE)
        synced.provider.now = CLOSE + days * DAY
        synced.sync(3)
        assert [(OPEN, "quote", field) for field in fields] == differing(synced)


def test_days_without_a_calendar_are_not_compared(synced: Synced) -> None:
    """It is not known which hours belong to a day."""
    synced.sync(60, HOURS)
    quoted = QuotedDay(to_date(OPEN).date(), 1.0, 2.0, 0.5, 1.0, None)
    synced.platform.reports.note(DAYS.symbol, Report(previous_day=quoted), CLOSE)
    synced.sync(60)
    assert [] == differing(synced)
