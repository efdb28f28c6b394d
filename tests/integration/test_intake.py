"""Submitting requests and waiting for their end, on real servers."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import redis

from pocketquant.coordination.nudges import unit_channel
from pocketquant.domain.errors import ProviderTimeout, StorageUnavailable, UnknownSymbol
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncReport, SyncRequest, UnitState
from pocketquant.machine.embedded import HOST, reserve_port
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import wait_until
from pocketquant.storage.units import Unit
from pocketquant.wiring import Platform

APPLE = SyncRequest(Series.parse("NASDAQ:AAPL|1d"), 10)
REPORT = SyncReport(APPLE.series, 10, 10, 0, 0, {}, 10, 0, 86400)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def when_queued(
    wired: Platform, cache: redis.Redis
) -> Iterator[Callable[[Callable[[Unit], object]], None]]:
    """Plays the worker once, in a thread: claims the unit of the next message and ends it."""
    threads: list[threading.Thread] = []

    def play(end: Callable[[Unit], object]) -> None:
        def work() -> None:
            cache.brpop("pocketquant:interactive", timeout=60)
            queued = wired.mongo["units"].find_one({})
            assert queued
            unit = wired.ledger.claim(queued["_id"])
            assert unit
            end(unit)
            wired.nudges.announce(unit_channel(unit.id))

        threads.append(threading.Thread(target=work))
        threads[0].start()

    yield play
    for thread in threads:
        thread.join(10)


def test_a_waiting_call_gets_the_report(wired: Platform, when_queued: Callable[..., None]) -> None:
    """The call returns as soon as the unit has ended."""
    when_queued(lambda unit: wired.ledger.finish(unit, REPORT))
    waited = wired.intake.sync(APPLE, timeout_seconds=10)
    assert (waited.has_ended, waited.unit.state) == (True, UnitState.COMPLETED)
    assert waited.unit.report is not None
    assert waited.unit.report["inserted"] == 10


def test_a_waiting_call_gets_the_error_of_a_deferred_unit(
    wired: Platform, when_queued: Callable[..., None]
) -> None:
    """The caller gets the error at once; the unit is tried again later."""
    when_queued(lambda unit: wired.ledger.defer(unit, ProviderTimeout("too slow"), 60))
    waited = wired.intake.sync(APPLE, timeout_seconds=10)
    assert (waited.has_ended, waited.unit.state) == (True, UnitState.QUEUED)
    assert isinstance(waited.unit.error, ProviderTimeout)


def test_a_waiting_call_gets_the_error_of_a_failed_unit(
    wired: Platform, when_queued: Callable[..., None]
) -> None:
    """A rejected request ends as failed."""
    when_queued(lambda unit: wired.ledger.fail(unit, UnknownSymbol("no")))
    waited = wired.intake.sync(APPLE, timeout_seconds=10)
    assert waited.unit.state is UnitState.FAILED
    assert isinstance(waited.unit.error, UnknownSymbol)


def test_an_old_failure_of_a_joined_unit_is_not_the_answer(
    wired: Platform, when_queued: Callable[..., None]
) -> None:
    """A request that joins a deferred unit waits for its next attempt."""
    unit = wired.intake.submit(APPLE, QueueName.INTERACTIVE).unit
    claimed = wired.ledger.claim(unit.id)
    assert claimed
    wired.ledger.defer(claimed, ProviderTimeout("the first attempt"), 3600)
    wired.cache.delete("pocketquant:interactive")

    when_queued(lambda unit: wired.ledger.finish(unit, REPORT))
    waited = wired.intake.sync(APPLE, timeout_seconds=10)
    assert waited.unit.id == unit.id
    assert waited.unit.state is UnitState.COMPLETED


def test_a_call_that_times_out_gets_the_open_unit(wired: Platform) -> None:
    """After the time-out the call returns the unit, which is still open."""
    waited = wired.intake.sync(APPLE, timeout_seconds=0.1)
    assert (waited.has_ended, waited.unit.state) == (False, UnitState.QUEUED)


def test_the_series_is_pending_once_it_is_requested(wired: Platform) -> None:
    """Its status names the job before any worker has begun."""
    submitted = wired.intake.submit(APPLE, QueueName.BULK)
    status = wired.statuses.get(APPLE.series)
    assert status is not None
    assert (str(status.status), status.job_id) == ("pending", submitted.job_id)


def test_a_job_whose_publishing_failed_is_kept(wire_with: Callable[..., Platform]) -> None:
    """The caller gets StorageUnavailable; the unit is stored, and the next tick publishes it."""
    platform = wire_with(celery_broker_url=f"redis://{HOST}:{reserve_port()}/0")
    with pytest.raises(StorageUnavailable):
        platform.intake.submit(APPLE, QueueName.BULK)
    (job,), _ = platform.jobs.page(None, None, None, 0, 10)
    units, _ = platform.jobs.units(job.id, None, None, 0, 10)
    assert [unit.request for unit in units] == [APPLE]


def test_the_reconciler_publishes_lost_messages_again(wired: Platform, cache: redis.Redis) -> None:
    """After the broker was wiped, the unit is published again once it was silent long enough."""
    wired.intake.submit(APPLE, QueueName.INTERACTIVE)
    cache.flushall()
    wired.reconciler.run()
    assert cache.llen("pocketquant:interactive") == 0
    long_ago = {"$set": {"dispatched_at": LONG_AGO}}
    wired.mongo["units"].update_many({}, long_ago)
    wired.reconciler.run()
    wired.reconciler.run()
    assert cache.llen("pocketquant:interactive") == 1


def test_the_reconciler_fails_a_unit_that_kills_its_workers(
    wire_with: Callable[..., Platform],
) -> None:
    """Without an attempt left, the unit becomes a dead letter, and its status an error."""
    platform = wire_with(lease_seconds=0.001, provider_timeout_seconds=0.0001, max_attempts=1)
    unit = platform.intake.submit(APPLE, QueueName.BULK).unit
    assert platform.ledger.claim(unit.id)
    platform.statuses.mark_syncing(APPLE.series, "job", 1)

    def is_given_up() -> bool:
        platform.reconciler.run()
        status = platform.statuses.get(APPLE.series)
        return status is not None and str(status.status) == "error"

    wait_until("the lease is over", is_given_up, (), 60)
    status = platform.statuses.get(APPLE.series)
    assert status is not None
    assert status.error_code == "attempts_exhausted"
