"""`JobPlans`: makes the units of a job from its requests, in batches, one planner at a time.

The requests of a job are stored in pieces of a thousand: the first in the job's document, the
others in `job_wants`, `{_id: "JOB|7", first: 7000, groups, created_at}`, until all are planned.

Units of a backfill are set aside until there is room for them and their series has no active unit.
Other jobs do not wait for it: their units take the place of one that has not begun.

A unit's id consists of the job's id and the request's index, so planning twice makes no second
unit. When a planner dies its lease expires, and the next planner begins with the unfinished piece.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from bson import ObjectId
from pymongo import InsertOne, ReturnDocument, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, DuplicateKeyError

from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import QueueName, SyncRequest, UnitState
from pocketquant.servers.connections import Mongo, server_now
from pocketquant.storage.bulk_writes import duplicate_key_failures
from pocketquant.storage.units import (
    Document,
    Unit,
    joining,
    new_unit_fields,
    read_unit,
    wanted_fields,
    wanted_request,
)

PIECE = 1000

_LEASE_MILLISECONDS = 30_000
_FREE = {"$expr": {"$lte": ["$planning_until", "$$NOW"]}}  # also true without the field


@dataclass(frozen=True, slots=True)
class Want:
    """One request of a job, and the id of its unit unless it joins an open unit."""

    unit_id: str
    request: SyncRequest


@dataclass(frozen=True, slots=True)
class JobPlan:
    """A job that is being planned.

    `done` of its `pieces` are planned and published. If it `is_resumed`, an earlier planner may
    have written units of further pieces.
    """

    job_id: str
    queue: str
    created_at: datetime
    groups: list[Document]
    pieces: int
    done: int
    planner: ObjectId
    is_resumed: bool

    @property
    def is_set_aside(self) -> bool:
        """Whether its units wait for their turn, and are not to be published yet."""
        return self.queue == QueueName.BACKFILL

    def wants(self) -> Iterator[Want]:
        """Yield the first piece of the requests, always in the same order."""
        return _wants(self.job_id, self.groups, 0)


class JobPlans:
    """The planning of jobs in MongoDB; the driver's errors pass through."""

    def __init__(self, mongo: Mongo) -> None:
        self._jobs = mongo["jobs"]
        self._pieces = mongo["job_wants"]
        self._units = mongo["units"]
        self._mongo = mongo

    def take(self, job_id: str) -> JobPlan | None:
        """Take the plan under a lease; None if nothing is to plan or another planner holds it."""
        planner = ObjectId()
        found = self._jobs.find_one_and_update(
            {"_id": job_id, "planned": None, "cancelled": None, **_FREE},
            _held_by(planner),
        )
        return None if found is None else _read(found, planner)

    def pieces(self, plan: JobPlan) -> Iterator[list[Want]]:
        """Yield the pieces left to plan; stop early if another planner has ended the plan."""
        for number in range(plan.done, plan.pieces):
            if number == 0:
                yield list(plan.wants())
                continue
            piece = self._pieces.find_one({"_id": piece_id(plan.job_id, number)})
            if piece is None:
                return
            yield list(_wants(plan.job_id, piece["groups"], piece["first"]))

    def keep(self, plan: JobPlan, done: int | None = None) -> bool:
        """Renew the lease, and store how many pieces are done; False if the lease is lost.

        It is lost if the job was cancelled or another planner has taken the plan.
        """
        fields = {} if done is None else {"planned_pieces": done}
        kept = self._jobs.update_one(
            _mine(plan.job_id, plan.planner), _held_by(plan.planner, **fields)
        )
        return kept.matched_count > 0

    def leave(self, plan: JobPlan) -> None:
        """Release the lease of a cancelled job."""
        mine = {"_id": plan.job_id, "planner": plan.planner}
        self._jobs.update_one(mine, {"$unset": {"planning_until": ""}})

    def end(self, job_id: str, planner: ObjectId | None = None) -> bool:
        """Mark the job as planned, and remove its requests, which are no longer needed.

        Return False if a planner is given that has lost the plan.
        """
        ended = self._jobs.find_one_and_update(
            {"_id": job_id, "planned": None} if planner is None else _mine(job_id, planner),
            {
                "$set": {"planned": True},
                "$unset": {"wants": "", "planning_until": "", "planned_pieces": ""},
            },
            {"pieces": True},
        )
        if ended and ended.get("pieces", 1) > 1:
            forget_pieces(self._pieces, job_id)
        return ended is not None

    def plan_again(self, job_id: str, request: SyncRequest) -> None:
        """Reopen a planned job of one sync, which has lost its unit, to be planned again."""
        ended = {"planned": "", "finished_at": "", "counts": ""}
        self._jobs.update_one(
            {"_id": job_id, "planned": True, "cancelled": None},
            {
                "$set": {"open": True, "wants": grouped([request])},
                "$inc": {"reopened": 1},
                "$unset": ended,
            },
        )

    def insert(self, plan: JobPlan, wants: Sequence[Want]) -> list[Unit]:
        """Make a unit for each want, or join the active unit of its series; return the new units.

        Units of a backfill are set aside, and join none. A joined unit keeps its due time, but
        fetches the largest number of bars that its jobs want, and waits in their most urgent queue.
        """
        if plan.is_resumed:
            known = self._known(plan, wants)
            wants = [want for want in wants if str(want.request.series) not in known]
        if not wants:
            return []
        if plan.is_set_aside:
            return self._insert_aside(plan, wants)
        first = {"dispatched_at": server_now(self._mongo)}
        active = self._active_among(wants)
        keys = [str(want.request.series) for want in wants]
        fresh = {index for index, key in enumerate(keys) if key not in active}
        writes = [
            InsertOne(_fresh(plan, want, first))
            if index in fresh  # inserts cost the server half as much as upserts
            else UpdateOne(_active(want), _joining(plan, want, first), upsert=True)
            for index, want in enumerate(wants)
        ]
        lost: list[int] = []
        try:
            upserted = set(self._units.bulk_write(writes, ordered=False).upserted_ids or {})
        except BulkWriteError as error:  # planned before, or another job inserted a unit
            lost = duplicate_key_failures(error)
            upserted = {each["index"] for each in error.details["upserted"]}
        again = [self.join(plan, wants[index]) for index in lost]
        others = [unit for unit in again if unit.jobs == (plan.job_id,) and not unit.attempt]
        inserted = sorted((fresh - set(lost)) | upserted)
        return [*(_new_unit(plan, wants[index]) for index in inserted), *others]

    def join(self, plan: JobPlan, want: Want) -> Unit:
        """Join the open unit of the series, or make one; it is due at once. Return the unit.

        If this want was planned before and its unit has ended, return that unit.
        """
        due: list[Document] = [
            {"$set": {"dispatched_at": "$$NOW"}},
            {"$unset": ["not_before"]},
        ]
        update = [*_joining(plan, want, {}), *due]
        self._make_way([str(want.request.series)])
        while True:
            try:
                joined = self._units.find_one_and_update(
                    _active(want), update, upsert=True, return_document=ReturnDocument.AFTER
                )
                return read_unit(cast(Document, joined))
            except DuplicateKeyError:  # planned before, or the open unit changed: retry
                planned = self._units.find_one({"_id": want.unit_id})
                if planned is not None:
                    return read_unit(planned)

    def unplanned(self, older_than: datetime, limit: int) -> list[str]:
        """Return unplanned jobs that were made before `older_than` and that no planner holds."""
        wanted = {
            "open": True,
            "planned": None,
            "cancelled": None,
            "created_at": {"$lt": older_than},
            **_FREE,
        }
        return [each["_id"] for each in self._jobs.find(wanted, {"_id": True}).limit(limit)]

    def _known(self, plan: JobPlan, wants: Sequence[Want]) -> set[str]:
        """Return the series among these that have a unit of the job, ended or not."""
        keys = [str(want.request.series) for want in wants]
        theirs = {"jobs": plan.job_id, "series": {"$in": keys}}
        return {each["series"] for each in self._units.find(theirs, {"series": True})}

    def _insert_aside(self, plan: JobPlan, wants: Sequence[Want]) -> list[Unit]:
        """Make a unit for each want that waits for its turn; return the new units."""
        now = server_now(self._mongo)
        made = [_fresh(plan, want, {"dispatched_at": now}) for want in wants]
        for unit in made:
            del unit["active"]
            unit["aside"] = True
        planned: list[int] = []
        try:
            self._units.insert_many(made, ordered=False)
        except BulkWriteError as error:
            planned = duplicate_key_failures(error)
        inserted = sorted(set(range(len(wants))) - set(planned))
        return [_new_unit(plan, wants[index]) for index in inserted]

    def _make_way(self, keys: list[str]) -> None:
        """Set the units of backfills aside that are active, but do not run."""
        yielding = {"state": UnitState.QUEUED, "queue": QueueName.BACKFILL, "active": True}
        self._units.update_many(
            {"series": {"$in": keys}, **yielding},
            {"$set": {"aside": True}, "$unset": {"active": ""}},
        )

    def _active_among(self, wants: Sequence[Want]) -> set[str]:
        """Return the series among these that have an active unit, after backfills made way."""
        keys = [str(want.request.series) for want in wants]
        self._make_way(keys)
        found = self._units.find({"series": {"$in": keys}, "active": True}, {"series": True})
        return {each["series"] for each in found}


