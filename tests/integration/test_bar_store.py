"""The bar store on a real mongod: writes are read back, also repeated and concurrent ones."""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pymongo
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import WriteConcern
from pymongo.errors import OperationFailure
from pymongo.monitoring import CommandListener, CommandSucceededEvent

from pocketquant.domain.bars import COLUMNS, Bars
from pocketquant.domain.errors import StorageUnavailable
from pocketquant.domain.intervals import DAY, MINUTE, Interval
from pocketquant.domain.symbols import Series
from pocketquant.servers.connections import Mongo, open_mongo, translating_driver_errors
from pocketquant.storage.bars import LIVE, BarStore, Extent, Overlap, Upserted
from pocketquant.storage.indexes import make_collections_and_indexes

AAPL = Series.parse("NASDAQ:AAPL|1m")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(mongo: Mongo) -> BarStore:
    """A store without bars."""
    make_collections_and_indexes(mongo)
    return BarStore(mongo)


def _bars(times: Sequence[int], shift: float | np.ndarray = 0.0) -> Bars:
    time = np.array(times, dtype=float)
    close = time / 7 + shift
    return Bars(np.array([time, close, close + 1, close - 1, close, abs(time)]))


def _minutes(first: int, count: int) -> range:
    return range(first * MINUTE, (first + count) * MINUTE, MINUTE)


def test_bars_read_back_as_they_were_written(store: BarStore) -> None:
    """5000 bars over several chunks come back in order, bit by bit."""
    bars = _bars(_minutes(28_333_000, 5000))
    assert {AAPL: Upserted(inserted=5000)} == store.upsert({AAPL: bars})
    assert bars.columns.tobytes() == store.read(AAPL).columns.tobytes()


def test_upserting_twice_changes_nothing(store: BarStore, mongo: Mongo) -> None:
    """The second upsert finds all bars unchanged and writes no chunk."""
    bars = _bars(_minutes(0, 3000))
    store.upsert({AAPL: bars})
    before = list(mongo.ohlcv.find())
    assert {AAPL: Upserted(unchanged=3000)} == store.upsert({AAPL: bars})
    assert before == list(mongo.ohlcv.find())


def test_the_newer_bar_replaces_the_stored_one(store: BarStore) -> None:
    """Overlapping bars replace those stored; the others of both blocks are kept."""
    store.upsert({AAPL: _bars(_minutes(0, 2000))})
    store.upsert({AAPL: _bars(_minutes(1000, 500))})
    report = store.upsert({AAPL: _bars(_minutes(1500, 2000), shift=0.5)})
    assert {AAPL: Upserted(inserted=1500, changed=500)} == report
    expected = np.hstack(
        (_bars(_minutes(0, 1500)).columns, _bars(_minutes(1500, 2000), shift=0.5).columns)
    )
    assert Bars(expected) == store.read(AAPL)


def test_only_changed_chunks_are_written(store: BarStore, mongo: Mongo) -> None:
    """A correction of one bar rewrites its chunk and leaves the revisions of the others."""
    store.upsert({AAPL: _bars(_minutes(0, 3072))})
    before = {chunk["_id"]: chunk["rev"] for chunk in mongo.ohlcv.find()}
    store.upsert({AAPL: _bars(_minutes(1024, 1), shift=1.0)})
    after = {chunk["_id"]: chunk["rev"] for chunk in mongo.ohlcv.find()}
    assert {"NASDAQ:AAPL|1m|1000001"} == {key for key in after if after[key] != before[key]}


def test_many_series_go_in_one_call(store: BarStore) -> None:
    """Each series of a call is stored and reported on its own."""
    blocks = {
        Series.parse(f"NASDAQ:A{number}|{interval.value}"): _bars(
            range(0, (number + 1) * 300 * interval.seconds, interval.seconds), shift=number
        )
        for number in range(8)
        for interval in Interval
    }
    expected = {series: Upserted(inserted=len(bars)) for series, bars in blocks.items()}
    assert expected == store.upsert(blocks)
    assert blocks == {series: store.read(series) for series in blocks}


def test_an_empty_upsert_changes_nothing(store: BarStore) -> None:
    """No series, or a series without bars, is no error and leaves nothing behind."""
    assert {} == store.upsert({})
    assert {AAPL: Upserted()} == store.upsert({AAPL: Bars.empty()})
    assert Extent() == store.extent(AAPL)


