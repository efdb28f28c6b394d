"""The bars expected of ranges, as far as they are known before they are fetched."""

from datetime import datetime
from itertools import islice
from typing import Self

from pydantic import BaseModel, Field

from pocketquant.domain.backfills import Bound, Expected, Total
from pocketquant.domain.dates import to_date
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series
from pocketquant.history.backfilling import Estimate

_MOST_LISTED = 1000


class ExpectedOut(BaseModel):
    """The bars and pages expected of one series; time without trades makes the bars fewer."""

    symbol: str
    exchange: str
    interval: Interval
    bars: int | None = Field(
        description="about how many bars the provider can send, without those that were fetched"
        " before; null: not known yet",
        examples=[40210],
    )
    covered: int = Field(
        description="about how many bars of the range were fetched before; they are not requested"
        " again",
        examples=[0],
    )
    pages: int | None = Field(
        description="in how many pages of up to 5000; null: not known yet", examples=[9]
    )
    since: datetime | None = Field(
        description="about when the oldest of them opens; null: not known yet",
        examples=["2004-08-19T13:30:00Z"],
    )
    bound: Bound = Field(
        description="what it is bounded by: the `start`, the `beginning` of the provider's history,"
        " the `limit` of the account's plan, or `unknown`",
        examples=["beginning"],
    )

    @classmethod
    def of(cls, series: Series, expected: Expected) -> Self:
        return cls(
            symbol=series.symbol.name,
            exchange=series.symbol.exchange,
            interval=series.interval,
            bars=expected.bars,
            covered=expected.covered,
            pages=expected.pages,
            since=to_date(expected.since),
            bound=expected.bound,
        )


class TotalOut(BaseModel):
    """The bars and pages expected of all series of a backfill together."""

    series_count: int = Field(description="series that are wanted", examples=[1])
    unknown_count: int = Field(
        description="series of which nothing is known yet, and which are not in the sums",
        examples=[0],
    )
    bars: int = Field(description="about how many bars can come", examples=[40210])
    pages: int = Field(description="in how many pages", examples=[9])

    @classmethod
    def of(cls, total: Total) -> Self:
        return cls(
            series_count=total.series,
            unknown_count=total.unknown,
            bars=total.bars,
            pages=total.pages,
        )


class EstimateOut(TotalOut):
    """The bars expected of a backfill, as far as they are known before it begins."""

    limit_bars: int | None = Field(
        description="how many bars of a series the account's plan serves, as the newest sync that"
        " met its limit has shown; null: none has met it yet, and less than this estimate may come",
        examples=[20000],
    )
    reported_limit_bars: int | None = Field(
        description="how many users report for that plan, while no sync has met its limit; it"
        " bounds nothing here; null: the plan is not known, or its limit was met",
        examples=[None],
    )
    series: list[ExpectedOut] = Field(description="the first thousand series")

    @classmethod
    def of_estimate(cls, estimate: Estimate, total: Total) -> Self:
        listed = islice(estimate.ranges.items(), _MOST_LISTED)
        return cls(
            **TotalOut.of(total).model_dump(),
            limit_bars=estimate.limit.met,
            reported_limit_bars=estimate.limit.reported,
            series=[ExpectedOut.of(series, each) for series, each in listed],
        )
