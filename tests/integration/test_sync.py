"""Syncs of one series, with providers that run a test's action before they answer."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from pymongo.errors import ConnectionFailure

from pocketquant.cache.responses import Put
from pocketquant.coordination.governor import BreakerState, Outcome
from pocketquant.domain.bars import Bars, Refusal
from pocketquant.domain.errors import (
    ConnectionLost,
    HandshakeRefused,
    LeaseLost,
    ProtocolViolation,
    ProviderFault,
    ProviderTimeout,
    StorageUnavailable,
    UnknownSymbol,
)
from pocketquant.domain.intervals import Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.revisions import Cause, Reason
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import (
    MAX_BARS,
    FormingBar,
    History,
    SyncReport,
    SyncRequest,
    SyncState,
    UnitState,
)
from pocketquant.history.paced_provider import Provider, ProviderCall
from pocketquant.history.syncer import Syncer
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import wait_until
from pocketquant.storage.bars import BarStore
from pocketquant.storage.leases import UnitLease
from pocketquant.storage.ledger import Ledger
from pocketquant.storage.sync_status import SyncStatus
from pocketquant.storage.units import Unit
from pocketquant.wiring import Platform
from tests.integration.interleaving import Actor
from tests.integration.syncers import syncer_with

APPLE = Series.parse("NASDAQ:AAPL|1d")
DAY = 86400
NOW = 400 * DAY


@dataclass
class Days:
    """Daily bars up to yesterday and today's forming one; runs an action before it answers."""

    meanwhile: Callable[[SyncRequest], object] = lambda _: None
    asked: list[int] = field(default_factory=list)

    def fetch(self, request: SyncRequest) -> History:
        self.asked.append(request.n_bars)
        self.meanwhile(request)
        times = np.arange(400 - request.n_bars + 1, 400) * float(DAY)
        columns = np.vstack([times, *(np.ones_like(times) for _ in range(5))])
        forming = FormingBar(NOW, NOW + DAY, 1, 2, 0.5, 1, 7, NOW + 60)
        listing = Listing(request.series.symbol, description="Apple Inc.")
        return History(Bars(columns), forming, Counter({Refusal.NOT_FINITE: 1}), listing)

    def hang_up(self) -> None:
        self.meanwhile = raising(ConnectionLost("hung up"))


class Unbelievable(Days):
    """Sends 300 impossible bars."""

    def fetch(self, request: SyncRequest) -> History:  # noqa: ARG002  # of any series
        refused = Counter({Refusal.BAD_TIME: 298, Refusal.NOT_FINITE: 2})
        return History(Bars.empty(), None, refused)


@pytest.fixture
def syncer(wired: Platform) -> Callable[[Provider], Syncer]:
    """Makes a syncer with a provider."""

    def make(provider: Provider) -> Syncer:
        return syncer_with(wired, provider, lambda: float(NOW))

    return make


def submit(wired: Platform, n_bars: int = 10) -> str:
    return wired.intake.submit(SyncRequest(APPLE, n_bars), QueueName.BULK).unit.id


def unit_of(wired: Platform, unit_id: str) -> Unit:
    unit = wired.ledger.get_unit(unit_id)
    assert unit is not None
    return unit


def status_of(wired: Platform) -> SyncStatus:
    status = wired.statuses.get(APPLE)
    assert status is not None
    return status


