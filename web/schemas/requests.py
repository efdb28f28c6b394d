"""What the API takes: bodies, query strings and paths. Nothing unknown passes."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import MAX_BARS, SyncRequest
from web.ohlcv import Window
from web.schemas.fields import Exchange, Moment, Ticker, WholeNumber

MOST_BULK_SYMBOLS = 10_000


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SymbolPath(Given):
    """Which symbol a path names."""

    exchange: Exchange
    symbol: Ticker = Field(
        description="the ticker, in any case; a `/` in it may be written as it is or as `%2F`"
    )

    def named(self) -> Symbol:
        return Symbol(self.exchange, self.symbol)

    def series(self, interval: Interval) -> Series:
        return Series(self.named(), interval)


class SyncIn(Given):
    """Which series to bring up to date."""

    symbol: Ticker
    exchange: Exchange
    interval: Interval = Field(
        Interval.D1, description="bar length; case matters: `1m` is a minute, `1M` a month"
    )
    n_bars: WholeNumber = Field(
        MAX_BARS,
        ge=1,
        le=MAX_BARS,
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
    n_bars: WholeNumber = Field(
        MAX_BARS,
        ge=1,
        le=MAX_BARS,
        description="how many of the newest bars to fetch of each series",
        examples=[500],
    )

    @model_validator(mode="after")
    def _names_intervals_once(self) -> Self:
        if self.interval is not None and self.intervals is not None:
            raise ValueError("give interval or intervals, not both")
        return self

    def requests(self) -> Iterator[SyncRequest]:
        for interval in self.intervals or [self.interval or Interval.D1]:
            for each in self.symbols:
                series = Series(Symbol(each.exchange, each.symbol), interval)
                yield SyncRequest(series, self.n_bars)


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


class Order(StrEnum):
    """Newest first, or oldest first."""

    DESC = "desc"
    ASC = "asc"


class OhlcvQuery(Given):
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


class PageQuery(Given):
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


class SyncStatusQuery(Given):
    interval: Interval = Field(Interval.D1, description="bar length; case matters")
