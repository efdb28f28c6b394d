"""History near the reader: chunks that were read under a token serve as long as it holds."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from pocketquant.domain.bars import Bars
from pocketquant.domain.symbols import Series
from pocketquant.storage import chunks
from pocketquant.storage.bars import BarStore
from web.response_cache import NearCache

_ID_BYTES = 100  # of memory, with what Python adds


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
    ) -> Bars:
        """The bars from `start` to before `end`: the newest or the oldest `limit` of them."""
        ids = self._ids(series, start, end, token)
        found = self._chunks(ids[::-1] if newest else ids, chunks.chunks_touched(limit), token)
        return chunks.gather(found, start, end, limit, newest)

    def _ids(self, series: Series, start: int | None, end: int | None, token: bytes) -> list[str]:
        ids = self.cache.under(
            token,
            f"{series} chunks",
            lambda: self.bars.chunk_ids(series),
            lambda ids: _ID_BYTES * len(ids),
        )
        wanted = chunks.id_range(series, start, end)
        return ids[bisect_left(ids, wanted["$gte"]) : bisect_right(ids, wanted["$lte"])]

    def _chunks(self, ids: list[str], size: int, token: bytes) -> Iterator[Bars]:
        """Chunk after chunk; those that are not here are fetched in pieces that double."""
        while ids:
            piece, ids = ids[:size], ids[size:]
            yield from self._piece(piece, token)
            size *= 2

    def _piece(self, ids: list[str], token: bytes) -> Iterator[Bars]:
        kept = {chunk_id: cast(Bars | None, self.cache.kept(token, chunk_id)) for chunk_id in ids}
        missing = [chunk_id for chunk_id, bars in kept.items() if bars is None]
        fetched = self.bars.read_chunks(missing) if missing else {}
        for chunk_id, found in fetched.items():
            self.cache.keep(token, chunk_id, found, found.columns.nbytes)
        for chunk_id, bars in kept.items():
            if bars is not None or (bars := fetched.get(chunk_id)) is not None:
                yield bars
