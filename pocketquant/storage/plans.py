"""`Plans`: from what a job asked for to its units, in batches, by one planner at a time.

What a job asked for lies in pieces of a thousand: the first in the job's own document, the others
in `job_wants`, `{_id: "JOB|7", first: 7000, groups, created_at}`, until all is planned.

A unit's id is fixed by its job and its place in it, so planning twice makes no second unit. A
planner that dies leaves a lease that runs out; the next one begins with the piece that the other
had not ended.
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
from pocketquant.domain.syncs import SyncRequest, UnitState
from pocketquant.servers.connections import Mongo, server_now
from pocketquant.storage.bulk_writes import duplicate_key_failures
from pocketquant.storage.units import Document, Unit, joining, new_unit_fields, read_unit

PIECE = 1000

_LEASE_MILLISECONDS = 30_000
_FREE = {"$expr": {"$lte": ["$planning_until", "$$NOW"]}}  # so is a job without the field


@dataclass(frozen=True, slots=True)
class Want:
    """One request of a job, and the id of the unit that it makes unless it joins one."""

    unit_id: str
    request: SyncRequest


@dataclass(frozen=True, slots=True)
class Plan:
    """A job that is being planned.

    `done` of its `pieces` are planned and published. `is_resumed` where an earlier planner may
    have written units of the next ones.
    """

    job_id: str
    queue: str
    created_at: datetime
    groups: list[Document]
    pieces: int
    done: int
    planner: ObjectId
    is_resumed: bool

    def wants(self) -> Iterator[Want]:
        """The first piece of what the job asked for, always in the same order."""
        return _wants(self.job_id, self.groups, 0)


class Plans:
    """The planning of jobs in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._jobs = mongo["jobs"]
        self._pieces = mongo["job_wants"]
        self._units = mongo["units"]
        self._mongo = mongo

    def take(self, job_id: str) -> Plan | None:
        """The plan, for one planner and a lease; None where there is nothing to plan."""
        planner = ObjectId()
        found = self._jobs.find_one_and_update(
            {"_id": job_id, "planned": None, "cancelled": None, **_FREE},
            _held_by(planner),
        )
        return None if found is None else _read(found, planner)

    def pieces(self, plan: Plan) -> Iterator[list[Want]]:
        """What is left to plan, a piece at a time; ends early where another planner ended it."""
        for number in range(plan.done, plan.pieces):
            if number == 0:
                yield list(plan.wants())
                continue
            piece = self._pieces.find_one({"_id": piece_id(plan.job_id, number)})
            if piece is None:
                return
            yield list(_wants(plan.job_id, piece["groups"], piece["first"]))

    def keep(self, plan: Plan, done: int | None = None) -> bool:
        """Renew the lease, and note how many pieces are done; False where it is lost.

        It is lost when the job was cancelled, or another planner has taken the plan.
        """
        noted = {} if done is None else {"planned_pieces": done}
        kept = self._jobs.update_one(
            _mine(plan.job_id, plan.planner), _held_by(plan.planner, **noted)
        )
        return kept.matched_count > 0

    def leave(self, plan: Plan) -> None:
        """Give the lease up, the job having been cancelled."""
        mine = {"_id": plan.job_id, "planner": plan.planner}
        self._jobs.update_one(mine, {"$unset": {"planning_until": ""}})

    def end(self, job_id: str, planner: ObjectId | None = None) -> bool:
        """Every unit of the job is written; what it asked for is no longer needed.

        False where the planner, if one is given, has lost the plan.
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
        """Have a planned job of one sync planned once more; it has lost its unit."""
        ended = {"planned": "", "finished_at": "", "counts": ""}
        self._jobs.update_one(
            {"_id": job_id, "planned": True, "cancelled": None},
            {
                "$set": {"open": True, "wants": grouped([request])},
                "$inc": {"reopened": 1},
                "$unset": ended,
            },
        )

    def insert(self, plan: Plan, wants: Sequence[Want]) -> list[Unit]:
        """Make a unit of each want, or join the active one of its series; the new ones.

        A joined unit stays due when it was, but fetches as many bars as the most demanding of its
        jobs, and waits in the most urgent of their queues.
        """
        if plan.is_resumed:
            known = self._known(plan, wants)
            wants = [want for want in wants if str(want.request.series) not in known]
        if not wants:
            return []
        first = {"dispatched_at": server_now(self._mongo)}
        active = self._active_among(wants)
        keys = [str(want.request.series) for want in wants]
        fresh = {place for place, key in enumerate(keys) if key not in active}
        writes = [
            InsertOne(_fresh(plan, want, first))
            if place in fresh  # many at once cost the server half of what as many upserts do
            else UpdateOne(_active(want), _joining(plan, want, first), upsert=True)
            for place, want in enumerate(wants)
        ]
        lost: list[int] = []
        try:
            upserted = set(self._units.bulk_write(writes, ordered=False).upserted_ids or {})
        except BulkWriteError as error:  # planned before, or another job was faster
            lost = duplicate_key_failures(error)
            upserted = {each["index"] for each in error.details["upserted"]}
        again = [self.join(plan, wants[place]) for place in lost]
        others = [unit for unit in again if unit.jobs == (plan.job_id,) and not unit.attempt]
        places = sorted((fresh - set(lost)) | upserted)
        return [*(_new_unit(plan, wants[place]) for place in places), *others]

    def join(self, plan: Plan, want: Want) -> Unit:
        """The active unit of the series, due at once, with this job among its jobs.

        A new one where none is; the ended one where this want was planned before.
        """
        due: list[Document] = [
            {"$set": {"dispatched_at": "$$NOW"}},
            {"$unset": ["not_before"]},
        ]
        update = [*_joining(plan, want, {}), *due]
        while True:
            try:
                joined = self._units.find_one_and_update(
                    _active(want), update, upsert=True, return_document=ReturnDocument.AFTER
                )
                return read_unit(cast(Document, joined))
            except DuplicateKeyError:  # planned before; or the active unit changed under us: again
                planned = self._units.find_one({"_id": want.unit_id})
                if planned is not None:
                    return read_unit(planned)

    def unplanned(self, older_than: datetime, limit: int) -> list[str]:
        """Jobs that nobody plans though they were written down before."""
        wanted = {
            "open": True,
            "planned": None,
            "cancelled": None,
            "created_at": {"$lt": older_than},
            **_FREE,
        }
        return [each["_id"] for each in self._jobs.find(wanted, {"_id": True}).limit(limit)]

    def _known(self, plan: Plan, wants: Sequence[Want]) -> set[str]:
        """Which of these series have a unit of the job, ended or not."""
        keys = [str(want.request.series) for want in wants]
        theirs = {"jobs": plan.job_id, "series": {"$in": keys}}
        return {each["series"] for each in self._units.find(theirs, {"series": True})}

    def _active_among(self, wants: Sequence[Want]) -> set[str]:
        """Which of these series have an active unit."""
        keys = [str(want.request.series) for want in wants]
        found = self._units.find({"series": {"$in": keys}, "active": True}, {"series": True})
        return {each["series"] for each in found}


def _active(want: Want) -> Document:
    return {"series": str(want.request.series), "active": True}


def _fresh(plan: Plan, want: Want, first: Document) -> Document:
    """What `_joining` makes where there is nothing to join."""
    made = {"jobs": [plan.job_id], "n_bars": want.request.n_bars}
    return {**_active(want), **made, **_first_fields(plan, want, first)}


def _joining(plan: Plan, want: Want, first: Document) -> list[Document]:
    """The update that makes the job join the unit; the upsert's first fields, where it is new."""
    fields = _first_fields(plan, want, first)
    unset = {name: {"$ifNull": [f"${name}", value]} for name, value in fields.items()}
    return [{"$set": unset}, *joining([plan.job_id], want.request.n_bars, plan.queue)]


