"""`Interventions`: what people do to jobs by hand: cancel one, try failed units again."""

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
from pocketquant.storage.jobs import Jobs
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.storage.units import Document, Unit, ending, joining, read_unit

_BATCH = 1000
_MOST_ROUNDS = 100

_ANEW = {"tries": 0, "troubles": 0, "lost": 0}  # what a retry by hand counts from the beginning


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What became of the units that were still open."""

    cancelled: int
    stopping: list[Series]  # running: they end without storing, or completed if they are quicker
    kept: list[Series]  # wanted by other jobs as well


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of dead letters: queued again, or left to a sync of their series under way."""

    queued: list[Unit]
    joined: list[Unit]


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Which failed units are meant: those of a job, with an error code, or named by their ids."""

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
    """Changes of jobs that somebody asked for."""

    def __init__(self, mongo: Mongo, jobs: Jobs, statuses: SyncStatuses) -> None:
        self._jobs_in_order = jobs
        self._statuses = statuses
        self._jobs = mongo["jobs"]
        self._units = mongo["units"]

    def cancel(self, job_id: str) -> Cancellation:
        """Cancel what has not begun, stop what has; NotFound, or Conflict when the job has ended.

        Doing it again finishes what a crash left half done.
        """
        marked = self._jobs.update_one({"_id": job_id, "open": True}, {"$set": {"cancelled": True}})
        if not marked.matched_count:
            self._require_cancelled(job_id)
        return self._cancel_units(job_id)

    def half_cancelled(self, older_than: datetime, limit: int) -> list[str]:
        """Cancelled jobs that are still open."""
        wanted = {"open": True, "cancelled": True, "created_at": {"$lt": older_than}}
        return [each["_id"] for each in self._jobs.find(wanted, {"_id": True}).limit(limit)]

    def close(self, job_id: str) -> bool:
        """Close the job unless a unit is open; none of its series looks under way then."""
        if self._jobs_in_order.has_open_unit(job_id):
            return False
        self._settle(job_id)
        return self._jobs_in_order.close_one(job_id)

    def retry(self, wanted: DeadLetters) -> Iterator[Retried]:
        """Queue failed units again, in batches, with all their attempts; their jobs reopen.

        A unit whose series is under way in another job is left to that one: its jobs join it. A
        unit that only cancelled jobs wanted stays a dead letter.
        """
        found = map(read_unit, self._units.find(wanted.filter()).sort("_id"))
        yield from map(self._retry, batched(found, _BATCH))

    def _require_cancelled(self, job_id: str) -> None:
        found = self._jobs.find_one({"_id": job_id}, {"cancelled": True})
        if found is None:
            raise NotFound(f"there is no job {job_id[:40]!r}")
        if not found.get("cancelled"):
            raise Conflict(f"job {job_id} has ended already")

    def _cancel_units(self, job_id: str) -> Cancellation:
        """End what the job alone wants, leave the rest to the others; then close the job.

        Each unit is judged within its update, by the jobs that want it at that moment. Units move
        while they are looked for, so all is done again until none is left.
        """
        of_job = {"jobs": job_id, "active": True}
        shared = {**of_job, "jobs.1": {"$exists": True}}
        queued = {"jobs": [job_id], "active": True, "state": UnitState.QUEUED}
        running = {"jobs": [job_id], "active": True, "state": UnitState.RUNNING}
        error = Cancelled("its job was cancelled")
        kept: set[Series] = set()
        cancelled = 0
        for _ in range(_MOST_ROUNDS):
            kept.update(self._series(shared))
            self._units.update_many(shared, {"$pull": {"jobs": job_id}})
            ended = self._units.update_many(queued, ending(UnitState.CANCELLED, error, 0))
            cancelled += ended.modified_count
            self._units.update_many(running, {"$set": {"stop": True}})
            left = {**of_job, "$or": [shared, queued, {"stop": None}]}
            if self._units.find_one(left, {"_id": True}) is None:
                break
        stopping = list(self._series(running))
        self._settle(job_id)
        self._jobs_in_order.mark_settled(job_id)
        self._jobs_in_order.close_one(job_id)
        return Cancellation(cancelled, stopping, sorted(kept, key=str))

    def _settle(self, job_id: str) -> None:
        """What ended for this job looks under way no more; a crash before leaves the job open."""
        ended = self._series({"jobs": job_id, "active": None})
        for batch in batched(ended, _BATCH):
            self._statuses.settle(batch)

    def _series(self, wanted: Document) -> Iterator[Series]:
        for each in self._units.find(wanted, {"series": True}):
            yield Series.parse(each["series"])

    def _retry(self, batch: list[Unit]) -> Retried:
        """Reopen the jobs before their units are queued, and again where they closed meanwhile."""
        cancelled = self._jobs_in_order.cancelled_among(_jobs_of(batch))
        live = [unit for unit in batch if not cancelled.issuperset(unit.jobs)]
        self._jobs_in_order.reopen(_jobs_of(live))
        retried = self._requeue(live, cancelled)
        self._jobs_in_order.reopen(_jobs_of(retried.queued))
        for unit in retried.joined:
            self._give_way(unit)
        for job_id in self._jobs_in_order.cancelled_among(_jobs_of(live)) - cancelled:
            self._cancel_units(job_id)  # cancelled between the two looks
        queued = [unit.request.series for unit in retried.queued]
        self._statuses.mark_retried(queued)
        self._statuses.settle(queued)  # they may have been done meanwhile
        return retried

    def _requeue(self, batch: list[Unit], cancelled: set[str]) -> Retried:
        """Queue those whose series has no active unit, have the others' jobs join that one."""
        retried, left = Retried([], []), batch
        for _ in range(_MOST_ROUNDS):
            under_way = self._queue(left, cancelled)
            places = set(under_way)
            retried.queued.extend(each for place, each in enumerate(left) if place not in places)
            waiting = [left[place] for place in under_way]
            left = []
            for unit in waiting:
                has_joined = self._join_active(unit, cancelled)
                (retried.joined if has_joined else left).append(unit)
            if not left:  # where the other has ended meanwhile, queue this one after all
                break
        return retried

    def _queue(self, batch: list[Unit], cancelled: set[str]) -> list[int]:
        """Queue these units again; the places of those whose series is under way."""
        again: Document = {
            "$set": {"state": UnitState.QUEUED, "active": True} | _ANEW,
            "$unset": {"finished_at": "", "not_before": ""},
            "$currentDate": {"dispatched_at": True},
            "$pullAll": {"jobs": list(cancelled)},
        }
        failed = [{"_id": unit.id, "state": UnitState.FAILED} for unit in batch]
        try:
            if failed:
                self._units.bulk_write([UpdateOne(one, again) for one in failed], ordered=False)
        except BulkWriteError as error:
            return duplicate_key_failures(error)
        return []

    def _join_active(self, failed: Unit, cancelled: set[str]) -> bool:
        """Let the failed unit's jobs wait for the active one of its series; False without one."""
        jobs = [each for each in failed.jobs if each not in cancelled]
        active = {"series": str(failed.request.series), "active": True}
        update = joining(jobs, failed.request.n_bars, failed.queue)
        return self._units.update_one(active, update).matched_count > 0

    def _give_way(self, failed: Unit) -> None:
        """The jobs have another unit: this one is no dead letter any more.

        A crash before this leaves them both units, until the job is closed.
        """
        for job_id in failed.jobs:
            self._jobs_in_order.leave(failed.id, job_id)
            self._jobs_in_order.close_one(job_id)


def _jobs_of(units: Iterable[Unit]) -> set[str]:
    return {job for unit in units for job in unit.jobs}
