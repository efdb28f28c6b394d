"""`LostUnits`: units that lost their message, their worker or their last chance."""

from collections.abc import Callable
from datetime import datetime, timedelta

from pymongo import ReturnDocument

from pocketquant.domain.errors import AttemptsExhausted, Cancelled, PocketQuantError
from pocketquant.domain.syncs import UnitState
from pocketquant.servers.connections import Mongo, server_now
from pocketquant.storage.jobs import Jobs
from pocketquant.storage.units import Document, Unit, ending, read_unit

_STOPPED = {"active": True, "stop": True}


class LostUnits:
    """The units that need somebody to look after them."""

    def __init__(self, mongo: Mongo, jobs: Jobs, max_attempts: int) -> None:
        self._jobs = jobs
        self._units = mongo["units"]
        self._mongo = mongo
        self._max_attempts = max_attempts

    def take_due(
        self, queued_silence: float, silence: float, limit: int, queue: str | None = None
    ) -> list[Unit]:
        """Queued units to publish (again), the longest silent first, marked as dispatched now.

        Those of one queue, or of all.

        Nobody has published them for `queued_silence` seconds, or, where they were put back and
        their time has come, for `silence` seconds.
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

    def take_orphans(self, silence: float, limit: int) -> list[Unit]:
        """Running units whose worker is gone, marked as dispatched now.

        A unit that has lost two workers may be what kills them: of such ones only one is taken,
        and none while another may still be running, so that it harms no other again.
        """
        now = server_now(self._mongo)
        orphaned = {
            "state": UnitState.RUNNING,
            "stop": None,
            "lease_until": {"$lte": now},
            "dispatched_at": {"$lte": _ago(now, silence)},
        }
        orphans = self._take({**orphaned, "lost": 0}, limit)
        is_tried = {
            "active": True,
            "state": UnitState.RUNNING,
            "lost": {"$gte": 1},
            "$or": [
                {"lease_until": {"$gt": now}, "lost": {"$gte": 2}},
                {"dispatched_at": {"$gt": _ago(now, silence)}},
            ],
        }
        if self._units.find_one(is_tried, {"_id": True}):
            return orphans
        return orphans + self._take({**orphaned, "lost": {"$gte": 1}}, 1)

    def give_up_exhausted(
        self, limit: int, note: Callable[[Unit, PocketQuantError], object] | None = None
    ) -> list[Unit]:
        """Fail the units that have no attempt left, as when the last one died with its worker.

        Each is noted before it ends, so that after a crash it is noted again.
        """
        exhausted = self._units.find(
            {"active": True, "tries": {"$gte": self._max_attempts}, **self._held_by_nobody()}
        )
        given_up = [self._give_up(read_unit(found), note) for found in exhausted.limit(limit)]
        return [unit for unit in given_up if unit is not None]

    def stopped(self, limit: int) -> list[Unit]:
        """Units that were to stop and whose worker can't end them."""
        found = self._units.find({**_STOPPED, **self._held_by_nobody()})
        return [read_unit(each) for each in found.limit(limit)]

    def cancel_stopped(self, units: list[Unit]) -> None:
        """End those of these units that no job has joined meanwhile."""
        if units:
            these = {"_id": {"$in": [unit.id for unit in units]}}
            error = Cancelled("its job was cancelled")
            self._units.update_many(
                {**these, **_STOPPED, **self._held_by_nobody()},
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
        """The unit as it failed; None where it has moved on meanwhile."""
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

    def _held_by_nobody(self) -> Document:
        is_over = {"state": UnitState.RUNNING, "lease_until": {"$lte": server_now(self._mongo)}}
        return {"$or": [{"state": UnitState.QUEUED}, is_over]}


def _ago(now: datetime, seconds: float) -> datetime:
    return now - timedelta(seconds=seconds)
