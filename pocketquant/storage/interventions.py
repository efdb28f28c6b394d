"""`Interventions`: cancels, pauses and resumes jobs, and retries failed units, for users."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from pocketquant.domain.batches import batched
from pocketquant.domain.errors import Cancelled, Conflict, NotFound
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import UnitState
from pocketquant.servers.connections import Mongo
from pocketquant.storage.bulk_writes import duplicate_key_failures
from pocketquant.storage.jobs import JobStore
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.storage.units import OPEN, Document, Unit, ending, joining, read_unit

_BATCH = 1000
_MOST_ROUNDS = 100

_NO_TRIES = {"tries": 0, "troubles": 0, "lost": 0}  # a retry by hand resets these counts


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The results for the units that were open when the job was cancelled."""

    cancelled: int
    stopping: list[Series]  # running: they stop, or complete if they finish first
    kept: list[Series]  # other jobs want them too


@dataclass(frozen=True, slots=True)
class Retried:
    """Dead letters that were queued again, and those whose jobs joined an open unit."""

    queued: list[Unit]
    joined: list[Unit]


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """A filter for failed units: by job, by error code, by ids; all that are given must match."""

    job_id: str | None = None
    code: str | None = None
    unit_ids: tuple[str, ...] = ()

    def filter(self) -> Document:
        wanted: Document = {"state": UnitState.FAILED, "jobs.0": {"$exists": True}}
        if self.job_id is not None:
            wanted["jobs"] = self.job_id
        if self.code is not None:
            wanted["error.code"] = self.code
        if self.unit_ids:
            wanted["_id"] = {"$in": list(self.unit_ids)}
        return wanted


