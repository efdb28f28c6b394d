"""`LiveBarStore`: bars built from quotes, until a sync brings the same time from the provider.

They are stored in `ohlcv_live`, as history is in `ohlcv`. Partial bars, which were not observed
from start to end, are listed for each series in `ohlcv_live_partial`:

    {_id: "NASDAQ:AAPL|1m", times: dates of the partial bars' open times}
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymongo import UpdateOne

from pocketquant.domain.bars import Bars, concatenate
from pocketquant.domain.batches import batched
from pocketquant.domain.dates import to_date, to_seconds
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.revisions import ALWAYS, Versions
from pocketquant.domain.symbols import Series
from pocketquant.servers.connections import Mongo
from pocketquant.storage import chunks
from pocketquant.storage.bars import LIVE, BarStore, Upserted, rewrite

_SERIES_A_WRITE = 100  # a chunk of each, of up to 50 kB, is in memory several times


class LiveBarStore:
    """Closed live bars of all series; the driver's errors pass through."""

    def __init__(self, mongo: Mongo) -> None:
        self._bars = BarStore(mongo, LIVE)
        self._chunks = mongo[LIVE]
        self._partial = mongo["ohlcv_live_partial"]

    def upsert(self, bars: Iterable[LiveBar]) -> dict[Series, Upserted]:
        """Store the bars of any number of series; doing it twice changes nothing.

        A partial bar is stored only if there is no bar of its time: it never replaces one. An
        identical stored bar is marked partial too; it was wrongly taken as complete. A bar without
        ticks stores no bar, but marks the stored one of its time partial. Marks are written before
        the bars, and stay.
        """
        by_series: defaultdict[tuple[object, ...], list[LiveBar]] = defaultdict(list)
        for bar in bars:
            by_series[bar.symbol, bar.interval].append(bar)
        upserted: dict[Series, Upserted] = {}
        for groups in batched(by_series.values(), _SERIES_A_WRITE):
            upserted |= self._upsert(groups)
        return upserted

    def mend(self, bars: Iterable[LiveBar]) -> None:
        """Replace partial bars by complete ones; a crash may leave some of them marked partial."""
        bars = list(bars)
        self.upsert(bars)
        whole: defaultdict[Series, list[int]] = defaultdict(list)
        for bar in bars:
            whole[bar.series].append(bar.start)
        for series, times in whole.items():
            mended = {"$pull": {"times": {"$in": [to_date(time) for time in times]}}}
            self._partial.update_one({"_id": str(series)}, mended)

    def read(
        self, series: Series, start: int | None, end: int | None, limit: int | None, newest: bool
    ) -> Bars:
        """Return bars from `start` to before `end`, at most `limit`: the newest or the oldest."""
        return self._bars.read(series, start, end, limit, newest)

    def has_any(self, series: Series) -> bool:
        """Whether there is any bar of the series."""
        return self.first_time(series) is not None

    def partial_times(self, series: Series) -> list[int]:
        """Return the open times of the partial bars, in order."""
        marks = self._partial.find_one({"_id": str(series)}) or {"times": []}
        return sorted(to_seconds(each) or 0 for each in marks["times"])

    def first_time(self, series: Series) -> int | None:
        """Return the open time of the oldest bar, or None; without bars it reads only an index."""
        ids = chunks.id_range(series, None, None)
        found = self._chunks.find_one({"_id": ids}, {"start": True}, sort=[("_id", 1)])
        return to_seconds(found["start"]) if found else None

    def chunk_edges(self, series: Series) -> NDArray[np.int64]:
        """Return the first and last open time of each chunk in order; reads an index, no chunk."""
        return self._bars.chunk_edges(series)

    def prune(self, series: Series, start: int, end: int) -> int:
        """Remove the bars that open from `start` to before `end`; return how many there were.

        A chunk that is written at the same moment stays until the next call.
        """
        ids = chunks.id_range(series, start, end)
        found = list(self._chunks.find({"_id": ids}, {"rev": True, "columns": True}))
        pruned = sum(self._prune_chunk(series, document, start, end) for document in found)
        if found:
            overtaken = {"$pull": {"times": {"$gte": to_date(start), "$lt": to_date(end)}}}
            self._partial.update_one({"_id": str(series)}, overtaken)
        return pruned

    def delete(self, series: Series) -> int:
        """Remove all bars of the series with their marks; return how many bars there were."""
        count = self._bars.delete(series)
        self._partial.delete_one({"_id": str(series)})
        return count

    def _upsert(self, groups: list[list[LiveBar]]) -> dict[Series, Upserted]:
        """Store the bars of these series, one list a series."""
        whole: dict[Series, list[LiveBar]] = {}
        partial: dict[Series, Bars] = {}
        marks: defaultdict[Series, set[int]] = defaultdict(set)
        for group in groups:
            series = group[0].series
            whole[series] = [bar for bar in group if not bar.is_partial]
            marks[series].update(bar.start for bar in group if bar.is_mark)
            if seen_in_part := [bar for bar in group if bar.is_partial and not bar.is_mark]:
                partial[series] = _columns(seen_in_part)
        missing, same = self._compared(partial)
        for series, bars in missing.items():
            marks[series].update(bars.merge(same[series]).bars.time.tolist())
        self._mark(marks)
        return self._bars.upsert(
            {
                series: _columns(group).merge(missing.get(series, Bars.empty())).bars
                for series, group in whole.items()
            }
        )

    def _compared(
        self, partial: Mapping[Series, Bars]
    ) -> tuple[dict[Series, Bars], dict[Series, Bars]]:
        """Return the bars whose time has no stored bar, and those that are stored identically."""
        missing, same = {}, {}
        for series, stored in self._stored(partial).items():
            bars = partial[series]
            is_stored = np.isin(bars.time, stored.time)
            known = {each.tobytes() for each in stored.columns.T}
            is_same = [each.tobytes() in known for each in bars.columns.T]
            missing[series] = Bars(bars.columns[:, ~is_stored])
            same[series] = Bars(bars.columns[:, is_same])
        return missing, same

    def _stored(self, bars: Mapping[Series, Bars]) -> dict[Series, Bars]:
        """Return the stored bars of the time that these bars cover."""
        ids = {series: list(chunks.split(series, each)) for series, each in bars.items()}
        wanted = [each for of_series in ids.values() for each in of_series]
        found = self._chunks.find({"_id": {"$in": wanted}}, {"columns": True}) if wanted else ()
        stored = {each["_id"]: chunks.decode(each["columns"]) for each in found}
        covered = {}
        for series, of_series in ids.items():
            known = concatenate([stored[each] for each in of_series if each in stored])
            times = bars[series].time
            covered[series] = known.between(int(times[0]), int(times[-1]) + 1)
        return covered

    def _mark(self, partial: Mapping[Series, Collection[int]]) -> None:
        marks = [
            UpdateOne(
                {"_id": str(series)},
                {"$addToSet": {"times": {"$each": [to_date(each) for each in sorted(times)]}}},
                upsert=True,
            )
            for series, times in partial.items()
            if times
        ]
        if marks:
            self._partial.bulk_write(marks, ordered=False)

    def _prune_chunk(self, series: Series, document: dict[str, Any], start: int, end: int) -> int:
        bars = chunks.decode(document["columns"])
        rest = concatenate([bars.between(None, start), bars.between(end, None)])
        unchanged = {"_id": document["_id"], "rev": document["rev"]}
        if len(rest) == len(bars):
            return 0
        if not len(rest):
            return len(bars) * self._chunks.delete_one(unchanged).deleted_count
        write = rewrite(series, document["_id"], Versions.new(rest, ALWAYS), document["rev"])
        updated = self._chunks.update_one(write.condition, write.change)
        return (len(bars) - len(rest)) * updated.modified_count


def _columns(bars: Iterable[LiveBar]) -> Bars:
    """Return the bars in order of time; the last one of each time."""
    by_time = {bar.start: bar for bar in bars}
    rows = [
        (bar.start, bar.open, bar.high, bar.low, bar.close, _volume(bar))
        for _, bar in sorted(by_time.items())
    ]
    return Bars(np.array(rows, dtype=np.float64).reshape(-1, 6).T.copy())


def _volume(bar: LiveBar) -> float:
    return np.nan if bar.volume is None else bar.volume
