"""Where the bars of an answer come from."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from pocketquant.domain.dates import moment_of, to_date
from pocketquant.domain.intervals import Interval
from pocketquant.history.provenance import Provenance
from web.schemas.holes import CoveredOut


class ProvenanceOut(BaseModel):
    """The origin of the bars of a range, to keep beside a result that was made of them."""

    symbol: str
    exchange: str
    interval: str = Field(description="that of the bars", examples=["1d"])
    resampled_from: Interval | None = Field(
        description="the stored interval that the bars were made of, which all that follows is"
        " about; null: they are stored themselves",
        examples=[None],
    )
    as_of: datetime = Field(
        description="the moment of this answer; with it as `as_of` the same bars of history come"
        " again",
        examples=["2026-11-27T15:31:07.123Z"],
    )
    start: datetime = Field(description="the range begins", examples=["2026-01-05T14:30:00Z"])
    end: datetime = Field(description="the range ends before", examples=["2026-11-27T15:31:07Z"])
    feed: str | None = Field(
        description="the provider's own name of what it sent; null: not known",
        examples=["BATS:AAPL"],
    )
    variant: str = Field(
        description="`default`: split-adjusted, regular hours, in the symbol's own currency; else"
        " the marks of the variant, such as `adjustment=dividends;session=extended`",
        examples=["default"],
    )
    differs_from_default: bool | None = Field(
        description="whether bars of the range differ from those stored of the default variant;"
        " false: no difference was seen, so the provider may not have heeded the choice; null: this"
        " is the default variant, or there is nothing to compare",
        examples=[None],
    )
    fetched_at: datetime | None = Field(
        description="when the series was last synced; null: never",
        examples=["2026-11-27T15:30:12Z"],
    )
    coverage: list[CoveredOut] = Field(description="the stretches of the range that were fetched")
    calendar_version: int | None = Field(
        description="which texts of the symbol's hours, counted from 1; null: none are known",
        examples=[1],
    )
    calendar_seen_from: datetime | None = Field(
        description="since when syncs see these hours", examples=["2026-01-05T15:00:02Z"]
    )
    revisions: int = Field(description="how often bars of the range changed", examples=[2])
    last_revised_at: datetime | None = Field(
        description="when they last did; null: never, as far as is kept",
        examples=["2026-11-26T21:05:07.123Z"],
    )
    missing_bars: int | None = Field(
        description="how many bars of the calendar are not stored, but for those without a trade;"
        " null: not known, since the calendar is not trusted or `as_of` was given",
        examples=[0],
    )
    complete: bool | None = Field(
        description="whether no bar is missing; null: not known", examples=[True]
    )

    @classmethod
    def of(cls, found: Provenance, interval: str) -> Self:
        """Return the origin of bars of an interval."""
        symbol, calendar, last = found.series.symbol, found.calendar, found.revised.last
        stored = found.series.interval
        return cls(
            symbol=symbol.name,
            exchange=symbol.exchange,
            interval=interval,
            resampled_from=None if stored.value == interval else stored,
            as_of=moment_of(found.moment),
            start=to_date(found.start),
            end=to_date(found.end),
            feed=found.feed,
            variant=str(symbol.variant).removeprefix(";") or "default",
            differs_from_default=found.differs_from_default,
            fetched_at=to_date(found.fetched_at),
            coverage=[CoveredOut.of(each) for each in found.coverage],
            calendar_version=calendar.version_count if calendar else None,
            calendar_seen_from=to_date(calendar.seen_from) if calendar else None,
            revisions=found.revised.changes,
            last_revised_at=last,
            missing_bars=found.missing_bars,
            complete=found.is_complete,
        )
