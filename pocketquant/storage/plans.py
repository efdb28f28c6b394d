"""`Plans`: from what a job asked for to its units, in batches, by one planner at a time.

A unit's id is fixed by its job and its place in it, so planning twice makes no second unit. A
planner that dies leaves a lease that runs out; the next one begins again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from pymongo import InsertOne, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from pocketquant.connections import Mongo, server_now
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import SyncRequest, UnitState
from pocketquant.storage.races import lost_races
from pocketquant.storage.units import Document, Unit, new_unit_fields, read_unit

_LEASE_MILLISECONDS = 30_000
_HELD = [{"$set": {"planning_until": {"$add": ["$$NOW", _LEASE_MILLISECONDS]}}}]
_FREE = {"$expr": {"$lte": ["$planning_until", "$$NOW"]}}  # so is a job without the field


@dataclass(frozen=True, slots=True)
class Want:
    """One request of a job, and the id of the unit that it makes unless it joins one."""

    unit_id: str
    request: SyncRequest


@dataclass(frozen=True, slots=True)
class Plan:
    """A job that is being planned."""

    job_id: str
    queue: str
    created_at: datetime
    groups: list[Document]

    def wants(self) -> Iterator[Want]:
        """What the job asked for, always in the same order."""
        number = 0
        for group in self.groups:
            interval = Interval(group["interval"])
            for symbol in group["symbols"]:
                request = SyncRequest(Series(Symbol.parse(symbol), interval), group["n_bars"])
                yield Want(f"{self.job_id}-{number}", request)
                number += 1


class Plans:
    """The planning of jobs in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._jobs = mongo["jobs"]
        self._units = mongo["units"]
        self._mongo = mongo

    def take(self, job_id: str) -> Plan | None:
        """The plan, for one planner and a lease; None where there is nothing to plan."""
        found = self._jobs.find_one_and_update(
            {
                "_id": job_id,
                "planned": None,
                "cancelled": None,
                **_FREE,
            },
            _HELD,
        )
        return None if found is None else _read(found)

    def keep(self, plan: Plan) -> bool:
        """Renew the lease; False when the job was cancelled."""
        kept = self._jobs.update_one(
            {"_id": plan.job_id, "planned": None, "cancelled": None},
            _HELD,
        )
        return bool(kept.matched_count)

    def leave(self, job_id: str) -> None:
        """Give the lease up, the job having been cancelled."""
        self._jobs.update_one({"_id": job_id}, {"$unset": {"planning_until": ""}})

    def end(self, job_id: str) -> None:
        """Every unit of the job is written; what it asked for is no longer needed."""
        self._jobs.update_one(
            {"_id": job_id},
            {"$set": {"planned": True}, "$unset": {"wants": "", "planning_until": ""}},
        )

    def insert(self, plan: Plan, wants: Sequence[Want]) -> list[Unit]:
        """Make a unit of each want, or join the active one of its series; the new ones.

        A joined unit stays due when it was, but fetches as many bars as the most demanding of its
        jobs.
        """
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
            lost = lost_races(error)
            upserted = {each["index"] for each in error.details["upserted"]}
        again = [self.join(plan, wants[place]) for place in lost]
        others = [unit for unit in again if unit.jobs == (plan.job_id,) and not unit.attempt]
        places = sorted((fresh - set(lost)) | upserted)
        return [*(_new_unit(plan, wants[place]) for place in places), *others]

    def join(self, plan: Plan, want: Want) -> Unit:
        """The active unit of the series, due at once, with this job among its jobs.

        A new one where none is; the ended one where this want was planned before.
        """
        update = _joining(plan, want, {})
        update["$unset"]["not_before"] = ""
        update["$currentDate"] = {"dispatched_at": True}
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


def _joining(plan: Plan, want: Want, first: Document) -> Document:
    return {
        "$addToSet": {"jobs": plan.job_id},
        "$max": {"n_bars": want.request.n_bars},
        "$unset": {"stop": ""},
        "$setOnInsert": _first_fields(plan, want, first),
    }


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


def _read(found: Document) -> Plan:
    return Plan(found["_id"], found["queue"], found["created_at"], found["wants"])
