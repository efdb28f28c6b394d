"""Stored bars: which are asked for, and what is answered."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from pocketquant.domain.intervals import Interval
from pocketquant.domain.syncs import MAX_BARS
from web.ohlcv import Window
from web.schemas.fields import Moment
from web.schemas.given import Given

UtcMoment = datetime  # a field named datetime hides the type


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
