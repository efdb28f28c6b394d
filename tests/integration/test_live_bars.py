"""Live bars in a real MongoDB: stored, marked where they are partial, pruned."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.symbols import Series
from pocketquant.servers.connections import Mongo
from pocketquant.storage.bars import Upserted
from pocketquant.storage.live_bars import LiveBarStore

MINUTES = Series.parse("NASDAQ:AAPL|1m")
CHUNK = 1024 * 60


@pytest.fixture
def store(mongo: Mongo) -> LiveBarStore:
    return LiveBarStore(mongo)


def minute(
    start: int, price: float = 5.0, is_partial: bool = False, volume: float | None = 7.0
) -> LiveBar:
    return LiveBar(
        symbol="NASDAQ:AAPL",
        interval=Interval.M1,
        start=start,
        end=start + 60,
        open=price,
        high=price + 2,
        low=price - 2,
        close=price + 1,
        volume=volume,
        tick_count=3,
        is_partial=is_partial,
        first_tick_at=start,
        last_tick_at=start + 59,
    )


def read(store: LiveBarStore) -> Bars:
    return store.read(MINUTES, None, None, 10_000, newest=True)


def times(store: LiveBarStore) -> list[int]:
    return read(store).time.tolist()


def test_bars_are_stored_as_history_is(store: LiveBarStore) -> None:
    """They are in order, and a missing volume is NaN; storing them twice changes nothing."""
    bars = [minute(60), minute(0, volume=None)]
    expected = [[0, 5, 7, 3, 6, np.nan], [60, 5, 7, 3, 6, 7]]
    assert {MINUTES: Upserted(inserted=2)} == store.upsert(bars)
    assert {MINUTES: Upserted(unchanged=2)} == store.upsert(bars)
    assert Bars(np.array(expected).T) == read(store)


def test_many_series_at_once(store: LiveBarStore) -> None:
    """Each series gets its own bars."""
    bars = [
        minute(0)._replace(symbol=f"SIM:S{n}", interval=each)
        for n in range(20)
        for each in (Interval.M1, Interval.MONTH)
    ]
    assert 40 == len(store.upsert(bars))
    assert all(store.has_any(bar.series) for bar in bars)
    assert {} == store.upsert([])


def test_partial_bars_are_marked(store: LiveBarStore) -> None:
    """Storing them twice marks them, too; others are not marked."""
    for _ in range(2):
        store.upsert([minute(120, is_partial=True), minute(60), minute(0, is_partial=True)])
    assert ([0, 60, 120], [0, 120]) == (times(store), store.partial_times(MINUTES))
    assert [] == store.partial_times(Series.parse("A:B|1m"))


def test_a_mark_makes_a_stored_bar_partial(store: LiveBarStore) -> None:
    """The values stay. A second mark, and one beside new bars, do the same."""
    store.upsert([minute(0), minute(60)])
    mark = LiveBar.mark("NASDAQ:AAPL", Interval.M1, (60, 120))
    store.upsert([minute(120), mark])
    assert [60] == store.partial_times(MINUTES)
    assert {MINUTES: Upserted()} == store.upsert([mark])
    assert ([0, 60, 120], [60]) == (times(store), store.partial_times(MINUTES))


def test_a_partial_bar_never_replaces_another(store: LiveBarStore) -> None:
    """The complete or first one stays; the rest of the call is stored."""
    store.upsert([minute(0, price=1.0), minute(60, price=2.0, is_partial=True)])
    store.upsert([minute(start, price=50.0, is_partial=True) for start in (0, 60, 120)])
    assert [1.0, 2.0, 50.0] == read(store).open.tolist()
    assert [60, 120] == store.partial_times(MINUTES)


def test_a_prune_removes_earlier_bars(store: LiveBarStore) -> None:
    """It removes whole chunks, a part of one, and marks; a second one changes nothing."""
    starts = [0, 60, CHUNK, CHUNK + 60, CHUNK + 120, 2 * CHUNK]
    store.upsert([minute(start, is_partial=start > 0) for start in starts])
    assert [4, 0] == [store.prune(MINUTES, 0, CHUNK + 120) for _ in range(2)]
    assert [CHUNK + 120, 2 * CHUNK] == times(store) == store.partial_times(MINUTES)


def test_a_prune_of_nothing(store: LiveBarStore) -> None:
    """It may find no bars, or only later ones."""
    assert 0 == store.prune(MINUTES, 0, 120)
    store.upsert([minute(120)])
    assert (0, [120]) == (store.prune(MINUTES, 0, 120), times(store))


def test_a_prune_of_all(store: LiveBarStore) -> None:
    """Bars that are stored afterwards are there."""
    store.upsert([minute(0)])
    assert (1, False) == (store.prune(MINUTES, 0, 60), store.has_any(MINUTES))
    store.upsert([minute(60)])
    assert [60] == times(store)


def test_a_prune_takes_nothing_from_a_writer_of_the_same_chunk(store: LiveBarStore) -> None:
    """If both run at once, no later bar is lost."""

    def write() -> None:
        for start in range(0, 60 * 200, 60):
            store.upsert([minute(start)])

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not writing.done():
            store.prune(MINUTES, 0, 60 * 100)
    writing.result()
    assert list(range(60 * 100, 60 * 200, 60)) == [each for each in times(store) if each >= 6000]
    store.prune(MINUTES, 0, 60 * 100)
    assert list(range(60 * 100, 60 * 200, 60)) == times(store)


def test_an_identical_stored_bar_is_marked_partial_too(store: LiveBarStore) -> None:
    """It was wrongly taken as complete; a bar with other values is not marked."""
    store.upsert([minute(0), minute(60), minute(120, volume=None)])
    before = read(store)
    store.upsert([minute(each, is_partial=True) for each in (0,)])
    store.upsert(
        [minute(60, price=6.0, is_partial=True), minute(120, volume=None, is_partial=True)]
    )
    assert before == read(store)
    assert [0, 120] == store.partial_times(MINUTES)


def test_a_prune_from_a_start_leaves_earlier_bars(store: LiveBarStore) -> None:
    """History does not contain them; their marks stay too."""
    store.upsert([minute(start, is_partial=True) for start in (0, 60, 120, 180)])
    assert 2 == store.prune(MINUTES, 60, 180)
    assert ([0, 180], [0, 180]) == (times(store), store.partial_times(MINUTES))


def test_the_oldest_bar(store: LiveBarStore) -> None:
    """It is that of the series only, and None if there is no bar."""
    assert store.first_time(MINUTES) is None
    store.upsert([minute(CHUNK + 60), minute(CHUNK - 60)])
    assert CHUNK - 60 == store.first_time(MINUTES)
    assert store.first_time(Series.parse("NASDAQ:AAPL|3m")) is None
