"""Bars to chunk documents and back."""

import struct
from datetime import UTC, datetime
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.bars import Bars, concatenate
from pocketquant.domain.intervals import DAY, Interval
from pocketquant.domain.revisions import ALWAYS, Replaced, Versions
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.storage import chunks
from pocketquant.storage.generations import generation_of
from pocketquant.storage.key_ranges import keys_of_symbol

AAPL = Symbol("NASDAQ", "AAPL")
FIRST, LAST = -30_610_224_000, 253_402_300_799  # the years 1000 and 9999

all_series = st.sampled_from([Series(AAPL, interval) for interval in Interval])


@st.composite
def series_and_times(draw: st.DrawFn) -> tuple[Series, list[int]]:
    """A series, and times of it: some in a row, some far apart."""
    series = draw(all_series)
    origin = draw(st.integers(FIRST, LAST))
    near = st.integers(-3000, 3000).map(lambda step: origin + step * series.interval.seconds)
    times = draw(st.lists(near | st.integers(FIRST, LAST), max_size=30, unique=True))
    return series, sorted(time for time in times if FIRST <= time <= LAST)


def _bars(times: list[int]) -> Bars:
    column = np.array(times, dtype=float)
    return Bars(np.array([column, column + 1, column + 4, column - 1, column + 2, column / 7]))


def _indexes(found: dict[str, Bars]) -> list[int]:
    return [int(chunk_id.rpartition("|")[2]) - 1_000_000 for chunk_id in found]


