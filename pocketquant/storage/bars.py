"""`BarStore`: the bars of all series in MongoDB, as column chunks.

The upsert is optimistic: it reads the chunks concerned, merges, and writes changed chunks back on
condition that they are still as they were read. A writer that loses this race merges again, so
concurrent writers of a chunk never lose each other's bars. The same write keeps the values that it
replaces, if the store has `Revisions`.

A worker writes under the lease of its unit, which the server checks with each write: a worker that
stalled cannot overwrite the bars of the next attempt with older ones.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bson import ObjectId
from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError, WriteError

from pocketquant.domain.bars import Bars, Merge, concatenate
from pocketquant.domain.dates import to_seconds
from pocketquant.domain.errors import StorageUnavailable
from pocketquant.domain.revisions import ALWAYS, Cause, Reason, Versions
from pocketquant.domain.symbols import Series
from pocketquant.servers.connections import Mongo
from pocketquant.storage import chunks
from pocketquant.storage.bar_reader import BarReader, PastBars
from pocketquant.storage.bulk_writes import duplicate_key_failures
from pocketquant.storage.key_ranges import keys_of_symbol
from pocketquant.storage.leases import REFUSED, UnitLease
from pocketquant.storage.recent import Chunk, RecentChunks
from pocketquant.storage.revisions import NOTHING_KEPT, Kept, Revisions

LIVE = "ohlcv_live"  # the collection of live bars

_MOST_ROUNDS = 100
_MERGED = {"rev": True, "columns": True, "written": True, "replaced": True}
_WHOLE: dict[str, object] = {
    "_id": None,
    "count": {"$sum": "$count"},
    "start": {"$min": "$start"},
    "end": {"$max": "$end"},
}
_NO_CHUNK = Chunk(Versions.new(Bars.empty(), ALWAYS), NOTHING_KEPT, None)
_IMPORT = Cause(Reason.IMPORT)


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

    def after(self, inserted: int, bars: Bars) -> "Extent":
        """Return the extent after these bars were stored, so many of which were new."""
        firsts, lasts = (self.first_time, bars.first_time), (self.last_time, bars.last_time)
        return Extent(
            self.count + inserted,
            min((each for each in firsts if each is not None), default=None),
            max((each for each in lasts if each is not None), default=None),
        )


@dataclass(frozen=True, slots=True)
class Overlap:
    """The chunks of a series that some bars belong into, and its extent, as they were read.

    `live` has the open time of the oldest live bar of each series of the symbol that has any.
    """

    series: Series
    chunks: Mapping[str, Chunk]
    extent: Extent
    live: Mapping[Series, int]

    @property
    def bars(self) -> Bars:
        return concatenate([chunk.versions.bars for _, chunk in sorted(self.chunks.items())])


@dataclass(frozen=True, slots=True)
class Write:
    """A chunk to write if the stored one has this `rev`, or does not exist if `rev` is None.

    If the condition does not hold, the upsert tries to insert and fails on the chunk's `_id`: a
    lost race is a duplicate key, for existing chunks and new ones alike. Setting all fields costs
    the server a quarter less than replacing the document. `moved` is a document of replaced values
    to insert first.
    """

    document: dict[str, Any]
    chunk: Chunk
    rev: ObjectId | None
    lease: UnitLease | None = None
    moved: dict[str, Any] | None = None

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


class BarStore(BarReader):
    """The bars of all series, in one collection; the driver's errors pass through."""

    def __init__(
        self, mongo: Mongo, collection: str = "ohlcv", revisions: Revisions | None = None
    ) -> None:
        super().__init__(mongo[collection])
        self._revisions = revisions
        self._recent = RecentChunks()

    def at(self, moment: int) -> PastBars:
        """Return a reader of the bars that were stored at the moment, in epoch milliseconds."""
        return PastBars(self._chunks, self._revisions, moment)

    def upsert(
        self,
        blocks: Mapping[Series, Bars],
        lease: UnitLease | None = None,
        cause: Cause = _IMPORT,
        known: Mapping[str, Chunk] | None = None,
    ) -> dict[Series, Upserted]:
        """Store the bars of any number of series, replacing stored bars of the same time.

        A repeated call changes nothing. After an error of the driver some chunks may be written;
        repeating the call writes the rest. LeaseLost once the lease has expired. Chunks that are
        `known` from an `overlap` are read again only if they have changed since.
        """
        upserted = {series: Upserted() for series in blocks}
        pending = {
            chunk_id: (series, bars)
            for series, block in blocks.items()
            for chunk_id, bars in chunks.split(series, block).items()
        }
        if known is None and len(pending) == 1:
            self._extend_known(pending, upserted, lease, cause)
        for _ in range(_MOST_ROUNDS):
            if not pending:
                return upserted
            stored = self._stored(pending) if known is None else known
            merges, lost = self._merge(pending, stored, lease, cause)
            known = None
            for chunk_id in merges.keys() - lost:
                series, _bars = pending.pop(chunk_id)
                upserted[series] = upserted[series].plus(merges[chunk_id])
        raise StorageUnavailable(f"{_MOST_ROUNDS} times others wrote {min(pending)} first")

    def count(self, series: Series) -> int:
        """Return how many bars the series has."""
        return self.extent(series).count

    def extent(self, series: Series) -> Extent:
        """Return count, first and last time of the series; reads an index, no chunk."""
        with self._chunks.aggregate(_counting(series)) as found:
            return _extent(next(found, None))

    def overlap(self, series: Series, bars: Bars) -> Overlap:
        """Return what is stored where these bars belong, in one round trip."""
        touched, symbol = {"_id": {"$in": list(chunks.split(series, bars))}}, series.symbol
        live = [
            {"$match": {"_id": keys_of_symbol(symbol.exchange, symbol.name)}},
            {"$sort": {"_id": -1}},  # the oldest chunk of each series comes last
            {"$project": {"live": "$start"}},
        ]
        stages: list[dict[str, Any]] = [
            {"$match": touched},
            {"$project": _MERGED},
            {"$unionWith": {"coll": self._chunks.name, "pipeline": _counting(series)}},
            {"$unionWith": {"coll": LIVE, "pipeline": live}},
        ]
        with self._chunks.aggregate(stages) as found:
            documents = list(found)
        whole = next((each for each in documents if each["_id"] is None), None)
        stored = _read_chunks(each for each in documents if "rev" in each)
        oldest = {
            chunks.series_of(each["_id"]): to_seconds(each["live"])
            for each in documents
            if "live" in each
        }
        return Overlap(series, stored, _extent(whole), oldest)

    def chunk_counts(self, all_series: Collection[Series]) -> dict[Series, dict[int, int]]:
        """Return the number of bars by the index of their chunk; reads an index, no chunk."""
        counts: dict[str, dict[int, int]] = {str(series): {} for series in all_series}
        of_series = {"$or": [{"_id": chunks.id_range(series)} for series in all_series]}
        fields = {"_id": True, "count": True}
        for document in self._chunks.find(of_series, fields) if counts else ():
            key, _, _ = document["_id"].rpartition("|")
            counts[key][chunks.index_of(document["_id"])] = document["count"]
        return {series: counts[str(series)] for series in all_series}

    def delete(self, series: Series) -> int:
        """Remove all bars of the series; return how many there were.

        Call it only while nobody writes the series: a writer that has read a chunk restores it.
        """
        count = self.count(series)
        self._chunks.delete_many({"_id": chunks.id_range(series)})
        if self._revisions is not None:
            self._revisions.delete(series)
        return count

    def delete_generations(self, series: Series) -> None:
        """Remove the bars of all later generations of the series; see `Generations`."""
        later = chunks.later_generations(series)
        self._chunks.delete_many({"_id": later})
        if self._revisions is not None:
            self._revisions.delete_later_generations(series)

    def _extend_known(
        self,
        pending: dict[str, tuple[Series, Bars]],
        upserted: dict[Series, Upserted],
        lease: UnitLease | None,
        cause: Cause,
    ) -> None:
        """Write the one pending chunk without reading it, if this process wrote it last.

        If the bars change nothing in the chunk in memory, do nothing: the stored one may differ.
        """
        ((chunk_id, (series, newer)),) = pending.items()
        known = self._recent.get(chunk_id)
        if known is None:
            return
        merge = known.versions.bars.merge(newer)
        if merge.inserted or merge.changed:
            write = self._rewrite(series, chunk_id, known, merge.bars, lease, cause)
            self._insert_moved([write])
            if self._update(write):
                self._recent.keep(chunk_id, write.chunk)
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

    def _stored(self, ids: Iterable[str]) -> dict[str, Chunk]:
        return _read_chunks(self._chunks.find({"_id": {"$in": list(ids)}}, _MERGED))

    def _merge(
        self,
        pending: dict[str, tuple[Series, Bars]],
        stored: Mapping[str, Chunk],
        lease: UnitLease | None,
        cause: Cause,
    ) -> tuple[dict[str, Merge], set[str]]:
        """Merge and write all pending chunks; return the merges, and the ids that lost the race."""
        merges: dict[str, Merge] = {}
        writes: dict[str, Write] = {}
        for chunk_id, (series, newer) in pending.items():
            old = stored.get(chunk_id, _NO_CHUNK)
            merge = old.versions.bars.merge(newer)
            merges[chunk_id] = merge
            if merge.inserted or merge.changed:
                writes[chunk_id] = self._rewrite(series, chunk_id, old, merge.bars, lease, cause)
        self._insert_moved(writes.values())
        lost = self._write(writes, lease)
        if len(merges) == len(writes) == 1 and not lost:
            ((chunk_id, write),) = writes.items()
            self._recent.keep(chunk_id, write.chunk)
        return merges, lost

    def _rewrite(
        self,
        series: Series,
        chunk_id: str,
        old: Chunk,
        merged: Bars,
        lease: UnitLease | None,
        cause: Cause,
    ) -> Write:
        """Return the write of the merged bars, with the values that it replaces."""
        if self._revisions is None:
            return rewrite(series, chunk_id, Versions.new(merged, ALWAYS), old.rev, lease)
        rewritten = self._revisions.rewritten(old.versions, old.kept, merged)
        write = rewrite(series, chunk_id, rewritten.versions, old.rev, lease, old.kept)
        if not len(rewritten.replaced.bars):
            return write
        keeping = self._revisions.keeping(chunk_id, old.kept, rewritten, cause)
        chunk = replace(write.chunk, kept=keeping.kept)
        document = write.document | keeping.fields
        return replace(write, document=document, chunk=chunk, moved=keeping.moved)

    def _insert_moved(self, writes: Iterable[Write]) -> None:
        if self._revisions is not None:
            self._revisions.insert([each.moved for each in writes if each.moved is not None])

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
    series: Series,
    chunk_id: str,
    versions: Versions,
    rev: ObjectId | None,
    lease: UnitLease | None = None,
    kept: Kept = NOTHING_KEPT,
) -> Write:
    """Return the write of a chunk under a new `rev`, which no other write ever has."""
    fresh = ObjectId()
    document = chunks.encode(series, chunk_id, versions, fresh, fresh.generation_time)
    return Write(document, Chunk(versions, kept, fresh), rev, lease)


def _counting(series: Series) -> list[dict[str, Any]]:
    """Return the stages that count the bars of a series; they read an index, no chunk."""
    return [{"$match": {"_id": chunks.id_range(series)}}, {"$group": _WHOLE}]


def _extent(whole: dict[str, Any] | None) -> Extent:
    if whole is None:
        return Extent()
    return Extent(whole["count"], to_seconds(whole["start"]), to_seconds(whole["end"]))


def _read_chunks(found: Iterable[dict[str, Any]]) -> dict[str, Chunk]:
    return {
        each["_id"]: Chunk(chunks.decode_versions(each), Kept.of(each), each["rev"])
        for each in found
    }
