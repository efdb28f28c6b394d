"""Requests and responses about jobs and their units."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field, model_validator

from pocketquant.domain.backfills import Came, Total
from pocketquant.domain.dates import to_date
from pocketquant.domain.errors import PocketQuantError
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import JobState, RangeProgress, Stop, UnitState
from pocketquant.storage.interventions import Cancellation, DeadLetterFilter
from pocketquant.storage.jobs import Progress
from pocketquant.storage.units import Job, Unit
from web.schemas.estimates import TotalOut
from web.schemas.fields import NEWEST_FETCHED, REACHED_BACK_TO, STOP, Moment
from web.schemas.requests import PageQuery, RequestModel

_MOST_KEPT_SERIES = 100
_JOB_ID = "6565f1f0a7b1c2d3e4f50617"


class JobsQuery(PageQuery):
    state: JobState | None = Field(None, description="only jobs in this state")
    kind: str | None = Field(
        None,
        max_length=64,
        description="only jobs of this kind: `sync`, `bulk`, `schedule:all-series`, …",
    )
    since: Moment | None = Field(
        None,
        description="only jobs created at or after this moment",
        examples=["2024-01-31T14:30:00Z"],
    )


class _CodeQuery(PageQuery):
    code: str | None = Field(
        None,
        max_length=64,
        description="only units whose last failure has this code",
        examples=["provider_timeout"],
    )


class UnitsQuery(_CodeQuery):
    state: UnitState | None = Field(None, description="only units in this state")


class DeadLettersQuery(_CodeQuery):
    pass


class RetryQuery(RequestModel):
    """Which failed units to try again; all of the job by default."""

    code: str | None = Field(
        None,
        max_length=64,
        description="only units whose last failure has this code",
        examples=["captcha_required"],
    )
    unit_id: str | None = Field(None, max_length=64, description="only this unit")

    def selection(self, job_id: str | None) -> DeadLetterFilter:
        return DeadLetterFilter(job_id, self.code, (self.unit_id,) if self.unit_id else ())


class RetryDeadLettersQuery(RetryQuery):
    """Which failed units of all jobs to try again; give a code or a unit."""

    @model_validator(mode="after")
    def _has_a_choice(self) -> Self:
        if self.code is None and self.unit_id is None:
            raise ValueError("give a code or a unit_id")
        return self


class JobCounts(BaseModel):
    """Number of syncs of a job in each state."""

    total: int
    queued: int = Field(description="syncs that wait, also for another attempt")
    running: int
    completed: int = Field(examples=[0])
    failed: int = Field(description="syncs that failed for good (dead letters)", examples=[0])
    cancelled: int
    paused: int = Field(description="syncs that wait until the job is resumed", examples=[0])


class JobOut(BaseModel):
    """A job and the number of its syncs in each state."""

    job_id: str
    kind: str
    state: JobState = Field(
        description="pending, running, paused, completed (also if syncs failed) or cancelled",
        examples=["running"],
    )
    counts: JobCounts
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(**_job_fields(job))


class UnitOut(BaseModel):
    """One sync of a job."""

    unit_id: str
    symbol: str
    exchange: str
    interval: Interval
    n_bars: int = Field(description="requested number of bars")
    start: datetime | None = Field(description="requested start, instead of a number of bars")
    end: datetime | None = Field(description="requested end; null: the newest bar")
    reached_back_to: datetime | None = Field(description=REACHED_BACK_TO)
    newest_fetched: datetime | None = Field(description=NEWEST_FETCHED)
    stop: Stop | None = Field(description=STOP, examples=["limit"])
    history_begins_at: datetime | None = Field(
        description="with a `start`: when the provider's history of this series begins, if it has"
        " said so"
    )
    fetched: int = Field(
        description="with a `start`: bars the provider has sent so far", examples=[20000]
    )
    inserted: int = Field(description="of these, bars that were not stored before", examples=[0])
    state: UnitState = Field(
        description="queued, running, paused, completed, failed or cancelled", examples=["failed"]
    )
    attempts: int = Field(
        description="attempts so far, without those that had to wait for their turn"
    )
    error: str | None
    error_message: str | None = Field(examples=["TradingView did not answer completely in time"])
    created_at: datetime
    begun_at: datetime | None = Field(description="when the last attempt began; null: none has")
    next_attempt_at: datetime | None
    finished_at: datetime | None
    job_ids: list[str] = Field(description="jobs that requested this sync", examples=[[_JOB_ID]])

    @classmethod
    def of(cls, unit: Unit) -> Self:
        series = unit.request.series
        error: PocketQuantError | None = unit.error
        progress = unit.progress or RangeProgress()
        return cls(
            unit_id=unit.id,
            symbol=series.symbol.name,
            exchange=series.symbol.exchange,
            interval=series.interval,
            n_bars=unit.request.n_bars,
            start=to_date(unit.request.start),
            end=to_date(unit.request.end),
            reached_back_to=to_date(progress.oldest),
            newest_fetched=to_date(progress.newest),
            stop=progress.stop,
            history_begins_at=to_date(progress.begins_at),
            fetched=progress.fetched,
            inserted=progress.inserted,
            state=unit.state,
            attempts=unit.tries,
            error=error.code if error else None,
            error_message=str(error) if error else None,
            created_at=unit.created_at,
            begun_at=unit.begun_at,
            next_attempt_at=unit.due_at if unit.state is UnitState.QUEUED else None,
            finished_at=unit.finished_at,
            job_ids=list(unit.jobs),
        )


class CameOut(BaseModel):
    """The results of a backfill so far, over all of its series."""

    estimate: TotalOut = Field(description="the bars expected before it began")
    fetched: int = Field(description="bars the provider sent", examples=[25000])
    inserted: int
    reached_back_to: datetime | None = Field(description=REACHED_BACK_TO)
    newest_fetched: datetime | None = Field(description=NEWEST_FETCHED)
    share_of_time: float = Field(
        description="how much of the wanted time was walked back, from 0 to 1; 1 of a series that"
        " went as far as the provider serves it",
        examples=[0.62],
    )
    stops: dict[str, int] = Field(
        description="series that ended, by the reason: `reached` the start, `end` of the provider's"
        " history, `limit` of the account's plan, `no_progress`",
        examples=[{"limit": 1}],
    )

    @classmethod
    def of(cls, came: Came, estimate: Total) -> Self:
        return cls(
            estimate=TotalOut.of(estimate),
            fetched=came.fetched,
            inserted=came.inserted,
            reached_back_to=to_date(came.oldest),
            newest_fetched=to_date(came.newest),
            share_of_time=round(came.share_of_time, 4),
            stops={stop.value: count for stop, count in came.stops.items()},
        )


class JobProgressOut(JobOut):
    """A job, its speed, and the syncs that failed first."""

    units_per_second: float | None = Field(
        description="syncs that ended per second: over the last minute, or over the whole job once"
        " it has ended",
        examples=[21.4],
    )
    estimated_end_at: datetime | None = Field(
        description="when the job will end at that speed; null: it has ended or stalled"
    )
    first_errors: list[UnitOut] = Field(description="the first syncs that failed, at most five")
    backfill: CameOut | None = Field(description="the results of a backfill; null: the job is none")

    @classmethod
    def with_progress(cls, job: Job, progress: Progress) -> Self:
        rate = progress.units_per_second
        return cls(
            **_job_fields(job),
            units_per_second=None if rate is None else round(rate, 3),
            estimated_end_at=progress.estimated_end_at,
            first_errors=[UnitOut.of(unit) for unit in progress.first_errors],
            backfill=CameOut.of(progress.came, job.estimate)
            if progress.came and job.estimate
            else None,
        )


class CancellationOut(BaseModel):
    """The result of a cancellation; `GET /jobs/{job_id}/units` lists the single syncs."""

    job_id: str
    state: JobState = Field(description="always `cancelled`", examples=["cancelled"])
    cancelled: int = Field(description="syncs that had not begun and never will", examples=[9120])
    stopping: list[str] = Field(
        description="series being synced: they stop before anything is stored, or complete first",
        examples=[["NASDAQ:AAPL|1d"]],
    )
    kept: int = Field(description="syncs that go on for another job")
    kept_series: list[str] = Field(
        description="series of these syncs, at most a hundred", examples=[["NASDAQ:MSFT|1d"]]
    )

    @classmethod
    def of(cls, job_id: str, cancellation: Cancellation) -> Self:
        return cls(
            job_id=job_id,
            state=JobState.CANCELLED,
            cancelled=cancellation.cancelled,
            stopping=_names(cancellation.stopping),
            kept=len(cancellation.kept),
            kept_series=_names(cancellation.kept[:_MOST_KEPT_SERIES]),
        )


class RetriedOut(BaseModel):
    """How many failed syncs are tried again, each with all its attempts."""

    retried: int = Field(
        description="syncs queued again, or joined to a sync of their series that is in progress",
        examples=[17],
    )


class CodeCountOut(BaseModel):
    """How many failed syncs have one error."""

    code: str = Field(examples=["captcha_required"])
    count: int = Field(description="number of failed syncs with this error")


def _job_fields(job: Job) -> dict[str, Any]:
    by_state = {state.value: job.counts[state] for state in UnitState}
    return {
        "job_id": job.id,
        "kind": job.kind,
        "state": job.state,
        "counts": JobCounts(total=job.total, **by_state),
        "created_at": job.created_at,
        "finished_at": job.finished_at,
    }


def _names(all_series: list[Series]) -> list[str]:
    return [str(series) for series in all_series]
