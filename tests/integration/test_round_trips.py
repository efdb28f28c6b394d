"""The commands that a sync sends to MongoDB: each costs processor time and a round trip."""

from collections import Counter
from dataclasses import replace

from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncRequest
from pocketquant.messaging.queues import QueueName
from pocketquant.wiring import Platform, wire_syncer
from tests.integration.round_trips import counted_commands

MINUTES = Series.parse("NASDAQ:AAPL|1m")


def commands_of(platform: Platform, request: SyncRequest) -> Counter[str]:
    """Return the commands of a worker's sync."""
    unit_id = platform.intake.submit(request, QueueName.BULK).unit.id
    syncer = wire_syncer(platform)
    with counted_commands() as commands:
        syncer.do(unit_id)
    syncer.provider.hang_up()
    return commands


def test_a_first_sync_reads_each_chunk_once(platform: Platform) -> None:
    """The chunks that the fetch is compared with are those that it is merged into."""
    expected = {
        "findAndModify units": 2,
        "findAndModify sync_status": 2,
        "aggregate ohlcv": 1,
        "find units": 2,
        "update ohlcv": 1,
        "update symbols": 1,
        "findAndModify calendars": 1,
        "find jobs": 1,
        "aggregate units": 1,
        "update jobs": 1,
    }
    assert expected == commands_of(platform, SyncRequest(MINUTES, 500))
    assert 499 == platform.bars.count(MINUTES)


def test_a_known_listing_is_not_written_again(platform: Platform) -> None:
    """Neither are hours that it came with, nor bars that have not changed."""
    commands_of(platform, SyncRequest(MINUTES, 500))
    again = commands_of(platform, SyncRequest(MINUTES, 500))
    assert {"calendars", "symbols"}.isdisjoint(name.split()[1] for name in again)
    assert 0 == again["update ohlcv"]


def test_a_removed_symbol_is_registered_by_its_next_sync(platform: Platform) -> None:
    """Its status stays with its bars, but no longer says that the listing is known."""
    commands_of(platform, SyncRequest(MINUTES, 500))
    registered = platform.symbols.get(MINUTES.symbol)
    assert registered is not None
    platform.removal.remove(MINUTES.symbol, with_bars=False)
    commands_of(platform, SyncRequest(MINUTES, 500))
    assert registered == replace(
        platform.symbols.get(MINUTES.symbol), registered_at=registered.registered_at
    )


def test_a_job_is_looked_at_when_its_last_unit_here_ends(platform: Platform) -> None:
    """As long as another one runs in this process, the job can't be over."""
    hours = Series(MINUTES.symbol, Interval.H1)
    requests = [SyncRequest(series, 10) for series in (MINUTES, hours)]
    job_id = platform.intake.submit_large("bulk", requests, QueueName.BULK)
    platform.planner.plan(job_id)
    (unit, other), _ = platform.jobs.units(job_id, None, None, 0, 2)
    assert platform.ledger.claim(other.id) is not None
    syncer = wire_syncer(platform)
    with counted_commands() as commands:
        syncer.do(unit.id)
    syncer.provider.hang_up()
    assert (1, 0) == (commands["find units"], commands["find jobs"])
