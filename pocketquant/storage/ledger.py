"""The ledger: which syncs were asked for, who does them, how they ended.

A job is what was asked for; its units are the syncs it needs, one series each. The message
broker only hints that a unit is due; what must be done stands here:

    submit ─► queued ─► claim ─► running ─► finish ─► completed
                 ▲                  ├─► defer ─► queued again, not before a time
                 │                  ├─► fail  ─► failed, with code and message
                 └── lease over ◄───┘

Every write of a running unit holds only for the attempt that claimed it, so a worker that lost
its unit cannot end it. Leases and due times are judged by the server's clock alone.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import cast

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from pocketquant.connections import Mongo
from pocketquant.domain.errors import AttemptsExhausted, LeaseLost, PocketQuantError
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncReport, SyncRequest, UnitState
from pocketquant.storage.units import (
    Document,
    Job,
    Unit,
    error_document,
    read_unit,
    report_document,
)

_DUE = {
    "$or": [
        {
            "state": UnitState.QUEUED,
            "$expr": {"$lte": [{"$ifNull": ["$not_before", "$$NOW"]}, "$$NOW"]},
        },
        {"state": UnitState.RUNNING, "$expr": {"$lte": ["$lease_until", "$$NOW"]}},
    ]
}


class Ledger:
    """Jobs and units in MongoDB."""

    def __init__(self, mongo: Mongo, lease_seconds: float, max_attempts: int) -> None:
        self._jobs = mongo["jobs"]
        self._units = mongo["units"]
        self._admin: Mongo = mongo.client.admin
        self._lease = {"$add": ["$$NOW", int(lease_seconds * 1000)]}
        self._max_attempts = max_attempts

    def submit(
        self, kind: str, requests: Iterable[SyncRequest], queue: str, now: datetime
    ) -> tuple[str, list[Unit]]:
        """Write down a job and its units; both survive any crash once this returns.

        A series already under way is joined: its one active unit serves this job too, is due at
        once, and fetches as many bars as the most demanding of its jobs.
        """
        wanted = list(requests)
        job_id = str(ObjectId())
        self._jobs.insert_one(
            {
                "_id": job_id,
                "kind": kind,
                "queue": queue,
                "open": True,
                "created_at": now,
                "requests": [[str(one.series), one.n_bars] for one in wanted],
            }
        )
        return job_id, self._plan(job_id, wanted, queue)

    def claim(self, unit_id: str) -> Unit | None:
        """Take the unit for one attempt and a lease; None when it is not there to be taken."""
        claimed = self._units.find_one_and_update(
            {"_id": unit_id, "attempt": {"$lt": self._max_attempts}, **_DUE},
            [
                {
                    "$set": {
                        "state": UnitState.RUNNING,
                        "attempt": {"$add": ["$attempt", 1]},
                        "lease_until": self._lease,
                    }
                },
                {"$unset": ["not_before"]},
            ],
            return_document=ReturnDocument.AFTER,
        )
        return None if claimed is None else read_unit(claimed)

    def extend(self, unit: Unit) -> None:
        """Renew the lease; LeaseLost when another worker has the unit."""
        kept = self._units.update_one(_held(unit), [{"$set": {"lease_until": self._lease}}])
        if not kept.matched_count:
            raise _taken_over(unit)

    def finish(self, unit: Unit, report: SyncReport) -> Unit | None:
        """End the unit, and each of its jobs that has no other open unit.

        None when it has ended. Where a joined request has meanwhile asked for more bars, the unit
        goes on: it is returned with its new request, still held.
        """
        ended = self._units.find_one_and_update(
            {**_held(unit), "n_bars": unit.request.n_bars},
            {
                "$set": {
                    "state": UnitState.COMPLETED,
                    "ended_attempt": unit.attempt,
                    "report": report_document(report),
                },
                "$unset": {"active": "", "lease_until": "", "error": ""},
                "$currentDate": {"finished_at": True},
            },
        )
        if ended is None:
            self.extend(unit)
            return self.get_unit(unit.id)
        self._close_jobs(ended["jobs"])
        return None

    def is_last_attempt(self, unit: Unit) -> bool:
        """Whether the unit has to fail when this attempt does."""
        return unit.attempt >= self._max_attempts

    def defer(self, unit: Unit, error: PocketQuantError, delay_seconds: float) -> None:
        """Put the unit back, to be due after the delay."""
        put_back = self._units.update_one(
            _held(unit),
            [
                {
                    "$set": {
                        "state": UnitState.QUEUED,
                        "not_before": {"$add": ["$$NOW", int(delay_seconds * 1000)]},
                        "ended_attempt": unit.attempt,
                        "error": {"$literal": error_document(error)},
                    }
                },
                {"$unset": ["lease_until"]},
            ],
        )
        if not put_back.matched_count:
            raise _taken_over(unit)

    def fail(self, unit: Unit, error: PocketQuantError) -> None:
        """Give the unit up: a dead letter with code and message."""
        failed = self._units.find_one_and_update(_held(unit), _failure(error, unit.attempt))
        if failed is None:
            raise _taken_over(unit)
        self._close_jobs(failed["jobs"])

    def get_unit(self, unit_id: str) -> Unit | None:
        found = self._units.find_one({"_id": unit_id})
        return None if found is None else read_unit(found)

    def get_job(self, job_id: str) -> Job | None:
        """The job with its counts; a job whose units have all ended is completed, closed or not."""
        found = self._jobs.find_one({"_id": job_id}, {"requests": False})
        if found is None:
            return None
        by_state = {
            "_id": "$state",
            "count": {"$sum": 1},
            "attempt": {"$max": "$attempt"},
        }
        groups = list(self._units.aggregate([{"$match": {"jobs": job_id}}, {"$group": by_state}]))
        counts = dict.fromkeys(UnitState, 0)
        counts.update({UnitState(group["_id"]): group["count"] for group in groups})
        return Job(
            id=job_id,
            kind=found["kind"],
            counts=counts,
            has_begun=any(group["attempt"] for group in groups),
            created_at=found["created_at"],
            finished_at=found.get("finished_at"),
        )

    def due_units(self, queued_silence: float, lost_silence: float, limit: int) -> list[Unit]:
        """Units to publish (again), the longest silent first, marked as dispatched now.

        They are queued and due, or running with their lease over, and nobody has published them
        for `queued_silence` or `lost_silence` seconds.
        """
        now = self._server_now()
        queued_before = now - timedelta(seconds=queued_silence)
        lost_before = now - timedelta(seconds=lost_silence)
        due = self._units.find(
            {
                "active": True,
                "attempt": {"$lt": self._max_attempts},
                "$or": [
                    {
                        "state": UnitState.QUEUED,
                        "dispatched_at": {"$lte": queued_before},
                        "not_before": None,
                    },
                    {
                        "state": UnitState.QUEUED,
                        "dispatched_at": {"$lte": lost_before},
                        "not_before": {"$lte": now},
                    },
                    {
                        "state": UnitState.RUNNING,
                        "dispatched_at": {"$lte": lost_before},
                        "lease_until": {"$lte": now},
                    },
                ],
            }
        )
        units = [read_unit(found) for found in due.sort("dispatched_at").limit(limit)]
        self._units.update_many(
            {"_id": {"$in": [unit.id for unit in units]}}, {"$currentDate": {"dispatched_at": True}}
        )
        return units

    def give_up_exhausted(self, limit: int) -> list[Unit]:
        """Fail the units that have no attempt left, as when the last one died with its worker."""
        exhausted = self._units.find(
            {
                "active": True,
                "attempt": {"$gte": self._max_attempts},
                "$or": [
                    {"state": UnitState.QUEUED},
                    {"state": UnitState.RUNNING, "lease_until": {"$lte": self._server_now()}},
                ],
            }
        )
        given_up = [self._give_up(read_unit(found)) for found in exhausted.limit(limit)]
        return [unit for unit in given_up if unit is not None]

    def mend_jobs(self, older_than: datetime, limit: int) -> int:
        """Plan jobs whose submitter died half-way, close those whose last finisher did; how many.

        Only jobs created before `older_than` are looked at: younger ones are still being written.
        """
        open_jobs = self._jobs.find({"open": True, "created_at": {"$lt": older_than}}).limit(limit)
        mended = 0
        for job in open_jobs:
            if not job.get("planned"):
                wanted = [SyncRequest(Series.parse(key), n) for key, n in job["requests"]]
                self._plan(job["_id"], wanted, job["queue"])
                mended += 1
            elif self._close_job(job["_id"]):
                mended += 1
        return mended

    def _plan(self, job_id: str, wanted: list[SyncRequest], queue: str) -> list[Unit]:
        units = [
            self._join_or_insert(f"{job_id}-{number}", job_id, request, queue)
            for number, request in enumerate(wanted)
        ]
        self._jobs.update_one({"_id": job_id}, {"$set": {"planned": True}})
        return units

    def _join_or_insert(self, unit_id: str, job_id: str, request: SyncRequest, queue: str) -> Unit:
        """The series' one active unit, with this job among its jobs; a new one where none is.

        The unit's id is fixed by the job, so planning twice makes no second unit: the insert of
        one that was planned before, and has ended since, meets its own id.
        """
        while True:
            try:
                joined = self._units.find_one_and_update(
                    {"series": str(request.series), "active": True},
                    {
                        "$addToSet": {"jobs": job_id},
                        "$max": {"n_bars": request.n_bars},
                        "$unset": {"not_before": ""},
                        "$currentDate": {"dispatched_at": True},
                        "$setOnInsert": {
                            "_id": unit_id,
                            "queue": queue,
                            "state": UnitState.QUEUED,
                            "attempt": 0,
                            "ended_attempt": 0,
                        },
                    },
                    upsert=True,
                    return_document=ReturnDocument.AFTER,
                )
                return read_unit(cast(Document, joined))
            except DuplicateKeyError:  # planned before; or the active unit changed under us: again
                planned = self.get_unit(unit_id)
                if planned is not None:
                    return planned

    def _give_up(self, unit: Unit) -> Unit | None:
        """The unit as it failed; None where it has moved on meanwhile."""
        error = AttemptsExhausted(f"{unit.attempt} attempts were begun, none came to an end")
        failed = self._units.find_one_and_update(
            {"_id": unit.id, "attempt": unit.attempt, "state": unit.state},
            _failure(error, unit.attempt),
            return_document=ReturnDocument.AFTER,
        )
        if failed is None:
            return None
        self._close_jobs(failed["jobs"])
        return read_unit(failed)

    def _close_jobs(self, job_ids: Iterable[str]) -> None:
        for job_id in job_ids:
            self._close_job(job_id)

    def _close_job(self, job_id: str) -> bool:
        if self._units.find_one({"jobs": job_id, "active": True}, {"_id": True}):
            return False
        closed = self._jobs.update_one(
            {"_id": job_id, "planned": True, "open": True},
            {"$unset": {"open": "", "requests": ""}, "$currentDate": {"finished_at": True}},
        )
        return bool(closed.modified_count)

    def _server_now(self) -> datetime:
        return cast(datetime, self._admin.command("hello")["localTime"])


def _held(unit: Unit) -> Document:
    return {"_id": unit.id, "attempt": unit.attempt, "state": UnitState.RUNNING}


def _taken_over(unit: Unit) -> LeaseLost:
    return LeaseLost(f"unit {unit.id} was taken over from attempt {unit.attempt}")


def _failure(error: PocketQuantError, attempt: int) -> Document:
    return {
        "$set": {
            "state": UnitState.FAILED,
            "ended_attempt": attempt,
            "error": error_document(error),
        },
        "$unset": {"active": "", "lease_until": ""},
        "$currentDate": {"finished_at": True},
    }
