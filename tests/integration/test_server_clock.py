"""A host whose clock is wrong, on a real mongod."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest

from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import DAY
from pocketquant.domain.symbols import Series
from pocketquant.servers.connections import Mongo, open_mongo
from pocketquant.servers.server_clock import ServerClock
from pocketquant.storage.bars import BarStore
from pocketquant.storage.revisions import Revisions

AAPL = Series.parse("NASDAQ:AAPL|1m")
LATE = 60  # seconds that a heartbeat may have been under way


@contextmanager
def _host(url: str, name: str, own: Callable[[], float]) -> Iterator[BarStore]:
    """Yield the store of a host that has this clock of its own."""
    clock = ServerClock(own)
    mongo = open_mongo(url, name, clock=clock)
    with mongo.client:
        yield BarStore(mongo, revisions=Revisions(mongo, 400, clock))


def _bar(close: float) -> Bars:
    return Bars(np.array([[60.0], *[[close]] * 5]))


@pytest.mark.parametrize("days", [-2, 2])
def test_a_moment_is_right_on_a_host_whose_clock_is_two_days_off(
    mongo: Mongo, mongodb_url: str, days: int
) -> None:
    """Its bars are stored from now on: neither since days ago nor in days to come."""
    clocks = (lambda: time.time() + days * DAY, time.time)
    with ExitStack() as hosts:
        wrong, right = (hosts.enter_context(_host(mongodb_url, mongo.name, own)) for own in clocks)
        before = time.time()
        for store, close in ((wrong, 1.0), (right, 2.0), (wrong, 3.0)):
            store.upsert({AAPL: _bar(close)})
        moments = (before - LATE, time.time() + LATE)
        found = [right.at(int(1000 * each)).read(AAPL).close.tolist() for each in moments]
    assert [[], [3.0]] == found
