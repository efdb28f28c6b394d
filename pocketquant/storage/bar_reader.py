"""`BarReader`: reads chunks as bars. `PastBars` reads them as they were stored at a moment."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection

from pocketquant.domain.bars import Bars, concatenate
from pocketquant.domain.batches import batched
from pocketquant.domain.dates import moment_of, to_seconds
from pocketquant.domain.revisions import ALWAYS, Replaced, Versions, stored_at
from pocketquant.domain.symbols import Series
from pocketquant.storage import chunks
from pocketquant.storage.revisions import NOTHING_KEPT, Kept, Revisions

_PIECE = 256  # chunks of one query when all are read
_BLOCK = 32  # chunks of one block: 1.5 MB

_COLUMNS = {"columns": True}
_NO_VERSIONS = Versions.new(Bars.empty(), ALWAYS)

Document = dict[str, Any]


class BarReader:
    """Reads the bars of all series from one collection; the driver's errors pass through."""

    _until: int | None = None  # no bar opens then or later

    def __init__(self, found: Collection[Document], fields: Document = _COLUMNS) -> None:
        self._chunks = found
        self._fields = fields

    def read(
        self,
        series: Series,
        start: int | None = None,
        end: int | None = None,
        limit: int | None = None,
        newest: bool = True,
    ) -> Bars:
        """Return the bars that open at or after `start` and before `end`, in order of time.

        With a `limit`, return at most that many: the newest of them, or else the oldest.
        """
        size = _PIECE if limit is None else chunks.chunks_touched(limit)
        walk = self._walk(self._ids(series, start, end), newest, size)
        return chunks.gather(walk, start, end, limit, newest)

    def latest(self, series: Series, count: int) -> Bars:
        """Return the newest `count` bars, in order of time."""
        return self.read(series, limit=count)

    def blocks(
        self, series: Series, start: int | None, end: int | None, newest: bool
    ) -> Iterator[Bars]:
        """Yield the bars from `start` to before `end` in blocks of some chunks, in bounded memory.

        Each block is in order of time; with `newest`, the newest block comes first. Bars written
        during the iteration may or may not be included.
        """
        walk = self._walk(self._ids(series, start, end), newest, _BLOCK, growth=1)
        for found in batched(walk, _BLOCK):
            blocks = [each.between(start, end) for each in found]
            yield concatenate(blocks[::-1] if newest else blocks)

    def chunk_ids(self, series: Series) -> list[str]:
        """Return the ids of the series' chunks in order of time; reads an index, no chunk."""
        of_series = {"_id": self._ids(series, None, None)}
        return [
            document["_id"] for document in self._chunks.find(of_series, {"_id": True}).sort("_id")
        ]

    def read_chunks(self, ids: Sequence[str]) -> dict[str, Bars]:
        """Return the bars of these chunks by id; missing chunks are left out."""
        found = list(self._chunks.find({"_id": {"$in": ids}}, self._fields))
        return dict(zip([each["_id"] for each in found], self._decoded(found), strict=True))

    def chunk_edges(self, series: Series) -> NDArray[np.int64]:
        """Return the first and last open time of each chunk in order; reads an index, no chunk."""
        of_series = {"_id": self._ids(series, None, None)}
        fields = {"_id": True, "start": True, "end": True}
        found = self._chunks.find(of_series, fields).sort("_id", ASCENDING)
        edges = [to_seconds(each[name]) for each in found for name in ("start", "end")]
        return np.array(edges, dtype=np.int64)

    def _ids(self, series: Series, start: int | None, end: int | None) -> dict[str, str]:
        ends = [each for each in (end, self._until) if each is not None]
        return chunks.id_range(series, start, min(ends, default=None))

    def _walk(
        self, ids: dict[str, str], newest: bool, size: int, growth: int = 2
    ) -> Iterator[Bars]:
        """Yield the bars of each chunk, fetched in pieces that grow by the factor `growth`.

        Mostly the first piece is the only one, and leaves no cursor to close on the server.
        """
        order, beyond = (DESCENDING, "$lt") if newest else (ASCENDING, "$gt")
        while True:
            found = self._chunks.find({"_id": ids}, self._fields).sort("_id", order)
            piece = list(found.limit(size))
            yield from self._decoded(piece)
            if len(piece) < size:
                return
            ids = ids | {beyond: piece[-1]["_id"]}
            size *= growth

    def _decoded(self, found: list[Document]) -> list[Bars]:
        """Return the bars of each chunk."""
        return [chunks.decode(each["columns"]) for each in found]


class PastBars(BarReader):
    """Reads history as it was stored at a moment, which is epoch milliseconds.

    The server leaves out what no answer needs: present values if all of them were stored later, and
    replaced ones if none was replaced later.
    """

    def __init__(
        self, found: Collection[Document], revisions: Revisions | None, moment: int
    ) -> None:
        super().__init__(found, _fields_at(moment_of(moment)))
        self._revisions = revisions
        self._moment = moment
        self._until = moment // 1000 + 1  # a bar that had not opened was not stored

    def chunk_edges(self, series: Series) -> NDArray[np.int64]:
        """Return the open times of the first and of the last bar."""
        edges = [self.read(series, limit=1, newest=newest).time for newest in (False, True)]
        return np.concatenate(edges)

    def _decoded(self, found: list[Document]) -> list[Bars]:
        changed = [each for each in found if "replaced" in each]
        if self._revisions is None or not changed:
            all_replaced = [Kept.of(each).values for each in changed]
        else:
            all_replaced = self._revisions.replaced_after(self._moment, changed)
        replaced = {each["_id"]: values for each, values in zip(changed, all_replaced, strict=True)}
        return [self._stored(each, replaced.get(each["_id"])) for each in found]

    def _stored(self, chunk: Document, replaced: Replaced | None) -> Bars:
        if replaced is None:
            if chunks.latest_of(chunk) <= self._moment:
                return chunks.decode(chunk["columns"])
            replaced = NOTHING_KEPT.values
        present = chunks.decode_versions(chunk) if "columns" in chunk else _NO_VERSIONS
        return stored_at(self._moment, present, replaced)


def _fields_at(at: datetime) -> Document:
    """Return the projection of a chunk to what was stored at a moment."""
    return {
        "columns": {"$cond": [{"$gt": ["$oldest_value_at", at]}, "$$REMOVE", "$columns"]},
        "written": True,
        "replaced": {"$cond": [{"$gt": ["$revised_at", at]}, "$replaced", "$$REMOVE"]},
    }
