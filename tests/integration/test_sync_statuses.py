"""The status of each series during a sync and after errors."""

from dataclasses import replace

import pytest
from pymongo.errors import BulkWriteError

from pocketquant.domain.errors import ProviderTimeout, UnknownSymbol
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import FormingBar, SyncReport, SyncState
from pocketquant.servers.connections import Mongo
from pocketquant.storage.sync_status import Progress, StatusFilter, SyncStatus, SyncStatuses

AAPL = Series.parse("NASDAQ:AAPL|1m")
FORMING = FormingBar(1_700_000_000, 1_700_000_060, 1.0, 2.0, 0.5, 1.5, None, 1_700_000_030)
REPORT = SyncReport(
    AAPL,
    fetched=11,
    inserted=10,
    changed=0,
    unchanged=0,
    refused={"not_finite": 1},
    bar_count=10,
    first_bar_at=-60,
    last_bar_at=1_699_999_940,
)
PENDING = SyncStatus(AAPL, SyncState.PENDING, job_id="j1")
COMPLETED = SyncStatus(
    AAPL,
    SyncState.COMPLETED,
    bar_count=10,
    first_bar_at=-60,
    last_bar_at=1_699_999_940,
    last_sync_at=1_700_000_031,
    job_id="j1",
    attempts=1,
    forming=FORMING,
    refused_bars=1,
)


@pytest.fixture
def statuses(mongo: Mongo) -> SyncStatuses:
    """Statuses without any series."""
    return SyncStatuses(mongo)


def _complete(statuses: SyncStatuses) -> None:
    statuses.mark_pending([AAPL], "j1")
    statuses.mark_syncing(AAPL, "j1", 1)
    statuses.mark_completed(REPORT, FORMING, 1_700_000_031)


def test_a_series_that_was_never_requested_has_no_status(statuses: SyncStatuses) -> None:
    """None, not an empty status."""
    assert None is statuses.get(AAPL)


def test_a_sync_goes_from_pending_to_completed(statuses: SyncStatuses) -> None:
    """Each step is visible; at the end the status has count and times of all bars."""
    statuses.mark_pending([AAPL], "j1")
    assert PENDING == statuses.get(AAPL)
    statuses.mark_syncing(AAPL, "j1", 1)
    assert replace(PENDING, status=SyncState.SYNCING, attempts=1) == statuses.get(AAPL)
    statuses.mark_completed(REPORT, FORMING, 1_700_000_031)
    assert COMPLETED == statuses.get(AAPL)


def test_every_step_may_happen_twice(statuses: SyncStatuses, mongo: Mongo) -> None:
    """A repeated step changes nothing."""
    timeout = ProviderTimeout("no end after 30 s")
    for step in (
        lambda: statuses.mark_pending([AAPL, AAPL], "j1"),
        lambda: statuses.mark_syncing(AAPL, "j1", 1),
        lambda: statuses.mark_deferred(AAPL, timeout, 1_700_000_005),
        lambda: statuses.mark_failed(AAPL, timeout),
        lambda: statuses.mark_completed(REPORT, FORMING, 1_700_000_031),
    ):
        step()
        before = list(mongo.sync_status.find())
        step()
        assert before == list(mongo.sync_status.find())
        assert 1 == len(before)


def test_a_worker_may_be_faster_than_the_request(statuses: SyncStatuses) -> None:
    """A job that marks its series late does not undo the marks of its worker."""
    statuses.mark_syncing(AAPL, "j1", 1)
    statuses.mark_completed(REPORT, FORMING, 1_700_000_031)
    statuses.mark_pending([AAPL], "j1")
    assert COMPLETED == statuses.get(AAPL)


def test_a_new_job_keeps_the_counts(statuses: SyncStatuses) -> None:
    """While another job waits, the status still has the bars of the last sync."""
    _complete(statuses)
    statuses.mark_pending([AAPL], "j2")
    expected = replace(COMPLETED, status=SyncState.PENDING, job_id="j2", attempts=0)
    assert expected == statuses.get(AAPL)


