"""Requests and responses about schedules."""

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
from web.schemas.requests import RequestModel


class ScheduleIn(RequestModel):
    """Changes of a schedule; an absent or null field stays as it is."""

    cron: str | None = Field(
        None,
        max_length=MOST_CRON_CHARACTERS,
        description="minute hour day-of-month month day-of-week, in UTC; the next run is the first"
        " such time from now on",
    )
    n_bars: BarCount | None = None
    paused: StrictBool | None = Field(
        None,
        description="true: run only on request (`run_now`); missed runs are not made up for",
        examples=[False],
    )
    run_now: StrictBool = Field(
        False,
        description="true: run once, even if paused, within a few seconds or as soon as the current"
        " run has ended",
        examples=[True],
    )

    @field_validator("cron")
    @classmethod
    def _has_a_next_run(cls, cron: str | None) -> str | None:
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
    """When a schedule runs, and how its runs went."""

    name: str
    description: str
    cron: str
    n_bars: int = Field(description="most bars to fetch per series; only missing ones are fetched")
    intervals: list[Interval] = Field(description="intervals that it syncs; empty: all")
    paused: bool
    next_run_at: datetime | None = Field(
        description="when it runs next; a time in the past: as soon as the current run has ended;"
        " null: it is paused"
    )
    last_run_at: datetime | None
    last_job_id: str | None = Field(
        description="job of the last run; null: it has not run, or no series was tracked"
    )
    last_job_state: JobState | None = Field(
        description="state of that job; null: there is none, or it was deleted",
        examples=["completed"],
    )
    last_success_at: datetime | None = Field(
        description="when a run last brought a series up to date or had nothing to do; null: never"
    )
    seconds_since_last_success: int | None

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