def test_an_overlap_has_the_chunks_and_the_extent(store: BarStore, mongo: Mongo) -> None:
    """Only the chunks that the bars belong into, the whole extent, and the oldest live bars."""
    stored = _bars(_minutes(0, 3000))
    store.upsert({AAPL: stored})
    hours, longer = Series(AAPL.symbol, Interval.H1), Series.parse("NASDAQ:AAPL2|1h")
    live = BarStore(mongo, LIVE)
    for series, start in ((AAPL, 2900), (AAPL, 5000), (hours, 60), (longer, 0)):
        live.upsert({series: _bars(_minutes(start, 1))})
    overlap = store.overlap(AAPL, _bars(_minutes(1500, 10)))
    assert stored.between(1024 * MINUTE, 2048 * MINUTE) == overlap.bars
    assert Extent(3000, 0, 2999 * MINUTE) == overlap.extent
    assert {AAPL: 2900 * MINUTE, hours: 60 * MINUTE} == overlap.live
    assert Overlap(longer, {}, Extent(), {longer: 0}) == store.overlap(longer, Bars.empty())


def test_bars_are_merged_into_their_overlap(store: BarStore) -> None:
    """Unless another writer was faster: then into what that one has stored."""
    store.upsert({AAPL: _bars(_minutes(0, 10))})
    newer = _bars(_minutes(5, 10))
    overlap = store.overlap(AAPL, newer)
    store.upsert({AAPL: _bars(_minutes(12, 2), shift=0.5)})
    upserted = store.upsert({AAPL: newer}, known=overlap.chunks)[AAPL]
    assert Upserted(inserted=3, changed=2, unchanged=5) == upserted
    assert _bars(_minutes(0, 15)) == store.read(AAPL)
    overlap = store.overlap(AAPL, newest := _bars(_minutes(14, 3000)))
    upserted = store.upsert({AAPL: newest}, known=overlap.chunks)[AAPL]
    assert store.extent(AAPL) == overlap.extent.after(upserted.inserted, newest)


def test_bars_before_1970_are_bars(store: BarStore, mongo: Mongo) -> None:
    """Monthly bars since 1871 keep their order and their dates."""
    series = Series.parse("SP:SPX|1M")
    bars = _bars(range(-3_124_224_000, 1_700_000_000, 30 * DAY))
    store.upsert({series: bars})
    assert bars == store.read(series)
    assert Extent(len(bars), bars.first_time, bars.last_time) == store.extent(series)
    assert "1870-12-31" == f"{mongo.ohlcv.find_one(sort=['_id'])['start']:%Y-%m-%d}"


@pytest.mark.parametrize("interval", [Interval.W1, Interval.MONTH])
def test_long_intervals_read_back(store: BarStore, interval: Interval) -> None:
    """Weeks and months, whose bars begin on calendar days, are stored like all others."""
    series = Series(AAPL.symbol, interval)
    times = [interval.period_start(0)]
    while len(times) < 1500:
        times.append(interval.period_end(times[-1]))
    assert {series: Upserted(inserted=1500)} == store.upsert({series: _bars(times)})
    assert _bars(times) == store.read(series)


def test_no_volume_reads_back_as_nan(store: BarStore) -> None:
    """A symbol without volume keeps NaN, and NaN again is no change."""
    bars = _bars(_minutes(0, 10))
    bars.columns[5] = math.nan
    store.upsert({AAPL: bars})
    assert bars == store.read(AAPL)
    assert {AAPL: Upserted(unchanged=10)} == store.upsert({AAPL: bars})


