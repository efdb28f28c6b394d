"""`JobStore`: one document a job; its progress is counted from its units."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from pocketquant.domain.backfills import Came, Total
from pocketquant.domain.batches import batched
from pocketquant.domain.errors import KeyReused
from pocketquant.domain.syncs import JobState, Stop, SyncRequest, UnitState
from pocketquant.servers.connections import Mongo
from pocketquant.storage.plans import PIECE, forget_pieces, grouped, piece_id
from pocketquant.storage.units import OPEN, Document, Job, Unit, read_unit

KEY_LIFETIME = timedelta(hours=24)

_RATE_SECONDS = 60.0
_FIRST_ERRORS = 5
_WANTED_BACK_TO = {"$max": ["$start", "$progress.begins_at"]}
_WANTED_UP_TO = {"$ifNull": ["$end", {"$divide": [{"$toLong": "$created_at"}, 1000]}]}
_WANTED_SECONDS = {"$max": [1, {"$subtract": [_WANTED_UP_TO, _WANTED_BACK_TO]}]}
_OLDEST = {"$ifNull": ["$progress.oldest", _WANTED_UP_TO]}
_WALKED = {"$max": [0, {"$divide": [{"$subtract": [_WANTED_UP_TO, _OLDEST]}, _WANTED_SECONDS]}]}
_SHARE_OF_TIME = {"$cond": [{"$eq": ["$state", UnitState.COMPLETED]}, 1, _WALKED]}
_NO_REQUESTS = {"wants": False}  # they may be megabytes
_NO_PLANNER = {"$expr": {"$lte": ["$planning_until", "$$NOW"]}}
_MAY_CLOSE = {
    "$or": [
        {"planned": True, "cancelled": None},
        {"cancelled": True, "settled": True, **_NO_PLANNER},  # planned or not
    ]
}


@dataclass(frozen=True, slots=True)
class Opened:
    """A stored job; `is_new` is False if its key had made it before."""

    job_id: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """The speed of a job, its estimated end, its first errors, and the results of a backfill."""

    units_per_second: float | None
    estimated_end_at: datetime | None
    first_errors: list[Unit]
    came: Came | None = None


class JobStore:
    """The jobs in MongoDB; the driver's errors pass through."""

    def __init__(self, mongo: Mongo) -> None:
        self._jobs = mongo["jobs"]
        self._pieces = mongo["job_wants"]
        self._units = mongo["units"]

    def open(
        self,
        kind: str,
        requests: Iterable[SyncRequest],
        queue: str,
        now: datetime,
        key: str | None = None,
        fingerprint: str = "",
        estimate: Total | None = None,
    ) -> Opened:
        """Store a job, to be planned later; it survives any crash once this returns.

        The requests are read lazily, each series once. Requests beyond the first piece are stored
        before the job; after a crash in between, these pieces belong to no job and expire.

        If the key made a job within 24 hours, return that job; KeyReused if that job has another
        fingerprint.
        """
        earlier = self._made_with(key, fingerprint, now)
        if earlier is not None:
            return Opened(earlier, is_new=False)
        job_id = str(ObjectId())
        document = {
            "_id": job_id,
            "kind": kind,
            "queue": queue,
            "open": True,
            "created_at": now,
            **self._write_pieces(job_id, requests, now),
        }
        if key is not None:
            document |= {"key": key, "fingerprint": fingerprint}
        if estimate is not None:
            document["estimate"] = asdict(estimate)
        while True:
            try:
                self._jobs.insert_one(document)
                return Opened(job_id, is_new=True)
            except DuplicateKeyError:
                earlier = self._made_with(key, fingerprint, now)
                if earlier is not None:
                    forget_pieces(self._pieces, job_id)
                    return Opened(earlier, is_new=False)

    def get(self, job_id: str) -> Job | None:
        """Return the job with its counts; None if there is none of this id."""
        found = self._jobs.find_one({"_id": job_id}, _NO_REQUESTS)
        return None if found is None else self._read(found)

    def page(
        self,
        state: JobState | None,
        kind: str | None,
        since: datetime | None,
        offset: int,
        limit: int,
    ) -> tuple[list[Job], int]:
        """Return jobs from `offset` on, the newest first, and the number of all matches."""
        wanted: Document = {}
        if kind:
            wanted["kind"] = kind
        if since:
            wanted["created_at"] = {"$gte": since}
        stages: list[Document] = [{"$match": wanted}, *_in_state(state)]
        newest_first = {"$sort": {"created_at": DESCENDING, "_id": DESCENDING}}
        cut: list[Document] = [
            newest_first,
            {"$skip": offset},
            {"$limit": limit},
            {"$project": _NO_REQUESTS},
        ]
        found = [self._read(each) for each in self._jobs.aggregate([*stages, *cut])]
        counted = list(self._jobs.aggregate([*stages, {"$count": "total"}]))
        return found, counted[0]["total"] if counted else 0

    def progress(self, job: Job, now: datetime) -> Progress:
        """Return the rate over the last minute, the estimated end, and the first errors."""
        failed = self._units.find({"jobs": job.id, "state": UnitState.FAILED})
        errors = [read_unit(each) for each in failed.sort("finished_at").limit(_FIRST_ERRORS)]
        rate = self._rate(job, now)
        remaining = job.total - job.ended
        has_estimate = remaining and not job.finished_at
        end = now + timedelta(seconds=remaining / rate) if rate and has_estimate else None
        return Progress(rate, end, errors, None if job.estimate is None else self._came(job))

    def units(
        self, job_id: str, state: UnitState | None, code: str | None, offset: int, limit: int
    ) -> tuple[list[Unit], int]:
        """Return the job's units from `offset` on, and the number of all matches."""
        wanted: Document = {"jobs": job_id}
        if state:
            wanted["state"] = state
        return self._unit_page(wanted, code, ("_id", ASCENDING), offset, limit)

    def dead_letters(self, code: str | None, offset: int, limit: int) -> tuple[list[Unit], int]:
        """Return failed units of all jobs, the newest first, and the number of all matches."""
        failed = {"state": UnitState.FAILED}
        return self._unit_page(failed, code, ("finished_at", DESCENDING), offset, limit)

    def dead_letter_codes(self) -> dict[str, int]:
        """Return the number of failed units by error code."""
        failed = {"$match": {"state": UnitState.FAILED}}
        by_code = {"$group": {"_id": "$error.code", "count": {"$sum": 1}}}
        return {each["_id"]: each["count"] for each in self._units.aggregate([failed, by_code])}

    def close(self, job_ids: Iterable[str]) -> None:
        """Close the jobs among these that have no open unit."""
        for job_id in job_ids:
            self.close_one(job_id)

    def close_one(self, job_id: str) -> bool:
        """Close the job if no unit is open, and store its counts, which outlive its units.

        It stays open if a retry reopened it since the units were counted, or if it was cancelled
        and its series are not settled yet. A closed job gets the present counts. Return whether
        it was closed.
        """
        if self.has_open_unit(job_id):
            return False
        job = self._jobs.find_one(
            {"_id": job_id},
            {"total": True, "reopened": True, "pieces": True, "cancelled": True},
        )
        if job is None:
            return False
        counts = self._counts(job_id)
        is_repeated = sum(counts.values()) > job["total"]
        if is_repeated or job.get("cancelled"):  # which may have left other units to other jobs
            self._drop_repeated(job_id)
            counts = self._counts(job_id)
        if any(counts.get(state) for state in OPEN):
            return False
        closed = self._jobs.update_one(
            {
                "_id": job_id,
                "reopened": job.get("reopened"),
                **_MAY_CLOSE,
            },
            {
                "$set": {"counts": counts},
                "$unset": {"open": "", "wants": "", "planning_until": ""},
                "$currentDate": {"finished_at": True},
            },
        )
        if closed.modified_count and job.get("pieces", 1) > 1:
            forget_pieces(self._pieces, job_id)
        return bool(closed.modified_count)

    def has_open_unit(self, job_id: str) -> bool:
        """Whether a unit of the job waits, is paused or runs."""
        # "paused", "queued" and "running" are the last states in the order of the index.
        last = self._units.find({"jobs": job_id}, {"state": True}).sort("state", DESCENDING)
        return any(UnitState(each["state"]) in OPEN for each in last.limit(1))

    def reopen(self, job_ids: Iterable[str]) -> None:
        """Reopen these jobs, except cancelled ones."""
        self._jobs.update_many(
            {"_id": {"$in": list(job_ids)}, "cancelled": None},
            {
                "$set": {"open": True},
                "$inc": {"reopened": 1},
                "$unset": {"finished_at": "", "counts": ""},
            },
        )

    def mark_settled(self, job_id: str) -> None:
        """Store that this cancelled job's statuses are settled, except for running units."""
        self._jobs.update_one({"_id": job_id, "cancelled": True}, {"$set": {"settled": True}})

    def cancelled_among(self, job_ids: Iterable[str]) -> set[str]:
        """Return the cancelled jobs among these."""
        wanted = {"_id": {"$in": list(job_ids)}, "cancelled": True}
        return {each["_id"] for each in self._jobs.find(wanted, {"_id": True})}

    def leave(self, unit_id: str, job_id: str) -> None:
        """Take an ended unit out of the job, which has another unit of the same series."""
        ended = {"_id": unit_id, "active": None}
        if not self._units.delete_one({**ended, "jobs": [job_id]}).deleted_count:
            self._units.update_one(
                {**ended, "jobs.1": {"$exists": True}}, {"$pull": {"jobs": job_id}}
            )

    def unclosed(self, older_than: datetime, limit: int) -> list[str]:
        """Return planned jobs that are still open."""
        wanted = {"open": True, "planned": True, "created_at": {"$lt": older_than}}
        return [each["_id"] for each in self._jobs.find(wanted, {"_id": True}).limit(limit)]

    def _write_pieces(
        self, job_id: str, requests: Iterable[SyncRequest], now: datetime
    ) -> Document:
        """Return the fields for the job's document: its first requests; store the other pieces."""
        remaining = map(grouped, batched(requests, PIECE))
        wants = next(remaining, [])
        total, pieces = _size(wants), 1
        for groups in remaining:
            piece = {"_id": piece_id(job_id, pieces), "first": total, "groups": groups}
            self._pieces.insert_one({**piece, "created_at": now})
            total, pieces = total + _size(groups), pieces + 1
        return {"wants": wants, "total": total, "pieces": pieces}

    def _made_with(self, key: str | None, fingerprint: str, now: datetime) -> str | None:
        """Return the job that the key made; None without one, or if the key has expired."""
        if key is None:
            return None
        earlier = self._jobs.find_one({"key": key}, _NO_REQUESTS)
        if earlier is None:
            return None
        if earlier["created_at"] <= now - KEY_LIFETIME:
            self._jobs.update_one({"_id": earlier["_id"]}, {"$unset": {"key": ""}})
            return None
        if earlier["fingerprint"] != fingerprint:
            raise KeyReused(f"the key belongs to job {earlier['_id']}, a request for other syncs")
        return str(earlier["_id"])

    def _read(self, found: Mapping[str, Any]) -> Job:
        stored = found.get("counts")
        counts = dict.fromkeys(UnitState, 0)
        counts.update(self._counts(found["_id"]) if stored is None else _states(stored))
        is_cancelled = bool(found.get("cancelled"))
        if is_cancelled or found.get("open"):
            # Missing units were left to other jobs, or are not made yet.
            missing = max(0, found["total"] - sum(counts.values()))
            counts[UnitState.CANCELLED if is_cancelled else UnitState.QUEUED] += missing
        return Job(
            id=found["_id"],
            kind=found["kind"],
            queue=found["queue"],
            counts=counts,
            has_begun=counts[UnitState.QUEUED] < found["total"] or self._was_tried(found["_id"]),
            is_cancelled=is_cancelled,
            is_paused=bool(found.get("paused")),
            estimate=Total(**found["estimate"]) if "estimate" in found else None,
            created_at=found["created_at"],
            finished_at=found.get("finished_at"),
        )

    def _counts(self, job_id: str) -> dict[UnitState, int]:
        by_state = {"_id": "$state", "count": {"$sum": 1}}
        groups = self._units.aggregate([{"$match": {"jobs": job_id}}, {"$group": by_state}])
        return {UnitState(group["_id"]): group["count"] for group in groups}

    def _was_tried(self, job_id: str) -> bool:
        tried = {"jobs": job_id, "state": UnitState.QUEUED, "attempt": {"$gt": 0}}
        return self._units.find_one(tried, {"_id": True}) is not None

    def _drop_repeated(self, job_id: str) -> None:
        """Leave the job one unit a series: the one that ended last.

        There are two after a crash while a dead letter joins another unit, or after a planner
        stalled while another one planned the job.
        """
        newest_first: list[Document] = [
            {"$match": {"jobs": job_id}},
            {"$sort": {"finished_at": DESCENDING}},
            {"$group": {"_id": "$series", "units": {"$push": "$_id"}}},
            {"$match": {"units.1": {"$exists": True}}},
        ]
        for repeated in self._units.aggregate(newest_first, allowDiskUse=True):
            for unit_id in repeated["units"][1:]:
                self.leave(unit_id, job_id)

    def _came(self, job: Job) -> Came:
        """Return the results of a backfill so far."""
        fields = {
            "fetched": {"$sum": "$progress.fetched"},
            "inserted": {"$sum": "$progress.inserted"},
            "oldest": {"$min": "$progress.oldest"},
            "newest": {"$max": "$progress.newest"},
            "share": {"$sum": _SHARE_OF_TIME},
        }
        stops = {stop.value: {"$sum": {"$toInt": _stopped(stop)}} for stop in Stop}
        groups: list[Document] = [
            {"$match": {"jobs": job.id}},
            {"$group": {"_id": None, **fields, **stops}},
        ]
        found = next(iter(self._units.aggregate(groups)), None)
        if found is None:
            return Came()
        return Came(
            fetched=found["fetched"],
            inserted=found["inserted"],
            oldest=found["oldest"],
            newest=found["newest"],
            share_of_time=min(1.0, found["share"] / max(1, job.total)),
            stops={stop: found[stop.value] for stop in Stop if found[stop.value]},
        )

    def _rate(self, job: Job, now: datetime) -> float | None:
        """Return units ended per second: in the last minute, or for an ended job overall."""
        if job.finished_at:
            seconds = (job.finished_at - job.created_at).total_seconds()
            return job.ended / seconds if seconds > 0 else None
        seconds = min(_RATE_SECONDS, max(1.0, (now - job.created_at).total_seconds()))
        lately = {"jobs": job.id, "finished_at": {"$gte": now - timedelta(seconds=seconds)}}
        return self._units.count_documents(lately) / seconds

    def _unit_page(
        self, wanted: Document, code: str | None, order: tuple[str, int], offset: int, limit: int
    ) -> tuple[list[Unit], int]:
        if code:
            wanted = {**wanted, "error.code": code}
        found = self._units.find(wanted).sort([order]).skip(offset).limit(limit)
        return [read_unit(each) for each in found], self._units.count_documents(wanted)