def _first_fields(plan: Plan, want: Want, first: Document) -> Document:
    return {**new_unit_fields(want.unit_id, plan.queue), "created_at": plan.created_at, **first}


def _new_unit(plan: Plan, want: Want) -> Unit:
    return Unit(
        id=want.unit_id,
        request=want.request,
        queue=plan.queue,
        state=UnitState.QUEUED,
        jobs=(plan.job_id,),
        created_at=plan.created_at,
    )


def piece_id(job_id: str, number: int) -> str:
    """The id of a piece of what the job asked for; its first piece is in the job's document."""
    return f"{job_id}|{number}"


def forget_pieces(pieces: Collection[Document], job_id: str) -> None:
    """Remove what the job asked for: "}" follows "|" in the order of ids."""
    pieces.delete_many({"_id": {"$gt": f"{job_id}|", "$lt": f"{job_id}}}"}})


def grouped(requests: Iterable[SyncRequest]) -> list[Document]:
    """The requests with what they share written once; a series asked for twice is one."""
    groups: dict[tuple[str, int], dict[str, None]] = {}
    for request in requests:
        group = groups.setdefault((request.series.interval.value, request.n_bars), {})
        group[str(request.series.symbol)] = None
    return [
        {"interval": interval, "n_bars": n_bars, "symbols": list(symbols)}
        for (interval, n_bars), symbols in groups.items()
    ]


def _wants(job_id: str, groups: list[Document], first: int) -> Iterator[Want]:
    number = first
    for group in groups:
        interval = Interval(group["interval"])
        for symbol in group["symbols"]:
            request = SyncRequest(Series(Symbol.parse(symbol), interval), group["n_bars"])
            yield Want(f"{job_id}-{number}", request)
            number += 1


def _held_by(planner: ObjectId, **noted: int) -> list[Document]:
    lease = {"$add": ["$$NOW", _LEASE_MILLISECONDS]}
    return [{"$set": {"planner": planner, "planning_until": lease, **noted}}]


def _mine(job_id: str, planner: ObjectId) -> Document:
    return {"_id": job_id, "planned": None, "cancelled": None, "planner": planner}


def _read(found: Document, planner: ObjectId) -> Plan:
    return Plan(
        job_id=found["_id"],
        queue=found["queue"],
        created_at=found["created_at"],
        groups=found["wants"],
        pieces=found.get("pieces", 1),
        done=found.get("planned_pieces", 0),
        planner=planner,
        is_resumed="planner" in found,
    )
