"""`Revisions`: the values of bars that later writes replaced, one document for each written chunk.

    {_id: "NASDAQ:AAPL|1m|1027669|<rev>", replaced_at, expires_at, reason, job,
     largest: {time, field, before, after}, columns, written}

`columns` and `written` are those of a chunk, for the replaced values alone. A document is inserted
before its chunk is written, under the `rev` that the chunk will have. If the chunk is not written
after all, it holds values that are true but not replaced: readers of values need not care, and the
list of revisions leaves it out.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pymongo import DESCENDING

from pocketquant.domain.bars import Bars
from pocketquant.domain.dates import moment_of, to_date, to_seconds
from pocketquant.domain.errors import NoLongerKept
from pocketquant.domain.intervals import DAY
from pocketquant.domain.revisions import (
    ALWAYS,
    Cause,
    Change,
    Reason,
    Rewritten,
    Versions,
    largest_change,
    rewrite,
)
from pocketquant.domain.symbols import Series
from pocketquant.servers.connections import Mongo
from pocketquant.storage import chunks

_VALUES = {"columns": True, "written": True}
_AFTER_ALL = "}"  # sorts after "|" and the digits of a `rev`

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Revision:
    """A change of stored bars that lie near each other; moments are dates."""

    replaced_at: datetime
    bars: int
    first_bar_at: int
    last_bar_at: int
    largest: Change
    cause: Cause


class Revised(NamedTuple):
    """The number of changes of bars, and the moment of the last one."""

    changes: int
    last: datetime | None


class Revisions:
    """The replaced values of all series, for so many days; the driver's errors pass through."""

    def __init__(self, mongo: Mongo, days: int, clock: Callable[[], float]) -> None:
        self._revisions = mongo["ohlcv_revisions"]
        self._chunks = mongo["ohlcv"]
        self._days = days
        self._clock = clock

    @property
    def kept_from(self) -> int:
        """Return the moment since which every replaced value is kept."""
        return self._now() - 1000 * DAY * self._days

    def require_kept(self, moment: int) -> None:
        """Raise NoLongerKept if values that were replaced since the moment may be gone."""
        if not self._days:
            raise NoLongerKept("no replaced values are kept: REVISION_DAYS is 0")
        if moment < self.kept_from:
            raise NoLongerKept(
                f"replaced values are kept for {self._days} days (REVISION_DAYS): as_of must not be"
                f" before {moment_of(self.kept_from):%Y-%m-%dT%H:%M:%SZ}"
            )

    def rewritten(self, stored: Versions, merged: Bars) -> Rewritten:
        """Return the changes of a write of a chunk, as of now."""
        return rewrite(stored, merged, self._now(), self.kept_from)

    def document(self, chunk_id: str, rev: object, rewritten: Rewritten, cause: Cause) -> Document:
        """Return the document of the replaced values, of which there is at least one."""
        replaced, at = rewritten.replaced, moment_of(rewritten.moment)
        largest = largest_change(replaced.bars, rewritten.replacing)
        return {
            "_id": f"{chunk_id}|{rev}",
            "replaced_at": at,
            "expires_at": at + timedelta(days=self._days),
            "reason": cause.reason.value,
            "job": cause.job_id,
            "largest": largest._asdict() | {"time": to_date(largest.time)},
            "columns": chunks.encode_columns(replaced.bars),
            "written": chunks.encode_written(replaced.written),
        }

    def keep(self, documents: list[Document]) -> None:
        """Store the documents; call it before the chunks are written."""
        if documents:
            self._revisions.insert_many(documents, ordered=False)

    def withdraw(self, ids: Iterable[str]) -> None:
        """Remove documents of chunks that another writer wrote first."""
        self._revisions.delete_many({"_id": {"$in": list(ids)}})

    def replaced_after(self, moment: int, ids: Collection[str]) -> dict[str, list[Versions]]:
        """Return the values that were replaced after the moment, by the id of their chunk."""
        found: defaultdict[str, list[Versions]] = defaultdict(list)
        wanted = {
            "_id": {"$gte": min(ids), "$lt": f"{max(ids)}{_AFTER_ALL}"},
            "replaced_at": {"$gt": moment_of(moment)},
        }
        for document in self._revisions.find(wanted, _VALUES):
            found[_chunk_of(document)].append(chunks.decode_versions(document))
        return found

    def page(self, series: Series, offset: int, limit: int) -> tuple[list[Revision], int]:
        """Return revisions from `offset` on, the newest first, and the number of all.

        A document whose chunk was not written after all is counted, but not returned.
        """
        ranges = (chunks.id_range(series), chunks.later_generations(series))
        of_series = {"$or": [{"_id": each} for each in ranges]}
        newest_first = [("replaced_at", DESCENDING), ("_id", DESCENDING)]
        found = self._revisions.find(of_series)
        documents = list(found.sort(newest_first).skip(offset).limit(limit))
        writes = self._writes_of({_chunk_of(each) for each in documents})
        revisions = [
            _read(each) for each in documents if (_chunk_of(each), each["replaced_at"]) in writes
        ]
        return revisions, self._revisions.count_documents(of_series)

    def revised(self, series: Series, start: int, end: int, moment: int) -> Revised:
        """Return how often bars from `start` to before `end` changed until the moment."""
        ids = chunks.id_range(series, start, end)
        wanted = {
            "_id": {"$gte": ids["$gte"], "$lt": f"{ids['$lte']}{_AFTER_ALL}"},
            "replaced_at": {"$lte": moment_of(moment)},
        }
        found = self._revisions.find(wanted, {"columns": True, "replaced_at": True})
        moments = [
            each["replaced_at"]
            for each in found
            if len(chunks.decode(each["columns"]).between(start, end))
        ]
        return Revised(len(moments), max(moments, default=None))

    def delete(self, series: Series) -> None:
        """Remove the replaced values of the series."""
        self._revisions.delete_many({"_id": chunks.id_range(series)})

    def delete_later_generations(self, series: Series) -> None:
        """Remove the replaced values of all generations of the series but the first."""
        self._revisions.delete_many({"_id": chunks.later_generations(series)})

    def _writes_of(self, ids: set[str]) -> set[tuple[str, datetime]]:
        """Return the chunk and the moment of each write that any value is from."""
        if not ids:
            return set()
        wanted = {"_id": {"$gte": min(ids), "$lt": f"{max(ids)}{_AFTER_ALL}"}}
        replaced = self._revisions.find(wanted, {"written": True})
        present = self._chunks.find({"_id": {"$in": list(ids)}}, {"written": True})
        return {
            (_chunk_of(each), moment_of(moment))
            for each in (*replaced, *present)
            for moment in chunks.moments_of(each["written"])
            if moment != ALWAYS
        }

    def _now(self) -> int:
        return int(1000 * self._clock())


def _chunk_of(document: Document) -> str:
    """Return the id of the chunk of a revision, or of a chunk itself."""
    return "|".join(document["_id"].split("|")[:3])


def _read(document: Document) -> Revision:
    largest, times = document["largest"], chunks.decode(document["columns"]).time
    return Revision(
        replaced_at=document["replaced_at"],
        bars=len(times),
        first_bar_at=int(times[0]),
        last_bar_at=int(times[-1]),
        largest=Change(**largest | {"time": to_seconds(largest["time"])}),
        cause=Cause(Reason(document["reason"]), document["job"]),
    )
