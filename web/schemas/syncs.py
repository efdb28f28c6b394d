"""Syncs that are asked for, what they did, and how far they are."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field, model_validator

from pocketquant.domain.dates import to_date
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import MAX_BARS, SyncRequest, SyncState
from pocketquant.storage.sync_status import SyncStatus, WantedStatuses
from pocketquant.storage.units import Unit
from web.schemas.fields import BarCount, Exchange, Moment, Ticker
from web.schemas.given import Given, PageQuery

MOST_BULK_SYMBOLS = 10_000


class SyncIn(Given):
    """Which series to bring up to date."""

    symbol: Ticker
    exchange: Exchange
    interval: Interval = Field(
        Interval.D1, description="bar length; case matters: `1m` is a minute, `1M` a month"
    )
    n_bars: BarCount = Field(
        MAX_BARS,
        description="how many of the newest bars to fetch",
        examples=[500],
    )

    def request(self) -> SyncRequest:
        return SyncRequest(Series(Symbol(self.exchange, self.symbol), self.interval), self.n_bars)


class BulkSymbol(Given):
    """One symbol of a bulk job."""

    symbol: Ticker
    exchange: Exchange


class BulkIn(Given):
    """Which series to bring up to date: every symbol at every interval."""

    symbols: list[BulkSymbol] = Field(
        min_length=1,
        max_length=MOST_BULK_SYMBOLS,
        description="one that is named twice is synced once",
        examples=[[{"symbol": "AAPL", "exchange": "NASDAQ"}]],
    )
    interval: Interval | None = Field(
        None, description="one interval, by default `1d`; or give `intervals`"
    )
    intervals: list[Interval] | None = Field(
        None, min_length=1, max_length=len(Interval), examples=[["1h", "1d"]]
    )
    n_bars: BarCount = Field(
        MAX_BARS,
        description="how many of the newest bars to fetch of each series",
        examples=[500],
    )

    @model_validator(mode="after")
    def _names_intervals_once(self) -> Self:
        if self.interval is not None and self.intervals is not None:
            raise ValueError("give interval or intervals, not both")
        return self

    def requests(self) -> Iterator[SyncRequest]:
        """Each series once."""
        symbols = dict.fromkeys(Symbol(each.exchange, each.symbol) for each in self.symbols)
        for interval in dict.fromkeys(self.intervals or [self.interval or Interval.D1]):
            for symbol in symbols:
                yield SyncRequest(Series(symbol, interval), self.n_bars)


class SyncQuery(Given):
    timeout: float | None = Field(
        None,
        ge=0,
        le=60,
        allow_inf_nan=False,
        description=(
            "seconds to wait for the sync; 0 does not wait. By default a little longer than one"
            " fetch may take (PROVIDER_TIMEOUT_SECONDS), so that its time-out is told too"
        ),
        examples=[30],
    )


class SyncOut(BaseModel):
    """What a sync did; counts and bar times at the end are of all stored bars of the series."""

    symbol: str
    exchange: str
    interval: Interval
    status: SyncState = Field(examples=["completed"])
    fetched: int = Field(description="bars the provider sent", examples=[500])
    inserted: int = Field(description="new ones", examples=[3])
    changed: int = Field(description="stored ones that now differ", examples=[1])
    unchanged: int = Field(description="stored ones that are the same", examples=[495])
    refused: int = Field(description="bad ones, not stored", examples=[0])
    forming: int = Field(
        description="1 where the newest one has not closed: kept apart, not stored; else 0",
        examples=[1],
    )
    refusals: dict[str, int] = Field(description="refused bars by reason", examples=[{}])
    bar_count: int = Field(description="bars stored", examples=[5003])
    first_bar_at: datetime | None = Field(examples=["2004-02-02T14:30:00Z"])
    last_bar_at: datetime | None = Field(examples=["2024-01-30T14:30:00Z"])
    job_id: str

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
            forming=report.get("forming", 0),  # reports of before it was counted lack it
            bar_count=report["bar_count"],
            first_bar_at=to_date(report["first_bar_at"]),
            last_bar_at=to_date(report["last_bar_at"]),
            job_id=job_id,
        )


class SyncStatusesQuery(PageQuery):
    """Which statuses are listed."""

    exchange: Exchange | None = Field(
        None, description="only series of this exchange", examples=["NASDAQ"]
    )
    symbol: Ticker | None = Field(None, description="only series of this ticker", examples=["AAPL"])
    interval: Interval | None = Field(
        None, description="only series of this interval", examples=["1d"]
    )
    status: SyncState | None = Field(
        None, description="only series in this state", examples=["error"]
    )
    error: str | None = Field(
        None,
        pattern="^[a-z_]{1,64}$",
        description="only series whose last failure has this code",
        examples=["provider_timeout"],
    )
    stale_before: Moment | None = Field(
        None,
        description="only series last synced before this moment, or never",
        examples=["2024-01-31T14:30:00Z"],
    )

    def wanted(self) -> WantedStatuses:
        return WantedStatuses(
            exchange=self.exchange,
            ticker=self.symbol,
            interval=self.interval,
            status=self.status,
            error_code=self.error,
            stale_before=self.stale_before,
        )


class SyncStatusQuery(Given):
    interval: Interval = Field(Interval.D1, description="bar length; case matters")


class SyncStatusOut(BaseModel):
    """How far the sync of one series is."""

    symbol: str
    exchange: str
    interval: Interval
    status: SyncState = Field(examples=["completed"])
    bar_count: int = Field(description="bars stored", examples=[5003])
    first_bar_at: datetime | None = Field(examples=["2004-02-02T14:30:00Z"])
    last_bar_at: datetime | None = Field(examples=["2024-01-30T14:30:00Z"])
    last_sync_at: datetime | None
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
