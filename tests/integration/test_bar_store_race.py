"""Eight processes write one series at once: the store holds the union, and every count is right."""

import random
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import pytest
from pymongo import monitoring

from pocketquant.domain.bars import Bars
from pocketquant.domain.symbols import Series
from pocketquant.servers.connections import Mongo, open_mongo
from pocketquant.storage.bars import BarStore, Upserted
from pocketquant.storage.indexes import make_collections_and_indexes

WRITERS = 8
SECONDS = 20.0
MINUTES = 16 * 1024  # sixteen chunks
SERIES = Series.parse("NASDAQ:AAPL|1m")


@dataclass(frozen=True)
class Written:
    """The counts of one writer."""

    minutes: set[int]
    report: Upserted
    upserts: int
    lost_races: int


def _bars(minutes: list[int]) -> Bars:
    """Return the bars of these minutes; their values depend on the minutes alone."""
    minute = np.array(minutes, dtype=float)
    price = np.round(100 + 10 * np.sin(minute), 2)
    return Bars(np.array([minute * 60, price, price + 1, price - 1, price, minute % 977]))


class LostRaces(monitoring.CommandListener):
    """Counts the writes that met a duplicate key."""

    count = 0

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        self.count += sum(
            failure["code"] == 11000 for failure in event.reply.get("writeErrors", ())
        )

    def started(self, event: object) -> None: ...

    def failed(self, event: object) -> None: ...


def _write(url: str, database: str, writer: int) -> Written:
    """Upsert random blocks for a while.

    All writers write the odd minutes, repeatedly. Each even minute belongs to one writer, which
    writes it once, so that no later write can hide a loss.
    """
    lost = LostRaces()
    monitoring.register(lost)
    chance = random.Random(writer)
    own = list(range(2 * writer, MINUTES, 2 * WRITERS))
    chance.shuffle(own)
    minutes: set[int] = set()
    deadline = time.monotonic() + SECONDS
    report, upserts = Upserted(), 0
    mongo = open_mongo(url, database)
    with mongo.client:
        store = BarStore(mongo)
        while time.monotonic() < deadline:
            first = chance.randrange(MINUTES)
            shared = range(first | 1, min(first + chance.randrange(1, 3000), MINUTES), 2)
            block = sorted({*shared, *own[:1]})
            del own[:1]
            done = store.upsert({SERIES: _bars(block)})[SERIES]
            minutes.update(block)
            report = _sum(report, done)
            upserts += 1
    return Written(minutes, report, upserts, lost.count)


def _sum(left: Upserted, right: Upserted) -> Upserted:
    return Upserted(
        left.inserted + right.inserted,
        left.changed + right.changed,
        left.unchanged + right.unchanged,
    )


@pytest.mark.timeout(180)
def test_eight_writers_lose_no_bar(mongo: Mongo, mongodb_url: str) -> None:
    """After 20 s of overlapping upserts the series is the union of all that was written.

    Every bar was counted as inserted by exactly one writer, and the writers did race.
    """
    make_collections_and_indexes(mongo)
    context = get_context("spawn")
    together = context.Barrier(WRITERS).wait
    with ProcessPoolExecutor(WRITERS, mp_context=context, initializer=together) as processes:
        started = [
            processes.submit(_write, mongodb_url, mongo.name, writer) for writer in range(WRITERS)
        ]
        written = [each.result(timeout=240) for each in started]
    union = sorted(set().union(*(each.minutes for each in written)))
    stored = BarStore(mongo).read(SERIES)
    assert union == (stored.time // 60).tolist()
    assert _bars(union).columns.tobytes() == stored.columns.tobytes()
    assert len(union) == sum(each.report.inserted for each in written)
    assert 0 == sum(each.report.changed for each in written)
    assert all(each.upserts for each in written)
    assert 100 < sum(each.lost_races for each in written)
