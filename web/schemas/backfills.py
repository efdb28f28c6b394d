"""Backfills: the request, and the job with its estimate."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, WithJsonSchema

from pocketquant.domain.backfills import Total, total_of
from pocketquant.domain.dates import to_date
from pocketquant.domain.intervals import Interval
from pocketquant.domain.syncs import EARLIEST_START, SyncRequest
from pocketquant.history.backfilling import Estimate
from pocketquant.storage.units import Job
from web.schemas.estimates import EstimateOut
from web.schemas.fields import PastMoment
from web.schemas.jobs import JobOut
from web.schemas.requests import RequestModel
from web.schemas.syncs import MOST_BULK_SYMBOLS, BulkSymbol, EndAfterStart, all_series

MOST_ESTIMATED = 10_000
_ALL = "all"


def _all_since_1900(start: object) -> object:
    return str(to_date(EARLIEST_START).date()) if start == _ALL else start


FirstMoment = Annotated[
    PastMoment,
    BeforeValidator(_all_since_1900),
    WithJsonSchema(
        {
            "type": "string",
            "anyOf": [{"const": _ALL}, {"format": "date"}, {"format": "date-time"}],
        }
    ),
]


class BackfillIn(RequestModel):
    """The series to fetch, and from when on."""

    symbols: list[BulkSymbol] = Field(
        min_length=1,
        max_length=MOST_BULK_SYMBOLS,
        description="the symbols; duplicates are ignored",
        examples=[[{"symbol": "AAPL", "exchange": "NASDAQ"}]],
    )
    intervals: list[Interval] = Field(
        [Interval.D1], min_length=1, max_length=len(Interval), examples=[["1h", "1d"]]
    )
    start: FirstMoment = Field(
        description="fetch all bars from this date (00:00 UTC) or moment (with offset) on, or `all`"
        " that the provider serves",
        examples=["all"],
    )
    end: EndAfterStart = Field(
        None,
        description="only bars that open before this date or moment; by default up to the newest",
        examples=["2024-01-31"],
    )

    def requests(self) -> Iterator[SyncRequest]:
        """Yield a request for each series, without duplicates."""
        for series in all_series(self.symbols, self.intervals):
            yield SyncRequest(series, start=self.start, end=self.end, is_missing_only=True)

    def to_estimate(self) -> list[SyncRequest]:
        """Return the requests that are estimated; further ones are unknown."""
        return list(islice(self.requests(), MOST_ESTIMATED))

    def count(self) -> int:
        """Return how many series there are."""
        return sum(1 for _ in all_series(self.symbols, self.intervals))


class BackfillOut(JobOut):
    """The job of a backfill, and what it can bring."""

    estimate: EstimateOut

    @classmethod
    def of_job(cls, job: Job, estimate: EstimateOut) -> Self:
        return cls(**JobOut.of(job).model_dump(), estimate=estimate)


def total(body: BackfillIn, estimate: Estimate) -> Total:
    """Return the sums; series beyond the estimated ones are unknown."""
    found, count = total_of(estimate.ranges.values()), body.count()
    unknown = found.unknown + count - found.series
    return Total(count, unknown, found.bars, found.pages)
