"""Units and jobs as values, and the documents they are kept in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pocketquant.domain.errors import PocketQuantError, error_named
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import JobState, SyncReport, SyncRequest, UnitState

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unit:
    """One sync of one series, as the ledger has it.

    `attempt` counts claims and fences writes; `ended_attempt` is the newest attempt that came to
    an end of its own, so whoever waits sees it move.
    """

    id: str
    request: SyncRequest
    queue: str
    state: UnitState
    attempt: int
    ended_attempt: int
    jobs: tuple[str, ...]
    error: PocketQuantError | None
    report: Document | None


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked for and how far it is; counts are derived from the units."""

    id: str
    kind: str
    counts: dict[UnitState, int]
    has_begun: bool
    created_at: datetime
    finished_at: datetime | None

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def state(self) -> JobState:
        """Completed when every unit has ended, failed ones included."""
        is_open = self.counts[UnitState.QUEUED] or self.counts[UnitState.RUNNING]
        if self.finished_at or not is_open:
            return JobState.COMPLETED
        return JobState.RUNNING if self.has_begun else JobState.PENDING


def error_document(error: PocketQuantError) -> Document:
    return {"code": error.code, "message": str(error)}


def report_document(report: SyncReport) -> Document:
    return {
        "fetched": report.fetched,
        "inserted": report.inserted,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "refused": report.refused,
        "bar_count": report.bar_count,
        "first_bar_at": report.first_bar_at,
        "last_bar_at": report.last_bar_at,
    }


def read_unit(found: Document) -> Unit:
    error = found.get("error")
    return Unit(
        id=found["_id"],
        request=SyncRequest(Series.parse(found["series"]), found["n_bars"]),
        queue=found["queue"],
        state=UnitState(found["state"]),
        attempt=found["attempt"],
        ended_attempt=found["ended_attempt"],
        jobs=tuple(found["jobs"]),
        error=error_named(error["code"], error["message"]) if error else None,
        report=found.get("report"),
    )