def test_a_range_includes_its_start_and_excludes_its_end(store: BarStore) -> None:
    """The bounds hold also where a chunk begins or ends."""
    store.upsert({AAPL: _bars(_minutes(0, 4096))})
    for first, last in [(0, 1), (1023, 1025), (1024, 2048), (1025, 2047), (5, 5), (9, 3)]:
        found = store.read(AAPL, first * MINUTE, last * MINUTE)
        assert list(range(first, last)) == (found.time // MINUTE).tolist()
    assert 4096 == len(store.read(AAPL, None, 4096 * MINUTE))
    assert 1 == len(store.read(AAPL, 4095 * MINUTE, None))


def test_a_limit_takes_the_newest_or_the_oldest(store: BarStore) -> None:
    """A read returns that many bars from the requested end of the range, in order of time."""
    store.upsert({AAPL: _bars(_minutes(0, 4096))})

    def minutes(limit: int, newest: bool) -> list[int]:
        found = store.read(AAPL, 1000 * MINUTE, 3100 * MINUTE, limit, newest)
        return (found.time // MINUTE).tolist()

    for limit in (0, 1, 2, 28, 29, 1024, 1025, 2100, 2101, 5000):
        assert list(range(1000, 3100))[max(0, 2100 - limit) :] == minutes(limit, newest=True)
        assert list(range(1000, 3100))[:limit] == minutes(limit, newest=False)


def test_a_limit_reads_on_through_sparse_chunks(store: BarStore) -> None:
    """A series that trades seldom needs more chunks for the same number of bars."""
    times = list(range(0, 3000 * 500 * MINUTE, 500 * MINUTE))
    store.upsert({AAPL: _bars(times)})
    assert _bars(times[-2000:]) == store.read(AAPL, limit=2000)
    assert _bars(times[:2000]) == store.read(AAPL, limit=2000, newest=False)


def test_latest_is_the_newest_bars(store: BarStore) -> None:
    """The newest bars are returned in order of time, or all if there are fewer."""
    store.upsert({AAPL: _bars(_minutes(0, 1030))})
    assert _bars(_minutes(1020, 10)) == store.latest(AAPL, 10)
    assert 1030 == len(store.latest(AAPL, 5000))


def test_series_do_not_see_each_other(store: BarStore) -> None:
    """Neither reading nor deleting touches a series whose key resembles another's."""
    keys = ["NASDAQ:AA|1m", "NASDAQ:AA|1M", "NASDAQ:A|1m", "NASDAQ:AA.B|1m", "NASDAQ:AA|15m"]
    blocks = {Series.parse(key): _bars([place * DAY]) for place, key in enumerate(keys)}
    store.upsert(blocks)
    assert blocks == {series: store.read(series) for series in blocks}
    gone = Series.parse(keys[0])
    assert 1 == store.delete(gone)
    expected = {series: Extent(1, place * DAY, place * DAY) for place, series in enumerate(blocks)}
    assert expected | {gone: Extent()} == {series: store.extent(series) for series in blocks}


def test_collections_do_not_see_each_other(store: BarStore, mongo: Mongo) -> None:
    """Live bars are kept apart from history."""
    live = BarStore(mongo, "ohlcv_live")
    live.upsert({AAPL: _bars([60])})
    assert (0, 1) == (store.count(AAPL), live.count(AAPL))


def test_delete_says_how_many_bars_there_were(store: BarStore) -> None:
    """A deleted series is gone; deleting it again removes nothing."""
    store.upsert({AAPL: _bars(_minutes(0, 2500))})
    assert (2500, 0) == (store.delete(AAPL), store.delete(AAPL))
    assert Bars.empty() == store.read(AAPL)


def test_extent_reads_no_chunk(store: BarStore, mongo: Mongo) -> None:
    """Count and ends of a series come from the index alone."""
    store.upsert({AAPL: _bars(_minutes(0, 200_000))})
    mongo.command("profile", 2)
    extent = store.extent(AAPL)
    mongo.command("profile", 0)
    assert Extent(200_000, 0, 199_999 * MINUTE) == extent
    assert [0] == [
        operation["docsExamined"] for operation in mongo["system.profile"].find({"op": "command"})
    ]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(-3000, 3000), unique=True, max_size=60), st.sampled_from([0, 1])
        ),
        max_size=6,
    )
)
def test_any_upserts_leave_the_union(store: BarStore, blocks: list[tuple[list[int], int]]) -> None:
    """After any upserts in any order, each time has the bar that was written last."""
    store.delete(AAPL)
    shifts: dict[int, int] = {}
    for minutes, shift in blocks:
        times = sorted(minute * MINUTE for minute in minutes)
        (report,) = store.upsert({AAPL: _bars(times, shift)}).values()
        known = [time for time in times if time in shifts]
        same = sum(shifts[time] == shift for time in known)
        assert Upserted(len(times) - len(known), len(known) - same, same) == report
        shifts |= dict.fromkeys(times, shift)
    times = sorted(shifts)
    assert _bars(times, np.array([shifts[time] for time in times])) == store.read(AAPL)


class Rival(CommandListener):
    """Runs an action each time between the store's read of the chunks and its write."""

    def __init__(self, act: Callable[[], object], times: int) -> None:
        self.act = act
        self.times = times

    def succeeded(self, event: CommandSucceededEvent) -> None:
        if event.command_name == "find" and self.times:
            self.times -= 1
            self.act()

    def started(self, event: object) -> None: ...

    def failed(self, event: object) -> None: ...