def test_a_sync_stores_closed_bars_and_keeps_the_forming_one_beside(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """Bars, listing, status and report; the cached answers are dropped."""
    unit_id = submit(wired)
    token = wired.responses.begin(APPLE)
    syncer(Days()).do(unit_id)

    assert wired.bars.count(APPLE) == 9
    status = status_of(wired)
    assert (status.status, status.bar_count) == (SyncState.COMPLETED, 9)
    assert status.last_bar_at == 399 * DAY
    assert status.forming is not None
    assert status.forming.time == NOW
    registered = wired.symbols.get(APPLE.symbol)
    assert registered is not None
    assert wired.responses.put(APPLE, "query", token, b"older") is Put.OUTDATED
    assert unit_of(wired, unit_id).report == {
        "fetched": 11,
        "inserted": 9,
        "changed": 0,
        "unchanged": 0,
        "refused": {"not_finite": 1},
        "forming": 1,
        "bar_count": 9,
        "first_bar_at": 391 * DAY,
        "last_bar_at": 399 * DAY,
    }


def test_the_counts_of_a_report_add_up_to_what_was_fetched(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """Each fetched bar is inserted, changed, unchanged, refused or forming."""
    for n_bars in (10, 30):
        unit_id = submit(wired, n_bars)
        syncer(Days()).do(unit_id)
        report = unit_of(wired, unit_id).report
        assert report is not None
        counts = [report[name] for name in ("inserted", "changed", "unchanged", "forming")]
        assert report["fetched"] == sum(counts) + sum(report["refused"].values())


def test_bars_that_a_sync_changes_are_kept_with_its_job(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """A revision has the number of the bars, and the newest job that wanted the sync."""
    columns = Days().fetch(SyncRequest(APPLE, 10)).closed.columns.copy()
    columns[1:5] *= 2
    wired.bars.upsert({APPLE: Bars(columns)})
    unit_id = submit(wired)
    syncer(Days()).do(unit_id)
    (revision,), _total = wired.revisions.page(APPLE, 0, 10)
    cause = Cause(Reason.SYNC, unit_of(wired, unit_id).newest_job)
    assert (9, cause) == (revision.bars, revision.cause)


def test_a_request_for_more_bars_that_joins_a_running_sync_is_served_by_it(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """The worker fetches again, with the larger number, before the unit ends."""
    unit_id = submit(wired, n_bars=10)

    def ask_for_more(request: SyncRequest) -> None:
        if request.n_bars == 10:
            submit(wired, n_bars=50)

    provider = Days(ask_for_more)
    syncer(provider).do(unit_id)
    assert provider.asked == [10, 50]
    assert unit_of(wired, unit_id).state is UnitState.COMPLETED
    assert wired.bars.count(APPLE) == 49


def test_a_message_that_comes_twice_syncs_once(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """The second claim fails."""
    unit_id = submit(wired)
    provider = Days()
    for _ in range(2):
        syncer(provider).do(unit_id)
    assert provider.asked == [10]


def raising(error: Exception) -> Callable[[SyncRequest], None]:
    def meanwhile(_: SyncRequest) -> None:
        raise error

    return meanwhile


@pytest.mark.parametrize(
    ("error", "unit_state", "status", "code"),
    [
        (UnknownSymbol("no"), UnitState.FAILED, SyncState.ERROR, "unknown_symbol"),
        (ProviderTimeout("late"), UnitState.QUEUED, SyncState.PENDING, "provider_timeout"),
        (ZeroDivisionError(), UnitState.QUEUED, SyncState.PENDING, "internal_error"),
    ],
)
def test_an_error_ends_the_attempt(
    wired: Platform,
    syncer: Callable[[Provider], Syncer],
    error: Exception,
    unit_state: UnitState,
    status: SyncState,
    code: str,
) -> None:
    """A rejected sync fails for good; after other errors and defects the unit is put back."""
    unit_id = submit(wired)
    syncer(Days(raising(error))).do(unit_id)
    unit = unit_of(wired, unit_id)
    assert unit.error is not None
    assert (unit.state, unit.error.code) == (unit_state, code)
    assert (status_of(wired).status, status_of(wired).error_code) == (status, code)


@pytest.mark.parametrize(
    ("error", "breaker"),
    [
        (ProviderFault("series_error of an unknown kind"), BreakerState.CLOSED),
        (ProtocolViolation("no frame"), BreakerState.CLOSED),
        (ConnectionLost("gone"), BreakerState.OPEN),
        (ProviderTimeout("late"), BreakerState.OPEN),
        (HandshakeRefused("HTTP 403"), BreakerState.OPEN),
    ],
)
def test_only_a_provider_that_is_down_opens_the_breaker(
    wired: Platform, syncer: Callable[[Provider], Syncer], error: Exception, breaker: BreakerState
) -> None:
    """Ten consecutive answers with an unknown error do not stop the calls."""
    provider = syncer(Days(raising(error))).provider
    for number in range(10):
        with pytest.raises(type(error)):
            provider.fetch(ProviderCall(SyncRequest(APPLE), f"call-{number}", is_urgent=True))
    assert breaker is wired.governor.pace().breaker


def test_a_sync_whose_bars_were_all_refused_is_no_success(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """The unit is put back with reasons and counts, and stored bars stay."""
    syncer(Days()).do(submit(wired))
    unit_id = submit(wired)
    syncer(Unbelievable()).do(unit_id)
    unit = unit_of(wired, unit_id)
    assert unit.error is not None
    assert (unit.state, unit.error.code) == (UnitState.QUEUED, "provider_bars_refused")
    assert "bad_time 298, not_finite 2" in str(unit.error)
    status = status_of(wired)
    assert (status.status, status.error_code) == (SyncState.PENDING, "provider_bars_refused")
    assert wired.bars.count(APPLE) == 9


def test_a_worker_that_lost_its_unit_ends_nothing(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """If its lease expires during the fetch, the worker that claims the unit next ends it."""
    unit_id = submit(wired)
    taken: list[Unit] = []

    def is_taken() -> bool:
        taken.extend(filter(None, [wired.ledger.claim(unit_id)]))
        return bool(taken)

    def lose_the_unit(_: SyncRequest) -> None:
        lease_is_over = [{"$set": {"lease_until": "$$NOW"}}]
        wired.mongo["units"].update_one({"_id": unit_id}, lease_is_over)
        wait_until("another has taken it", is_taken, (), 60)

    syncer(Days(lose_the_unit)).do(unit_id)
    unit = unit_of(wired, unit_id)
    assert (unit.state, unit.attempt) == (UnitState.RUNNING, 2)
    assert wired.bars.count(APPLE) == 0


def test_a_unit_whose_turn_is_far_off_goes_back(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """While the breaker is open no bars are fetched, and no attempt is lost."""
    unit_id = submit(wired)
    for number in range(10):
        wired.governor.enter(f"call-{number}", is_urgent=False, max_wait_seconds=60)
        wired.governor.leave(f"call-{number}", Outcome.DOWN)
    provider = Days()
    syncer(provider).do(unit_id)
    unit = unit_of(wired, unit_id)
    assert (provider.asked, unit.state, unit.tries) == ([], UnitState.QUEUED, 0)
    assert status_of(wired).status is SyncState.PENDING


def test_a_cancelled_job_stops_a_sync_in_progress(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """Bars that were fetched meanwhile are not stored."""
    unit_id = submit(wired)
    provider = Days(lambda _: wired.intake.cancel(unit_of(wired, unit_id).jobs[0]))
    syncer(provider).do(unit_id)
    unit = unit_of(wired, unit_id)
    assert (unit.state, wired.bars.count(APPLE)) == (UnitState.CANCELLED, 0)
    assert (status_of(wired).status, status_of(wired).error_code) == (SyncState.ERROR, "cancelled")


def test_a_worker_that_ends_hands_its_units_back(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """A unit whose fetch is interrupted is queued again with all its attempts."""
    unit_id = submit(wired)
    ending: list[Syncer] = []

    def end_the_worker(_: SyncRequest) -> None:
        ending[0].provider.hang_up()
        raise ConnectionLost("hung up")

    ending.append(syncer(Days(end_the_worker)))
    ending[0].do(unit_id)
    unit = unit_of(wired, unit_id)
    assert (unit.state, unit.tries) == (UnitState.QUEUED, 0)


def test_trouble_with_our_own_servers_costs_no_attempt(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """The unit is put back with all its attempts, and waiting calls get the error."""
    unit_id = submit(wired)
    syncer(Days(raising(StorageUnavailable("Redis does not answer")))).do(unit_id)
    unit = unit_of(wired, unit_id)
    assert (unit.state, unit.tries, unit.ended_attempt) == (UnitState.QUEUED, 0, 1)
    assert isinstance(unit.error, StorageUnavailable)


def test_failures_of_our_servers_are_retried_soon_after_any_waits_for_a_turn(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """The delay doubles to a minute with each trouble; waits for the governor do not count."""
    unit_id = submit(wired)

    def claimed() -> Unit:
        wired.mongo["units"].update_one({"_id": unit_id}, {"$unset": {"not_before": ""}})
        unit = wired.ledger.claim(unit_id)
        assert unit is not None
        return unit

    def delay_after_trouble() -> float:
        wired.mongo["units"].update_one({"_id": unit_id}, {"$unset": {"not_before": ""}})
        syncer(Days(raising(StorageUnavailable("Redis does not answer")))).do(unit_id)
        unit = unit_of(wired, unit_id)
        assert unit.due_at is not None
        assert unit.begun_at is not None
        return (unit.due_at - unit.begun_at).total_seconds()

    for _ in range(12):
        wired.ledger.postpone(claimed(), 1)
    for full in (5, 10, 20, 40, 60, 60):
        wired.ledger.postpone(claimed(), 1)
        delay = delay_after_trouble()
        assert full / 2 <= delay <= full + 60, (full, delay)  # it began a while before its end
    assert unit_of(wired, unit_id).tries == 0


def test_a_sync_prunes_the_live_bars_that_it_replaces(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """It prunes live bars of its own series, up to the end of its last bar."""
    days = [NOW - DAY, NOW, NOW + DAY]
    hours = Series(APPLE.symbol, Interval.H1)
    wired.live_bars.upsert(
        LiveBar(str(APPLE.symbol), each, day, day + DAY, 1.0, 1.0, 1.0, 1.0, 1.0, 1, True, day, day)
        for each in (APPLE.interval, hours.interval)
        for day in days
    )
    syncer(Days()).do(submit(wired))
    read = [wired.live_bars.read(each, None, None, 9, newest=True) for each in (APPLE, hours)]
    assert [days[1:], days] == [bars.time.tolist() for bars in read]
    assert days[1:] == wired.live_bars.partial_times(APPLE)


def test_a_short_sync_reaches_back_to_the_oldest_live_bar(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """No gap is left between old and new history in place of live bars."""
    provider = Days()
    days = [NOW - number * DAY for number in range(20, 0, -1)]
    wired.live_bars.upsert(
        LiveBar(
            str(APPLE.symbol),
            APPLE.interval,
            day,
            day + DAY,
            1.0,
            1.0,
            1.0,
            1.0,
            1.0,
            1,
            False,
            0,
            0,
        )
        for day in days
    )
    syncer(provider).do(submit(wired, 5))
    assert [5, 24] == provider.asked
    assert set(days) <= set(wired.bars.read(APPLE).time.tolist())
    assert not wired.live_bars.has_any(APPLE)


@dataclass
class Priced(Days):
    """Bars with a given closing price."""

    price: float = 1.0

    def fetch(self, request: SyncRequest) -> History:
        history = Days.fetch(self, request)
        history.closed.columns[2:5] = self.price
        return history


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("steps", range(2, 12))
def test_a_worker_that_stalls_past_its_lease_writes_over_no_newer_bar(
    wired: Platform, syncer: Callable[[Provider], Syncer], steps: int, is_known: bool
) -> None:
    """Wherever it stalls, bars, status and unit are those of the next attempt.

    This holds also if that attempt found its bars stored already, and wrote none.
    """
    old, new = syncer(Priced(price=1.0)), syncer(Priced(price=1.5))
    if is_known:
        new.do(submit(wired))
    unit_id = submit(wired)
    brief = Ledger(wired.mongo, wired.jobs, lease_seconds=0.2, max_attempts=8)
    stalled = Actor(lambda: replace(old, ledger=brief).do(unit_id))
    for _ in range(steps):
        stalled.step()

    def is_done() -> bool:
        new.do(unit_id)
        return unit_of(wired, unit_id).state is UnitState.COMPLETED

    wait_until("another has done it", is_done, (), 60)
    while stalled.step():
        pass
    assert stalled.failure is None
    unit = unit_of(wired, unit_id)
    expected = 1.5 if unit.attempt > 1 else 1.0  # else it stalled after the end
    assert {expected} == set(wired.bars.read(APPLE).close.tolist())
    assert (9, SyncState.COMPLETED) == (status_of(wired).bar_count, status_of(wired).status)
    assert UnitState.COMPLETED is unit.state


def test_an_expired_lease_stores_no_new_chunk(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """It stores no bar in an existing chunk either."""
    unit_id = submit(wired)
    held = Ledger(wired.mongo, wired.jobs, lease_seconds=0, max_attempts=8).claim(unit_id)
    assert held is not None
    bars = Days().fetch(SyncRequest(APPLE, 10)).closed
    for _ in range(2):
        with pytest.raises(LeaseLost):
            wired.bars.upsert({APPLE: bars}, held.lease)
        assert 0 == wired.bars.count(APPLE)
    wired.bars.upsert({APPLE: bars.first(1)})
    for _ in range(2):  # from memory, then by reading the chunk
        with pytest.raises(LeaseLost):
            wired.bars.upsert({APPLE: bars}, held.lease)
        assert 1 == BarStore(wired.mongo).count(APPLE)


def test_an_earlier_attempt_writes_no_chunk_of_a_later_one(wired: Platform) -> None:
    """This holds even if its own lease still seems valid, by the clock of another primary."""
    unit_id = submit(wired)
    bars = Days().fetch(SyncRequest(APPLE, 10)).closed
    until = datetime.now(UTC) + timedelta(hours=1)
    wired.bars.upsert({APPLE: bars.first(5)}, UnitLease(unit_id, 2, until))
    with pytest.raises(LeaseLost):
        wired.bars.upsert({APPLE: bars}, UnitLease(unit_id, 1, until))
    wired.bars.upsert({APPLE: bars}, UnitLease(unit_id, 2, until))
    wired.bars.upsert({APPLE: bars.last(1)}, UnitLease("another", 1, until))
    assert 9 == wired.bars.count(APPLE)


def test_a_unit_that_ended_unnoticed_is_not_pending(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """If the connection breaks after MongoDB ended the unit, its status stays final."""
    unit_id = submit(wired)

    class Deaf(Ledger):
        def finish(self, unit: Unit, report: SyncReport) -> Unit | None:
            super().finish(unit, report)
            raise ConnectionFailure("reset by peer")

    deaf = Deaf(wired.mongo, wired.jobs, lease_seconds=60, max_attempts=8)
    replace(syncer(Days()), ledger=deaf).do(unit_id)
    assert UnitState.COMPLETED is unit_of(wired, unit_id).state
    assert SyncState.COMPLETED is status_of(wired).status


def test_live_bars_out_of_reach_cost_no_second_fetch(
    wired: Platform, syncer: Callable[[Provider], Syncer]
) -> None:
    """Live bars beyond the largest fetch stay, and cost later syncs no second fetch."""
    provider = Days()
    days = [-9000 * DAY, -8999 * DAY, 390 * DAY]
    wired.live_bars.upsert(live_day(day) for day in days)
    syncer(provider).do(submit(wired, 5))
    assert [5, MAX_BARS] == provider.asked
    syncer(provider).do(submit(wired, 12))  # fewer could not be compared with the stored bars
    assert [5, MAX_BARS, 12] == provider.asked
    wired.live_bars.upsert([live_day(385 * DAY)])
    syncer(provider).do(submit(wired, 7))
    assert [7, 19] == provider.asked[3:]
    assert days[:2] == wired.live_bars.read(APPLE, None, None, 9, newest=True).time.tolist()


def live_day(day: int) -> LiveBar:
    prices = (1.0, 1.0, 1.0, 1.0, 1.0)
    return LiveBar(str(APPLE.symbol), APPLE.interval, day, day + DAY, *prices, 1, False, day, day)
