"""Replaced bars on a real mongod: what was stored at a moment is read back later."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random

import numpy as np
import pytest
from pymongo.errors import OperationFailure

from pocketquant.domain.bars import Bars, concatenate
from pocketquant.domain.intervals import DAY
from pocketquant.domain.revisions import Cause, Change, Reason
from pocketquant.domain.symbols import Series
from pocketquant.servers.connections import Mongo
from pocketquant.storage import chunks
from pocketquant.storage.bars import BarStore
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.storage.revisions import MOST_VALUES, Revision, Revisions

AAPL = Series.parse("NASDAQ:AAPL|1m")
DAILY = Series.parse("NASDAQ:AAPL|1d")
# When the clock starts. No bar of these tests opens later, and the server expires nothing yet.
BEGIN = 4_000_000_020
SYNC = Cause(Reason.SYNC, "a job")


class Clock:
    """A clock that the test moves."""

    now = float(BEGIN)

    def __call__(self) -> float:
        return self.now

    @property
    def moment(self) -> int:
        return int(1000 * self.now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def revisions(mongo: Mongo, clock: Clock) -> Revisions:
    make_collections_and_indexes(mongo)
    return Revisions(mongo, 400, clock)


@pytest.fixture
def store(mongo: Mongo, revisions: Revisions) -> BarStore:
    return BarStore(mongo, revisions=revisions)


def _bars(series: Series, numbers: list[int], close: float) -> Bars:
    """Return the bars that open so many intervals before the clock starts."""
    step = series.interval.seconds
    time = float(BEGIN - BEGIN % step) - step * np.array(sorted(numbers, reverse=True))
    value = np.full(len(time), close)
    return Bars(np.array([time, value, value + 1, value - 1, value, value * 10]))


@contextmanager
def _refused_chunks(mongo: Mongo) -> Iterator[None]:
    """Let the server refuse chunks, so that writers end before them."""
    mongo.command("collMod", "ohlcv", validator={"count": {"$lt": 0}})
    try:
        with pytest.raises(OperationFailure, match="Document failed validation"):
            yield
    finally:
        mongo.command("collMod", "ohlcv", validator={})


@pytest.mark.parametrize("seed", range(2))
def test_every_moment_has_the_bars_of_then(
    mongo: Mongo, revisions: Revisions, clock: Clock, seed: int
) -> None:
    """A hundred snapshots over a year read back: writers race, crash, repeat and come back."""
    random = Random(seed)
    stores = [BarStore(mongo, revisions=revisions) for _ in range(3)]
    snapshots: list[tuple[int, Series, Bars]] = []

    def write(number: int) -> None:
        chance = Random(number)
        series = chance.choice([AAPL, DAILY])
        count, first = chance.choice([1, 3, 40, 1500]), chance.choice([0, 0, 900, 2000])
        numbers = chance.sample(range(first, first + 2000), count)
        bars = _bars(series, numbers, float(chance.choice([5, 6, 7])))
        chance.choice(stores).upsert({series: bars}, cause=SYNC)

    with ThreadPoolExecutor(3) as writers:
        for _ in range(50):
            kind, numbers = random.random(), random.sample(range(60), 3)
            if kind < 0.2 and snapshots:
                bars = _bars(AAPL, random.sample(range(3000), 7), random.random())
                with _refused_chunks(mongo):
                    stores[0].upsert({AAPL: bars}, cause=SYNC)
            elif kind < 0.5:
                list(writers.map(write, numbers))
            else:
                write(numbers[0])
            clock.now += random.choice([0.001, 1.5, DAY, 14 * DAY]) * random.random() + 0.001
            snapshots += [(clock.moment, each, stores[1].read(each)) for each in (AAPL, DAILY)]
            clock.now += 0.001
    for moment, series, expected in snapshots:
        past = stores[2].at(moment)
        assert expected == past.read(series)
        assert expected == concatenate(list(past.blocks(series, None, None, newest=False)))
        start = BEGIN - random.randrange(2000) * series.interval.seconds
        newest, limit = random.random() < 0.5, random.randrange(1, 2000)
        window = expected.between(start, None)
        part = window.last(limit) if newest else window.first(limit)
        assert part == past.read(series, start, None, limit, newest)
        parts = past.read_chunks(past.chunk_ids(series))
        assert len(expected) == sum(map(len, parts.values()))
        ends = {expected.first_time, expected.last_time} - {None}
        assert ends == set(past.chunk_edges(series).tolist())


def test_nothing_was_stored_before_the_first_write(store: BarStore, clock: Clock) -> None:
    """The bars of an earlier moment are none, whatever was stored since."""
    store.upsert({AAPL: _bars(AAPL, [1, 2, 3], 5.0)})
    store.upsert({AAPL: _bars(AAPL, [1, 2, 3], 6.0)})
    past = store.at(clock.moment - 1)
    assert (0, 0) == (len(past.read(AAPL)), len(past.chunk_edges(AAPL)))
    assert 3 == len(store.at(clock.moment).read(AAPL))


def test_bars_of_an_older_release_were_always_there(
    store: BarStore, mongo: Mongo, clock: Clock
) -> None:
    """Their chunk has no moments; once they change, their values of before are kept."""
    store.upsert({AAPL: _bars(AAPL, [1, 2, 3], 5.0)})
    mongo["ohlcv"].update_many({}, {"$unset": {"written": True}})
    clock.now += 1
    BarStore(mongo, revisions=Revisions(mongo, 400, clock)).upsert({AAPL: _bars(AAPL, [2], 6.0)})
    assert _bars(AAPL, [1, 2, 3], 5.0) == store.at(clock.moment - 1).read(AAPL)


def _values(mongo: Mongo) -> list[int]:
    """Return how many replaced values each chunk with any has itself."""
    found = mongo["ohlcv"].find({"revised_at": {"$exists": True}}).sort("_id")
    return [len(each["replaced"]["columns"]) // 48 for each in found]


def test_unchanged_and_appended_bars_keep_no_values(
    store: BarStore, mongo: Mongo, clock: Clock
) -> None:
    """Only replaced values are kept, by the chunks that have the bars."""
    store.upsert({AAPL: _bars(AAPL, list(range(1, 3000)), 5.0)})
    store.upsert({AAPL: _bars(AAPL, list(range(1, 3000)), 5.0)})
    store.upsert({AAPL: _bars(AAPL, [0], 5.0)})
    assert [] == _values(mongo)
    store.upsert({AAPL: _bars(AAPL, [2500, 20, 10], 6.0)})
    assert [1, 2] == _values(mongo)


@pytest.mark.parametrize("numbers", [[5], [5, 2500], [15], [15, 2510]])
def test_keeping_needs_no_further_round_trip(
    store: BarStore, mongo: Mongo, numbers: list[int]
) -> None:
    """The server gets as many commands as from a store without, for new and for replaced bars."""
    plain = BarStore(mongo)
    commands = []
    for each, series in ((store, AAPL), (plain, Series.parse("NASDAQ:MSFT|1m"))):
        each.upsert({series: _bars(series, [15, 2510], 5.0)})
        mongo.command("profile", 2)
        each.upsert({series: _bars(series, numbers, 6.0)})
        mongo.command("profile", 0)
        of_bars = {"ns": {"$regex": r"\.ohlcv"}}
        commands.append(mongo["system.profile"].count_documents(of_bars))
        mongo["system.profile"].drop()
    assert commands[0] == commands[1] > 0


def test_a_moment_is_read_by_one_query(store: BarStore, mongo: Mongo, clock: Clock) -> None:
    """Its answer has the replaced values, and no present values where all are newer."""
    store.upsert({AAPL: _bars(AAPL, list(range(2000)), 5.0)})
    clock.now += 1
    store.upsert({AAPL: _bars(AAPL, list(range(2000)), 6.0)})
    mongo.command("profile", 2)
    assert _bars(AAPL, list(range(2000)), 5.0) == store.at(clock.moment - 1).read(AAPL)
    mongo.command("profile", 0)
    (query,) = mongo["system.profile"].find({"ns": {"$regex": r"\.ohlcv"}})
    assert 48 * 2000 < query["responseLength"] < 2 * 48 * 2000


def test_many_values_move_to_documents_of_their_own(
    store: BarStore, revisions: Revisions, mongo: Mongo, clock: Clock
) -> None:
    """All moments read back and all changes are listed, also when a writer ended in between."""
    numbers, moments = list(range(1000)), []
    for close in range(1, 8):
        if close == 5:
            with _refused_chunks(mongo):
                BarStore(mongo, revisions=revisions).upsert({DAILY: _bars(DAILY, numbers, 99.0)})
        store.upsert({DAILY: _bars(DAILY, numbers, float(close))})
        moments.append(clock.moment)
        clock.now += 1
    assert all(each <= MOST_VALUES for each in _values(mongo))
    assert mongo["ohlcv_revisions"].count_documents({}) > 0
    for close, moment in enumerate(moments, start=1):
        assert _bars(DAILY, numbers, float(close)) == store.at(moment).read(DAILY)
    found, total = revisions.page(DAILY, 0, 100)
    changes = {(each.largest.before, each.largest.after, each.bars) for each in found}
    assert {1000} == {len(store.at(moment).read(DAILY)) for moment in moments}
    assert total == len(found) >= 6
    assert sum(each.bars for each in found) == 6000
    assert {(close - 1.0, close + 0.0) for close in range(1, 7)} == {each[:2] for each in changes}


def test_a_lost_race_leaves_one_revision(
    store: BarStore, revisions: Revisions, mongo: Mongo, clock: Clock
) -> None:
    """A writer whose known chunk was written by another one meanwhile keeps values once."""
    store.upsert({AAPL: _bars(AAPL, [1, 2], 5.0)})
    other = BarStore(mongo, revisions=revisions)
    clock.now += 1
    other.upsert({AAPL: _bars(AAPL, [1], 6.0)})
    store.upsert({AAPL: _bars(AAPL, [1], 7.0)})
    found, total = revisions.page(AAPL, 0, 10)
    assert [(5.0, 6.0), (4.0, 5.0)] == [(each.largest.before, each.largest.after) for each in found]
    assert 2 == total


def test_revisions_are_listed_newest_first(
    store: BarStore, revisions: Revisions, clock: Clock
) -> None:
    """Each has its time, its bars, its largest change and its cause; pages follow each other."""
    store.upsert({AAPL: _bars(AAPL, [1, 2, 3], 5.0)})
    for close, cause in ((6.0, SYNC), (9.0, Cause(Reason.IMPORT))):
        clock.now += 1
        store.upsert({AAPL: _bars(AAPL, [1, 3], close)}, cause=cause)
    (newest,), total = revisions.page(AAPL, 0, 1)
    (oldest,), _ = revisions.page(AAPL, 1, 1)
    times = _bars(AAPL, [1, 3], 0.0).time.tolist()
    assert 2 == total
    assert (Reason.IMPORT, Reason.SYNC) == (newest.cause.reason, oldest.cause.reason)
    expected = Revision(oldest.replaced_at, 2, *times, Change(times[0], "low", 4.0, 5.0), SYNC)
    assert expected == oldest
    assert BEGIN + 1 == oldest.replaced_at.timestamp()


def test_a_change_that_never_came_is_not_listed(
    store: BarStore, revisions: Revisions, mongo: Mongo, clock: Clock
) -> None:
    """A writer that ended before it wrote the chunk left nothing; its successor's is listed."""
    store.upsert({AAPL: _bars(AAPL, [1, 2, 3], 5.0)})
    with _refused_chunks(mongo):
        store.upsert({AAPL: _bars(AAPL, [2], 6.0)})
    assert ([], 0) == revisions.page(AAPL, 0, 10)
    clock.now += 1
    store.upsert({AAPL: _bars(AAPL, [2], 6.0)})
    found, _total = revisions.page(AAPL, 0, 10)
    assert [BEGIN + 1] == [each.replaced_at.timestamp() for each in found]


