"""What the API takes and gives of jobs and their units."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field, model_validator

from pocketquant.domain.errors import PocketQuantError
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import JobState, UnitState
from pocketquant.storage.interventions import Cancellation, DeadLetters
from pocketquant.storage.jobs import Progress
from pocketquant.storage.units import Job, Unit
from web.schemas.fields import Moment
from web.schemas.given import Given, PageQuery

_MOST_SERIES = 100
_A_JOB = "6565f1f0a7b1c2d3e4f50617"
_A_UNIT = f"{_A_JOB}-42"


class JobsQuery(PageQuery):
    state: JobState | None = Field(None, description="only jobs in this state")
    kind: str | None = Field(
        None,
        max_length=64,
        description="only jobs of this kind: `sync`, `bulk`, `schedule:all-series`, …",
        examples=["bulk"],
    )
    since: Moment | None = Field(
        None, description="only jobs made at or after it", examples=["2024-01-31T14:30:00Z"]
    )


class _CodeQuery(PageQuery):
    code: str | None = Field(
        None, max_length=64, description="only with this error", examples=["provider_timeout"]
    )


class UnitsQuery(_CodeQuery):
    state: UnitState | None = Field(None, description="only units in this state")


class DeadLettersQuery(_CodeQuery):
    pass


class RetryQuery(Given):
    """Which failed units; without a choice all of the job."""

    code: str | None = Field(
        None, max_length=64, description="only with this error", examples=["captcha_required"]
    )
    unit_id: str | None = Field(
        None, max_length=64, description="only this unit", examples=[_A_UNIT]
    )

    def wanted(self, job_id: str | None) -> DeadLetters:
        return DeadLetters(job_id, self.code, (self.unit_id,) if self.unit_id else ())


class RetryDeadLettersQuery(RetryQuery):
    """Which failed units of all jobs; one choice has to be made."""

    @model_validator(mode="after")
    def _chooses(self) -> Self:
        if self.code is None and self.unit_id is None:
            raise ValueError("name a code or a unit_id")
        return self


class JobCounts(BaseModel):
    total: int = Field(examples=[1])
    queued: int = Field(description="waiting, also for another attempt", examples=[0])
    running: int = Field(examples=[1])
    completed: int = Field(examples=[0])
    failed: int = Field(description="given up: dead letters", examples=[0])
    cancelled: int


class JobOut(BaseModel):
    """A job and how many of its syncs are in which state."""

    job_id: str
    kind: str = Field(
        description="what was asked for: `sync`, `bulk`, `schedule:…`", examples=["sync"]
    )
    state: JobState = Field(
        description="`completed` when every sync has ended, failed ones included",
        examples=["running"],
    )
    counts: JobCounts
    created_at: datetime
    finished_at: datetime | None = Field(examples=[None])

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(**_job_fields(job))


class UnitOut(BaseModel):
    """One sync of a job."""

    unit_id: str
    symbol: str
    exchange: str
    interval: Interval
    n_bars: int = Field(description="bars asked for", examples=[500])
    state: UnitState = Field(examples=["failed"])
    attempts: int = Field(
        description="not counting those that only waited for their turn", examples=[8]
    )
    error: str | None = Field(description="code of the last failure", examples=["provider_timeout"])
    error_message: str | None = Field(examples=["TradingView did not answer completely in time"])
    created_at: datetime
    begun_at: datetime | None = Field(
        description="when its last attempt began", examples=["2024-01-31T14:31:00Z"]
    )
    next_attempt_at: datetime | None = Field(
        description="null: at once, or never again", examples=[None]
    )
    finished_at: datetime | None = Field(examples=["2024-01-31T14:31:30Z"])
    job_ids: list[str] = Field(description="the jobs that want it", examples=[[_A_JOB]])

    @classmethod
    def of(cls, unit: Unit) -> Self:
        series = unit.request.series
        error: PocketQuantError | None = unit.error
        return cls(
            unit_id=unit.id,
            symbol=series.symbol.ticker,
            exchange=series.symbol.exchange,
            interval=series.interval,
            n_bars=unit.request.n_bars,
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


class JobProgressOut(JobOut):
    """A job, how fast it goes, and what went wrong first."""

    units_per_second: float | None = Field(
        description="syncs that ended, over the last minute or, once it has ended, the whole job",
        examples=[21.4],
    )
    estimated_end_at: datetime | None = Field(
        description="at that rate; null when it has ended or none has ended lately",
        examples=["2024-01-31T14:38:00Z"],
    )
    first_errors: list[UnitOut] = Field(description="the syncs that failed first, five at most")

    @classmethod
    def with_progress(cls, job: Job, progress: Progress) -> Self:
        rate = progress.units_per_second
        return cls(
            **_job_fields(job),
            units_per_second=None if rate is None else round(rate, 3),
            estimated_end_at=progress.estimated_end_at,
            first_errors=[UnitOut.of(unit) for unit in progress.first_errors],
        )


class CancellationOut(BaseModel):
    """What became of a job that was cancelled; its units tell the same, one by one."""

    job_id: str
    state: JobState = Field(examples=["cancelled"])
    cancelled: int = Field(description="units that had not begun", examples=[9120])
    stopping: list[str] = Field(
        description="series in progress: they stop without storing, or complete first",
        examples=[["NASDAQ:AAPL|1d"]],
    )
    kept: int = Field(description="units that another job wants as well", examples=[1])
    kept_series: list[str] = Field(
        description="the first hundred of these", examples=[["NASDAQ:MSFT|1d"]]
    )

    @classmethod
    def of(cls, job_id: str, cancellation: Cancellation) -> Self:
        return cls(
            job_id=job_id,
            state=JobState.CANCELLED,
            cancelled=cancellation.cancelled,
            stopping=_names(cancellation.stopping),
            kept=len(cancellation.kept),
            kept_series=_names(cancellation.kept[:_MOST_SERIES]),
        )


class RetriedOut(BaseModel):
    """How many dead letters are tried again, with all their attempts."""

    retried: int = Field(
        description="queued again, or left to a sync of their series under way", examples=[17]
    )


class CodeCountOut(BaseModel):
    """How many dead letters there are of one error."""

    code: str = Field(examples=["captcha_required"])
    count: int = Field(examples=[17])


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
