"""`LostUnits`: finds units whose message or worker was lost, or whose attempts are used up."""

from collections.abc import Callable
from datetime import datetime, timedelta

from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError

from pocketquant.domain.errors import AttemptsExhausted, Cancelled, PocketQuantError
from pocketquant.domain.syncs import UnitState
from pocketquant.servers.connections import Mongo, server_now
from pocketquant.storage.bulk_writes import duplicate_key_failures
from pocketquant.storage.jobs import JobStore
from pocketquant.storage.units import Document, Unit, ending, read_unit

_STOPPED = {"active": True, "stop": True}


class LostUnits:
    """Queries of the reconciler, and the updates that go with them."""

    def __init__(self, mongo: Mongo, jobs: JobStore, max_attempts: int) -> None:
        self._jobs = jobs
        self._units = mongo["units"]
        self._mongo = mongo
        self._max_attempts = max_attempts

    def take_due(
        self, queued_silence: float, silence: float, limit: int, queue: str | None = None
    ) -> list[Unit]:
        """Return due units of one queue, or of all, and mark them as dispatched now.

        A unit is due if it was not published for `queued_silence` seconds; a unit that was put back
        and whose delay has passed, for `silence` seconds. The least recently published come first.
        """
        now = server_now(self._mongo)
        due = {
            "state": UnitState.QUEUED,
            "queue": queue or {"$exists": True},
            "stop": None,
            "$or": [
                {"not_before": None, "dispatched_at": {"$lte": _ago(now, queued_silence)}},
                {"not_before": {"$lte": now}, "dispatched_at": {"$lte": _ago(now, silence)}},
            ],
        }
        return self._take(due, limit)

    def take_aside(self, limit: int) -> list[Unit]:
        """Return units that were set aside, and make them active and dispatched now.

        One whose series has another active unit stays aside, behind all others.
        """
        if limit < 1:
            return []
        found = self._units.find({"aside": True}).sort("dispatched_at").limit(limit)
        units = [read_unit(each) for each in found]
        dispatched: Document = {"$currentDate": {"dispatched_at": True}}
        active = {"$set": {"active": True}, "$unset": {"aside": ""}, **dispatched}
        writes = [UpdateOne({"_id": unit.id, "aside": True}, active) for unit in units]
        blocked: set[str] = set()
        try:
            if writes:
                self._units.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            blocked = {units[index].id for index in duplicate_key_failures(error)}
            self._units.update_many({"_id": {"$in": list(blocked)}, "aside": True}, dispatched)
        return [unit for unit in units if unit.id not in blocked]

    def take_orphans(self, silence: float, limit: int) -> list[Unit]:
        """Return running units whose worker is gone, and mark them as dispatched now.

        A unit that has lost workers before may be the cause: at most one such unit is returned, and
        none while another one may be running, so that a deadly unit never meets two workers.
        """
        now = server_now(self._mongo)
        orphaned = {
            "state": UnitState.RUNNING,
            "stop": None,
            "lease_until": {"$lte": now},
            "dispatched_at": {"$lte": _ago(now, silence)},
        }
        orphans = self._take({**orphaned, "lost": 0}, limit)
        suspect = {
            "active": True,
            "state": UnitState.RUNNING,
            "lost": {"$gte": 1},
            "$or": [
                {"lease_until": {"$gt": now}, "lost": {"$gte": 2}},
                {"dispatched_at": {"$gt": _ago(now, silence)}},
            ],
        }
        if self._units.find_one(suspect, {"_id": True}):
            return orphans
        return orphans + self._take({**orphaned, "lost": {"$gte": 1}}, 1)

    def give_up_exhausted(
        self, limit: int, note: Callable[[Unit, PocketQuantError], object] | None = None
    ) -> list[Unit]:
        """Fail the units without an attempt left, whose last attempt died with its worker.

        `note` is called before a unit ends, so that after a crash it is called again.
        """
        exhausted = self._units.find(
            {"active": True, "tries": {"$gte": self._max_attempts}, **self._unheld()}
        )
        given_up = [self._give_up(read_unit(found), note) for found in exhausted.limit(limit)]
        return [unit for unit in given_up if unit is not None]

    def stopped(self, limit: int) -> list[Unit]:
        """Return stopped units that no worker holds."""
        found = self._units.find({**_STOPPED, **self._unheld()})
        return [read_unit(each) for each in found.limit(limit)]

    def cancel_stopped(self, units: list[Unit]) -> None:
        """Cancel those of these units that no job has joined meanwhile."""
        if units:
            these = {"_id": {"$in": [unit.id for unit in units]}}
            error = Cancelled("its job was cancelled")
            self._units.update_many(
                {**these, **_STOPPED, **self._unheld()},
                ending(UnitState.CANCELLED, error, 0),
            )
            self._jobs.close({job_id for unit in units for job_id in unit.jobs})

    def _take(self, wanted: Document, limit: int) -> list[Unit]:
        if limit < 1:
            return []
        found = self._units.find({"active": True, "tries": {"$lt": self._max_attempts}, **wanted})
        units = [read_unit(each) for each in found.sort("dispatched_at").limit(limit)]
        if units:
            ids = [unit.id for unit in units]
            dispatched = {"$currentDate": {"dispatched_at": True}}
            self._units.update_many({"_id": {"$in": ids}}, dispatched)
        return units

    def _give_up(
        self, unit: Unit, note: Callable[[Unit, PocketQuantError], object] | None
    ) -> Unit | None:
        """Fail the unit and return it; None if it has changed meanwhile."""
        error = AttemptsExhausted(f"{unit.tries} attempts were begun, none came to an end")
        if note is not None:
            note(unit, error)
        failed = self._units.find_one_and_update(
            {"_id": unit.id, "attempt": unit.attempt, "state": unit.state},
            ending(UnitState.FAILED, error, unit.attempt),
            return_document=ReturnDocument.AFTER,
        )
        if failed is None:
            return None
        self._jobs.close(failed["jobs"])
        return read_unit(failed)

    def _unheld(self) -> Document:
        is_over = {"state": UnitState.RUNNING, "lease_until": {"$lte": server_now(self._mongo)}}
        return {"$or": [{"state": UnitState.QUEUED}, is_over]}


def _ago(now: datetime, seconds: float) -> datetime:
    return now - timedelta(seconds=seconds)
