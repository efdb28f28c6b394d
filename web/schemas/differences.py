"""Days that other sources have otherwise."""

from typing import Self

from pydantic import BaseModel, Field

from pocketquant.domain.dates import to_date
from pocketquant.domain.day_differences import DayDifference
from pocketquant.domain.symbols import Symbol
from web.schemas.fields import UtcMoment


class DifferenceOut(BaseModel):
    """A value of a daily bar, and that of another source."""

    datetime: UtcMoment = Field(
        description="when the daily bar opens", examples=["2026-11-18T14:30:00Z"]
    )
    against: str = Field(
        description="`quote`: the day as the quote reported it when it was over; else the interval"
        " of the stored bars of its whole session",
        examples=["1h"],
    )
    field: str = Field(description="open, high, low, close or volume", examples=["high"])
    stored: float = Field(description="of the daily bar", examples=[190.12])
    other: float = Field(description="of the other source", examples=[1901.2])


class DifferencesOut(BaseModel):
    """Values of a symbol's daily bars that intraday bars or quotes contradict."""

    symbol: str
    exchange: str
    differences: list[DifferenceOut] = Field(description="the newest 100, in order of time")

    @classmethod
    def of(cls, symbol: Symbol, found: list[DayDifference]) -> Self:
        return cls(
            symbol=symbol.name,
            exchange=symbol.exchange,
            differences=[
                DifferenceOut(
                    datetime=to_date(each.time),
                    against=each.against,
                    field=each.field,
                    stored=each.stored,
                    other=each.other,
                )
                for each in found
            ],
        )
