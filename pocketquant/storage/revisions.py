"""`Revisions`: the values of bars that later writes replaced, which their chunk keeps.

One write replaces values and keeps them, in these fields of the chunk:

    {replaced: {columns, written, replaced_at, causes, older: [{id, until}]},
     revised_at, oldest_value_at}

`columns` and `written` are as in a chunk, for the replaced values in the order of their
replacement; `replaced_at` has runs like `written`. There is a cause for each moment, such as "sync"
and the id of a job. `revised_at` is the last of these moments, `oldest_value_at` the oldest moment
of the values that the chunk has now.

Beyond `MOST_VALUES` the older values move to a document of their own, which is inserted before the
chunk refers to it in `older`, with the last moment of its values:

    {_id: "NASDAQ:AAPL|1m|1027669|<id>", expires_at, columns, written, replaced_at, causes}

After a crash, or a lost race, no chunk refers to it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from bson import ObjectId

from pocketquant.domain.bars import Bars
from pocketquant.domain.dates import moment_of
from pocketquant.domain.errors import NoLongerKept
from pocketquant.domain.intervals import DAY
from pocketquant.domain.revisions import (
    ALWAYS,
    Cause,
    Change,
    Replaced,
    Rewritten,
    Versions,
    changes,
    follow,
    rewrite,
)
from pocketquant.domain.symbols import Series
from pocketquant.servers.connections import Mongo
from pocketquant.storage import chunks

MOST_VALUES = 2 * chunks.CHUNK_PERIODS

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


class Older(NamedTuple):
    """A document of older values, and the last moment of their replacement."""

    id: ObjectId
    until: datetime


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """The replaced values that a chunk has itself, and the documents of those before them."""

    values: Replaced
    older: tuple[Older, ...] = ()

    @classmethod
    def of(cls, chunk: Mapping[str, Any]) -> "Kept":
        fields = chunk.get("replaced", {})
        older = (Older(each["id"], each["until"]) for each in fields.get("older", ()))
        return cls(chunks.decode_replaced(fields), tuple(older))

    @property
    def latest(self) -> int:
        """Return the moment of the last replacement."""
        return int(self.values.replaced_at.max(initial=ALWAYS))


NOTHING_KEPT = Kept.of({})


@dataclass(frozen=True, slots=True, eq=False)
class Keeping:
    """The fields that a write adds to its chunk, and the document to insert before it, if any."""

    kept: Kept
    fields: Document
    moved: Document | None


class Revisions:
    """The replaced values of all series, for so many days; the driver's errors pass through."""

    def __init__(self, mongo: Mongo, days: int, clock: Callable[[], float]) -> None:
        self._older = mongo["ohlcv_revisions"]
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

    def rewritten(self, stored: Versions, kept: Kept, merged: Bars) -> Rewritten:
        """Return the changes of a write of a chunk, as of now."""
        return rewrite(stored, merged, max(self._now(), kept.latest + 1), self.kept_from)

    def keeping(self, chunk_id: str, kept: Kept, rewritten: Rewritten, cause: Cause) -> Keeping:
        """Return how a write keeps the values that it replaces, of which there is at least one."""
        moment, kept_from = rewritten.moment, self.kept_from
        known, new, moved = kept.values.since(kept_from), rewritten.replaced, None
        older = [each for each in kept.older if each.until >= moment_of(kept_from)]
        if len(known) and len(known) + len(new.written) > MOST_VALUES:
            older.append(Older(ObjectId(), moment_of(kept.latest)))
            moved = {
                "_id": f"{chunk_id}|{older[-1].id}",
                "expires_at": older[-1].until + timedelta(days=self._days),
                **chunks.encode_replaced(known),
            }
            known = NOTHING_KEPT.values
        values = known.plus(new, moment, cause)
        fields = {
            "replaced": chunks.encode_replaced(values)
            | {"older": [each._asdict() for each in older]},
            "revised_at": moment_of(moment),
            "oldest_value_at": moment_of(int(rewritten.versions.written.min())),
        }
        return Keeping(Kept(values, tuple(older)), fields, moved)

    def insert(self, moved: Sequence[Document]) -> None:
        """Store the values that are too many for their chunks; call it before these are written."""
        if moved:
            self._older.insert_many(moved, ordered=False)

    def replaced_after(self, moment: int, found: Sequence[Document]) -> list[Replaced]:
        """Return, for each of these chunks, at least the values replaced after the moment."""
        all_fields, at = [each["replaced"] for each in found], moment_of(moment)
        all_values = [chunks.decode_replaced(each) for each in all_fields]
        ids = [
            [f"{each['_id']}|{one['id']}" for one in fields["older"] if one["until"] > at]
            for each, fields in zip(found, all_fields, strict=True)
        ]
        wanted = list(chain.from_iterable(ids))
        if not wanted:
            return all_values
        documents = self._older.find({"_id": {"$in": wanted}})
        older = {each["_id"]: chunks.decode_replaced(each) for each in documents}
        return [
            follow([*(older[each] for each in of_chunk if each in older), values])
            for of_chunk, values in zip(ids, all_values, strict=True)
        ]

    def page(self, series: Series, offset: int, limit: int) -> tuple[list[Revision], int]:
        """Return revisions from `offset` on, the newest first, and the number of all."""
        moments = sorted(self._moments(series), reverse=True)
        page = moments[offset : offset + limit]
        found = list(self._chunks.find({"_id": {"$in": list({each for _, each in page})}}))
        read = {
            (moment, document["_id"]): revision
            for document, replaced in zip(found, self._all_of(found), strict=True)
            for moment, revision in _revisions(
                chunks.decode(document["columns"]),
                replaced,
                [moment for moment, chunk_id in page if chunk_id == document["_id"]],
            )
        }
        return [read[each] for each in page if each in read], len(moments)

    def revised(self, series: Series, start: int, end: int, moment: int) -> Revised:
        """Return how often bars from `start` to before `end` changed until the moment."""
        found = self._revised({"_id": chunks.id_range(series, start, end)}, {"replaced": True})
        moments: list[int] = []
        for each in self._all_of(found):
            times = each.columns[0]
            is_wanted = (times >= start) & (times < end) & (each.replaced_at <= moment)
            moments += np.unique(each.replaced_at[is_wanted]).tolist()
        return Revised(len(moments), moment_of(max(moments)) if moments else None)

    def delete(self, series: Series) -> None:
        """Remove the older values of the series, which its chunks do not have themselves."""
        self._older.delete_many({"_id": chunks.id_range(series)})

    def delete_later_generations(self, series: Series) -> None:
        """Remove the older values of all generations of the series but the first."""
        self._older.delete_many({"_id": chunks.later_generations(series)})

    def _moments(self, series: Series) -> list[tuple[int, str]]:
        """Return the moment and the chunk of each change of the series."""
        ranges = (chunks.id_range(series), chunks.later_generations(series))
        of_series = {"$or": [{"_id": each} for each in ranges]}
        fields = {f"replaced.{name}": True for name in ("replaced_at", "older")}
        found = self._revised(of_series, fields)
        return [
            (int(moment), document["_id"])
            for document, replaced in zip(found, self._all_of(found), strict=True)
            for moment in replaced.moments
        ]

    def _revised(self, wanted: Document, fields: Document) -> list[Document]:
        """Return these fields of those chunks that have values which are still kept."""
        revised = {"revised_at": {"$gte": moment_of(self.kept_from)}}
        return list(self._chunks.find(wanted | revised, fields))

    def _all_of(self, found: Sequence[Document]) -> list[Replaced]:
        """Return all values of each of these chunks that are still kept."""
        kept_from = self.kept_from
        return [each.since(kept_from) for each in self.replaced_after(kept_from - 1, found)]

    def _now(self) -> int:
        return int(1000 * self._clock())


def _revisions(
    bars: Bars, replaced: Replaced, moments: Sequence[int]
) -> Iterator[tuple[int, Revision]]:
    """Yield each of these changes of a chunk that has the bars now."""
    for moment, change in zip(moments, changes(bars, replaced, moments), strict=True):
        before, largest, cause = change
        first, last = int(before.time[0]), int(before.time[-1])
        yield moment, Revision(moment_of(moment), len(before), first, last, largest, cause)
