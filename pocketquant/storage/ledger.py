"""`Ledger`: claims units for workers, and stores how each attempt ends.

A unit is the sync of one series; its `jobs` are the jobs that want it. A message of the broker is
only a hint that a unit is due; the ledger decides:

    planned ─► queued ─► claim ─► running ─► finish ─► completed
                 ▲                  ├─► defer, postpone ─► queued, not before a time
                 │                  ├─► hand back ─► queued, due at once
                 │                  ├─► fail   ─► failed, with code and message
                 └─ lease expires ◄─┴─► cancel ─► cancelled

A unit is put back as paused if its job was paused meanwhile. Only an active unit can be claimed,
and a series has at most one: units that are paused, or set aside to wait for their turn, are not.

Every write of a running unit is conditional on the attempt that claimed it, so a worker that lost
its unit cannot end it. The server's clock alone decides about leases and due times.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock

from pymongo import ReturnDocument, WriteConcern
from pymongo.collection import Collection

from pocketquant.domain.errors import Cancelled, LeaseLost, PocketQuantError, StorageUnavailable
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import RangeProgress, SyncReport, UnitState
from pocketquant.servers.connections import Mongo
from pocketquant.storage.jobs import JobStore
from pocketquant.storage.units import (
    OF_OPEN_UNITS,
    Document,
    Unit,
    ending,
    error_document,
    progress_document,
    read_unit,
    report_document,
)

_BRIEF = WriteConcern(w=1)  # does not wait for the journal
_NEVER_DISPATCHED = datetime(1970, 1, 1, tzinfo=UTC)  # the unit is published once it is due

_DUE = {
    "$or": [
        {
            "state": UnitState.QUEUED,
            "$expr": {"$lte": [{"$ifNull": ["$not_before", "$$NOW"]}, "$$NOW"]},
        },
        {"state": UnitState.RUNNING, "$expr": {"$lte": ["$lease_until", "$$NOW"]}},
    ]
}
_NO_TRY: Document = {"tries": {"$subtract": ["$tries", 1]}}  # the attempt counts as none
_IS_PAUSING = {"$eq": ["$pausing", True]}
_IS_LOST = {"$cond": [{"$eq": ["$state", UnitState.RUNNING]}, 1, 0]}


class Ledger:
    """The operations of workers on units."""

    def __init__(
        self, mongo: Mongo, jobs: JobStore, lease_seconds: float, max_attempts: int
    ) -> None:
        self._jobs = jobs
        self._running = _RunningUnits()
        self._units = mongo["units"]
        self._brief = self._units.with_options(write_concern=_BRIEF)
        self._lease = {"$add": ["$$NOW", int(lease_seconds * 1000)]}
        self._half_lease = {"$add": ["$$NOW", int(lease_seconds * 500)]}
        self._max_attempts = max_attempts

    def claim(self, unit_id: str) -> Unit | None:
        """Claim the unit for one attempt under a lease; None if it is not due or held elsewhere."""
        claimed = self._units.find_one_and_update(
            {
                "_id": unit_id,
                "active": True,
                "tries": {"$lt": self._max_attempts},
                "stop": None,
                **_DUE,
            },
            [
                {
                    "$set": {
                        "state": UnitState.RUNNING,
                        "attempt": {"$add": ["$attempt", 1]},
                        "tries": {"$add": ["$tries", 1]},
                        "lost": {"$add": ["$lost", _IS_LOST]},
                        "lease_until": self._lease,
                        "begun_at": "$$NOW",
                    }
                },
                {"$unset": ["not_before"]},
            ],
            return_document=ReturnDocument.AFTER,
        )
        if claimed is None:
            return None
        unit = read_unit(claimed)
        self._running.begin(unit)
        return unit

    def let_go(self, unit: Unit) -> None:
        """Note that this process no longer runs the unit, however the attempt ended."""
        self._running.end(unit)

    def extend(self, unit: Unit) -> Unit:
        """Renew the lease and return the unit with it.

        LeaseLost if another worker has the unit, Cancelled if no job wants it any more.
        """
        return self._extend(self._units, unit, {})

    def confirm(self, unit: Unit) -> Unit:
        """Return the unit, with a renewed lease if less than half of it is left.

        LeaseLost or Cancelled as in `extend`. Mostly it only reads.
        """
        lasts = {"$gt": [unit.lease_until, self._half_lease]}
        wanted = {**_held(unit), "stop": None, "$expr": lasts}
        found = self._units.find_one(wanted, {"tries": True, "pausing": True})
        if found is None:
            return self.extend(unit)
        return _renewed(unit, {**found, "lease_until": unit.lease_until})

    def held(self, unit: Unit) -> Unit:
        """Return the unit with its present lease and tries; LeaseLost if another worker has it."""
        found = self._units.find_one(_held(unit))
        if found is None:
            raise _taken_over(unit)
        return _renewed(unit, found)

    def note_progress(self, unit: Unit, progress: RangeProgress) -> Unit:
        """Store how far back the stored pages reach, and keep others from the unit.

        A range of many pages may take many attempts: those before this page no longer count. It
        does not wait for the journal, since losing it costs a page that is fetched again. So the
        returned unit has its lease of before, which a crash of the server does not shorten.
        """
        fields = {"progress": {"$literal": progress_document(progress)}, "tries": 1, "lost": 0}
        noted = self._extend(self._brief, unit, fields)
        return replace(noted, progress=progress, lease_until=unit.lease_until)

    def _extend(self, units: Collection[Document], unit: Unit, fields: Document) -> Unit:
        kept = units.find_one_and_update(
            {**_held(unit), "stop": None},
            [{"$set": {"lease_until": self._lease, **fields}}],
            {"lease_until": True, "tries": True, "pausing": True},
            return_document=ReturnDocument.AFTER,
        )
        if kept is not None:
            return _renewed(unit, kept)
        if self._units.find_one(_held(unit), {"_id": True}):
            raise Cancelled("its job was cancelled while it ran")
        raise _taken_over(unit)

    def finish(self, unit: Unit, report: SyncReport) -> Unit | None:
        """Complete the unit, close each of its jobs without another open unit, and return None.

        If a joined request wants more or older bars meanwhile, return the unit instead, still held
        and with its new request. LeaseLost or Cancelled as in `extend`.
        """
        request = unit.request
        wanted = {"n_bars": request.n_bars, "start": request.start, "end": request.end}
        ended = self._units.find_one_and_update(
            {**_held(unit), **wanted},
            {
                "$set": {
                    "state": UnitState.COMPLETED,
                    "ended_attempt": unit.attempt,
                    "report": report_document(report),
                },
                "$unset": dict.fromkeys((*OF_OPEN_UNITS, "error"), ""),
                "$currentDate": {"finished_at": True},
            },
        )
        if ended is None:
            held = self.extend(unit)
            joined = self.get_unit(unit.id) or unit
            return replace(held, request=joined.request, jobs=joined.jobs, queue=joined.queue)
        self._close(unit, ended["jobs"])
        return None

    def active(self, all_series: Iterable[Series]) -> list[Series]:
        """Return the series among these whose sync waits, is paused or runs."""
        keys = [str(series) for series in all_series]
        of_series = {"series": {"$in": keys}}
        kinds = ({"active": True}, {"aside": True}, {"state": UnitState.PAUSED})
        found = self._units.find({"$or": [of_series | kind for kind in kinds]}, {"series": True})
        return sorted({Series.parse(unit["series"]) for unit in found}, key=str)

    def is_last_attempt(self, unit: Unit) -> bool:
        """Whether no attempt is left after this one."""
        return unit.tries >= self._max_attempts

    def defer(self, unit: Unit, error: PocketQuantError, delay_seconds: float) -> None:
        """Put the unit back after an error, due after the delay; the attempt counts."""
        self._put_back(unit, delay_seconds, _ended_in(unit, error))

    def postpone(
        self, unit: Unit, delay_seconds: float, error: PocketQuantError | None = None
    ) -> None:
        """Put the unit back until its turn, or after a failure of our servers; costs no attempt.

        Waiting users are shown the error, if any.
        """
        fields = _ended_in(unit, error) if error else {}
        if isinstance(error, StorageUnavailable):
            fields["troubles"] = unit.troubles + 1
        self._put_back(unit, delay_seconds, {**fields, **_NO_TRY})

    def hand_back(self, unit: Unit, queue: str | None = None) -> None:
        """Put the unit back because its worker ends or others wait, into another queue if given.

        It is due at once, and no attempt counts.
        """
        self._put_back(unit, 0, _NO_TRY | ({"queue": queue} if queue else {}))

    def fail(self, unit: Unit, error: PocketQuantError) -> None:
        """Fail the unit for good: it becomes a dead letter with code and message."""
        failed = self._units.find_one_and_update(
            _held(unit), ending(UnitState.FAILED, error, unit.attempt)
        )
        if failed is None:
            raise _taken_over(unit)
        self._close(unit, failed["jobs"])

    def cancel(self, unit: Unit, error: PocketQuantError) -> bool:
        """Cancel a unit that no job wants any more; False if a job has joined it meanwhile."""
        stopped = {**_held(unit), "stop": True}
        ended = self._units.find_one_and_update(
            stopped, ending(UnitState.CANCELLED, error, unit.attempt)
        )
        if ended is not None:
            self._close(unit, ended["jobs"])
        return ended is not None

    def get_unit(self, unit_id: str) -> Unit | None:
        found = self._units.find_one({"_id": unit_id})
        return None if found is None else read_unit(found)

    def _close(self, unit: Unit, job_ids: Iterable[str]) -> None:
        """Close the jobs of an ended unit that have no open one.

        A job of which another unit runs in this process is left to the end of that unit.
        """
        self._running.end(unit)
        self._jobs.close(each for each in job_ids if not self._running.has_job(each))

    def _put_back(self, unit: Unit, delay_seconds: float, fields: Document) -> None:
        put_back = self._units.update_one(
            _held(unit),
            [
                {
                    "$set": {
                        "state": {"$cond": [_IS_PAUSING, UnitState.PAUSED, UnitState.QUEUED]},
                        "active": {"$cond": [_IS_PAUSING, "$$REMOVE", True]},
                        "not_before": {"$add": ["$$NOW", int(delay_seconds * 1000)]},
                        "dispatched_at": _NEVER_DISPATCHED,
                        **fields,
                    }
                },
                {"$unset": ["lease_until", "pausing"]},
            ],
        )
        if not put_back.matched_count:
            raise _taken_over(unit)


class _RunningUnits:
    """The units that this process runs, with their jobs; safe for several threads."""

    def __init__(self) -> None:
        self._jobs: dict[str, tuple[str, ...]] = {}
        self._lock = Lock()

    def begin(self, unit: Unit) -> None:
        with self._lock:
            self._jobs[unit.id] = unit.jobs

    def end(self, unit: Unit) -> None:
        with self._lock:
            self._jobs.pop(unit.id, None)

    def has_job(self, job_id: str) -> bool:
        with self._lock:
            return any(job_id in jobs for jobs in self._jobs.values())


def _held(unit: Unit) -> Document:
    return {"_id": unit.id, "attempt": unit.attempt, "state": UnitState.RUNNING}


def _renewed(unit: Unit, found: Document) -> Unit:
    return replace(
        unit,
        lease_until=found["lease_until"],
        tries=found["tries"],
        is_pausing=bool(found.get("pausing")),
    )


def _ended_in(unit: Unit, error: PocketQuantError) -> Document:
    return {"ended_attempt": unit.attempt, "error": {"$literal": error_document(error)}}


def _taken_over(unit: Unit) -> LeaseLost:
    return LeaseLost(f"unit {unit.id} was taken over from attempt {unit.attempt}")