def test_a_deferred_sync_says_why_and_until_when(statuses: SyncStatuses) -> None:
    """The error stays while the next attempt runs, and goes when one succeeds."""
    statuses.mark_pending([AAPL], "j1")
    statuses.mark_syncing(AAPL, "j1", 1)
    statuses.mark_deferred(AAPL, ProviderTimeout("no end after 30 s"), 1_700_000_005)
    deferred = replace(
        PENDING,
        attempts=1,
        error_code="provider_timeout",
        error_message="no end after 30 s",
        next_attempt_at=1_700_000_005,
    )
    assert deferred == statuses.get(AAPL)
    statuses.mark_syncing(AAPL, "j1", 2)
    running = replace(deferred, status=SyncState.SYNCING, attempts=2, next_attempt_at=None)
    assert running == statuses.get(AAPL)
    statuses.mark_completed(REPORT, FORMING, 1_700_000_031)
    assert replace(COMPLETED, attempts=2) == statuses.get(AAPL)


def test_a_failed_sync_keeps_the_bars_and_says_why(statuses: SyncStatuses) -> None:
    """An error keeps the bars of earlier syncs in the status; a new job clears the error."""
    _complete(statuses)
    statuses.mark_failed(AAPL, UnknownSymbol("no such symbol"))
    failed = replace(
        COMPLETED,
        status=SyncState.ERROR,
        error_code="unknown_symbol",
        error_message="no such symbol",
    )
    assert failed == statuses.get(AAPL)
    statuses.mark_pending([AAPL], "j2")
    expected = replace(COMPLETED, status=SyncState.PENDING, job_id="j2", attempts=0)
    assert expected == statuses.get(AAPL)


def test_a_listing_that_never_traded_is_completed(statuses: SyncStatuses) -> None:
    """Zero bars, no times, no forming bar."""
    empty = SyncReport(AAPL, 0, 0, 0, 0, {}, 0, None, None)
    statuses.mark_completed(empty, None, 1_700_000_000)
    expected = SyncStatus(AAPL, SyncState.COMPLETED, last_sync_at=1_700_000_000)
    assert expected == statuses.get(AAPL)


def test_marking_no_series_changes_nothing(statuses: SyncStatuses) -> None:
    """A job without series is no error."""
    statuses.mark_pending([], "j1")
    assert ([], 0) == statuses.page(StatusFilter(), 0, 10)


def test_pages_are_in_order_and_know_the_total(statuses: SyncStatuses) -> None:
    """Pages together are all statuses, once each."""
    all_series = [Series.parse(f"NASDAQ:A{number:03}|1d") for number in range(25)]
    statuses.mark_pending(reversed(all_series), "j1")
    pages = [statuses.page(StatusFilter(), offset, 10) for offset in (0, 10, 20, 30)]
    assert all_series == [status.series for page, _ in pages for status in page]
    assert [25, 25, 25, 25] == [total for _, total in pages]


def test_a_page_of_a_symbol_has_its_series_only(statuses: SyncStatuses) -> None:
    """Symbols whose names begin alike are other symbols."""
    keys = ["NASDAQ:A|1d", "NASDAQ:A|1m", "NASDAQ:AA|1d", "NASDAQ:A.B|1d", "NYSE:A|1d"]
    statuses.mark_pending(map(Series.parse, keys), "j1")
    page, total = statuses.page(StatusFilter("NASDAQ", "A"), 0, 10)
    assert (keys[:2], 2) == ([str(status.series) for status in page], total)


def test_other_write_errors_are_raised(statuses: SyncStatuses, mongo: Mongo) -> None:
    """Any failure other than an existing status is raised."""
    mongo.create_collection("sync_status", validator={"job_id": {"$ne": "bad"}})
    with pytest.raises(BulkWriteError, match="Document failed validation"):
        statuses.mark_pending([AAPL], "bad")


def test_the_progress_of_many_series_is_read_together(statuses: SyncStatuses) -> None:
    """They come in the requested order, for any number of series; None where nothing is stored."""
    all_series = [Series.parse(f"NASDAQ:A{number}|1m") for number in range(2500)]
    statuses.mark_pending(all_series[:2], "j1")
    for place in (1, 2499):
        statuses.mark_completed(replace(REPORT, series=all_series[place]), None, 1_700_000_000)
    expected = [Progress(series, None, None) for series in all_series]
    for place in (1, 2499):
        expected[place] = Progress(all_series[place], REPORT.last_bar_at, 1_700_000_000)
    assert expected == list(statuses.progress(iter(all_series)))
    assert [] == list(statuses.progress([]))
