"""`ChunkCache`: chunks of history kept in this process, each as long as its token is valid.

The second read of a chunk encodes all its bars as JSON; later answers take their rows from there,
which halves the cost of an answer of 1000 bars (docs/benchmarks.md).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import cast

import numpy as np

from pocketquant.domain.bars import Bars
from pocketquant.domain.symbols import Series
from pocketquant.storage import chunks
from pocketquant.storage.bar_reader import BarReader
from pocketquant.storage.generations import Generations
from web.bars.local_cache import LocalCache
from web.encoding import encode_rows
from web.times import UTC_TIMES, TimeFormat

_ID_BYTES = 100  # of memory, with what Python adds
_ROW_BYTES = 150


@dataclass(frozen=True, slots=True)
class EncodedChunk:
    """Bars, and the JSON of each of them once they were encoded."""

    bars: Bars
    rows: list[bytes] | None = None

    @property
    def weight(self) -> int:
        """Return its bytes of memory, roughly."""
        return self.bars.columns.nbytes + _ROW_BYTES * len(self.rows or ())

    def cut(self, limit: int, newest: bool) -> "EncodedChunk":
        """Return the newest or the oldest `limit` bars."""
        if newest:
            return EncodedChunk(self.bars.last(limit), self.rows and self.rows[-limit:])
        return EncodedChunk(self.bars.first(limit), self.rows and self.rows[:limit])


@dataclass(frozen=True, slots=True)
class ChunkCache:
    """Reads like a `BarReader`, but fetches only chunk ids and chunks that are not kept here.

    A result may be as old as the token. That is right for bars before history's end, which only a
    sync changes; at its end, bars move from the live store to history meanwhile. Each reader has
    names of its own for what it keeps.
    """

    bars: BarReader
    generations: Generations
    local: LocalCache
    prefix: str = ""

    def current(self, series: Series, token: bytes) -> Series:
        """Return the generation of the series that its chunks are read from."""
        name = f"{series} generation"
        return self.local.under(token, name, lambda: self.generations.current(series).bars)

    def read(
        self,
        series: Series,
        start: int | None,
        end: int | None,
        limit: int,
        newest: bool,
        token: bytes,
        times: TimeFormat = UTC_TIMES,
    ) -> EncodedChunk:
        """Return the newest or the oldest `limit` bars from `start` to before `end`.

        `series` is the result of `current` under this token. Rows are kept in UTC; other zones have
        none.
        """
        ids = self._ids(series, start, end, token)
        used: list[EncodedChunk] = []

        def found() -> Iterator[Bars]:
            size = chunks.chunks_touched(limit)
            for chunk in self._chunks(ids[::-1] if newest else ids, size, token, times):
                used.append(chunk)
                yield chunk.bars

        bars = chunks.gather(found(), start, end, limit, newest)
        rows = None if times.zone else _rows(used[::-1] if newest else used, bars)
        return EncodedChunk(bars, rows)

    def _ids(self, series: Series, start: int | None, end: int | None, token: bytes) -> list[str]:
        ids = self.local.under(
            token,
            f"{self.prefix}{series} chunks",
            lambda: self.bars.chunk_ids(series),
            lambda ids: _ID_BYTES * len(ids),
        )
        wanted = chunks.id_range(series, start, end)
        return ids[bisect_left(ids, wanted["$gte"]) : bisect_right(ids, wanted["$lte"])]

    def _chunks(
        self, ids: list[str], size: int, token: bytes, times: TimeFormat
    ) -> Iterator[EncodedChunk]:
        """Yield chunk after chunk; missing ones are fetched in pieces that double in size."""
        while ids:
            piece, ids = ids[:size], ids[size:]
            yield from self._piece(piece, token, times)
            size *= 2

    def _piece(self, ids: list[str], token: bytes, times: TimeFormat) -> Iterator[EncodedChunk]:
        kept = {chunk_id: self._kept(chunk_id, token, times) for chunk_id in ids}
        missing = [chunk_id for chunk_id, chunk in kept.items() if chunk is None]
        fetched = self.bars.read_chunks(missing) if missing else {}
        for chunk_id, chunk in kept.items():
            if chunk is not None:
                yield chunk
            elif chunk_id in fetched:
                yield self._keep(chunk_id, EncodedChunk(fetched[chunk_id]), token)

    def _kept(self, chunk_id: str, token: bytes, times: TimeFormat) -> EncodedChunk | None:
        chunk = cast(EncodedChunk | None, self.local.kept(token, self.prefix + chunk_id))
        if chunk is None or chunk.rows or times.zone:
            return chunk
        rows = encode_rows(chunk.bars, times)
        return self._keep(chunk_id, EncodedChunk(chunk.bars, rows), token)

    def _keep(self, chunk_id: str, chunk: EncodedChunk, token: bytes) -> EncodedChunk:
        self.local.keep(token, self.prefix + chunk_id, chunk, chunk.weight)
        return chunk


def _rows(used: list[EncodedChunk], bars: Bars) -> list[bytes] | None:
    """Return the rows of these bars, consecutive ones of the chunks; None if a chunk has none."""
    known = [chunk.rows for chunk in used if chunk.rows is not None]
    if len(known) < len(used) or not len(bars):
        return None
    before = sum(int(np.searchsorted(chunk.bars.time, bars.time[0])) for chunk in used)
    return list(chain.from_iterable(known))[before : before + len(bars)]