def _active(want: Want) -> Document:
    return {"series": str(want.request.series), "active": True}


def _fresh(plan: JobPlan, want: Want, first: Document) -> Document:
    """Return the unit that `_joining` would insert if there is none to join."""
    made = {"jobs": [plan.job_id], **wanted_fields(want.request)}
    return {**_active(want), **made, **_first_fields(plan, want, first)}


def _joining(plan: JobPlan, want: Want, first: Document) -> list[Document]:
    """Return the update that lets the job join the unit, or sets all fields of a new one."""
    fields = _first_fields(plan, want, first)
    unset = {name: {"$ifNull": [f"${name}", value]} for name, value in fields.items()}
    return [{"$set": unset}, *joining([plan.job_id], want.request, plan.queue)]


def _first_fields(plan: JobPlan, want: Want, first: Document) -> Document:
    return {**new_unit_fields(want.unit_id, plan.queue), "created_at": plan.created_at, **first}


def _new_unit(plan: JobPlan, want: Want) -> Unit:
    return Unit(
        id=want.unit_id,
        request=want.request,
        queue=plan.queue,
        state=UnitState.QUEUED,
        jobs=(plan.job_id,),
        created_at=plan.created_at,
    )


def piece_id(job_id: str, number: int) -> str:
    """Return the id of a piece of the requests; piece 0 is in the job's document instead."""
    return f"{job_id}|{number}"


