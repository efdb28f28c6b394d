"""What was fetched of a series, what it lacks, and the repair of it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from itertools import chain
from typing import Any, Self

from pydantic import BaseModel, Field

from pocketquant.domain.coverage import CoverageState, Covered, Missing, MissingBars
from pocketquant.domain.dates import to_date
from pocketquant.domain.intervals import Interval
from pocketquant.domain.strip import StripState
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import SyncState
from pocketquant.domain.window import Thresholds
from pocketquant.history.holes import Examined, Quality
from pocketquant.storage.coverage import KeptCoverage
from pocketquant.storage.sync_status import StatusFilter
from web.schemas.fields import Moment
from web.schemas.requests import RequestModel, SeriesFields
from web.schemas.syncs import BulkSymbol, SeriesQuery

_MOST_SYMBOLS = 500


class HoleReason(StrEnum):
    """Why bars are missing."""

    NOT_FETCHED = "not_fetched"
    NOT_SYNCED = "not_synced"
    LOST = "lost"
    NOT_SERVED = "not_served"


class CoverageQuery(SeriesFields):
    """The series."""


class CoveredOut(BaseModel):
    """A stretch that was fetched; the moments without a bar in it had no trade."""

    start: datetime = Field(description="its first moment", examples=["2026-11-02T14:30:00Z"])
    end: datetime = Field(
        description="the first moment after it", examples=["2026-11-27T15:30:00Z"]
    )
    state: CoverageState = Field(
        description="`complete`: every bar of the provider is stored; `rescaled`: they were"
        " multiplied after a split, and not fetched again since; `limited`: the provider serves no"
        " bars that old",
        examples=["complete"],
    )
    asked_at: datetime = Field(
        description="when any of it was last fetched", examples=["2026-11-27T15:31:07Z"]
    )

    @classmethod
    def of(cls, covered: Covered) -> Self:
        return cls(
            start=to_date(covered.start),
            end=to_date(covered.end),
            state=covered.state,
            asked_at=to_date(covered.asked_at),
        )


class CoverageOut(BaseModel):
    """The stretches of a series that were fetched, in order of time."""

    symbol: str
    exchange: str
    interval: Interval
    ranges: list[CoveredOut] = Field(description="those that touch and have one state are one")

    @classmethod
    def of(cls, series: Series, kept: KeptCoverage) -> Self:
        ranges = [CoveredOut.of(each) for each in kept.coverage.ranges]
        symbol = series.symbol
        return cls(
            symbol=symbol.name, exchange=symbol.exchange, interval=series.interval, ranges=ranges
        )


class HolesQuery(SeriesFields):
    """The series and the range to examine."""

    start: Moment | None = Field(
        None,
        description="the first moment; that of the oldest bar unless given",
        examples=["2026-11-01"],
    )
    end: Moment | None = Field(
        None, description="the first moment after it; now unless given", examples=["2026-11-27"]
    )
    limit: int = Field(
        1000, ge=1, le=10000, description="how many stretches to list of each kind", examples=[1000]
    )


class UntradedOut(BaseModel):
    """Consecutive bars without which the series is complete: nothing was traded."""

    first_bar_at: datetime = Field(
        description="when the first of them would open", examples=["2026-11-25T14:30:00Z"]
    )
    last_bar_at: datetime = Field(
        description="when the last of them would open", examples=["2026-11-25T15:29:00Z"]
    )
    bars: int = Field(description="how many the calendar has there", examples=[60])


class HoleOut(UntradedOut):
    """Consecutive bars that are missing."""

    reason: HoleReason = Field(
        description="`not_fetched`: the provider was never asked for them; `not_synced`: nor since"
        " the last sync; `lost`: they were fetched, and fewer bars are stored there than once were;"
        " `not_served`: the provider serves no bars that old",
        examples=["not_fetched"],
    )


class HolesOut(BaseModel):
    """The bars that the calendar of a symbol has and the store lacks."""

    symbol: str
    exchange: str
    interval: Interval
    start: datetime = Field(
        description="the range that was examined, from the oldest bar on, and at most the newest"
        " two million bars",
    )
    end: datetime = Field(description="the first moment after it")
    calendar_problem: str | None = Field(
        description="why holes can't be told from hours without trading; nothing is listed then",
        examples=[None],
    )
    missing_bars: int = Field(description="the bars of all holes", examples=[60])
    hole_count: int = Field(description="all holes, listed or not", examples=[1])
    holes: list[HoleOut] = Field(description="the newest ones, in order of time")
    untraded_bars: int = Field(description="the bars of all stretches without trade", examples=[0])
    untraded_count: int = Field(description="all stretches without trade", examples=[0])
    untraded: list[UntradedOut] = Field(
        description="the newest stretches of fetched time without trade, in order of time"
    )

    @classmethod
    def of(cls, examined: Examined, limit: int) -> Self:
        missing = examined.missing or Missing([], [], [], [], [])
        holes = [*_holes(missing)]
        holes.sort(key=lambda hole: hole.first_bar_at)
        symbol = examined.series.symbol
        return cls(
            symbol=symbol.name,
            exchange=symbol.exchange,
            interval=examined.series.interval,
            start=to_date(examined.start),
            end=to_date(examined.end),
            calendar_problem=examined.problem,
            missing_bars=sum(hole.bars for hole in holes),
            hole_count=len(holes),
            holes=holes[-limit:],
            untraded_bars=sum(each.count for each in missing.untraded),
            untraded_count=len(missing.untraded),
            untraded=[UntradedOut(**_fields(each)) for each in missing.untraded[-limit:]],
        )


class QualityQuery(SeriesQuery):
    """A filter for series."""

    gaps: bool = Field(False, description="only series with gaps between fetched stretches")
    doubtful: bool = Field(False, description="only series whose calendar is doubtful")
    stale: bool = Field(
        False, description="only series without a bar that closed more than `STALE_HOURS` ago"
    )
    never_synced: bool = Field(False, description="only series of which no sync has succeeded")
    refused: bool = Field(
        False, description="only series of which the last sync refused bars, as impossible ones"
    )
    outliers: bool = Field(False, description="only series with bars that may be bad prints")
    differences: bool = Field(
        False, description="only series with days that another source has otherwise"
    )
    at_risk: bool = Field(
        False,
        description="only series of which the provider serves something that was not fetched for"
        " less than `AT_RISK_HOURS`, or no more",
    )
    strip: int = Field(
        0,
        ge=0,
        le=200,
        description="divide the time of each series into so many cells; 0: no strip",
    )

    def chosen(self, thresholds: Thresholds, now: int) -> StatusFilter:
        """Return the filter of statuses, as of now."""
        return replace(
            self.filters(),
            has_gaps=self.gaps,
            is_doubtful=self.doubtful,
            is_never_synced=self.never_synced,
            has_refused=self.refused,
            has_outliers=self.outliers,
            has_differences=self.differences,
            late_before=thresholds.late_before(now) if self.stale else None,
            leaves_before=thresholds.leaves_before(now) if self.at_risk else None,
        )


class StripPartOut(BaseModel):
    """A part of a strip: cells of one state."""

    start: datetime = Field(description="its first moment", examples=["2026-11-02T14:30:00Z"])
    end: datetime = Field(
        description="the first moment after it", examples=["2026-11-27T15:30:00Z"]
    )
    state: StripState = Field(
        description="the worst in it: `complete`; `rescaled`, multiplied after a split and not yet"
        " fetched again; or else why bars are missing",
        examples=["lost"],
    )


class QualityOut(BaseModel):
    """How whole a series is, by what was fetched of it; bars are counted by the calendar."""

    symbol: str
    exchange: str
    interval: Interval
    status: SyncState = Field(description="of its last sync", examples=["completed"])
    bar_count: int
    last_bar_at: datetime | None
    last_sync_at: datetime | None
    fetched_from: datetime | None = Field(
        description="the oldest moment that was fetched; null: none since coverage is kept"
    )
    gaps: int = Field(description="stretches between fetched ones", examples=[0])
    not_fetched_bars: int | None = Field(
        description="bars of the calendar in these gaps; null: the calendar is not trusted",
        examples=[0],
    )
    late_bars: int | None = Field(
        description="bars that have closed since the last fetch; null: the calendar is not trusted",
        examples=[1],
    )
    lost_bars: int = Field(description="stored bars that are stored no more", examples=[0])
    limited: bool = Field(
        description="whether the provider does not serve a part that was wanted", examples=[False]
    )
    limit_bars: int | None = Field(
        description="how many of its newest bars the account's plan serves, as a sync of it has met"
        " or the newest of another intraday series; null: longer bars, or none has met it yet",
        examples=[20000],
    )
    calendar_problem: str | None = Field(
        description="why the calendar may not predict the bars; null: it does", examples=[None]
    )
    refused_bars: int = Field(
        description="bars that the last sync refused, as impossible ones", examples=[0]
    )
    outliers: int = Field(
        description="bars that may be bad prints, at most the newest 100: `GET"
        " /market-data/outliers/…` shows them",
        examples=[0],
    )
    differences: int = Field(
        description="of a daily series: values that intraday bars or the quote have otherwise, at"
        " most the newest 100: `GET /market-data/differences/…` shows them",
        examples=[0],
    )
    late_since: datetime | None = Field(
        description="when the first bar closes that was not fetched; null: not known"
    )
    served_until: datetime | None = Field(
        description="when the provider begins to serve no more what was not fetched: it serves so"
        " many of the newest intraday bars; null: longer bars, or not known"
    )
    at_risk: bool = Field(
        description="whether that is less than `AT_RISK_HOURS` away, or has begun", examples=[False]
    )
    error_code: str | None = Field(
        description="of the last failure since the last success", examples=["unknown_symbol"]
    )
    error_message: str | None = Field(
        description="of that failure", examples=["the provider does not know this symbol"]
    )
    job_id: str | None = Field(description="the job of its last sync")
    strip: list[StripPartOut] = Field(
        description="its time from the first fetched moment until now, in parts; empty unless asked"
        " for"
    )

    @classmethod
    def of(cls, quality: Quality, leaves_before: int) -> Self:
        status = quality.status
        symbol, outlook = status.series.symbol, status.outlook
        return cls(
            symbol=symbol.name,
            exchange=symbol.exchange,
            interval=status.series.interval,
            status=status.status,
            bar_count=status.bar_count,
            last_bar_at=to_date(status.last_bar_at),
            last_sync_at=to_date(status.last_sync_at),
            fetched_from=to_date(quality.start),
            gaps=quality.gaps,
            not_fetched_bars=quality.not_fetched,
            late_bars=quality.late,
            lost_bars=quality.lost,
            limited=quality.is_limited,
            limit_bars=quality.limit_bars,
            calendar_problem=status.calendar_problem,
            refused_bars=status.refused_bars,
            outliers=status.outliers,
            differences=status.differences,
            late_since=to_date(outlook.late_since),
            served_until=to_date(outlook.leaves_at),
            at_risk=outlook.leaves_at is not None and outlook.leaves_at < leaves_before,
            error_code=status.error_code,
            error_message=status.error_message,
            job_id=status.job_id,
            strip=[
                StripPartOut(start=to_date(part.start), end=to_date(part.end), state=part.state)
                for part in quality.strip
            ],
        )


class RepairIn(RequestModel):
    """The series whose holes to fill."""

    symbols: list[BulkSymbol] = Field(
        min_length=1,
        max_length=_MOST_SYMBOLS,
        description="the symbols; duplicates are ignored",
        examples=[[{"symbol": "AAPL", "exchange": "NASDAQ"}]],
    )
    intervals: list[Interval] = Field(
        default=[],
        max_length=len(Interval),
        description="only series of these intervals; by default of all that were ever synced",
        examples=[["1m", "1d"]],
    )

    def chosen(self) -> Iterable[Symbol]:
        return dict.fromkeys(Symbol.of(each.exchange, each.symbol) for each in self.symbols)


def _holes(missing: Missing) -> Iterable[HoleOut]:
    kinds: tuple[tuple[HoleReason, list[MissingBars]], ...] = (
        (HoleReason.NOT_FETCHED, missing.not_fetched),
        (HoleReason.NOT_SYNCED, missing.not_synced),
        (HoleReason.LOST, missing.lost),
        (HoleReason.NOT_SERVED, missing.not_served),
    )
    return chain.from_iterable(
        (HoleOut(reason=reason, **_fields(each)) for each in found) for reason, found in kinds
    )


def _fields(missing: MissingBars) -> dict[str, Any]:
    return {
        "first_bar_at": to_date(missing.first_time),
        "last_bar_at": to_date(missing.last_time),
        "bars": missing.count,
    }