class Interventions:
    """Changes of jobs by users; the driver's errors pass through."""

    def __init__(self, mongo: Mongo, jobs: JobStore, statuses: SyncStatuses) -> None:
        self._job_store = jobs
        self._statuses = statuses
        self._jobs = mongo["jobs"]
        self._units = mongo["units"]

    def cancel(self, job_id: str) -> Cancellation:
        """Cancel waiting units of the job and stop running ones; then close the job.

        NotFound if there is no such job, Conflict if it has ended. After a crash, repeating the
        call completes it.
        """
        marked = self._jobs.update_one({"_id": job_id, "open": True}, {"$set": {"cancelled": True}})
        if not marked.matched_count:
            self._require_cancelled(job_id)
        return self._cancel_units(job_id)

    def pause(self, job_id: str) -> None:
        """Pause the units that only this job wants; a running one is paused when it is put back.

        NotFound if there is no such job, Conflict if it has ended. After a crash, repeating the
        call completes it.
        """
        self._require_open(job_id)
        self._jobs.update_one({"_id": job_id, "open": True}, {"$set": {"paused": True}})
        self._pause_units(job_id)

    def pause_planned(self, job_id: str) -> None:
        """Pause the units that were planned after their job was paused."""
        if self._jobs.find_one({"_id": job_id, "open": True, "paused": True}, {"_id": True}):
            self._pause_units(job_id)

    def resume(self, job_id: str) -> None:
        """Set the paused units aside, to be published as there is room for them.

        NotFound if there is no such job, Conflict if it has ended. The job is resumed last: after a
        crash, repeating the call completes it.
        """
        self._require_open(job_id)
        pausing = {"jobs": job_id, "state": UnitState.RUNNING, "pausing": True}
        self._units.update_many(pausing, {"$unset": {"pausing": ""}})
        self._units.update_many(
            {"jobs": job_id, "state": UnitState.PAUSED},
            {
                "$set": {"state": UnitState.QUEUED, "aside": True},
                "$unset": {"not_before": ""},
                "$currentDate": {"dispatched_at": True},
            },
        )
        self._jobs.update_one({"_id": job_id}, {"$unset": {"paused": ""}})

    def half_cancelled(self, older_than: datetime, limit: int) -> list[str]:
        """Return cancelled jobs that are still open."""
        wanted = {"open": True, "cancelled": True, "created_at": {"$lt": older_than}}
        return [each["_id"] for each in self._jobs.find(wanted, {"_id": True}).limit(limit)]

    def close(self, job_id: str) -> bool:
        """Close the job unless a unit is open; its series then are not marked open either."""
        if self._job_store.has_open_unit(job_id):
            return False
        self._settle(job_id)
        return self._job_store.close_one(job_id)

    def retry(self, wanted: DeadLetterFilter) -> Iterator[Retried]:
        """Queue failed units again, in batches, with all attempts, and reopen their jobs.

        If the series has another open unit, the jobs of the failed unit join that one. A unit that
        only cancelled jobs want stays a dead letter.
        """
        found = map(read_unit, self._units.find(wanted.filter()).sort("_id"))
        yield from map(self._retry, batched(found, _BATCH))

    def _require_cancelled(self, job_id: str) -> None:
        found = self._jobs.find_one({"_id": job_id}, {"cancelled": True})
        if found is None:
            raise NotFound(f"there is no job {job_id[:40]!r}")
        if not found.get("cancelled"):
            raise Conflict(f"job {job_id} has ended already")

    def _require_open(self, job_id: str) -> None:
        if self._jobs.find_one({"_id": job_id, "open": True, "cancelled": None}, {"_id": True}):
            return
        self._require_cancelled(job_id)
        raise Conflict(f"job {job_id} was cancelled")

    def _pause_units(self, job_id: str) -> None:
        """Repeat the updates until none is left, as units change state meanwhile."""
        queued = {"jobs": [job_id], "state": UnitState.QUEUED}
        running = {"jobs": [job_id], "state": UnitState.RUNNING, "pausing": None}
        paused = {
            "$set": {"state": UnitState.PAUSED},
            "$unset": {"active": "", "aside": "", "not_before": ""},
        }
        for _ in range(_MOST_ROUNDS):
            self._units.update_many(queued, paused)
            self._units.update_many(running, {"$set": {"pausing": True}})
            if self._units.find_one({"$or": [queued, running]}, {"_id": True}) is None:
                break

    def _cancel_units(self, job_id: str) -> Cancellation:
        """End the units that only this job wants, take the job out of the others, and close it.

        Each update decides by the jobs of the unit at that moment. Units change state meanwhile, so
        the updates are repeated until no unit is left.
        """
        of_job = {"jobs": job_id, "state": {"$in": OPEN}}
        shared = {**of_job, "jobs.1": {"$exists": True}}
        waiting = {"jobs": [job_id], "state": {"$in": [UnitState.QUEUED, UnitState.PAUSED]}}
        running = {"jobs": [job_id], "active": True, "state": UnitState.RUNNING}
        error = Cancelled("its job was cancelled")
        kept: set[Series] = set()
        cancelled = 0
        for _ in range(_MOST_ROUNDS):
            kept.update(self._series(shared))
            self._units.update_many(shared, {"$pull": {"jobs": job_id}})
            ended = self._units.update_many(waiting, ending(UnitState.CANCELLED, error, 0))
            cancelled += ended.modified_count
            self._units.update_many(running, {"$set": {"stop": True}})
            left = {**of_job, "$or": [shared, waiting, {"stop": None}]}
            if self._units.find_one(left, {"_id": True}) is None:
                break
        stopping = list(self._series(running))
        self._settle(job_id)
        self._job_store.mark_settled(job_id)
        self._job_store.close_one(job_id)
        return Cancellation(cancelled, stopping, sorted(kept, key=str))

    def _settle(self, job_id: str) -> None:
        """Settle the statuses of the ended units; a crash before that leaves the job open."""
        ended = self._series({"jobs": job_id, "active": None})
        for batch in batched(ended, _BATCH):
            self._statuses.settle(batch)

    def _series(self, wanted: Document) -> Iterator[Series]:
        for each in self._units.find(wanted, {"series": True}):
            yield Series.parse(each["series"])

    def _retry(self, batch: list[Unit]) -> Retried:
        """Reopen the jobs before queueing their units, and again in case they closed meanwhile."""
        cancelled = self._job_store.cancelled_among(_jobs_of(batch))
        live = [unit for unit in batch if not cancelled.issuperset(unit.jobs)]
        self._job_store.reopen(_jobs_of(live))
        retried = self._requeue(live, cancelled)
        self._job_store.reopen(_jobs_of(retried.queued))
        for unit in retried.joined:
            self._give_way(unit)
        for job_id in self._job_store.cancelled_among(_jobs_of(live)) - cancelled:
            self._cancel_units(job_id)  # cancelled since the first query
        queued = [unit.request.series for unit in retried.queued]
        self._statuses.mark_retried(queued)
        self._statuses.settle(queued)  # their units may have ended meanwhile
        return retried

    def _requeue(self, batch: list[Unit], cancelled: set[str]) -> Retried:
        """Queue units whose series has no open unit; let the jobs of the others join that unit."""
        retried, left = Retried([], []), batch
        for _ in range(_MOST_ROUNDS):
            blocked = self._queue(left, cancelled)
            blocked_ids = {unit.id for unit in blocked}
            retried.queued.extend(unit for unit in left if unit.id not in blocked_ids)
            left = []
            for unit in blocked:
                has_joined = self._join_active(unit, cancelled)
                (retried.joined if has_joined else left).append(unit)
            if not left:  # a unit is left if the other unit of its series ended meanwhile: queue it
                break
        return retried

    def _queue(self, batch: list[Unit], cancelled: set[str]) -> list[Unit]:
        """Queue these units again; return those whose series has another open unit."""
        again: Document = {
            "$set": {"state": UnitState.QUEUED, "active": True} | _NO_TRIES,
            "$unset": {"finished_at": "", "not_before": ""},
            "$currentDate": {"dispatched_at": True},
            "$pullAll": {"jobs": list(cancelled)},
        }
        failed = [{"_id": unit.id, "state": UnitState.FAILED} for unit in batch]
        try:
            if failed:
                self._units.bulk_write([UpdateOne(one, again) for one in failed], ordered=False)
        except BulkWriteError as error:
            return [batch[index] for index in duplicate_key_failures(error)]
        return []

    def _join_active(self, failed: Unit, cancelled: set[str]) -> bool:
        """Let the failed unit's jobs join the open unit of its series; False if there is none."""
        jobs = [each for each in failed.jobs if each not in cancelled]
        active = {"series": str(failed.request.series), "active": True}
        update = joining(jobs, failed.request, failed.queue)
        return self._units.update_one(active, update).matched_count > 0

    def _give_way(self, failed: Unit) -> None:
        """Take the failed unit out of its jobs, which have another unit of its series now.

        After a crash before this, the jobs have both units until they are closed.
        """
        for job_id in failed.jobs:
            self._job_store.leave(failed.id, job_id)
            self._job_store.close_one(job_id)


def _jobs_of(units: Iterable[Unit]) -> set[str]:
    return {job for unit in units for job in unit.jobs}
