"""Requests for syncs, their results, and the sync status of each series."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pocketquant.domain.dates import to_date
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import MAX_BARS, Stop, SyncRequest, SyncState
from pocketquant.storage.sync_status import StatusFilter, SyncStatus
from pocketquant.storage.units import Unit
from web.schemas.fields import (
    REACHED_BACK_TO,
    STOP,
    BarCount,
    Exchange,
    Moment,
    PastMoment,
    Ticker,
)
from web.schemas.requests import PageQuery, RequestModel, SeriesFields, VariantFields

MOST_BULK_SYMBOLS = 10_000


def _require_after_start(end: int | None, info: ValidationInfo) -> int | None:
    if end is None or "start" not in info.data:  # start has its own error
        return end
    if info.data["start"] is None:
        raise ValueError("give start too")
    if end <= info.data["start"]:
        raise ValueError("must lie after start")
    return end


EndAfterStart = Annotated[PastMoment | None, AfterValidator(_require_after_start)]


class _WantedBars(RequestModel):
    """Which bars to fetch: the newest `n_bars`, or all from `start` on."""

    n_bars: BarCount = MAX_BARS
    start: PastMoment | None = Field(
        None,
        description="fetch all bars from this date (00:00 UTC) or moment (with offset) on, page by"
        " page, as far back as the provider serves them; instead of `n_bars`",
        examples=["2020-01-01"],
    )
    end: EndAfterStart = Field(
        None,
        description="with `start`: only bars that open before this date or moment",
        examples=["2024-01-31"],
    )

    @field_validator("start")
    @classmethod
    def _has_no_number(cls, start: int | None, info: ValidationInfo) -> int | None:
        if start is not None and info.data.get("n_bars", MAX_BARS) != MAX_BARS:
            raise ValueError("give start or n_bars, not both")
        return start

    def request_of(self, series: Series) -> SyncRequest:
        return SyncRequest(series, self.n_bars, self.start, self.end)


class SyncIn(_WantedBars, VariantFields):
    """The series to bring up to date."""

    symbol: Ticker
    exchange: Exchange
    interval: Interval = Interval.D1

    def request(self) -> SyncRequest:
        return self.request_of(Series(self.of(self.exchange, self.symbol), self.interval))


class BulkSymbol(RequestModel):
    """A symbol of a bulk request."""

    symbol: Ticker
    exchange: Exchange


def all_series(symbols: list[BulkSymbol], intervals: list[Interval]) -> Iterator[Series]:
    """Yield every symbol at every interval, without duplicates."""
    distinct = dict.fromkeys(Symbol.of(each.exchange, each.symbol) for each in symbols)
    for interval in dict.fromkeys(intervals):
        for symbol in distinct:
            yield Series(symbol, interval)


class BulkIn(_WantedBars):
    """The series to bring up to date: every symbol at every interval."""

    symbols: list[BulkSymbol] = Field(
        min_length=1,
        max_length=MOST_BULK_SYMBOLS,
        description="the symbols; duplicates are ignored",
        examples=[[{"symbol": "AAPL", "exchange": "NASDAQ"}]],
    )
    interval: Interval | None = Field(
        None, description="bar length, by default `1d`; or give `intervals`"
    )
    intervals: list[Interval] | None = Field(None, min_length=1, max_length=len(Interval))

    @model_validator(mode="after")
    def _has_interval_or_intervals(self) -> Self:
        if self.interval is not None and self.intervals is not None:
            raise ValueError("give interval or intervals, not both")
        return self

    def requests(self) -> Iterator[SyncRequest]:
        """Return a request for each series, without duplicates."""
        intervals = self.intervals or [self.interval or Interval.D1]
        return map(self.request_of, all_series(self.symbols, intervals))


class SyncQuery(RequestModel):
    timeout: float | None = Field(
        None,
        ge=0,
        le=60,
        allow_inf_nan=False,
        description=(
            "seconds to wait for the sync; 0 does not wait. The default is a little longer than"
            " one fetch may take (PROVIDER_TIMEOUT_SECONDS), so that its time-out is reported too"
        ),
        examples=[30],
    )


class SyncOut(BaseModel):
    """The result of a sync; `bar_count` and the times after it are of the whole series."""

    symbol: str
    exchange: str
    interval: Interval
    status: SyncState = Field(description="always `completed`", examples=["completed"])
    fetched: int = Field(description="bars the provider sent", examples=[500])
    inserted: int
    changed: int
    unchanged: int
    refused: int = Field(description="invalid bars, which were not stored", examples=[0])
    forming: int = Field(
        description="1 if the newest bar has not closed yet and was kept apart, else 0"
    )
    refusals: dict[str, int] = Field(description="number of refused bars by reason", examples=[{}])
    bar_count: int
    first_bar_at: datetime | None
    last_bar_at: datetime | None
    stop: Stop | None = Field(description=STOP, examples=["limit"])
    reached_back_to: datetime | None = Field(description=REACHED_BACK_TO)
    history_begins_at: datetime | None = Field(
        description="after a sync with a `start`: when the provider's history of this series"
        " begins, if it says so",
    )
    job_id: str

    @classmethod
    def of(cls, unit: Unit, report: dict[str, Any], job_id: str) -> Self:
        series = unit.request.series
        refusals: dict[str, int] = report["refused"]
        return cls(
            symbol=series.symbol.name,
            exchange=series.symbol.exchange,
            interval=series.interval,
            status=SyncState.COMPLETED,
            **{name: report[name] for name in ("fetched", "inserted", "changed", "unchanged")},
            refused=sum(refusals.values()),
            refusals=refusals,
            forming=report.get("forming", 0),  # older reports lack it
            bar_count=report["bar_count"],
            first_bar_at=to_date(report["first_bar_at"]),
            last_bar_at=to_date(report["last_bar_at"]),
            stop=report.get("stop"),
            reached_back_to=to_date(report.get("reached_back_to")),
            history_begins_at=to_date(report.get("history_begins_at")),
            job_id=job_id,
        )


class SeriesQuery(PageQuery):
    """A filter for series."""

    exchange: Exchange | None = Field(None, description="only series of this exchange")
    symbol: Ticker | None = Field(None, description="only series of this ticker", examples=["AAPL"])
    interval: Interval | None = Field(None, description="only series of this interval")
    stale_before: Moment | None = Field(
        None,
        description="only series last synced before this moment, or never synced",
        examples=["2024-01-31T14:30:00Z"],
    )

    def filters(self) -> StatusFilter:
        return StatusFilter(
            exchange=self.exchange,
            ticker=self.symbol,
            interval=self.interval,
            stale_before=self.stale_before,
        )


class SyncStatusesQuery(SeriesQuery):
    """A filter for sync statuses."""

    status: SyncState | None = Field(
        None, description="only series in this state", examples=["error"]
    )
    error: str | None = Field(
        None, pattern="^[a-z_]{1,64}$", description="only series whose last failure has this code"
    )

    def filters(self) -> StatusFilter:
        return replace(super().filters(), status=self.status, error_code=self.error)


class SyncStatusQuery(SeriesFields):
    """The series."""


class SyncStatusOut(BaseModel):
    """The sync status of one series."""

    symbol: str
    exchange: str
    interval: Interval
    status: SyncState = Field(
        description="pending, syncing, completed or error", examples=["completed"]
    )
    bar_count: int
    first_bar_at: datetime | None
    last_bar_at: datetime | None
    last_sync_at: datetime | None
    error: str | None
    error_message: str | None = Field(examples=[None])
    job_id: str | None = Field(description="the last job; null: none")
    attempts: int = Field(description="attempts of that job so far")
    next_attempt_at: datetime | None
    calendar_problem: str | None = Field(
        description="why the calendar may not predict the bars of this interval; null: it does",
        examples=[None],
    )

    @classmethod
    def of(cls, status: SyncStatus) -> Self:
        symbol = status.series.symbol
        return cls(
            symbol=symbol.name,
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
            calendar_problem=status.calendar_problem,
        )
