"""Coverage and the counts of chunks in a document."""

import numpy as np

from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series
from pocketquant.storage import chunks
from pocketquant.storage.coverage import KeptCoverage

MINUTES = Series.parse("BINANCE:BTCUSDT|1m")
WINDOW = 1024 * 60


def fetched(kept: KeptCoverage, first: int, count: int, step: int = 60) -> KeptCoverage:
    """Coverage after a fetch of these minutes."""
    times = first + step * np.arange(count, dtype=np.float64)
    stretch = (first, int(times[-1]) + 60)
    return kept.after(MINUTES, Bars(np.array([times] * 6)), stretch, asked_at=7, is_all=False)


def test_chunks_count_the_bars_that_were_fetched_for_the_first_time() -> None:
    """A bar that is fetched again counts once, of whichever chunk it is."""
    kept = fetched(KeptCoverage(), 10 * WINDOW - 600, 20)
    assert {9: 10, 10: 10} == kept.counts
    again = fetched(kept, 10 * WINDOW - 300, 25)
    assert {9: 10, 10: 20} == again.counts
    assert again == again.after(MINUTES, Bars.empty(), None, asked_at=8, is_all=True)


def test_a_chunk_that_is_fetched_whole_is_counted_anew() -> None:
    """The provider may have fewer bars than before, or none."""
    kept = fetched(KeptCoverage(), 10 * WINDOW, 3 * 1024)
    assert {10: 1024, 11: 1024, 12: 1024} == kept.counts
    fewer = fetched(kept, 10 * WINDOW - 120, 4, step=2 * WINDOW)
    assert {9: 1, 10: 0, 11: 1, 12: 0, 13: 1, 15: 1} == fewer.counts


def test_chunks_with_fewer_bars_than_counted_are_damaged() -> None:
    """More bars, as of imports, are none; nor is a chunk that was never fetched."""
    kept = fetched(KeptCoverage(), 10 * WINDOW, 3 * 1024)
    stored = {10: 1024, 11: 1023, 13: 5}
    assert [(11 * WINDOW, 12 * WINDOW), (12 * WINDOW, 13 * WINDOW)] == kept.damaged(MINUTES, stored)
    assert [] == kept.damaged(MINUTES, {10: 1024, 11: 1024, 12: 1025})


def test_it_is_read_as_it_was_written() -> None:
    """A status of an older release has none."""
    kept = fetched(KeptCoverage(), -5 * WINDOW, 30)
    assert kept == KeptCoverage.read(kept.document())
    assert KeptCoverage() == KeptCoverage.read(None)


def test_a_chunk_is_found_by_its_id() -> None:
    """Also one before 1970, and at every interval."""
    for interval in Interval:
        series = Series(MINUTES.symbol, interval)
        for time in (-(10**9), 0, 1_700_000_000):
            bars = Bars(np.array([[time]] * 6, dtype=np.float64))
            (chunk_id,) = chunks.split(series, bars)
            index = chunks.index_of(chunk_id)
            start, end = chunks.window(series, index)
            assert start <= time < end
            assert chunk_id == chunks.id_of(series, index)
            indexes, edges = chunks.windows(series, time, end + 1)
            assert [index, index + 1] == [*indexes]
            assert [start, end, 2 * end - start] == edges.tolist()
