"""History near the reader: chunks that were read under a token serve as long as it holds.

A chunk that is asked for again is encoded as a whole, once; answers then take their rows from it.
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
from pocketquant.storage.bars import BarStore
from web.bars.response_cache import NearCache
from web.encoding import encode_rows

_ID_BYTES = 100  # of memory, with what Python adds
_ROW_BYTES = 150


@dataclass(frozen=True, slots=True)
class Near:
    """Bars, and the JSON of each in the same order where it is known."""

    bars: Bars
    rows: list[bytes] | None = None

    @property
    def weight(self) -> int:
        """About how many bytes of memory it takes."""
        return self.bars.columns.nbytes + _ROW_BYTES * len(self.rows or ())

    def cut(self, limit: int, newest: bool) -> "Near":
        """The newest or the oldest `limit` of them."""
        if newest:
            return Near(self.bars.last(limit), self.rows and self.rows[-limit:])
        return Near(self.bars.first(limit), self.rows and self.rows[:limit])


@dataclass(frozen=True, slots=True)
class NearChunks:
    """Reads like `BarStore`, and fetches what is not here yet: the chunk ids first, then chunks.

    What is read may be as old as the token. That does for bars before history's end, which only
    a sync changes; at the end itself, bars move from one store to the other meanwhile.
    """

    bars: BarStore
    cache: NearCache

    def read(
        self,
        series: Series,
        start: int | None,
        end: int | None,
        limit: int,
        newest: bool,
        token: bytes,
    ) -> Near:
        """The bars from `start` to before `end`: the newest or the oldest `limit` of them."""
        ids = self._ids(series, start, end, token)
        used: list[Near] = []

        def found() -> Iterator[Bars]:
            size = chunks.chunks_touched(limit)
            for chunk in self._chunks(ids[::-1] if newest else ids, size, token):
                used.append(chunk)
                yield chunk.bars

        bars = chunks.gather(found(), start, end, limit, newest)
        return Near(bars, _rows(used[::-1] if newest else used, bars))

    def _ids(self, series: Series, start: int | None, end: int | None, token: bytes) -> list[str]:
        ids = self.cache.under(
            token,
            f"{series} chunks",
            lambda: self.bars.chunk_ids(series),
            lambda ids: _ID_BYTES * len(ids),
        )
        wanted = chunks.id_range(series, start, end)
        return ids[bisect_left(ids, wanted["$gte"]) : bisect_right(ids, wanted["$lte"])]

    def _chunks(self, ids: list[str], size: int, token: bytes) -> Iterator[Near]:
        """Chunk after chunk; those that are not here are fetched in pieces that double."""
        while ids:
            piece, ids = ids[:size], ids[size:]
            yield from self._piece(piece, token)
            size *= 2

    def _piece(self, ids: list[str], token: bytes) -> Iterator[Near]:
        kept = {chunk_id: self._kept(chunk_id, token) for chunk_id in ids}
        missing = [chunk_id for chunk_id, chunk in kept.items() if chunk is None]
        fetched = self.bars.read_chunks(missing) if missing else {}
        for chunk_id, chunk in kept.items():
            if chunk is not None:
                yield chunk
            elif chunk_id in fetched:
                yield self._keep(chunk_id, Near(fetched[chunk_id]), token)

    def _kept(self, chunk_id: str, token: bytes) -> Near | None:
        chunk = cast(Near | None, self.cache.kept(token, chunk_id))
        if chunk is None or chunk.rows:
            return chunk
        return self._keep(chunk_id, Near(chunk.bars, encode_rows(chunk.bars)), token)

    def _keep(self, chunk_id: str, chunk: Near, token: bytes) -> Near:
        self.cache.keep(token, chunk_id, chunk, chunk.weight)
        return chunk


def _rows(used: list[Near], bars: Bars) -> list[bytes] | None:
    """Those of the bars, which follow one another in these chunks; None where one has none."""
    known = [chunk.rows for chunk in used if chunk.rows is not None]
    if len(known) < len(used) or not len(bars):
        return None
    before = sum(int(np.searchsorted(chunk.bars.time, bars.time[0])) for chunk in used)
    return list(chain.from_iterable(known))[before : before + len(bars)]
