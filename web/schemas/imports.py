"""Bars that users bring."""

import datetime as dt
import re
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, BeforeValidator, Field

from pocketquant.domain.bars import Floats, Refusal
from pocketquant.domain.dates import to_date
from pocketquant.domain.imports import Refused
from pocketquant.domain.intervals import Interval
from pocketquant.history.importing import ImportReport
from web.schemas.fields import Moment
from web.schemas.given import Given

MOST_BARS = 5000

_FRACTION = re.compile(r"\.[0-9]*[1-9]")


def _at_a_whole_second(moment: object) -> object:
    """Rounded, a bar would be another one than was brought."""
    if isinstance(moment, str) and _FRACTION.search(moment):
        raise ValueError("a bar opens at a whole second")
    return moment


_OpenTime = Annotated[Moment, BeforeValidator(_at_a_whole_second)]
_Price = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class BarIn(Given):
    """One bar."""

    datetime: _OpenTime = Field(
        description="when it opens: ISO 8601 with a zone", examples=["2020-01-02T14:30:00Z"]
    )
    open: _Price = Field(description="the first price", examples=[74.06])
    high: _Price = Field(description="the highest price", examples=[75.15])
    low: _Price = Field(description="the lowest price", examples=[73.8])
    close: _Price = Field(description="the last price", examples=[75.09])
    volume: _Price | None = Field(
        None, description="what was traded; null in all bars where that is unknown", examples=[1e6]
    )


class ImportIn(Given):
    """Bars of one series, in whatever order."""

    interval: Interval = Field(
        description="bar length; case matters: `1m` is a minute, `1M` a month"
    )
    bars: list[BarIn] = Field(
        min_length=1, max_length=MOST_BARS, description=f"{MOST_BARS} at most"
    )

    def columns(self) -> Floats:
        rows = [
            (bar.datetime, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in self.bars
        ]
        return np.array(rows, dtype=np.float64).T


class RefusedBarOut(BaseModel):
    """A bar that was not stored."""

    index: int = Field(description="its place among those given, from 0", examples=[3])
    datetime: dt.datetime = Field(description="when it opens", examples=["2020-01-02T14:30:00Z"])
    reason: Refusal = Field(description="why it is refused", examples=["overlapping"])

    @classmethod
    def of(cls, refused: Refused) -> Self:
        return cls(
            index=refused.index,
            datetime=dt.datetime.fromtimestamp(refused.time, dt.UTC),
            reason=refused.reason,
        )


class ImportOut(BaseModel):
    """What became of the bars; counts and times at the end are of all stored bars of the series."""

    symbol: str = Field(description="the ticker", examples=["AAPL"])
    exchange: str = Field(description="its exchange", examples=["NASDAQ"])
    interval: Interval
    inserted: int = Field(description="new ones", examples=[3])
    changed: int = Field(description="stored ones that now differ", examples=[1])
    unchanged: int = Field(description="stored ones that are the same", examples=[0])
    refused: int = Field(description="bad ones, not stored", examples=[0])
    refusals: list[RefusedBarOut] = Field(description="each refused bar", examples=[[]])
    bar_count: int = Field(description="stored bars of the series", examples=[500])
    first_bar_at: dt.datetime | None = Field(
        description="open time of the oldest", examples=["2020-01-02T14:30:00Z"]
    )
    last_bar_at: dt.datetime | None = Field(
        description="open time of the newest", examples=["2024-01-31T14:30:00Z"]
    )

    @classmethod
    def of(cls, report: ImportReport) -> Self:
        symbol, extent = report.series.symbol, report.extent
        return cls(
            symbol=symbol.ticker,
            exchange=symbol.exchange,
            interval=report.series.interval,
            inserted=report.upserted.inserted,
            changed=report.upserted.changed,
            unchanged=report.upserted.unchanged,
            refused=len(report.refused),
            refusals=[RefusedBarOut.of(each) for each in report.refused],
            bar_count=extent.count,
            first_bar_at=to_date(extent.first_time),
            last_bar_at=to_date(extent.last_time),
        )
