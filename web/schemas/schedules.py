"""Requests and responses about schedules."""

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StrictBool,
    StringConstraints,
    field_validator,
)

from pocketquant.domain.dates import to_date
from pocketquant.domain.errors import InvalidRequest
from pocketquant.domain.intervals import Interval
from pocketquant.domain.schedules import (
    MOST_CRON_CHARACTERS,
    MOST_MINUTES_AFTER_CLOSE,
    NAME_PATTERN,
    Schedule,
    ScheduleChange,
    is_built_in,
    next_run,
)
from pocketquant.domain.symbols import EXCHANGE_PATTERN, TICKER_PATTERN, Symbol
from pocketquant.domain.syncs import JobState
from pocketquant.domain.variants import VARIANT_PATTERN
from pocketquant.storage.sync_status import AtRisk
from web.schemas.fields import BarCount, in_any_case
from web.schemas.requests import RequestModel

EmptyOrExchange = Annotated[str, in_any_case(f"({EXCHANGE_PATTERN})?"), AfterValidator(str.upper)]
SymbolText = Annotated[
    str,
    in_any_case(f"{EXCHANGE_PATTERN}:{TICKER_PATTERN}{VARIANT_PATTERN}"),
    AfterValidator(lambda text: str(Symbol.parse(text))),
]


class _Times(RequestModel):
    """When a schedule runs, and what it syncs."""

    n_bars: BarCount | None = None
    paused: StrictBool | None = None
    cron: str | None = Field(
        None,
        max_length=MOST_CRON_CHARACTERS,
        description="minute hour day-of-month month day-of-week, in UTC; the next run is the first"
        " such time from now on",
        examples=["0 */6 * * *"],
    )
    after_close_minutes: int | None = Field(
        None,
        ge=0,
        le=MOST_MINUTES_AFTER_CLOSE,
        description="run for each market so many minutes after its own close, early closes"
        " included; in place of `cron`",
        examples=[15],
    )
    intervals: list[Interval] | None = Field(
        None,
        max_length=len(Interval),
        description="sync series of these intervals; an empty list: of all that are tracked",
        examples=[["1d"]],
    )
    exchange: EmptyOrExchange | None = Field(
        None,
        description="sync tracked series of this exchange; an empty text: of all exchanges",
        examples=["NASDAQ"],
    )
    symbols: list[SymbolText] | None = Field(
        None,
        max_length=1000,
        description="sync these symbols, `EXCHANGE:TICKER`, whether tracked or not; in place of"
        " `exchange`",
        examples=[["NASDAQ:AAPL"]],
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
        """Return the fields as a change of a schedule."""
        return ScheduleChange(
            self.cron,
            self.n_bars,
            self.paused,
            self.after_close_minutes,
            None if self.intervals is None else tuple(dict.fromkeys(self.intervals)),
            self.exchange,
            None if self.symbols is None else tuple(dict.fromkeys(self.symbols)),
        )


class NewSchedule(_Times):
    """A schedule of your own, with `cron` or `after_close_minutes`."""

    name: Annotated[str, StringConstraints(pattern=f"^{NAME_PATTERN}$", strict=True)] = Field(
        description="small letters, digits, hyphens and underscores", examples=["us-hourly"]
    )
    description: str = Field(
        "", max_length=200, description="what it is for", examples=["US stocks each hour"]
    )
    n_bars: BarCount = Field(500, description="fetch at most so many bars a series", examples=[500])
    paused: StrictBool = Field(False, description="run only on `run_now`", examples=[False])


class ScheduleIn(_Times):
    """Changes of a schedule; a field that is absent or null stays as it is."""

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


class ScheduleOut(BaseModel):
    """When a schedule runs, and how its runs went."""

    name: str
    description: str
    cron: str | None = Field(description="five fields, in UTC; null: it runs after closes")
    after_close_minutes: int | None = Field(
        description="minutes after each market's own close; null: it runs by `cron`",
        examples=[None],
    )
    exchange: str | None = Field(
        description="syncs tracked series of this exchange; null: of all", examples=[None]
    )
    symbols: list[str] = Field(description="syncs only these symbols, if any", examples=[[]])
    is_built_in: bool = Field(
        description="whether every installation has it; then it can't be removed", examples=[True]
    )
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
    at_risk: int = Field(
        description="tracked series of it that lose history within `AT_RISK_HOURS` unless they are"
        " synced, which is done before other syncs: it can't keep up if this is not 0",
        examples=[0],
    )

    @classmethod
    def of(
        cls, schedule: Schedule, job_state: JobState | None, now: int, at_risk: Iterable[AtRisk]
    ) -> Self:
        success_at = schedule.last_success_at
        return cls(
            name=schedule.name,
            description=schedule.description,
            cron=schedule.cron,
            after_close_minutes=schedule.after_close_minutes,
            exchange=schedule.exchange,
            symbols=list(schedule.symbols),
            is_built_in=is_built_in(schedule.name),
            n_bars=schedule.n_bars,
            intervals=list(schedule.intervals),
            paused=schedule.paused,
            next_run_at=None if schedule.paused else to_date(schedule.next_run_at),
            last_run_at=to_date(schedule.last_run_at),
            last_job_id=schedule.last_job_id,
            last_job_state=job_state,
            last_success_at=to_date(success_at),
            seconds_since_last_success=None if success_at is None else max(0, now - success_at),
            at_risk=sum(schedule.selects(each.series) for each in at_risk),
        )
