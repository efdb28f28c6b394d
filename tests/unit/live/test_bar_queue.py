"""The queue of closed bars and repairs, and its thread."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date

import pytest

from pocketquant.domain.errors import LeaseLost, PocketQuantError, StorageUnavailable
from pocketquant.domain.events import Dividend
from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.reports import Report
from pocketquant.domain.symbols import Series
from pocketquant.live.bar_queue import BarQueue, Batch, Finished, Reports
from pocketquant.servers.connections import wait_until

MINUTES = Series.parse("NASDAQ:AAPL|1m")


def minute(start: int) -> LiveBar:
    return LiveBar(
        *(str(MINUTES.symbol), Interval.M1, start, start + 60, 1.0, 2.0, 0.5, 1.5, 7.0),
        *(3, False, start, start + 59),
    )


@dataclass
class Store:
    """A store that fails while it has `trouble`, and records its calls in order."""

    trouble: PocketQuantError | Exception | None = None
    calls: list[object] = field(default_factory=list)
    refusals: int = 0

    def store(self, bars: list[LiveBar]) -> None:
        self.require_no_trouble()
        self.calls.append([bar.start for bar in bars])

    def submit(self, since: Mapping[Series, int]) -> None:
        self.require_no_trouble()
        self.calls.append(dict(since))

    def keep(self, reports: Reports) -> None:
        self.require_no_trouble()
        self.calls.append(dict(reports))

    def require_no_trouble(self) -> None:
        if self.trouble:
            self.refusals += 1
            raise self.trouble


@pytest.fixture
def make_queue() -> Iterator[Callable[..., BarQueue]]:
    """Makes running queues, and ends them after the test."""
    with ExitStack() as ends:

        def make(store: Store, most_waiting: int = 100) -> BarQueue:
            queue = BarQueue(store.store, store.submit, most_waiting, keep=store.keep)
            queue.begin()
            ends.callback(queue.end, 5)
            return queue

        yield make


def wait_for(store: Store, count: int) -> None:
    wait_until(f"there were {count} calls", lambda: len(store.calls) >= count, (), 10)


def test_stored_batches_are_reported_once(make_queue: Callable[..., BarQueue]) -> None:
    """`finished` returns their names and how many bars were stored."""
    store = Store()
    queue = make_queue(store)
    queue.put(Batch("a", [minute(0), minute(60)]))
    wait_for(store, 1)
    assert [[0, 60]] == store.calls
    assert [Finished(("a",), stored=2)] == queue.finished()
    assert [] == queue.finished()


@pytest.mark.parametrize("trouble", [StorageUnavailable("away"), ValueError("a defect")])
def test_failed_calls_are_retried(make_queue: Callable[..., BarQueue], trouble: Exception) -> None:
    """Bars are stored in the order of their closing, and repairs submitted after them."""
    store = Store(trouble)
    queue = make_queue(store)
    queue.put(Batch("a", [minute(0)]))
    queue.repair({MINUTES: 60})
    queue.put(Batch("b", [minute(60)]))
    wait_until("it was refused", lambda: store.refusals > 0, (), 10)
    assert [] == queue.finished()
    store.trouble = None
    wait_for(store, 2)
    assert [[0, 60], {MINUTES: 60}] == store.calls


def test_reports_are_kept_after_bars(make_queue: Callable[..., BarQueue]) -> None:
    """They wait while the store is away; the last one of a symbol replaces what waited."""
    store = Store(StorageUnavailable("away"))
    queue = make_queue(store)
    old, new = (Report((Dividend(date(2026, 11, 18), each),)) for each in (None, 0.26))
    queue.put(Batch("a", [minute(0)]))
    for reports in ({"NYSE:KO": old, "NYSE:IBM": old}, {"NYSE:KO": new}):
        queue.note_reports(reports)
    wait_until("it was refused", lambda: store.refusals > 1, (), 10)
    store.trouble = None
    wait_for(store, 2)
    assert [[0], {"NYSE:KO": new, "NYSE:IBM": old}] == store.calls


def test_a_full_queue_drops_its_oldest_bars(make_queue: Callable[..., BarQueue]) -> None:
    """The dropped batches are reported, and their series are repaired."""
    store = Store(StorageUnavailable("away"))
    queue = make_queue(store, most_waiting=2)
    for start in (0, 60, 120, 180):
        queue.put(Batch(str(start), [minute(start)]))
    dropped: list[Finished] = []

    def are_dropped() -> bool:
        dropped.extend(queue.finished())
        return len(dropped) == 2

    wait_until("two are dropped", are_dropped, (), 10)
    store.trouble = None
    wait_for(store, 2)
    assert [Finished(("0",), dropped=1), Finished(("60",), dropped=1)] == dropped
    assert [[120, 180], {MINUTES: 0}] == store.calls


def test_after_a_lost_lease_no_more_bars_are_stored(make_queue: Callable[..., BarQueue]) -> None:
    """The queue stays fenced even if a later call would succeed."""
    store = Store(LeaseLost("another has it"))
    queue = make_queue(store)
    queue.put(Batch("a", [minute(0)]))
    wait_until("the queue is fenced", lambda: queue.is_fenced, (), 10)
    store.trouble = None
    queue.put(Batch("b", [minute(60)]))
    queue.end(5)
    assert ([], []) == (store.calls, queue.finished())


def test_queued_bars_are_stored_at_the_end(make_queue: Callable[..., BarQueue]) -> None:
    """`end` waits for the thread."""
    store = Store()
    queue = make_queue(store)
    queue.put(Batch("a", [minute(0)]))
    queue.end(5)
    assert [[0]] == store.calls
