"""`BarStore`: the bars of all series in MongoDB, as column chunks.

The upsert is optimistic: it reads the chunks concerned, merges, and writes changed chunks back on
condition that they are still as they were read. A writer that loses this race merges again, so
concurrent writers of a chunk never lose each other's bars.

A worker writes under the lease of its unit, which the server checks with each write: a worker that
stalled cannot overwrite the bars of the next attempt with older ones.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bson import ObjectId
from numpy.typing import NDArray
from pymongo import ASCENDING, DESCENDING, InsertOne, UpdateOne
from pymongo.errors import BulkWriteError, WriteError

from pocketquant.domain.bars import Bars, Merge, concatenate
from pocketquant.domain.batches import batched
from pocketquant.domain.dates import to_seconds
from pocketquant.domain.errors import StorageUnavailable
from pocketquant.domain.symbols import Series
from pocketquant.servers.connections import Mongo
from pocketquant.storage import chunks
from pocketquant.storage.bulk_writes import duplicate_key_failures
from pocketquant.storage.leases import REFUSED, UnitLease
from pocketquant.storage.recent import RecentChunks

_MOST_ROUNDS = 100
_PIECE = 256  # chunks of one query when all are read
_BLOCK = 32  # chunks of one block: 1.5 MB


@dataclass(frozen=True, slots=True)
class Upserted:
    """How many bars of one series an upsert inserted, changed, and found unchanged."""

    inserted: int = 0
    changed: int = 0
    unchanged: int = 0

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.inserted, self.changed, self.unchanged

    def plus(self, merge: Merge) -> "Upserted":
        return Upserted(
            self.inserted + merge.inserted,
            self.changed + merge.changed,
            self.unchanged + merge.unchanged,
        )


@dataclass(frozen=True, slots=True)
class Extent:
    """The number of bars of a series, and the open times of the first and the last."""

    count: int = 0
    first_time: int | None = None
    last_time: int | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """A chunk to write if the stored one has this `rev`, or does not exist if `rev` is None.

    If the condition does not hold, the upsert tries to insert and fails on the chunk's `_id`: a
    lost race is a duplicate key, for existing chunks and new ones alike. Setting all fields costs
    the server a quarter less than replacing the document.
    """

    document: dict[str, Any]
    rev: ObjectId | None
    lease: UnitLease | None = None

    @property
    def condition(self) -> dict[str, Any]:
        return {"_id": self.document["_id"], "rev": self.rev}

    @property
    def change(self) -> dict[str, Any] | list[dict[str, Any]]:
        fields = {name: value for name, value in self.document.items() if name != "_id"}
        return {"$set": fields} if self.lease is None else self.lease.fenced(fields)

    def operation(self) -> InsertOne[dict[str, Any]] | UpdateOne:
        """Return the operation for a bulk write; new chunks without a lease are inserts."""
        if self.rev is None and self.lease is None:
            return InsertOne(self.document)
        return UpdateOne(self.condition, self.change, upsert=True)


class BarStore:
    """The bars of all series, in one collection; the driver's errors pass through."""

    def __init__(self, mongo: Mongo, collection: str = "ohlcv") -> None:
        self._chunks = mongo[collection]
        self._recent = RecentChunks()

    def upsert(
        self, blocks: Mapping[Series, Bars], lease: UnitLease | None = None
    ) -> dict[Series, Upserted]:
        """Store the bars of any number of series, replacing stored bars of the same time.

        A repeated call changes nothing. After an error of the driver some chunks may be written;
        repeating the call writes the rest. LeaseLost once the lease has expired.
        """
        upserted = {series: Upserted() for series in blocks}
        pending = {
            chunk_id: (series, bars)
            for series, block in blocks.items()
            for chunk_id, bars in chunks.split(series, block).items()
        }
        if len(pending) == 1:
            self._extend_known(pending, upserted, lease)
        for _ in range(_MOST_ROUNDS):
            if not pending:
                return upserted
            merges, lost = self._merge(pending, lease)
            for chunk_id in merges.keys() - lost:
                series, _bars = pending.pop(chunk_id)
                upserted[series] = upserted[series].plus(merges[chunk_id])
        raise StorageUnavailable(f"{_MOST_ROUNDS} times others wrote {min(pending)} first")

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
        walk = self._walk(chunks.id_range(series, start, end), newest, size)
        return chunks.gather(map(chunks.decode, walk), start, end, limit, newest)

    def chunk_ids(self, series: Series) -> list[str]:
        """Return the ids of the series' chunks in order of time; reads an index, no chunk."""
        of_series = {"_id": chunks.id_range(series)}
        return [
            document["_id"] for document in self._chunks.find(of_series, {"_id": True}).sort("_id")
        ]

    def read_chunks(self, ids: Sequence[str]) -> dict[str, Bars]:
        """Return the bars of these chunks by id; missing chunks are left out."""
        found = self._chunks.find({"_id": {"$in": ids}}, {"columns": True})
        return {document["_id"]: chunks.decode(document["columns"]) for document in found}

    def blocks(
        self, series: Series, start: int | None, end: int | None, newest: bool
    ) -> Iterator[Bars]:
        """Yield the bars from `start` to before `end` in blocks of some chunks, in bounded memory.

        Each block is in order of time; with `newest`, the newest block comes first. Bars written
        during the iteration may or may not be included.
        """
        walk = self._walk(chunks.id_range(series, start, end), newest, _BLOCK, growth=1)
        for columns in batched(walk, _BLOCK):
            blocks = [chunks.decode(each).between(start, end) for each in columns]
            yield concatenate(blocks[::-1] if newest else blocks)

    def latest(self, series: Series, count: int) -> Bars:
        """Return the newest `count` bars, in order of time."""
        return self.read(series, limit=count)

    def count(self, series: Series) -> int:
        """Return how many bars the series has."""
        return self.extent(series).count

    def extent(self, series: Series) -> Extent:
        """Return count, first and last time of the series; reads an index, no chunk."""
        bars: dict[str, object] = {
            "_id": None,
            "count": {"$sum": "$count"},
            "start": {"$min": "$start"},
            "end": {"$max": "$end"},
        }
        of_series = {"_id": chunks.id_range(series)}
        with self._chunks.aggregate([{"$match": of_series}, {"$group": bars}]) as found:
            for whole in found:
                first, last = to_seconds(whole["start"]), to_seconds(whole["end"])
                return Extent(whole["count"], first, last)
        return Extent()

    def chunk_counts(self, all_series: Collection[Series]) -> dict[Series, dict[int, int]]:
        """Return the number of bars by the index of their chunk; reads an index, no chunk."""
        counts: dict[Series, dict[int, int]] = {series: {} for series in all_series}
        of_series = {"$or": [{"_id": chunks.id_range(series)} for series in counts]}
        fields = {"_id": True, "count": True}
        for document in self._chunks.find(of_series, fields) if counts else ():
            key, _, _ = document["_id"].rpartition("|")
            counts[Series.parse(key)][chunks.index_of(document["_id"])] = document["count"]
        return counts

    def chunk_edges(self, series: Series) -> NDArray[np.int64]:
        """Return the first and last open time of each chunk in order; reads an index, no chunk."""
        of_series = {"_id": chunks.id_range(series)}
        fields = {"_id": True, "start": True, "end": True}
        found = self._chunks.find(of_series, fields).sort("_id", ASCENDING)
        edges = [to_seconds(each[name]) for each in found for name in ("start", "end")]
        return np.array(edges, dtype=np.int64)

    def delete(self, series: Series) -> int:
        """Remove all bars of the series; return how many there were.

        Call it only while nobody writes the series: a writer that has read a chunk restores it.
        """
        count = self.count(series)
        self._chunks.delete_many({"_id": chunks.id_range(series)})
        return count

    def _walk(
        self, ids: dict[str, str], newest: bool, size: int, growth: int = 2
    ) -> Iterator[bytes]:
        """Yield the columns of each chunk, fetched in pieces that grow by the factor `growth`.

        Mostly the first piece is the only one, and leaves no cursor to close on the server.
        """
        order, beyond = (DESCENDING, "$lt") if newest else (ASCENDING, "$gt")
        while True:
            found = self._chunks.find({"_id": ids}, {"columns": True}).sort("_id", order)
            piece = list(found.limit(size))
            yield from (document["columns"] for document in piece)
            if len(piece) < size:
                return
            ids = ids | {beyond: piece[-1]["_id"]}
            size *= growth

    def _extend_known(
        self,
        pending: dict[str, tuple[Series, Bars]],
        upserted: dict[Series, Upserted],
        lease: UnitLease | None,
    ) -> None:
        """Write the one pending chunk without reading it, if this process wrote it last.

        If the bars change nothing in the chunk in memory, do nothing: the stored one may differ.
        """
        ((chunk_id, (series, newer)),) = pending.items()
        known = self._recent.get(chunk_id)
        if known is None:
            return
        merge = known.bars.merge(newer)
        if merge.inserted or merge.changed:
            write = rewrite(series, chunk_id, merge.bars, known.rev, lease)
            if self._update(write):
                self._recent.keep(chunk_id, merge.bars, write.document["rev"])
                del pending[chunk_id]
                upserted[series] = upserted[series].plus(merge)
            else:
                self._recent.forget(chunk_id)

    def _update(self, write: Write) -> bool:
        """Write an existing chunk; False if it has changed since it was read."""
        try:
            return self._chunks.update_one(write.condition, write.change).matched_count > 0
        except WriteError as error:
            if write.lease is None or error.code != REFUSED:
                raise
            raise write.lease.lost() from error

    def _merge(
        self, pending: dict[str, tuple[Series, Bars]], lease: UnitLease | None
    ) -> tuple[dict[str, Merge], set[str]]:
        """Merge and write all pending chunks; return the merges, and the ids that lost the race."""
        found = self._chunks.find({"_id": {"$in": list(pending)}}, {"rev": True, "columns": True})
        stored = {document["_id"]: document for document in found}
        merges: dict[str, Merge] = {}
        writes: dict[str, Write] = {}
        for chunk_id, (series, newer) in pending.items():
            old = stored.get(chunk_id)
            merge = (chunks.decode(old["columns"]) if old else Bars.empty()).merge(newer)
            merges[chunk_id] = merge
            if merge.inserted or merge.changed:
                rev = old["rev"] if old else None
                writes[chunk_id] = rewrite(series, chunk_id, merge.bars, rev, lease)
        lost = self._write(writes, lease)
        if len(merges) == len(writes) == 1 and not lost:
            ((chunk_id, write),) = writes.items()
            self._recent.keep(chunk_id, merges[chunk_id].bars, write.document["rev"])
        return merges, lost

    def _write(self, writes: dict[str, Write], lease: UnitLease | None) -> set[str]:
        """Write the chunks; return the ids of those that have changed since they were read."""
        if not writes:
            return set()
        try:
            self._chunks.bulk_write([write.operation() for write in writes.values()], ordered=False)
        except BulkWriteError as error:
            refused = any(each["code"] == REFUSED for each in error.details["writeErrors"])
            if lease is not None and refused:
                raise lease.lost() from error
            ids = list(writes)
            return {ids[index] for index in duplicate_key_failures(error)}
        return set()


def rewrite(
    series: Series, chunk_id: str, bars: Bars, rev: ObjectId | None, lease: UnitLease | None = None
) -> Write:
    """Return the write of a chunk under a new `rev`, which no other write ever has."""
    fresh = ObjectId()
    return Write(chunks.encode(series, chunk_id, bars, fresh, fresh.generation_time), rev, lease)
