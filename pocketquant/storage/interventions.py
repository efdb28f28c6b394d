"""`Interventions`: what people do to jobs by hand: cancel one, try failed units again."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from pocketquant.connections import Mongo
from pocketquant.domain.errors import Cancelled, Conflict, NotFound
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import UnitState
from pocketquant.storage.jobs import Jobs
from pocketquant.storage.races import lost_races
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.storage.units import Document, Unit, ending, read_unit

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What became of the units that were still open."""

    cancelled: int
    stopping: list[Series]  # running: they end without storing, or completed if they are quicker
    kept: list[Series]  # wanted by other jobs as well


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Which failed units are meant: those of a job, with an error code, or named by their ids."""

    job_id: str | None = None
    code: str | None = None
    unit_ids: tuple[str, ...] = ()

    def filter(self) -> Document:
        wanted: Document = {"state": UnitState.FAILED}
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
        cancellation = self._cancel_units(job_id)
        self._statuses.mark_cancelled(job_id)
        return cancellation

    def half_cancelled(self, older_than: datetime, limit: int) -> list[str]:
        """Cancelled jobs that are still open."""
        wanted = {"open": True, "cancelled": True, "created_at": {"$lt": older_than}}
        return [each["_id"] for each in self._jobs.find(wanted, {"_id": True}).limit(limit)]

    def retry(self, wanted: DeadLetters) -> Iterator[list[Unit]]:
        """Queue failed units again, in batches, with all their attempts; their jobs reopen.

        A unit whose series is under way in another job is left to that one: its job joins it.
        """
        found = self._units.find(wanted.filter()).sort("_id")
        while batch := [read_unit(each) for each in islice(found, _BATCH)]:
            self._reopen({job for unit in batch for job in unit.jobs})
            yield self._requeue(batch)

    def _require_cancelled(self, job_id: str) -> None:
        found = self._jobs.find_one({"_id": job_id}, {"cancelled": True})
        if found is None:
            raise NotFound(f"there is no job {job_id[:40]!r}")
        if not found.get("cancelled"):
            raise Conflict(f"job {job_id} has ended already")

    def _cancel_units(self, job_id: str) -> Cancellation:
        theirs = {"jobs": job_id, "active": True}
        shared = {**theirs, "jobs.1": {"$exists": True}}
        kept = self._series(shared)
        self._units.update_many(shared, {"$pull": {"jobs": job_id}})
        error = Cancelled("its job was cancelled")
        queued = {**theirs, "state": UnitState.QUEUED}
        ended = self._units.update_many(queued, ending(UnitState.CANCELLED, error, 0))
        running = {**theirs, "state": UnitState.RUNNING}
        self._units.update_many(running, {"$set": {"stop": True}})
        stopping = self._series(running)
        self._jobs_in_order.close_one(job_id)
        return Cancellation(ended.modified_count, stopping, kept)

    def _series(self, wanted: Document) -> list[Series]:
        return [Series.parse(each["series"]) for each in self._units.find(wanted, {"series": True})]

    def _reopen(self, job_ids: set[str]) -> None:
        """Before their units: a job left open without one is closed by the reconciler."""
        self._jobs.update_many(
            {"_id": {"$in": list(job_ids)}, "cancelled": None},
            {"$set": {"open": True}, "$unset": {"finished_at": "", "counts": ""}},
        )

    def _requeue(self, batch: list[Unit]) -> list[Unit]:
        queued = {"state": UnitState.QUEUED, "active": True, "tries": 0, "lost": 0}
        again = {
            "$set": queued,
            "$unset": {"finished_at": "", "not_before": ""},
            "$currentDate": {"dispatched_at": True},
        }
        updates = [UpdateOne({"_id": unit.id, "state": UnitState.FAILED}, again) for unit in batch]
        try:
            self._units.bulk_write(updates, ordered=False)
        except BulkWriteError as error:
            under_way = set(lost_races(error))
            for place in under_way:
                self._join_active(batch[place])
            return [unit for place, unit in enumerate(batch) if place not in under_way]
        return batch

    def _join_active(self, failed: Unit) -> None:
        """Let the failed unit's jobs wait for the active one of its series instead."""
        joined = self._units.update_one(
            {"series": str(failed.request.series), "active": True},
            {
                "$addToSet": {"jobs": {"$each": list(failed.jobs)}},
                "$max": {"n_bars": failed.request.n_bars},
            },
        )
        if joined.matched_count:
            self._units.update_one({"_id": failed.id}, {"$set": {"jobs": []}})
        for job_id in failed.jobs:
            self._jobs_in_order.close_one(job_id)