def _upsert_against(rival: Rival, url: str, database: str, bars: Bars) -> Upserted:
    with pymongo.MongoClient(url, event_listeners=[rival]) as client:
        return BarStore(client[database]).upsert({AAPL: bars})[AAPL]


def test_a_lost_race_for_a_new_chunk_is_merged(
    store: BarStore, mongo: Mongo, mongodb_url: str
) -> None:
    """Two writers make the same chunk: it holds the bars of both, and each counts its own."""
    rival = Rival(lambda: store.upsert({AAPL: _bars(_minutes(0, 30))}), times=1)
    report = _upsert_against(rival, mongodb_url, mongo.name, _bars(_minutes(20, 2000)))
    assert Upserted(inserted=1990, unchanged=10) == report
    assert _bars(_minutes(0, 2020)) == store.read(AAPL)


def test_a_lost_race_for_a_stored_chunk_is_merged(
    store: BarStore, mongo: Mongo, mongodb_url: str
) -> None:
    """A chunk that changed since it was read is read again, not overwritten."""
    store.upsert({AAPL: _bars(_minutes(0, 10))})
    rival = Rival(lambda: store.upsert({AAPL: _bars(_minutes(5, 15), shift=0.5)}), times=1)
    report = _upsert_against(rival, mongodb_url, mongo.name, _bars(_minutes(15, 10)))
    assert Upserted(inserted=5, changed=5) == report
    expected = [_minutes(0, 5), _minutes(5, 10), _minutes(15, 10)]
    shifts = [0.0, 0.5, 0.0]
    blocks = [_bars(times, shift).columns for times, shift in zip(expected, shifts, strict=True)]
    assert Bars(np.hstack(blocks)) == store.read(AAPL)


def test_a_chunk_made_again_after_a_deletion_is_another_chunk(
    store: BarStore, mongo: Mongo, mongodb_url: str
) -> None:
    """A revision never comes back, so what was written after a deletion is not overwritten."""
    store.upsert({AAPL: _bars(_minutes(0, 10))})

    def make_anew() -> None:
        store.delete(AAPL)
        store.upsert({AAPL: _bars(_minutes(50, 10))})

    rival = Rival(make_anew, times=1)
    _upsert_against(rival, mongodb_url, mongo.name, _bars(_minutes(20, 10)))
    assert _bars([*_minutes(20, 10), *_minutes(50, 10)]) == store.read(AAPL)


def test_a_race_that_is_always_lost_ends(store: BarStore, mongo: Mongo, mongodb_url: str) -> None:
    """The number of rounds is bounded: the caller gets an error and can retry later."""
    shifts = iter(range(1_000_000))
    rival = Rival(lambda: store.upsert({AAPL: _bars([0], shift=next(shifts))}), times=-1)
    with pytest.raises(StorageUnavailable, match=r"NASDAQ:AAPL\|1m\|1000000"):
        _upsert_against(rival, mongodb_url, mongo.name, _bars([60]))


@pytest.mark.parametrize("count", [5, 3000])
def test_other_write_errors_are_raised(store: BarStore, mongo: Mongo, count: int) -> None:
    """Any failure other than a lost race is raised as the driver's error."""
    mongo.command("collMod", "ohlcv", validator={"count": {"$lt": 5}})
    with pytest.raises(OperationFailure, match="Document failed validation"):
        store.upsert({AAPL: _bars(_minutes(0, count))})


def test_a_chunk_written_before_is_extended_without_reading_it(
    store: BarStore, mongo: Mongo
) -> None:
    """The bars of several small upserts add up, counted as if each had read the store."""
    mongo.command("profile", 2)
    counts = [store.upsert({AAPL: _bars(_minutes(5 * n, 10), shift=n)})[AAPL] for n in range(4)]
    mongo.command("profile", 0)
    expected = [Upserted(inserted=10), *[Upserted(inserted=5, changed=5)] * 3]
    assert expected == counts
    assert 1 == mongo["system.profile"].count_documents(
        {"op": "query", "ns": f"{mongo.name}.ohlcv"}
    )
    assert 25 == store.count(AAPL)


def test_what_another_process_wrote_meanwhile_is_kept(store: BarStore, mongo: Mongo) -> None:
    """A chunk in memory that differs from the stored one is read again."""
    store.upsert({AAPL: _bars(_minutes(0, 5))})
    BarStore(mongo).upsert({AAPL: _bars(_minutes(5, 5))})
    assert {AAPL: Upserted(inserted=5)} == store.upsert({AAPL: _bars(_minutes(10, 5))})
    assert _bars(_minutes(0, 15)) == store.read(AAPL)


