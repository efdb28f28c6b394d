"""Syncs with a start: stored page by page, and continued by another attempt."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from pocketquant.domain.errors import Cancelled, ProviderTimeout
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncRequest, SyncState, UnitState
from pocketquant.history.syncer import Syncer
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import Mongo, wait_until
from pocketquant.simulator.market.prices import Resolution
from pocketquant.simulator.server import Simulator
from pocketquant.storage.units import Unit
from pocketquant.wiring import Platform, wire_syncer
from tests.integration.ranges import APPLE, NOW, market_bars
from tests.integration.syncers import Killed, killing, lose, watched
from tests.simulated import known


@pytest.fixture
def syncer(platform: Platform) -> Iterator[Syncer]:
    syncer = wire_syncer(platform)
    yield syncer
    syncer.provider.hang_up()


def submit(
    platform: Platform, start: int = 0, end: int | None = None, series: Series = APPLE
) -> str:
    request = SyncRequest(series, start=start, end=end)
    return platform.intake.submit(request, QueueName.BULK).unit.id


def unit_of(platform: Platform, unit_id: str) -> Unit:
    unit = platform.ledger.get_unit(unit_id)
    assert unit is not None
    return unit


def test_a_range_up_to_the_limit_of_the_plan(
    platform: Platform, syncer: Syncer, simulator: Simulator
) -> None:
    """All bars that the plan allows are stored; the report, the unit and the status say so."""
    unit_id = submit(platform)
    syncer.do(unit_id)
    expected = market_bars(simulator, 19_999)
    assert expected == platform.bars.read(APPLE)
    unit = unit_of(platform, unit_id)
    assert UnitState.COMPLETED is unit.state
    assert unit.report is not None
    first = expected.first_time
    assert unit.report == {
        "fetched": 20_000,
        "inserted": 19_999,
        "changed": 0,
        "unchanged": 0,
        "refused": {},
        "forming": 1,
        "bar_count": 19_999,
        "first_bar_at": first,
        "last_bar_at": expected.last_time,
        "stop": "limit",
        "reached_back_to": first,
        "history_begins_at": simulator.market.first_time(known("NASDAQ:AAPL"), Resolution(1, "m")),
    }
    status = platform.statuses.get(APPLE)
    assert status is not None
    assert (SyncState.COMPLETED, 19_999, first) == (
        status.status,
        status.bar_count,
        status.first_bar_at,
    )
    assert status.forming is not None
    registered = platform.symbols.get(APPLE.symbol)
    assert registered is not None
    assert (APPLE.interval,) == registered.intervals


def test_a_range_keeps_the_dividends_that_its_quote_names(
    platform: Platform, syncer: Syncer, simulator: Simulator
) -> None:
    """They stay when the provider names others."""
    days = Series(APPLE.symbol, Interval.D1)
    for amount in (0.25, 0.26):
        simulator.pay(str(APPLE.symbol), NOW - round(amount * 100) * 86400, amount)
        syncer.do(submit(platform, start=NOW - 30 * 86400, series=days))
    simulator.pay(str(APPLE.symbol), NOW - 86400, 0.27)
    syncer.do(submit(platform, start=NOW - 30 * 86400, series=days))
    assert [0.25, 0.27] == [each.amount for each in platform.reports.dividends(APPLE.symbol)]


def test_the_next_sync_knows_the_limit_of_the_plan(platform: Platform, syncer: Syncer) -> None:
    """So it foresees when what is lacking leaves the window of 20,000 bars, not of 5000."""
    syncer.do(submit(platform))
    leaves_at = []
    for _ in range(2):
        status = platform.statuses.get(APPLE)
        assert status is not None
        assert status.outlook.leaves_at is not None
        leaves_at.append(status.outlook.leaves_at - NOW)
        syncer.do(platform.intake.submit(SyncRequest(APPLE, 10), QueueName.BULK).unit.id)
    before, after = leaves_at
    assert 3.5 < after / before < 4.5


@pytest.mark.parametrize("page", [0, 1, 3])
def test_a_killed_attempt_is_continued(
    platform: Platform, syncer: Syncer, simulator: Simulator, mongo: Mongo, page: int
) -> None:
    """The next attempt begins at the oldest bar stored, and in the end nothing is missing."""
    unit_id = submit(platform)
    with pytest.raises(Killed):
        watched(syncer, killing(page))[0].do(unit_id)
    stored = platform.bars.extent(APPLE)
    assert max(0, 5000 * page - 1) == stored.count
    lose(mongo)
    again, provider = watched(syncer, lambda _: None)
    again.do(unit_id)
    assert [stored.first_time] == provider.oldest
    assert market_bars(simulator, 19_999) == platform.bars.read(APPLE)
    report = unit_of(platform, unit_id).report
    assert report is not None
    assert (19_999, "limit") == (report["inserted"], report["stop"])
    assert report["forming"] == 1


def test_many_kills(platform: Platform, syncer: Syncer, simulator: Simulator, mongo: Mongo) -> None:
    """An attempt that stored a page does not count, so that kills do not end a long range."""
    simulator.order("bar_limit", value=0)
    unit_id = submit(platform)
    kills = 0
    while unit_of(platform, unit_id).state is not UnitState.COMPLETED:
        try:
            watched(syncer, killing(1))[0].do(unit_id)
        except Killed:
            kills += 1
            assert 1 == unit_of(platform, unit_id).tries
            kept = platform.statuses.coverage(APPLE)
            assert kept is not None
            assert [platform.bars.extent(APPLE).first_time] == [
                each.start for each in kept.coverage.ranges
            ]
            lose(mongo)
    assert 9 == kills
    assert "end" == (unit_of(platform, unit_id).report or {})["stop"]
    stored = platform.bars.read(APPLE)
    assert market_bars(simulator, len(stored)) == stored
    listed = simulator.market.first_time(known("NASDAQ:AAPL"), Resolution(60, "m"))
    assert listed == stored.first_time


def test_a_page_that_was_stored_and_not_noted_is_fetched_again(
    platform: Platform, syncer: Syncer, simulator: Simulator, mongo: Mongo
) -> None:
    """A worker that dies between the bars and the note of its progress loses nothing."""
    unit_id = submit(platform)

    def die(*_: object) -> Unit:
        raise Killed

    class Dying:
        """The ledger of a process that ends before it notes the first page."""

        note_progress = staticmethod(die)

        def __getattr__(self, name: str) -> object:
            return getattr(platform.ledger, name)

    with pytest.raises(Killed):
        replace(syncer, ledger=Dying()).do(unit_id)
    assert 4999 == platform.bars.count(APPLE)
    assert unit_of(platform, unit_id).progress is None
    lose(mongo)
    syncer.do(unit_id)
    assert market_bars(simulator, 19_999) == platform.bars.read(APPLE)
    assert 4999 == (unit_of(platform, unit_id).report or {})["unchanged"]


def test_a_page_is_noted_beside_the_wait_for_the_next(
    platform: Platform, syncer: Syncer, simulator: Simulator
) -> None:
    """The next one is requested once its bars are stored, and is not stored before it is noted."""
    arrived, stored = Event(), []

    def arrive(number: int) -> None:
        if number == 1:
            arrived.set()

    class Late:
        """Statuses that note the first page when the second one has arrived."""

        def mark_stored(self, *args: Any, **more: Any) -> bool:
            assert arrived.wait(60)
            stored.append(platform.bars.count(APPLE))
            return platform.statuses.mark_stored(*args, **more)

        def __getattr__(self, name: str) -> object:
            return getattr(platform.statuses, name)

    watched(replace(syncer, statuses=Late()), arrive)[0].do(submit(platform))
    assert [4999, 9999, 14999, 19999] == stored
    assert market_bars(simulator, 19_999) == platform.bars.read(APPLE)


def test_silence_puts_the_range_back(
    platform: Platform, syncer: Syncer, simulator: Simulator, mongo: Mongo
) -> None:
    """A page that does not come costs an attempt; the next one goes on after the last page."""
    simulator.order("page_silent", value=1)
    impatient = platform.settings.model_copy(update={"provider_timeout_seconds": 1.0})
    unit_id = submit(platform)
    wire_syncer(replace(platform, settings=impatient)).do(unit_id)
    unit = unit_of(platform, unit_id)
    assert (UnitState.QUEUED, 1) == (unit.state, unit.tries)
    assert isinstance(unit.error, ProviderTimeout)
    assert unit.progress is not None
    assert (9999, None) == (unit.progress.inserted, unit.progress.stop)
    status = platform.statuses.get(APPLE)
    assert status is not None
    assert (SyncState.PENDING, 9999) == (status.status, status.bar_count)
    simulator.lift()
    lose(mongo)
    syncer.do(unit_id)
    assert market_bars(simulator, 19_999) == platform.bars.read(APPLE)


def test_a_cancelled_job_ends_between_two_pages(
    platform: Platform, syncer: Syncer, simulator: Simulator
) -> None:
    """Stored bars stay; no page follows."""
    unit_id = submit(platform)

    def cancel(number: int) -> None:
        if number == 1:
            platform.intake.cancel(unit_of(platform, unit_id).jobs[0])

    watched(syncer, cancel)[0].do(unit_id)
    unit = unit_of(platform, unit_id)
    assert UnitState.CANCELLED is unit.state
    assert isinstance(unit.error, Cancelled)
    assert market_bars(simulator, 4999) == platform.bars.read(APPLE)
    assert 2 == simulator.tally.served["NASDAQ:AAPL"]


def test_a_range_gives_way_between_two_pages(
    platform: Platform, syncer: Syncer, simulator: Simulator, mongo: Mongo
) -> None:
    """When its next turn is far off, the range is put back, and goes on from there."""
    unit_id = submit(platform)

    def crowd(number: int) -> None:
        if number == 1:
            for index in range(platform.settings.provider_concurrency):
                platform.governor.enter(f"other {index}", True, 3600)

    watched(syncer, crowd)[0].do(unit_id)
    unit = unit_of(platform, unit_id)
    assert (UnitState.QUEUED, None) == (unit.state, unit.error)
    assert 0 == unit.tries
    assert 9999 == platform.bars.count(APPLE)
    platform.cache.flushdb()
    lose(mongo)
    syncer.do(unit_id)
    assert market_bars(simulator, 19_999) == platform.bars.read(APPLE)


def test_a_range_outlasts_its_first_lease(
    wire_with: Callable[..., Platform], platform: Platform, simulator: Simulator
) -> None:
    """The lease is extended with each page, and the unit is put back under the newest one."""
    changes = {"lease_seconds": 4.0, "provider_timeout_seconds": 1.5}
    short = wire_with(**platform.settings.model_dump(exclude_unset=True) | changes)
    unit_id = submit(short)
    began = time.monotonic()

    def outlast(number: int) -> None:
        wait_until("time passes", lambda: time.monotonic() - began > 2.8 * number, (), 60)
        if number == 2:
            short.intake.cancel(unit_of(short, unit_id).jobs[0])

    watched(wire_syncer(short), outlast)[0].do(unit_id)
    assert UnitState.CANCELLED is unit_of(short, unit_id).state
    status = short.statuses.get(APPLE)
    assert status is not None
    assert SyncState.COMPLETED is status.status
    assert 9999 == status.bar_count
    assert 3 == simulator.tally.served["NASDAQ:AAPL"]


def test_a_long_range_leaves_its_slot_to_others(
    platform: Platform, syncer: Syncer, simulator: Simulator
) -> None:
    """After eight pages it is put back, no longer as an urgent one, and goes on from there."""
    simulator.order("bar_limit", value=0)
    request = SyncRequest(APPLE, start=0)
    unit_id = platform.intake.submit(request, QueueName.INTERACTIVE).unit.id
    syncer.do(unit_id)
    unit = unit_of(platform, unit_id)
    assert (UnitState.QUEUED, QueueName.BULK, 0) == (unit.state, unit.queue, unit.tries)
    assert 39_999 == platform.bars.count(APPLE)
    syncer.do(unit_id)
    unit = unit_of(platform, unit_id)
    assert (UnitState.COMPLETED, "end") == (unit.state, (unit.report or {})["stop"])
    stored = platform.bars.read(APPLE)
    assert market_bars(simulator, len(stored)) == stored


def test_an_earlier_start_joins_a_running_range(
    platform: Platform, syncer: Syncer, simulator: Simulator
) -> None:
    """The range goes on from its oldest bar to the earlier start."""
    bars = market_bars(simulator, 19_999)
    near, far = int(bars.time[-6000]), int(bars.time[-11_000])
    unit_id = submit(platform, near)
    again, provider = watched(syncer, lambda number: number == 1 and submit(platform, far))
    again.do(unit_id)
    assert [None, 2] == [provider.oldest[0], len(provider.oldest)]
    unit = unit_of(platform, unit_id)
    assert (UnitState.COMPLETED, far) == (unit.state, unit.request.start)
    assert "reached" == (unit.report or {})["stop"]
    assert (platform.bars.extent(APPLE).first_time or 0) <= far
    assert bars.between(platform.bars.extent(APPLE).first_time, None) == platform.bars.read(APPLE)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((5000, None, None), (10, 500, 900), (5000, 500, None)),
        ((10, 500, 900), (5000, None, None), (5000, 500, None)),
        ((5000, 500, 900), (5000, 700, 1200), (5000, 500, 1200)),
        ((5000, 500, 900), (5000, 100, 600), (5000, 100, 900)),
        ((5000, 500, None), (5000, 100, 600), (5000, 100, None)),
        ((5000, 500, 900), (5000, 700, None), (5000, 500, None)),
        ((5000, None, None), (10, None, None), (5000, None, None)),
    ],
)
def test_requests_join(
    wired: Platform,
    first: tuple[int, int | None, int | None],
    second: tuple[int, int | None, int | None],
    expected: tuple[int, int | None, int | None],
) -> None:
    """A unit fetches all that its jobs want, whether they join it alone or in bulk."""
    for join_in_bulk in (False, True):
        series = Series.parse(f"NASDAQ:{'BULK' if join_in_bulk else 'ONE'}|1h")
        unit = wired.intake.submit(SyncRequest(series, *first), QueueName.BULK).unit
        assert SyncRequest(series, *first) == unit.request
        if join_in_bulk:
            job_id = wired.intake.submit_large(
                "bulk", [SyncRequest(series, *second)], QueueName.BULK
            )
            wired.planner.plan(job_id)
        else:
            wired.intake.submit(SyncRequest(series, *second), QueueName.BULK)
        assert SyncRequest(series, *expected) == unit_of(wired, unit.id).request


def test_a_range_with_an_end_says_nothing_of_the_present(
    platform: Platform, syncer: Syncer, simulator: Simulator
) -> None:
    """The forming bar and the time of the last sync stay as the newest bars gave them."""
    syncer.do(platform.intake.submit(SyncRequest(APPLE, 10), QueueName.BULK).unit.id)
    before = platform.statuses.get(APPLE)
    assert before is not None
    bars = market_bars(simulator, 19_999)
    start, end = int(bars.time[-900]), int(bars.time[-400])
    later = replace(syncer, clock=lambda: float(NOW + 3600))
    later.do(submit(platform, start, end))
    after = platform.statuses.get(APPLE)
    assert after is not None
    assert (before.forming, before.last_sync_at, before.last_bar_at) == (
        after.forming,
        after.last_sync_at,
        after.last_bar_at,
    )
    assert (after.first_bar_at or NOW) <= start
    stored = platform.bars.read(APPLE)
    assert bars.between(stored.first_time, end) == stored.between(None, end)
    assert 9 == len(stored.between(end, None))