@given(series_and_times())
def test_split_cuts_at_windows_of_1024_periods(given: tuple[Series, list[int]]) -> None:
    """Every bar is in the chunk of its window, and the chunks together have all bars."""
    series, times = given
    found = chunks.split(series, _bars(times))
    assert _bars(times) == concatenate(list(found.values()))
    for index, bars in zip(_indexes(found), found.values(), strict=True):
        assert {index} == set(bars.time // (1024 * series.interval.seconds))


@given(series_and_times())
def test_chunk_ids_sort_like_times(given: tuple[Series, list[int]]) -> None:
    """As text, ids are in order of time over eight thousand years, and all of one length."""
    series, times = given
    found = list(chunks.split(series, _bars(times)))
    assert sorted(found) == found
    assert {len(f"{series}|") + 7} >= {len(chunk_id) for chunk_id in found}


def test_the_id_is_the_documented_one() -> None:
    """An id is the series key, `|`, and the window's index plus a million."""
    found = chunks.split(Series(AAPL, Interval.M1), _bars([-60, 0, 1700000040]))
    expected = ["NASDAQ:AAPL|1m|0999999", "NASDAQ:AAPL|1m|1000000", "NASDAQ:AAPL|1m|1027669"]
    assert expected == list(found)


def test_no_bars_need_no_chunk() -> None:
    """An empty block has no chunks."""
    assert {} == chunks.split(Series(AAPL, Interval.M1), Bars.empty())


def test_splitting_copies_nothing() -> None:
    """Chunks are views of the block."""
    bars = _bars([0, 60, 120])
    (chunk,) = chunks.split(Series(AAPL, Interval.M1), bars).values()
    assert np.shares_memory(bars.columns, chunk.columns)


@given(
    series_and_times(), st.none() | st.integers(FIRST, LAST), st.none() | st.integers(FIRST, LAST)
)
def test_a_range_finds_every_chunk_it_needs(
    given: tuple[Series, list[int]], start: int | None, end: int | None
) -> None:
    """A chunk with a bar of the range is found; one that lies wholly outside is not."""
    series, times = given
    condition = chunks.id_range(series, start, end)
    window = 1024 * series.interval.seconds
    for time in times:
        (chunk_id,) = chunks.split(series, _bars([time]))
        is_found = condition["$gte"] <= chunk_id <= condition["$lte"]
        is_after_start = start is None or time >= start
        is_before_end = end is None or time < end
        is_far = (start is not None and time + window <= start) or (
            end is not None and time - window >= end
        )
        assert is_found or not (is_after_start and is_before_end)
        assert not (is_found and is_far)


def test_the_end_of_a_range_is_exclusive() -> None:
    """A range that ends where a chunk begins does not ask for that chunk."""
    series = Series(AAPL, Interval.D1)
    condition = chunks.id_range(series, 0, 1024 * DAY)
    assert {"$gte": "NASDAQ:AAPL|1d|1000000", "$lte": "NASDAQ:AAPL|1d|1000000"} == condition


@pytest.mark.parametrize(("start", "end"), [(-(10**15), 10**15), (None, None)])
def test_a_range_beyond_all_times_is_the_whole_series(start: int | None, end: int | None) -> None:
    """Ids have the same width for times that no bar can have."""
    condition = chunks.id_range(Series(AAPL, Interval.M1), start, end)
    assert {"$gte": "NASDAQ:AAPL|1m|0000000", "$lte": "NASDAQ:AAPL|1m|9999999"} == condition


@given(all_series, st.integers(-5000, 5000), st.integers(1, 5000))
def test_consecutive_bars_touch_a_bounded_number_of_chunks(
    series: Series, first: int, count: int
) -> None:
    """The bound holds wherever the bars begin, and is reached for some start."""
    step = series.interval.seconds
    times = np.arange(first, first + count) * step
    bound = chunks.chunks_touched(count)
    assert len(chunks.split(series, _bars(times.tolist()))) <= bound
    unlucky = np.arange(-1, count - 1) * step
    assert bound == len(chunks.split(series, _bars(unlucky.tolist())))


@given(series_and_times())
def test_bars_read_back_from_their_document(given: tuple[Series, list[int]]) -> None:
    """Decoded bars equal the encoded ones, bit by bit."""
    series, times = given
    for chunk_id, bars in chunks.split(series, _bars(times)).items():
        document = chunks.encode(series, chunk_id, Versions.new(bars, 5), 1, datetime.now(UTC))
        assert bars == chunks.decode(document["columns"])
        assert bars.columns.tobytes() == chunks.decode(document["columns"]).columns.tobytes()


def test_the_document_is_the_documented_one() -> None:
    """A document has the series, the first and last time, and the number of bars."""
    now = datetime(2025, 1, 1, tzinfo=UTC)
    versions = Versions(_bars([-60, 0]), np.array([7, 9]))
    document = chunks.encode(Series(AAPL, Interval.M1), "an id", versions, "a rev", now)
    expected = {
        "_id": "an id",
        "exchange": "NASDAQ",
        "symbol": "AAPL",
        "interval": "1m",
        "start": datetime(1969, 12, 31, 23, 59, tzinfo=UTC),
        "end": datetime(1970, 1, 1, tzinfo=UTC),
        "count": 2,
        "rev": "a rev",
        "updated_at": now,
        "columns": np.array(_bars([-60, 0]).columns, dtype="<f8").tobytes(),
        "written": struct.pack("<IqIq", 1, 7, 1, 9),
    }
    assert expected == document


@given(st.lists(st.integers(0, 3), max_size=50))
def test_moments_read_back_from_their_runs(moments: list[int]) -> None:
    """Each bar has the moment it was encoded with, and a run is twelve bytes."""
    written = np.array(moments, dtype=np.int64)
    runs = chunks.encode_written(written)
    bars = _bars(list(range(0, 60 * len(moments), 60)))
    document = {"columns": chunks.encode_columns(bars), "written": runs}
    versions = chunks.decode_versions(document)
    assert (moments, bars) == (versions.written.tolist(), versions.bars)
    expected = len([*groupby(moments)])
    assert (max(moments, default=ALWAYS), 12 * expected) == (chunks.latest_of(document), len(runs))


@pytest.mark.parametrize("written", [None, struct.pack("<Iq", 3, 7)])
def test_bars_written_by_an_older_release_were_always_there(written: bytes | None) -> None:
    """It writes no moments, and leaves those of fewer or more bars as they are."""
    document = {"columns": chunks.encode_columns(_bars([0, 60])), "written": written}
    assert [ALWAYS, ALWAYS] == chunks.decode_versions(document).written.tolist()


@given(st.lists(st.integers(0, 3), max_size=20))
def test_replaced_values_read_back(moments: list[int]) -> None:
    """Each has its moments; there is one cause for those that were replaced together."""
    count = 2 * len(moments)
    causes = tuple(f"sync {number}" for number in range(len(moments)))
    written = np.array(moments, dtype=np.int64).repeat(2)
    replaced_at = np.arange(10, 10 + len(moments)).repeat(2)
    replaced = Replaced(_bars(list(range(count))).columns, written, replaced_at, causes)
    found = chunks.decode_replaced(chunks.encode_replaced(replaced))
    assert replaced.columns.tolist() == found.columns.tolist()
    assert written.tolist() == found.written.tolist()
    assert replaced_at.tolist() == found.replaced_at.tolist()
    assert causes == found.causes


def test_no_fields_hold_no_replaced_values() -> None:
    """A chunk of which no bar changed has none."""
    found = chunks.decode_replaced({})
    assert (0, (6, 0), ()) == (len(found), found.columns.shape, found.causes)


def test_decoding_copies_nothing() -> None:
    """Decoded bars are a read-only view of the bytes."""
    columns = _bars([0, 60]).columns.tobytes()
    bars = chunks.decode(columns)
    assert np.shares_memory(np.frombuffer(columns), bars.columns)
    assert not bars.columns.flags.writeable


edges = st.none() | st.integers(-3000, 3000)


@given(st.sets(st.integers(-3000, 3000)), edges, edges, st.none() | st.integers(1, 100))
@pytest.mark.parametrize("newest", [True, False])
def test_a_range_is_gathered_from_its_chunks(
    newest: bool, times: set[int], start: int | None, end: int | None, limit: int | None
) -> None:
    """The newest or oldest bars of the range are returned, from any number of chunks."""
    bars = _bars([60 * time for time in sorted(times)])
    found = list(chunks.split(Series(AAPL, Interval.M1), bars).values())
    low, high = start and 60 * start, end and 60 * end
    gathered = chunks.gather(found[::-1] if newest else found, low, high, limit, newest)
    in_range = bars.between(low, high).time.tolist()
    expected = in_range if limit is None else in_range[-limit:] if newest else in_range[:limit]
    assert expected == gathered.time.tolist()


@pytest.mark.parametrize(("limit", "left"), [(1, 2), (3, 2), (4, 1), (6, 1), (7, 0), (None, 0)])
def test_no_more_chunks_are_taken_than_the_limit_needs(limit: int | None, left: int) -> None:
    """A lazy reader is asked for no further chunk."""
    found = iter([_bars([6, 7, 8]), _bars([3, 4, 5]), _bars([0, 1, 2])])
    chunks.gather(found, None, None, limit, newest=True)
    assert left == len(list(found))


@pytest.mark.parametrize("interval", Interval)
@pytest.mark.parametrize("number", [2, 9, 10, 12345])
def test_later_generations_lie_beside_the_first(interval: Interval, number: int) -> None:
    """Their chunks are in their own range, and in no range of another generation or interval."""
    first = Series(AAPL, interval)
    later = generation_of(first, number)
    (chunk,) = chunks.split(later, _bars([0]))
    assert f"{first}@{number}|1000000" == chunk
    holding = [
        series
        for series in (first, later, generation_of(first, number + 1), generation_of(first, 1))
        if chunks.id_range(series)["$gte"] <= chunk <= chunks.id_range(series)["$lte"]
    ]
    assert [later] == holding
    ranges = [chunks.later_generations(Series(AAPL, each)) for each in Interval]
    assert 1 == sum(each["$gte"] <= chunk < each["$lt"] for each in ranges)
    assert 0 == chunks.index_of(chunk)


@given(series_and_times())
def test_the_chunks_of_a_symbol_are_those_of_its_series(found: tuple[Series, list[int]]) -> None:
    """Not those of a symbol whose name only begins alike."""
    series, times = found
    ours = keys_of_symbol(AAPL.exchange, AAPL.name)
    for chunk_id in chunks.split(series, _bars(times)):
        assert series == chunks.series_of(chunk_id)
        assert ours["$gt"] < chunk_id < ours["$lt"]
        longer = chunk_id.replace("AAPL", "AAPL2")
        assert not ours["$gt"] < longer < ours["$lt"]
