"""`LiveBarStore`: bars built here from quotes, until history has overtaken them.

They lie in `ohlcv_live` as history lies in `ohlcv`. Of each series, those that were not seen from
their start to their end are marked in `ohlcv_live_partial`:

    {_id: "NASDAQ:AAPL|1m", times: dates of the partial bars' open times}
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from pymongo import ReadPreference, UpdateOne

from pocketquant.connections import Mongo
from pocketquant.domain.bars import Bars
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.symbols import Series
from pocketquant.storage import chunks
from pocketquant.storage.bars import BarStore, Upserted, rewrite
from pocketquant.storage.dates import to_date, to_seconds

_COLLECTION = "ohlcv_live"


class LiveBarStore:
    """Closed live bars by series; the driver's errors pass through."""

    def __init__(self, mongo: Mongo) -> None:
        self._bars = BarStore(mongo, _COLLECTION)
        primary = ReadPreference.PRIMARY
        self._chunks = mongo.get_collection(_COLLECTION, read_preference=primary)
        self._partial = mongo.get_collection("ohlcv_live_partial", read_preference=primary)

    def upsert(self, bars: Iterable[LiveBar]) -> dict[Series, Upserted]:
        """Store the bars of any number of series; doing it twice changes nothing.

        A partial bar is stored only where there is none of its time yet: what was seen in part
        never replaces what another has seen. A mark is written before its bar, and stays.
        """
        by_series: defaultdict[tuple[object, ...], list[LiveBar]] = defaultdict(list)
        for bar in bars:
            by_series[bar.symbol, bar.interval].append(bar)
        whole: dict[Series, list[LiveBar]] = {}
        partial: dict[Series, Bars] = {}
        for group in by_series.values():
            series = group[0].series
            whole[series] = [bar for bar in group if not bar.is_partial]
            if len(whole[series]) < len(group):
                partial[series] = _columns(bar for bar in group if bar.is_partial)
        missing = self._missing(partial)
        self._mark(missing)
        return self._bars.upsert(
            {
                series: _columns(group).merge(missing.get(series, Bars.empty())).bars
                for series, group in whole.items()
            }
        )

    def read(
        self, series: Series, start: int | None, end: int | None, limit: int, newest: bool
    ) -> Bars:
        """The bars that open at or after `start` and before `end`: the newest or the oldest."""
        return self._bars.read(series, start, end, limit, newest)

    def has_any(self, series: Series) -> bool:
        """Whether there is any bar of the series."""
        return self._bars.count(series) > 0

    def partial_times(self, series: Series) -> list[int]:
        """The open times of the partial bars."""
        marks = self._partial.find_one({"_id": str(series)}) or {"times": []}
        return sorted(to_seconds(each) or 0 for each in marks["times"])

    def prune(self, series: Series, end: int) -> int:
        """Remove the bars that open before `end`; how many there were.

        What is written at this very moment stays until it is pruned the next time. Where there is
        nothing to remove, that is one look at an index.
        """
        ids = chunks.id_range(series, None, end)
        found = list(self._chunks.find({"_id": ids}, {"rev": True, "columns": True}))
        pruned = sum(self._prune_chunk(series, document, end) for document in found)
        if found:
            overtaken = {"$pull": {"times": {"$lt": to_date(end)}}}
            self._partial.update_one({"_id": str(series)}, overtaken)
        return pruned

    def _missing(self, partial: Mapping[Series, Bars]) -> dict[Series, Bars]:
        """Of these bars, those of whose time none is stored."""
        if not partial:
            return {}
        ids = [each for series, bars in partial.items() for each in chunks.split(series, bars)]
        found = self._chunks.find({"_id": {"$in": ids}}, {"columns": True})
        stored = {each["_id"]: chunks.decode(each["columns"]).columns[0] for each in found}
        missing = {}
        for series, bars in partial.items():
            times = [stored[each] for each in chunks.split(series, bars) if each in stored]
            is_stored = np.isin(bars.columns[0], np.concatenate(times)) if times else [False]
            missing[series] = Bars(bars.columns[:, ~np.broadcast_to(is_stored, len(bars))])
        return missing

    def _mark(self, partial: Mapping[Series, Bars]) -> None:
        marks = [
            UpdateOne(
                {"_id": str(series)},
                {"$addToSet": {"times": {"$each": [to_date(each) for each in bars.time.tolist()]}}},
                upsert=True,
            )
            for series, bars in partial.items()
            if len(bars)
        ]
        if marks:
            self._partial.bulk_write(marks, ordered=False)

    def _prune_chunk(self, series: Series, document: dict[str, Any], end: int) -> int:
        bars = chunks.decode(document["columns"])
        rest = bars.between(end, None)
        unchanged = {"_id": document["_id"], "rev": document["rev"]}
        if len(rest) == len(bars):
            return 0
        if not len(rest):
            return len(bars) * self._chunks.delete_one(unchanged).deleted_count
        write = rewrite(series, document["_id"], rest, document["rev"])
        updated = self._chunks.update_one(write.condition, write.change)
        return (len(bars) - len(rest)) * updated.modified_count


def _columns(bars: Iterable[LiveBar]) -> Bars:
    """The bars in order of time; of one time, the last one."""
    by_time = {bar.start: bar for bar in bars}
    rows = [
        (bar.start, bar.open, bar.high, bar.low, bar.close, _volume(bar))
        for _, bar in sorted(by_time.items())
    ]
    return Bars(np.array(rows, dtype=np.float64).reshape(-1, 6).T.copy())


def _volume(bar: LiveBar) -> float:
    return np.nan if bar.volume is None else bar.volume