def test_a_deleted_chunk_does_not_come_back_from_memory(store: BarStore, mongo: Mongo) -> None:
    """Bars that another process deleted stay deleted; only the new bars are stored."""
    store.upsert({AAPL: _bars(_minutes(0, 5))})
    BarStore(mongo).delete(AAPL)
    assert {AAPL: Upserted(inserted=5)} == store.upsert({AAPL: _bars(_minutes(10, 5))})
    assert _bars(_minutes(10, 5)) == store.read(AAPL)


def test_bars_unchanged_in_memory_are_compared_with_the_store(
    store: BarStore, mongo: Mongo
) -> None:
    """Bars that change nothing in the chunk in memory are compared with the stored chunk."""
    store.upsert({AAPL: _bars(_minutes(0, 5))})
    BarStore(mongo).upsert({AAPL: _bars(_minutes(0, 5), shift=1)})
    assert {AAPL: Upserted(changed=5)} == store.upsert({AAPL: _bars(_minutes(0, 5))})


def test_the_memory_of_chunks_is_bounded(store: BarStore) -> None:
    """The least recently used chunk is forgotten first, and then read again."""
    many = [Series.parse(f"SIM:S{number:04}|1m") for number in range(70)]
    for series in many:
        store.upsert({series: _bars(_minutes(0, 5))})
    for series in many:
        assert {series: Upserted(inserted=5)} == store.upsert({series: _bars(_minutes(5, 5))})
    assert [10] * 70 == [store.count(series) for series in many]


@pytest.mark.parametrize("count", [5, 3000])
def test_a_write_that_is_not_acknowledged_is_no_success(
    store: BarStore, mongo: Mongo, count: int
) -> None:
    """If too few servers confirm, the caller gets an error; a retry finds all bars stored."""
    two_servers = WriteConcern(w=2, wtimeout=50)
    bars = _bars(_minutes(0, count))
    with pytest.raises(StorageUnavailable), translating_driver_errors():
        BarStore(mongo.with_options(write_concern=two_servers)).upsert({AAPL: bars})
    assert {AAPL: Upserted(unchanged=count)} == store.upsert({AAPL: bars})


def test_a_refused_user_is_no_defect_of_ours(mongodb_url: str, mongo: Mongo) -> None:
    """The error says that the server refuses the user, without the password."""
    url = mongodb_url.replace("mongodb://", "mongodb://somebody:wrongpassword@")
    refused = open_mongo(url, mongo.name)
    with (
        refused.client,
        pytest.raises(StorageUnavailable, match="refuses the user") as raised,
        translating_driver_errors(),
    ):
        BarStore(refused).latest(AAPL, 1)
    assert "wrongpassword" not in str(raised.value)


def test_the_adr_reads_a_series(store: BarStore, mongo: Mongo, mongodb_url: str) -> None:
    """The lines of the ADR read all bars with nothing but pymongo and numpy."""
    bars = _bars(_minutes(0, 3000))
    store.upsert({AAPL: bars, Series.parse("NASDAQ:AAPL|1M"): bars})
    found = _run_documented_lines("docs/adr/0001-column-chunks.md", mongodb_url, mongo.name)
    found["ohlcv"].database.client.close()
    assert bars == Bars(np.array([found[name] for name in COLUMNS]))


def test_the_guide_reads_a_chunk(store: BarStore, mongo: Mongo, mongodb_url: str) -> None:
    """The lines of the guide about the database read a chunk."""
    bars = _bars(range(0, 500 * DAY, DAY))
    store.upsert({Series.parse("NASDAQ:AAPL|1d"): bars})
    found = _run_documented_lines("docs/database.md", mongodb_url, mongo.name)
    found["chunks"].database.client.close()
    assert bars == Bars(found["columns"])


def _run_documented_lines(document: str, url: str, database: str) -> dict[str, Any]:
    """Run the document's block of at most six lines on the database; return its variables."""
    blocks = (ROOT / document).read_text().split("```python\n")[1:]
    code = next(block for block in blocks if "frombuffer" in block).partition("```")[0]
    lines = [line for line in code.splitlines() if line]
    assert 6 >= len(lines)
    found: dict[str, Any] = {}
    here = re.sub(r"mongodb://[\w.:]+", url, code).replace("pocketquant", database)
    exec(here, found)  # noqa: S102  # the documentation's own lines
    return found