def _rewrite_often(store: BarStore, clock: Clock, *all_series: Series) -> None:
    """Replace so many values that some move to documents of their own."""
    for close in range(5):
        for series in all_series:
            store.upsert({series: _bars(series, list(range(1000)), float(close))})
        clock.now += 1


def test_deleted_bars_leave_no_values(store: BarStore, mongo: Mongo, clock: Clock) -> None:
    """The replaced values of a series go with it, and other series keep theirs."""
    _rewrite_often(store, clock, AAPL, DAILY)
    store.delete(AAPL)
    for name in ("ohlcv", "ohlcv_revisions"):
        kept = {"|".join(each["_id"].split("|")[:2]) for each in mongo[name].find()}
        assert {"NASDAQ:AAPL|1d"} == kept


def test_values_are_removed_when_they_are_kept_no_longer(
    store: BarStore, mongo: Mongo, clock: Clock
) -> None:
    """The next change of their chunk leaves them out; the server removes documents of their own."""
    _rewrite_often(store, clock, AAPL)
    for kept in mongo["ohlcv_revisions"].find():
        last = chunks.decode_replaced(kept).replaced_at[-1]
        assert last / 1000 + 400 * DAY == kept["expires_at"].timestamp()
    index = mongo["ohlcv_revisions"].index_information()["kept_long_enough"]
    assert ([("expires_at", 1)], 0) == (index["key"], index["expireAfterSeconds"])
    clock.now += 400 * DAY
    store.upsert({AAPL: _bars(AAPL, list(range(1000)), 9.0)})
    assert 1000 == sum(_values(mongo))
    assert not any(each["replaced"]["older"] for each in mongo["ohlcv"].find())


def test_values_that_are_kept_no_longer_are_not_listed(
    store: BarStore, revisions: Revisions, clock: Clock
) -> None:
    """They stay until their chunk changes again, and count neither in the list nor in a range."""
    store.upsert({AAPL: _bars(AAPL, [1, 2], 5.0)})
    store.upsert({AAPL: _bars(AAPL, [1], 6.0)})
    assert 1 == revisions.page(AAPL, 0, 10)[1]
    clock.now += 400 * DAY + 1
    assert ([], 0) == revisions.page(AAPL, 0, 10)
    assert (0, None) == revisions.revised(AAPL, 0, BEGIN, clock.moment)
