"""What the API takes and gives: the one source of its schemas, descriptions and examples."""

from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import EXCHANGE_PATTERN, TICKER_PATTERN, Series, Symbol
from pocketquant.domain.syncs import (
    MAX_BARS,
    JobState,
    SyncRequest,
    SyncState,
    UnitState,
)
from pocketquant.storage.dates import to_date
from pocketquant.storage.symbols import RegisteredSymbol
from pocketquant.storage.sync_status import SyncStatus
from pocketquant.storage.units import Job, Unit
from web.moments import epoch_seconds
from web.ohlcv import Window


def _in_any_case(pattern: str) -> StringConstraints:
    return StringConstraints(pattern=f"^{pattern.replace('A-Z', 'A-Za-z')}$", strict=True)


def _without_parent_folder(ticker: str) -> str:
    if ".." in ticker:
        raise ValueError("two dots in a row are in no ticker")
    return ticker


Exchange = Annotated[
    str,
    _in_any_case(EXCHANGE_PATTERN),
    AfterValidator(str.upper),
    Field(description="the exchange, in any case", examples=["NASDAQ"]),
]
Ticker = Annotated[
    str,
    _in_any_case(TICKER_PATTERN),
    AfterValidator(_without_parent_folder),
    AfterValidator(str.upper),
    Field(
        description="the ticker at its exchange, in any case",
        examples=["AAPL"],
        json_schema_extra={"not": {"pattern": r"\.\."}},
    ),
]
UtcMoment = datetime  # a field named datetime hides the type
Moment = Annotated[
    int,
    BeforeValidator(epoch_seconds),
    WithJsonSchema({"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}),
]


class _Given(BaseModel):
    """What comes from outside: nothing unknown, nothing too much."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SymbolPath(_Given):
    exchange: Exchange
    symbol: Ticker = Field(
        description="the ticker, in any case; a `/` in it may be written as it is or as `%2F`"
    )

    def series(self, interval: Interval) -> Series:
        return Series(Symbol(self.exchange, self.symbol), interval)


class SyncIn(_Given):
    """Which series to bring up to date."""

    symbol: Ticker
    exchange: Exchange
    interval: Interval = Field(
        Interval.D1, description="bar length; case matters: `1m` is a minute, `1M` a month"
    )
    n_bars: int = Field(
        MAX_BARS,
        strict=True,
        ge=1,
        le=MAX_BARS,
        description="how many of the newest bars to fetch",
        examples=[500],
    )

    def request(self) -> SyncRequest:
        return SyncRequest(Series(Symbol(self.exchange, self.symbol), self.interval), self.n_bars)


class SyncQuery(_Given):
    timeout: float = Field(
        30.0,
        ge=0,
        le=60,
        allow_inf_nan=False,
        description="seconds to wait for the sync; 0 does not wait",
        examples=[30],
    )


class Order(StrEnum):
    """Newest first, or oldest first."""

    DESC = "desc"
    ASC = "asc"


class OhlcvQuery(_Given):
    interval: Interval = Field(Interval.D1, description="bar length; case matters")
    start_date: Moment | None = Field(
        None,
        description="bars that open at or after it: a date (00:00 UTC) or a moment with its offset",
        examples=["2024-01-31", "2024-01-31T14:30:00Z"],
    )
    end_date: Moment | None = Field(
        None,
        description="bars that open before it: a date (00:00 UTC) or a moment with its offset",
        examples=["2024-02-29"],
    )
    limit: int = Field(1000, ge=1, le=MAX_BARS, description="at most so many bars", examples=[1000])
    order: Order = Field(
        Order.DESC,
        description="`desc`: the newest bars of the range, newest first;"
        " `asc`: the oldest ones, oldest first",
    )

    def window(self) -> Window:
        return Window(self.start_date, self.end_date, self.limit, self.order is Order.DESC)

    @field_validator("end_date")
    @classmethod
    def _ends_after_start(cls, end: int | None, others: ValidationInfo) -> int | None:
        start = others.data.get("start_date")
        if start is not None and end is not None and end <= start:
            raise ValueError("must be later than start_date")
        return end


class PageQuery(_Given):
    page: int = Field(1, ge=1, le=1_000_000, description="which page, from 1", examples=[1])
    page_size: int = Field(50, ge=1, le=500, description="entries a page", examples=[50])


class SymbolsQuery(PageQuery):
    exchange: Exchange | None = Field(None, description="only symbols of this exchange")


class SyncStatusesQuery(PageQuery):
    exchange: Exchange | None = Field(None, description="with `symbol`: only series of this symbol")
    symbol: Ticker | None = Field(None, description="with `exchange`: only series of this symbol")

    @model_validator(mode="after")
    def _is_whole_symbol(self) -> Self:
        if (self.exchange is None) != (self.symbol is None):
            raise ValueError("exchange and symbol go together")
        return self

    def wanted(self) -> Symbol | None:
        if self.exchange is None or self.symbol is None:
            return None
        return Symbol(self.exchange, self.symbol)


class SyncStatusQuery(_Given):
    interval: Interval = Field(Interval.D1, description="bar length; case matters")


class SyncOut(BaseModel):
    """What a sync did; counts and bar times at the end are of all stored bars of the series."""

    symbol: str = Field(examples=["AAPL"])
    exchange: str = Field(examples=["NASDAQ"])
    interval: Interval
    status: SyncState = Field(examples=["completed"])
    fetched: int = Field(description="bars the provider sent", examples=[500])
    inserted: int = Field(description="new ones", examples=[3])
    changed: int = Field(description="stored ones that now differ", examples=[1])
    unchanged: int = Field(description="stored ones that are the same", examples=[495])
    refused: int = Field(description="bad ones, not stored", examples=[0])
    refusals: dict[str, int] = Field(description="refused bars by reason", examples=[{}])
    bar_count: int = Field(description="bars stored", examples=[5003])
    first_bar_at: datetime | None = Field(examples=["2004-02-02T14:30:00Z"])
    last_bar_at: datetime | None = Field(examples=["2024-01-30T14:30:00Z"])
    job_id: str = Field(examples=["6565f1f0a7b1c2d3e4f50617"])

    @classmethod
    def of(cls, unit: Unit, report: dict[str, Any], job_id: str) -> Self:
        series = unit.request.series
        refusals: dict[str, int] = report["refused"]
        return cls(
            symbol=series.symbol.ticker,
            exchange=series.symbol.exchange,
            interval=series.interval,
            status=SyncState.COMPLETED,
            **{name: report[name] for name in ("fetched", "inserted", "changed", "unchanged")},
            refused=sum(refusals.values()),
            refusals=refusals,
            bar_count=report["bar_count"],
            first_bar_at=to_date(report["first_bar_at"]),
            last_bar_at=to_date(report["last_bar_at"]),
            job_id=job_id,
        )


class JobCounts(BaseModel):
    total: int = Field(examples=[1])
    queued: int = Field(description="waiting, also for another attempt", examples=[0])
    running: int = Field(examples=[1])
    completed: int = Field(examples=[0])
    failed: int = Field(description="given up; never tried again", examples=[0])
    cancelled: int = Field(examples=[0])


class JobOut(BaseModel):
    """A job and how many of its syncs are in which state."""

    job_id: str = Field(examples=["6565f1f0a7b1c2d3e4f50617"])
    kind: str = Field(description="what was asked for", examples=["sync"])
    state: JobState = Field(
        description="`completed` when every sync has ended, failed ones included",
        examples=["running"],
    )
    counts: JobCounts
    created_at: datetime = Field(examples=["2024-01-31T14:30:00Z"])
    finished_at: datetime | None = Field(examples=[None])

    @classmethod
    def of(cls, job: Job) -> Self:
        by_state = {state.value: job.counts[state] for state in UnitState}
        return cls(
            job_id=job.id,
            kind=job.kind,
            state=job.state,
            counts=JobCounts(total=job.total, **by_state),
            created_at=job.created_at,
            finished_at=job.finished_at,
        )


class BarOut(BaseModel):
    datetime: UtcMoment = Field(description="open time", examples=["2024-01-30T14:30:00Z"])
    open: float = Field(examples=[190.94])
    high: float = Field(examples=[191.8])
    low: float = Field(examples=[187.47])
    close: float = Field(examples=[188.04])
    volume: float | None = Field(description="null where there is none", examples=[55859400.0])


class FormingOut(BaseModel):
    """The newest bar while its time is not over, as the last sync saw it."""

    bar_start: datetime = Field(examples=["2024-01-31T14:30:00Z"])
    bar_end: datetime = Field(examples=["2024-01-31T21:00:00Z"])
    open: float = Field(examples=[187.04])
    high: float = Field(examples=[187.1])
    low: float = Field(examples=[184.35])
    close: float = Field(examples=[184.4])
    volume: float | None = Field(description="null where there is none", examples=[55467803.0])
    as_of: datetime = Field(description="when it was seen", examples=["2024-01-31T18:00:00Z"])
    source: str = Field(description="`history`: seen by a sync", examples=["history"])


class OhlcvOut(BaseModel):
    """Closed bars, and beside them the one that is still being built."""

    symbol: str = Field(examples=["AAPL"])
    exchange: str = Field(examples=["NASDAQ"])
    interval: Interval
    data: list[BarOut]
    count: int = Field(description="bars in `data`", examples=[1])
    forming: FormingOut | None


class SymbolOut(BaseModel):
    """A symbol that was synced, and what the provider says of it; empty where it is silent."""

    symbol: str = Field(examples=["AAPL"])
    exchange: str = Field(examples=["NASDAQ"])
    name: str = Field(examples=["Apple Inc."])
    type: str = Field(examples=["stock"])
    currency: str = Field(examples=["USD"])
    session: str = Field(examples=["0930-1600"])
    timezone: str = Field(examples=["America/New_York"])
    has_volume: bool = Field(examples=[True])
    active: bool = Field(description="kept up to date", examples=[True])
    intervals: list[Interval] = Field(description="synced so far", examples=[["1h", "1d"]])

    @classmethod
    def of(cls, registered: RegisteredSymbol) -> Self:
        listing = registered.listing
        return cls(
            symbol=listing.symbol.ticker,
            exchange=listing.symbol.exchange,
            name=listing.description,
            type=listing.type,
            currency=listing.currency,
            session=listing.session,
            timezone=listing.timezone,
            has_volume=listing.has_volume,
            active=registered.active,
            intervals=list(registered.intervals),
        )


class SyncStatusOut(BaseModel):
    """How far the sync of one series is."""

    symbol: str = Field(examples=["AAPL"])
    exchange: str = Field(examples=["NASDAQ"])
    interval: Interval
    status: SyncState = Field(examples=["completed"])
    bar_count: int = Field(description="bars stored", examples=[5003])
    first_bar_at: datetime | None = Field(examples=["2004-02-02T14:30:00Z"])
    last_bar_at: datetime | None = Field(examples=["2024-01-30T14:30:00Z"])
    last_sync_at: datetime | None = Field(examples=["2024-01-31T14:30:00Z"])
    error: str | None = Field(description="code of the last failure", examples=[None])
    error_message: str | None = Field(examples=[None])
    job_id: str | None = Field(description="the last job", examples=["6565f1f0a7b1c2d3e4f50617"])
    attempts: int = Field(description="of that job so far", examples=[1])
    next_attempt_at: datetime | None = Field(description="null: none is due", examples=[None])

    @classmethod
    def of(cls, status: SyncStatus) -> Self:
        symbol = status.series.symbol
        return cls(
            symbol=symbol.ticker,
            exchange=symbol.exchange,
            interval=status.series.interval,
            status=status.status,
            bar_count=status.bar_count,
            first_bar_at=to_date(status.first_bar_at),
            last_bar_at=to_date(status.last_bar_at),
            last_sync_at=to_date(status.last_sync_at),
            error=status.error_code,
            error_message=status.error_message,
            job_id=status.job_id,
            attempts=status.attempts,
            next_attempt_at=to_date(status.next_attempt_at),
        )


class HealthOut(BaseModel):
    """Whether requests can be served, and what is missing where they cannot."""

    status: str = Field(description="`ok` or `down`", examples=["ok"])
    mongodb: str = Field(description="`ok`, or what is wrong", examples=["ok"])
    redis: str = Field(description="`ok`, or what is wrong", examples=["ok"])
    broker: str = Field(description="`ok`, or what is wrong", examples=["ok"])


class ErrorOut(BaseModel):
    """Every error of the API."""

    code: int = Field(description="HTTP status", examples=[HTTPStatus.UNPROCESSABLE_ENTITY])
    status: str = Field(description="its name", examples=["Unprocessable Entity"])
    error: str = Field(description="stable name of the error", examples=["invalid_request"])
    message: str = Field(description="for people", examples=["the request is not valid"])
    errors: dict[str, Any] = Field(
        default_factory=dict,
        description="problems by place (`json`, `query`, `path`) as a list of"
        " `{loc, msg, type}`; or the `job_id` of a sync that failed",
        examples=[{"json": [{"loc": ["n_bars"], "msg": "…", "type": "less_than_equal"}]}],
    )
