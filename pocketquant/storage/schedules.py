"""`Schedules`: one document a schedule; every write is conditional on the values that were read.

Several workers may find a run due at once: one of them begins it, and any of them may start a run
that was begun, so a run survives the worker that began it.
"""

from dataclasses import asdict
from typing import Any

import structlog
from bson import ObjectId
from pymongo import ASCENDING, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from pocketquant.domain.dates import to_date, to_seconds
from pocketquant.domain.errors import Conflict, NotFound
from pocketquant.domain.intervals import Interval
from pocketquant.domain.schedules import (
    NextClose,
    Schedule,
    ScheduleChange,
    built_in_names,
    built_in_schedules,
    changed,
)
from pocketquant.servers.connections import Mongo
from pocketquant.storage.bulk_writes import duplicate_key_failures

_log = structlog.get_logger(__name__)

_DATES = ("next_run_at", "last_run_at", "last_success_at", "closes_from", "closes_until")
_TIMES = ("cron", "after_close_minutes", "paused", "next_run_at", "closes_until")
_CHANGEABLE = (*_TIMES, "n_bars", "intervals", "exchange", "symbols")
_DECIDES_WHAT_IS_DUE = (*_TIMES, "run_request", "starting", "has_open_job")
_BEGUN = ("next_run_at", "run_request", "starting", "last_run_at", "closes_from", "closes_until")


class Schedules:
    """The built-in schedules, and those of users."""

    def __init__(self, mongo: Mongo) -> None:
        self._schedules = mongo["schedules"]

    def make_defaults(self, now: int) -> None:
        """Make missing built-in schedules; leave existing ones as they are."""
        updates = [
            UpdateOne({"_id": made.name}, {"$setOnInsert": _document(made)}, upsert=True)
            for made in built_in_schedules(now)
        ]
        try:
            self._schedules.bulk_write(updates, ordered=False)
        except BulkWriteError as error:  # another process makes them right now
            duplicate_key_failures(error)

    def list(self) -> tuple[Schedule, ...]:
        """Return all schedules by name; an unreadable one is logged and left out."""
        return tuple(filter(None, map(_readable, self._schedules.find().sort("_id", ASCENDING))))

    def made(self, now: int) -> tuple[Schedule, ...]:
        """Return all schedules by name; the first call makes them."""
        found = self.list()
        if built_in_names() <= {each.name for each in found}:
            return found
        self.make_defaults(now)
        return self.list()

    def get(self, name: str) -> Schedule | None:
        """Return the schedule; None if there is none of this name."""
        document = self._schedules.find_one({"_id": name})
        return _read(document) if document else None

    def add(self, schedule: Schedule) -> None:
        """Add a schedule; raise Conflict if there is one of this name."""
        try:
            self._schedules.insert_one(_document(schedule))
        except DuplicateKeyError as error:
            raise Conflict(f"there is a schedule {schedule.name!r} already") from error

    def remove(self, name: str) -> bool:
        """Remove a schedule; a job of its last run goes on. False if there was none."""
        return self._schedules.delete_one({"_id": name}).deleted_count == 1

    def change(
        self, seen: Schedule, change: ScheduleChange, now: int, closes: NextClose
    ) -> Schedule:
        """Change a schedule, even if it has moved on since it was read; return it as it is then.

        Raise NotFound if it was removed meanwhile.
        """
        while True:
            wanted = changed(seen, change, now, closes)
            document = self._schedules.find_one_and_update(
                _fields(seen, ("_id", *_CHANGEABLE)),
                {"$set": _fields(wanted, _CHANGEABLE)},
                return_document=ReturnDocument.AFTER,
            )
            if document is not None:
                return _read(document)
            found = self.get(seen.name)
            if found is None:
                raise NotFound(f"schedule {seen.name!r} was removed")
            seen = found

    def request_run(self, name: str) -> None:
        """Request a run as soon as possible; several requests before it begins make one run."""
        self._schedules.update_one(
            {"_id": name, "run_request": None}, {"$set": {"run_request": str(ObjectId())}}
        )

    def begin(self, seen: Schedule, begun: Schedule) -> bool:
        """Store that a run begins; False if a field that made it due has changed meanwhile."""
        updated = self._schedules.update_one(
            _fields(seen, ("_id", *_DECIDES_WHAT_IS_DUE)), {"$set": _fields(begun, _BEGUN)}
        )
        return bool(updated.modified_count)

    def note_started(self, begun: Schedule, job_id: str | None, at: int) -> bool:
        """Store the job of the begun run; None means that it had nothing to do: a success.

        Return False if this was stored before.
        """
        noted: dict[str, Any] = {
            "starting": None,
            "last_job_id": job_id,
            "has_open_job": job_id is not None,
        }
        if job_id is None:
            noted["last_success_at"] = to_date(at)
        updated = self._schedules.update_one(_fields(begun, ("_id", "starting")), {"$set": noted})
        return bool(updated.modified_count)

    def note_ended(self, name: str, job_id: str, success_at: int | None) -> None:
        """Store that the last job has ended; `success_at` is None if it failed."""
        noted: dict[str, Any] = {"has_open_job": False}
        if success_at is not None:
            noted["last_success_at"] = to_date(success_at)
        self._schedules.update_one({"_id": name, "last_job_id": job_id}, {"$set": noted})


def _fields(schedule: Schedule, names: tuple[str, ...]) -> dict[str, Any]:
    document = _document(schedule)
    return {name: document[name] for name in names}


def _document(schedule: Schedule) -> dict[str, Any]:
    document = asdict(schedule)
    document["_id"] = document.pop("name")
    document["intervals"] = [interval.value for interval in schedule.intervals]
    document["symbols"] = list(schedule.symbols)
    return document | {name: to_date(document[name]) for name in _DATES}


def _readable(document: dict[str, Any]) -> Schedule | None:
    try:
        return _read(document)
    except (LookupError, TypeError, ValueError) as error:
        _log.error("schedule_unreadable", name=str(document["_id"]), cause=repr(error))
        return None


def _read(document: dict[str, Any]) -> Schedule:
    fields = {name: value for name, value in document.items() if name != "_id"}
    fields["intervals"] = tuple(map(Interval, fields["intervals"]))
    fields["symbols"] = tuple(fields.get("symbols", ()))
    dates = {name: to_seconds(fields[name]) for name in _DATES if name in fields}
    return Schedule(name=document["_id"], **fields | dates)
