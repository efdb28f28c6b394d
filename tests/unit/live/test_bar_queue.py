"""Closed bars that wait until they are stored."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from pocketquant.domain.errors import LeaseLost, PocketQuantError, StorageUnavailable
from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.symbols import Series
from pocketquant.live.bar_queue import BarQueue, Batch, Done
from pocketquant.servers.connections import wait_until

MINUTES = Series.parse("NASDAQ:AAPL|1m")


def minute(start: int) -> LiveBar:
    return LiveBar(
        *(str(MINUTES.symbol), Interval.M1, start, start + 60, 1.0, 2.0, 0.5, 1.5, 7.0),
        *(3, False, start, start + 59),
    )


@dataclass
class Shelf:
    """Where bars are put while it is `open`; tells what was done, in order."""

    trouble: PocketQuantError | Exception | None = None
    calls: list[object] = field(default_factory=list)
    refusals: int = 0

    def store(self, bars: list[LiveBar]) -> None:
        self.require_no_trouble()
        self.calls.append([bar.start for bar in bars])

    def submit(self, since: Mapping[Series, int]) -> None:
        self.require_no_trouble()
        self.calls.append(dict(since))

    def require_no_trouble(self) -> None:
        if self.trouble:
            self.refusals += 1
            raise self.trouble


@pytest.fixture
def keep_on() -> Iterator[Callable[..., BarQueue]]:
    """Makes keepers that have begun, and ends them."""
    with ExitStack() as ends:

        def make(shelf: Shelf, most_waiting: int = 100) -> BarQueue:
            keeper = BarQueue(shelf.store, shelf.submit, most_waiting)
            keeper.begin()
            ends.callback(keeper.end, 5)
            return keeper

        yield make


def wait_for(shelf: Shelf, count: int) -> None:
    wait_until(f"{count} things are done", lambda: len(shelf.calls) >= count, (), 10)


def test_bars_are_stored_and_told_of(keep_on: Callable[..., BarQueue]) -> None:
    """By the names of their batches."""
    shelf = Shelf()
    keeper = keep_on(shelf)
    keeper.keep(Batch("a", [minute(0), minute(60)]))
    wait_for(shelf, 1)
    assert [[0, 60]] == shelf.calls
    assert [Done(("a",), stored=2)] == keeper.done()
    assert [] == keeper.done()


@pytest.mark.parametrize("trouble", [StorageUnavailable("away"), ValueError("a defect")])
def test_what_fails_is_tried_again(keep_on: Callable[..., BarQueue], trouble: Exception) -> None:
    """Bars in the order in which they closed, and repairs after them."""
    shelf = Shelf(trouble)
    keeper = keep_on(shelf)
    keeper.keep(Batch("a", [minute(0)]))
    keeper.repair({MINUTES: 60})
    keeper.keep(Batch("b", [minute(60)]))
    wait_until("it was refused", lambda: shelf.refusals > 0, (), 10)
    assert [] == keeper.done()
    shelf.trouble = None
    wait_for(shelf, 2)
    assert [[0, 60], {MINUTES: 60}] == shelf.calls


def test_the_oldest_give_way(keep_on: Callable[..., BarQueue]) -> None:
    """Beyond the bound; they are told of, and their series are repaired."""
    shelf = Shelf(StorageUnavailable("away"))
    keeper = keep_on(shelf, most_waiting=2)
    for start in (0, 60, 120, 180):
        keeper.keep(Batch(str(start), [minute(start)]))
    dropped: list[Done] = []

    def are_dropped() -> bool:
        dropped.extend(keeper.done())
        return len(dropped) == 2

    wait_until("two are dropped", are_dropped, (), 10)
    shelf.trouble = None
    wait_for(shelf, 2)
    assert [Done(("0",), dropped=1), Done(("60",), dropped=1)] == dropped
    assert [[120, 180], {MINUTES: 0}] == shelf.calls


def test_who_has_lost_the_shard_stores_no_more(keep_on: Callable[..., BarQueue]) -> None:
    """Not even when the trouble is over."""
    shelf = Shelf(LeaseLost("another has it"))
    keeper = keep_on(shelf)
    keeper.keep(Batch("a", [minute(0)]))
    wait_until("it knows", lambda: keeper.is_fenced, (), 10)
    shelf.trouble = None
    keeper.keep(Batch("b", [minute(60)]))
    keeper.end(5)
    assert ([], []) == (shelf.calls, keeper.done())


def test_what_waits_at_the_end_is_stored(keep_on: Callable[..., BarQueue]) -> None:
    """Within the time that is given."""
    shelf = Shelf()
    keeper = keep_on(shelf)
    keeper.keep(Batch("a", [minute(0)]))
    keeper.end(5)
    assert [[0]] == shelf.calls
