"""Bars of a series with a price far from those around them."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from pocketquant.domain.bars import Bars
from pocketquant.domain.dates import to_date
from pocketquant.domain.intervals import Interval
from pocketquant.domain.outliers import Outlier
from pocketquant.domain.symbols import Series
from web.schemas.fields import UtcMoment


class OutlierOut(BaseModel):
    """A price that stands alone, and its evidence."""

    datetime: UtcMoment = Field(
        description="open time of the bar", examples=["2024-01-30T14:30:00Z"]
    )
    field: str = Field(description="`high` or `low`, whichever lies farther off", examples=["high"])
    value: float = Field(description="the price that stands alone", examples=[1904.7])
    usual: float = Field(
        description="median close of the ten bars before and the ten after", examples=[190.94]
    )
    lowest: float = Field(
        description="the lowest price that would be no outlier: eight usual sizes of a bar below"
        " `usual`, or a hundredth if that is more",
        examples=[181.2],
    )
    highest: float = Field(
        description="the highest price that would be no outlier", examples=[201.3]
    )


class OutliersOut(BaseModel):
    """The outliers of a range, of which so many bars were read."""

    symbol: str
    exchange: str
    interval: Interval
    bars: int = Field(description="how many bars were compared with each other", examples=[5000])
    first_bar_at: datetime | None = Field(examples=["2007-01-17T14:30:00Z"])
    last_bar_at: datetime | None = Field(examples=["2026-11-25T14:30:00Z"])
    outlier_count: int = Field(description="how many there are", examples=[1])
    outliers: list[OutlierOut] = Field(description="the newest of them, in order of time")

    @classmethod
    def of(cls, series: Series, bars: Bars, found: Sequence[Outlier], limit: int) -> Self:
        return cls(
            symbol=series.symbol.name,
            exchange=series.symbol.exchange,
            interval=series.interval,
            bars=len(bars),
            first_bar_at=to_date(bars.first_time),
            last_bar_at=to_date(bars.last_time),
            outlier_count=len(found),
            outliers=[_shown(each) for each in found[-limit:]],
        )


def _shown(outlier: Outlier) -> OutlierOut:
    evidence = asdict(outlier)
    return OutlierOut(datetime=to_date(evidence.pop("time")), **evidence)
