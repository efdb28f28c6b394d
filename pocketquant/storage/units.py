"""`Unit` and `Job` as values, and the documents that store them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pocketquant.domain.backfills import Total
from pocketquant.domain.errors import LeaseLost, PocketQuantError, error_named
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import (
    JobState,
    QueueName,
    RangeProgress,
    Stop,
    SyncReport,
    SyncRequest,
    UnitState,
)
from pocketquant.storage.leases import UnitLease

Document = dict[str, Any]

OF_OPEN_UNITS = ("active", "aside", "pausing", "lease_until", "not_before", "stop")

OPEN = (UnitState.PAUSED, UnitState.QUEUED, UnitState.RUNNING)


@dataclass(frozen=True, slots=True)
class Unit:
    """One sync of one series, as stored in the ledger.

    `attempt` counts claims and fences writes. `ended_attempt` is the newest attempt that ended by
    itself; waiting requests watch it. `tries` counts the attempts against the limit: not those that
    only waited for their turn, nor those before a retry by hand. `troubles` counts the attempts
    that failures of our own servers ended, since the last retry by hand. A running unit that
    `is_pausing` is paused when its worker puts it back.
    """

    id: str
    request: SyncRequest
    queue: str
    state: UnitState
    created_at: datetime
    attempt: int = 0
    ended_attempt: int = 0
    tries: int = 0
    troubles: int = 0
    jobs: tuple[str, ...] = ()
    error: PocketQuantError | None = None
    report: Document | None = None
    begun_at: datetime | None = None
    due_at: datetime | None = None
    finished_at: datetime | None = None
    lease_until: datetime | None = None
    progress: RangeProgress | None = None
    is_pausing: bool = False

    @property
    def newest_job(self) -> str | None:
        """The newest job that wants the unit; None if no job does."""
        return self.jobs[-1] if self.jobs else None

    @property
    def lease(self) -> UnitLease:
        """The lease of a running unit; LeaseLost if no worker holds the unit."""
        if self.lease_until is None:
            raise LeaseLost(f"unit {self.id} is not held")
        return UnitLease(self.id, self.attempt, self.lease_until)


@dataclass(frozen=True, slots=True)
class Job:
    """A job with the number of its units in each state, counted from the units."""

    id: str
    kind: str
    queue: str
    counts: dict[UnitState, int]
    has_begun: bool
    is_cancelled: bool
    created_at: datetime
    finished_at: datetime | None
    is_paused: bool = False
    estimate: Total | None = None

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """How many units have ended, in whatever state."""
        return self.total - sum(self.counts[state] for state in OPEN)

    @property
    def state(self) -> JobState:
        """Pending, running, paused, completed (every unit has ended, even failed) or cancelled."""
        if self.is_cancelled:
            return JobState.CANCELLED
        if self.finished_at or self.ended == self.total:
            return JobState.COMPLETED
        if self.is_paused:
            return JobState.PAUSED
        return JobState.RUNNING if self.has_begun else JobState.PENDING


def new_unit_fields(unit_id: str, queue: str) -> Document:
    """Return the first fields of a new unit, apart from its series, jobs, bars and times."""
    return {
        "_id": unit_id,
        "queue": queue,
        "state": UnitState.QUEUED,
        "attempt": 0,
        "ended_attempt": 0,
        "tries": 0,
        "lost": 0,
    }


def wanted_fields(request: SyncRequest) -> Document:
    """Return the fields of a unit or a group of requests that say which bars are wanted."""
    of_range = {"start": request.start, "end": request.end}
    wanted = {"n_bars": request.n_bars} | {k: v for k, v in of_range.items() if v is not None}
    return wanted | ({"missing_only": True} if request.is_missing_only else {})


def wanted_request(series: Series, fields: Document) -> SyncRequest:
    """Return the request that these fields store."""
    of_range = (fields.get("start"), fields.get("end"), bool(fields.get("missing_only")))
    return SyncRequest(series, fields["n_bars"], *of_range)


def joining(job_ids: Iterable[str], request: SyncRequest, queue: str) -> list[Document]:
    """Return the update stages that let jobs join a unit, also one that a cancelled job stopped.

    The unit fetches all that its jobs want: the largest number of bars, the earliest start, and up
    to the latest end, or to the newest bar if any job does. It leaves out what was fetched before
    if all jobs with a range do. It waits in the most urgent queue of its jobs.
    """
    known = {"$ifNull": ["$jobs", []]}
    urgent = list(QueueName)[: list(QueueName).index(QueueName(queue))]
    changes = {
        "jobs": {"$concatArrays": [known, {"$setDifference": [list(job_ids), known]}]},
        "n_bars": {"$max": ["$n_bars", request.n_bars]},
        "start": {"$min": ["$start", request.start]},
        "end": _latest_end(request.end),
        "queue": {"$cond": [{"$in": ["$queue", urgent]}, "$queue", queue]},
    }
    if request.start is not None:
        changes["missing_only"] = _is_missing_only(request)
    return [{"$set": changes}, {"$unset": ["stop", "pausing"]}]


def _latest_end(end: int | None) -> Document | None:
    """Return the end of a unit that a request with this end joins; missing fields: it is new."""
    if end is None:
        return None
    is_new = {"$eq": [{"$type": "$n_bars"}, "missing"]}
    is_open = {"$eq": [{"$ifNull": ["$end", None]}, None]}
    joined = {"$cond": [is_open, None, {"$max": ["$end", end]}]}
    return {"$cond": [is_new, end, joined]}


def _is_missing_only(request: SyncRequest) -> Document:
    """Return whether a unit that this range joins leaves out what was fetched before."""
    has_none = {"$eq": [{"$ifNull": ["$start", None]}, None]}
    both = {"$and": [{"$ifNull": ["$missing_only", False]}, request.is_missing_only]}
    return {"$cond": [has_none, request.is_missing_only, both]}


def ending(state: UnitState, error: PocketQuantError, attempt: int) -> Document:
    """Return the update that ends a unit with an error."""
    return {
        "$set": {"state": state, "ended_attempt": attempt, "error": error_document(error)},
        "$unset": dict.fromkeys(OF_OPEN_UNITS, ""),
        "$currentDate": {"finished_at": True},
    }


def error_document(error: PocketQuantError) -> Document:
    return {"code": error.code, "message": str(error)}


def progress_document(progress: RangeProgress) -> Document:
    return asdict(progress)


def report_document(report: SyncReport) -> Document:
    of_range = {
        "stop": report.stop,
        "reached_back_to": report.reached_back_to,
        "history_begins_at": report.history_begins_at,
    }
    return {
        "fetched": report.fetched,
        "inserted": report.inserted,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "refused": report.refused,
        "forming": report.forming,
        "bar_count": report.bar_count,
        "first_bar_at": report.first_bar_at,
        "last_bar_at": report.last_bar_at,
        **(of_range if report.stop else {}),
    }


def read_unit(found: Document) -> Unit:
    error, progress = found.get("error"), found.get("progress")
    return Unit(
        id=found["_id"],
        request=wanted_request(Series.parse(found["series"]), found),
        queue=found["queue"],
        state=UnitState(found["state"]),
        attempt=found["attempt"],
        ended_attempt=found["ended_attempt"],
        tries=found["tries"],
        troubles=found.get("troubles", 0),
        jobs=tuple(found["jobs"]),
        error=error_named(error["code"], error["message"]) if error else None,
        report=found.get("report"),
        created_at=found["created_at"],
        begun_at=found.get("begun_at"),
        due_at=found.get("not_before"),
        finished_at=found.get("finished_at"),
        lease_until=found.get("lease_until"),
        progress=_read_progress(progress) if progress else None,
        is_pausing=bool(found.get("pausing")),
    )


def _read_progress(found: Document) -> RangeProgress:
    stop = found["stop"]
    return RangeProgress(**found | {"stop": Stop(stop) if stop else None})