def _stopped(stop: Stop) -> Document:
    return {"$eq": ["$progress.stop", stop.value]}


def _size(groups: list[Document]) -> int:
    return sum(len(group["symbols"]) for group in groups)


def _in_state(state: JobState | None) -> list[Document]:
    """Return the stages to filter jobs by state; a job is pending until a unit was tried."""
    if state is None:
        return []
    if state is JobState.CANCELLED:
        return [{"$match": {"cancelled": True}}]
    if state is JobState.COMPLETED:
        return [{"$match": {"open": None, "cancelled": None}}]
    if state is JobState.PAUSED:
        return [{"$match": {"open": True, "cancelled": None, "paused": True}}]
    tried = [{"$match": {"attempt": {"$gt": 0}}}, {"$limit": 1}, {"$project": {"_id": True}}]
    lookup = {
        "from": "units",
        "localField": "_id",
        "foreignField": "jobs",
        "pipeline": tried,
        "as": "tried",
    }
    is_tried = {"$eq" if state is JobState.PENDING else "$ne": [{"$size": "$tried"}, 0]}
    return [
        {"$match": {"open": True, "cancelled": None, "paused": None}},
        {"$lookup": lookup},
        {"$match": {"$expr": is_tried}},
    ]


def _states(stored: Mapping[str, int]) -> dict[UnitState, int]:
    return {UnitState(state): count for state, count in stored.items()}
