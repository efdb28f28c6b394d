"""`Bars` ↔ chunk documents: up to 1024 periods of one series as columns in one document.

    {_id: "NASDAQ:AAPL|1m|1027669", exchange, symbol, interval,
     start, end, count, rev, updated_at, columns, written, writer,
     replaced, revised_at, oldest_value_at}

The `_id` is the series key and the chunk's index, with enough digits to sort every possible time.
`columns` is little-endian float64, column after column, as in `Bars`. `written` says when the bars
were: for each run of bars that were written together, how many they are, and the moment. Chunks of
older releases have none. Chunks that a sync has written have a `writer`: see `UnitLease`. Chunks
with bars that changed have their former values in `replaced`: see `Revisions`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars, concatenate
from pocketquant.domain.dates import to_date
from pocketquant.domain.intervals import Interval
from pocketquant.domain.revisions import ALWAYS, Moments, Replaced, Versions
from pocketquant.domain.symbols import Series

CHUNK_PERIODS = 1024

_FIRST_INDEX = -1_000_000  # a 1m chunk in the year 23
_LAST_INDEX = 8_999_999
_FLOAT = np.dtype("<f8")
_RUN = np.dtype([("bars", "<u4"), ("moment", "<i8")])


def split(series: Series, bars: Bars) -> dict[str, Bars]:
    """Return the bars of each chunk by chunk id, as views."""
    if not len(bars):
        return {}
    indexes = bars.time // _window_seconds(series.interval)
    if indexes[0] == indexes[-1]:
        return {id_of(series, int(indexes[0])): bars}
    cuts = (np.flatnonzero(indexes[1:] != indexes[:-1]) + 1).tolist()
    return {
        id_of(series, int(indexes[start])): Bars(bars.columns[:, start:end])
        for start, end in pairwise((0, *cuts, len(bars)))
    }


def id_range(series: Series, start: int | None = None, end: int | None = None) -> dict[str, str]:
    """Return MongoDB's condition on `_id` for the chunks from `start` to before `end`."""
    window = _window_seconds(series.interval)
    first = _FIRST_INDEX if start is None else max(start // window, _FIRST_INDEX)
    last = _LAST_INDEX if end is None else min((end - 1) // window, _LAST_INDEX)
    return {"$gte": id_of(series, first), "$lte": id_of(series, last)}


def later_generations(series: Series) -> dict[str, str]:
    """Return MongoDB's condition on `_id` for the chunks of every generation but the first."""
    return {"$gte": f"{series}@", "$lt": f"{series}A"}  # "A" follows "@"


def window(series: Series, index: int) -> tuple[int, int]:
    """Return the time of a chunk: bars of it open at its start or later, and before its end."""
    seconds = _window_seconds(series.interval)
    return index * seconds, (index + 1) * seconds


def windows(series: Series, start: int, end: int) -> tuple[range, NDArray[np.int64]]:
    """Return the indexes of the chunks from `start` to before `end`, and the edges between them."""
    seconds = _window_seconds(series.interval)
    indexes = range(start // seconds, (end - 1) // seconds + 1)
    return indexes, np.arange(indexes.start, indexes.stop + 1, dtype=np.int64) * seconds


def id_of(series: Series, index: int) -> str:
    return f"{series}|{index - _FIRST_INDEX:07d}"


def series_of(chunk_id: str) -> Series:
    """Return the series of a chunk of the first generation."""
    return Series.parse(chunk_id.rpartition("|")[0])


def index_of(chunk_id: str) -> int:
    """Return the index of a chunk, the number of its window since 1970."""
    return int(chunk_id.rpartition("|")[2]) + _FIRST_INDEX


def chunks_touched(bar_count: int) -> int:
    """Return how many chunks hold this many consecutive bars at most, without missing periods."""
    return (bar_count - 2) // CHUNK_PERIODS + 2


def encode(
    series: Series, chunk_id: str, versions: Versions, rev: object, updated_at: datetime
) -> dict[str, Any]:
    """Return the document of a chunk, which has at least one bar."""
    bars = versions.bars
    return {
        "_id": chunk_id,
        "exchange": series.symbol.exchange,
        "symbol": series.symbol.name,
        "interval": series.interval.value,
        "start": to_date(bars.first_time),
        "end": to_date(bars.last_time),
        "count": len(bars),
        "rev": rev,
        "updated_at": updated_at,
        "columns": encode_columns(bars),
        "written": encode_written(versions.written),
    }


def encode_columns(bars: Bars) -> bytes:
    """Return the bytes of the bars, column after column."""
    return bars.columns.astype(_FLOAT, copy=False).tobytes()


def decode(columns: bytes) -> Bars:
    """Return the bars of a chunk's `columns`, without copying: they are read-only."""
    return Bars(np.frombuffer(columns, _FLOAT).reshape(6, -1))


def encode_written(written: Moments) -> bytes:
    """Return the runs of equal moments."""
    starts = np.flatnonzero(np.diff(written, prepend=written[:1] - 1))
    runs = np.empty(len(starts), dtype=_RUN)
    runs["bars"] = np.diff(starts, append=len(written))
    runs["moment"] = written[starts]
    return runs.tobytes()


def decode_versions(document: Mapping[str, Any]) -> Versions:
    """Return the bars of a chunk with their moments, which are `ALWAYS` where they are not known.

    A worker of an older release changes the columns and leaves the runs as they are.
    """
    bars, written = decode(document["columns"]), _repeated(document.get("written"))
    return Versions(bars, written) if len(written) == len(bars) else Versions.new(bars, ALWAYS)


def encode_replaced(replaced: Replaced) -> dict[str, Any]:
    """Return the fields of replaced values; those that were replaced together are a run."""
    return {
        "columns": replaced.columns.astype(_FLOAT, copy=False).tobytes(),
        "written": encode_written(replaced.written),
        "replaced_at": encode_written(replaced.replaced_at),
        "causes": list(replaced.causes),
    }


def decode_replaced(fields: Mapping[str, Any]) -> Replaced:
    """Return replaced values: none without fields, and without causes if these were not read."""
    written, replaced_at = (_repeated(fields.get(name)) for name in ("written", "replaced_at"))
    columns = decode(fields.get("columns", b"")).columns
    return Replaced(columns, written, replaced_at, tuple(fields.get("causes", ())))


def latest_of(document: Mapping[str, Any]) -> int:
    """Return the moment of the last write of a chunk that is still there."""
    return int(_runs(document.get("written"))["moment"].max(initial=ALWAYS))


def gather(
    found: Iterable[Bars], start: int | None, end: int | None, limit: int | None, newest: bool
) -> Bars:
    """Return the bars from `start` to before `end` of chunks that come newest or oldest first.

    Only as many chunks are taken as `limit` bars need.
    """
    blocks: list[Bars] = []
    held = 0
    for chunk in found:
        blocks.append(chunk.between(start, end))
        held += len(blocks[-1])
        if limit is not None and held >= limit:
            break
    bars = concatenate(blocks[::-1] if newest else blocks)
    if limit is None:
        return bars
    return bars.last(limit) if newest else bars.first(limit)


def _repeated(written: bytes | None) -> Moments:
    runs = _runs(written)
    return np.repeat(runs["moment"], runs["bars"])


def _runs(written: bytes | None) -> NDArray[Any]:
    return np.frombuffer(written or b"", dtype=_RUN)


def _window_seconds(interval: Interval) -> int:
    return CHUNK_PERIODS * interval.seconds