def forget_pieces(pieces: Collection[Document], job_id: str) -> None:
    """Remove the stored pieces of the job: "}" follows "|" in the order of ids."""
    pieces.delete_many({"_id": {"$gt": f"{job_id}|", "$lt": f"{job_id}}}"}})


def grouped(requests: Iterable[SyncRequest]) -> list[Document]:
    """Group the requests by interval and wanted bars; a repeated series is stored once."""
    groups: dict[tuple[object, ...], Document] = {}
    for request in requests:
        fields = {"interval": request.series.interval.value, **wanted_fields(request)}
        group = groups.setdefault(tuple(fields.items()), {**fields, "symbols": {}})
        group["symbols"][str(request.series.symbol)] = None
    return [{**group, "symbols": list(group["symbols"])} for group in groups.values()]


def _wants(job_id: str, groups: list[Document], first: int) -> Iterator[Want]:
    index = first
    for group in groups:
        interval = Interval(group["interval"])
        for symbol in group["symbols"]:
            request = wanted_request(Series(Symbol.parse(symbol), interval), group)
            yield Want(f"{job_id}-{index}", request)
            index += 1


def _held_by(planner: ObjectId, **fields: int) -> list[Document]:
    lease = {"$add": ["$$NOW", _LEASE_MILLISECONDS]}
    return [{"$set": {"planner": planner, "planning_until": lease, **fields}}]


def _mine(job_id: str, planner: ObjectId) -> Document:
    return {"_id": job_id, "planned": None, "cancelled": None, "planner": planner}


def _read(found: Document, planner: ObjectId) -> JobPlan:
    return JobPlan(
        job_id=found["_id"],
        queue=found["queue"],
        created_at=found["created_at"],
        groups=found["wants"],
        pieces=found.get("pieces", 1),
        done=found.get("planned_pieces", 0),
        planner=planner,
        is_resumed="planner" in found,
    )
