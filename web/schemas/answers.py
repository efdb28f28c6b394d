"""What the API gives."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from pocketquant.domain.intervals import Interval
from pocketquant.domain.syncs import SyncState
from pocketquant.storage.dates import to_date
from pocketquant.storage.symbols import RegisteredSymbol
from pocketquant.storage.sync_status import SyncStatus
from pocketquant.storage.units import Unit

UtcMoment = datetime  # a field named datetime hides the type


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


class BarOut(BaseModel):
    datetime: UtcMoment = Field(description="open time", examples=["2024-01-30T14:30:00Z"])
    open: float = Field(examples=[190.94])
    high: float = Field(examples=[191.8])
    low: float = Field(examples=[187.47])
    close: float = Field(examples=[188.04])
    volume: float | None = Field(description="null where there is none", examples=[55859400.0])


class FormingOut(BaseModel):
    """The newest bar while its time is not over, as quotes make it or the last sync saw it."""

    bar_start: datetime = Field(examples=["2024-01-31T14:30:00Z"])
    bar_end: datetime = Field(examples=["2024-01-31T21:00:00Z"])
    open: float = Field(examples=[187.04])
    high: float = Field(examples=[187.1])
    low: float = Field(examples=[184.35])
    close: float = Field(examples=[184.4])
    volume: float | None = Field(description="null where there is none", examples=[55467803.0])
    partial: bool = Field(description="not all of it was seen", examples=[False])
    as_of: datetime = Field(description="when it was seen", examples=["2024-01-31T18:00:00Z"])
    source: str = Field(
        description="`live`: built from quotes; `history`: seen by a sync", examples=["history"]
    )


class LiveOut(BaseModel):
    """The bars of an answer that were built from quotes."""

    count: int = Field(description="the newest so many", examples=[1])
    partial: list[datetime] = Field(
        description="open times of those not seen from start to end; a sync replaces them",
        examples=[[]],
    )


class OhlcvOut(BaseModel):
    """Closed bars, and beside them the one that is still being built."""

    symbol: str = Field(examples=["AAPL"])
    exchange: str = Field(examples=["NASDAQ"])
    interval: Interval
    data: list[BarOut]
    count: int = Field(description="bars in `data`", examples=[1])
    live: LiveOut
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

    code: int = Field(description="HTTP status", examples=[422])
    status: str = Field(description="its name", examples=["Unprocessable Entity"])
    error: str = Field(description="stable name of the error", examples=["invalid_request"])
    message: str = Field(description="for people", examples=["the request is not valid"])
    errors: dict[str, Any] = Field(
        default_factory=dict,
        description="problems by place (`json`, `query`, `path`) as a list of"
        " `{loc, msg, type}`; or the `job_id` of a sync that failed",
        examples=[{"json": [{"loc": ["n_bars"], "msg": "…", "type": "less_than_equal"}]}],
    )
