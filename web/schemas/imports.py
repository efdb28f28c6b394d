"""`POST ohlcv`: bars that a user imports, and the report about them."""

import datetime as dt
import re
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, BeforeValidator, Field

from pocketquant.domain.bars import Floats, Refusal
from pocketquant.domain.dates import to_date
from pocketquant.domain.imports import RefusedBar
from pocketquant.domain.intervals import Interval
from pocketquant.history.importing import ImportReport
from web.schemas.fields import Moment
from web.schemas.requests import RequestModel

MOST_BARS = 5000

_FRACTION = re.compile(r"\.[0-9]*[1-9]")


def _require_whole_second(moment: object) -> object:
    """Refuse a fraction of a second; rounding would change the bar."""
    if isinstance(moment, str) and _FRACTION.search(moment):
        raise ValueError("a bar opens at a whole second")
    return moment


_OpenTime = Annotated[Moment, BeforeValidator(_require_whole_second)]
_Price = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class BarIn(RequestModel):
    """A bar to import."""

    datetime: _OpenTime = Field(
        description="open time: ISO 8601 with its offset", examples=["2020-01-02T14:30:00Z"]
    )
    open: _Price = Field(description="the first price", examples=[74.06])
    high: _Price = Field(description="the highest price", examples=[75.15])
    low: _Price = Field(description="the lowest price", examples=[73.8])
    close: _Price = Field(description="the last price", examples=[75.09])
    volume: _Price | None = Field(
        None, description="traded volume; null in every bar if it is unknown", examples=[1e6]
    )


class ImportIn(RequestModel):
    """Bars of one series, in any order."""

    interval: Interval
    bars: list[BarIn] = Field(
        min_length=1, max_length=MOST_BARS, description=f"the bars, at most {MOST_BARS}"
    )

    def columns(self) -> Floats:
        """Return six rows: open times in epoch seconds, prices, volumes."""
        rows = [
            (bar.datetime, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in self.bars
        ]
        return np.array(rows, dtype=np.float64).T


class RefusedBarOut(BaseModel):
    """A bar that was not stored."""

    index: int = Field(description="its index in the request, from 0", examples=[3])
    datetime: dt.datetime = Field(description="its open time")
    reason: Refusal = Field(description="why it was refused", examples=["overlapping"])

    @classmethod
    def of(cls, refused: RefusedBar) -> Self:
        return cls(
            index=refused.index,
            datetime=dt.datetime.fromtimestamp(refused.time, dt.UTC),
            reason=refused.reason,
        )


class ImportOut(BaseModel):
    """The result of an import; `bar_count` and the times after it are of the whole series."""

    symbol: str
    exchange: str
    interval: Interval
    inserted: int
    changed: int
    unchanged: int = Field(examples=[0])
    refused: int = Field(description="bars that were not stored", examples=[0])
    refusals: list[RefusedBarOut] = Field(description="the refused bars", examples=[[]])
    bar_count: int
    first_bar_at: dt.datetime | None
    last_bar_at: dt.datetime | None

    @classmethod
    def of(cls, report: ImportReport) -> Self:
        symbol, extent = report.series.symbol, report.extent
        return cls(
            symbol=symbol.name,
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
