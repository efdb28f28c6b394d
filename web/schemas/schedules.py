"""What the API takes and gives of schedules."""

import time
from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field, StrictBool, field_validator

from pocketquant.domain.dates import to_date
from pocketquant.domain.errors import InvalidRequest
from pocketquant.domain.intervals import Interval
from pocketquant.domain.schedules import (
    MOST_CRON_CHARACTERS,
    Schedule,
    ScheduleChange,
    next_run,
)
from pocketquant.domain.syncs import JobState
from web.schemas.fields import BarCount
from web.schemas.given import Given


class ScheduleIn(Given):
    """What is to be otherwise; what is absent or null stays as it is."""

    cron: str | None = Field(
        None,
        max_length=MOST_CRON_CHARACTERS,
        description="minute hour day-of-month month day-of-week, in UTC; the next run is counted"
        " from now",
        examples=["0 */6 * * *"],
    )
    n_bars: BarCount | None = Field(
        None,
        description="fetch at most so many bars a series",
        examples=[500],
    )
    paused: StrictBool | None = Field(
        None,
        description="run only when asked by `run_now`; the times that pass meanwhile are not made"
        " up for",
        examples=[False],
    )
    run_now: StrictBool = Field(
        False,
        description="run once, paused or not, with the next tick (a few seconds), or when the run"
        " that goes on has ended",
        examples=[True],
    )

    @field_validator("cron")
    @classmethod
    def _comes_due(cls, cron: str | None) -> str | None:
        if cron is None:
            return None
        try:
            next_run(cron, int(time.time()))
        except InvalidRequest as error:
            raise ValueError(str(error)) from error
        return " ".join(cron.split())

    def change(self) -> ScheduleChange:
        return ScheduleChange(self.cron, self.n_bars, self.paused)


class ScheduleOut(BaseModel):
    """What runs when, and how it went."""

    name: str
    description: str
    cron: str = Field(
        description="minute hour day-of-month month day-of-week, in UTC", examples=["0 */6 * * *"]
    )
    n_bars: int = Field(
        description="bars a series at most; fewer where fewer are missing", examples=[500]
    )
    intervals: list[Interval] = Field(
        description="series of these intervals; empty: of all", examples=[[]]
    )
    paused: bool
    next_run_at: datetime | None = Field(
        description="a time that has passed: it runs once the run that goes on has ended."
        " null: paused",
        examples=["2024-01-31T18:00:00Z"],
    )
    last_run_at: datetime | None = Field(
        description="null: it has not run yet", examples=["2024-01-31T12:00:02Z"]
    )
    last_job_id: str | None = Field(
        description="null: nothing was tracked, or it has not run yet",
        examples=["6565f1f0a7b1c2d3e4f50617"],
    )
    last_job_state: JobState | None = Field(
        description="null: there is no such job, or no longer", examples=["completed"]
    )
    last_success_at: datetime | None = Field(
        description="when a run last ended with at least one series brought up to date, or with"
        " nothing to do",
        examples=["2024-01-31T12:04:31Z"],
    )
    seconds_since_last_success: int | None = Field(
        description="null: there was none yet", examples=[7200]
    )

    @classmethod
    def of(cls, schedule: Schedule, job_state: JobState | None, now: int) -> Self:
        success_at = schedule.last_success_at
        return cls(
            name=schedule.name,
            description=schedule.description,
            cron=schedule.cron,
            n_bars=schedule.n_bars,
            intervals=list(schedule.intervals),
            paused=schedule.paused,
            next_run_at=None if schedule.paused else to_date(schedule.next_run_at),
            last_run_at=to_date(schedule.last_run_at),
            last_job_id=schedule.last_job_id,
            last_job_state=job_state,
            last_success_at=to_date(success_at),
            seconds_since_last_success=None if success_at is None else max(0, now - success_at),
        )
