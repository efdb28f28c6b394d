"""The corporate events of a symbol."""

import datetime
from typing import Self

from pydantic import BaseModel, Field

from pocketquant.domain.dates import to_date
from pocketquant.domain.events import Event, EventKind, EventSource


class EventOut(BaseModel):
    """A split or a dividend, as bars show it or a quote reports it."""

    kind: EventKind = Field(examples=["split"])
    source: EventSource = Field(
        description="`bars`: the ratio of fetched bars to those that were stored; `quote`: the"
        " provider's quote named it",
        examples=["bars"],
    )
    found_at: datetime.datetime = Field(
        description="when a sync found it, or the first quote named it",
        examples=["2026-11-19T22:00:12Z"],
    )
    before: datetime.datetime | None = Field(
        description="bars that open before this moment were multiplied: the event took place then"
        " or later, but before `found_at`; null: of a quote",
        examples=["2026-11-19T14:30:00Z"],
    )
    factor: float | None = Field(
        description="of their prices: 0.1 after a split of 10 for 1, 10 if it was undone; null: of"
        " a quote",
        examples=[0.1],
    )
    found_by: list[str] = Field(
        description="the series that found it, the first one first; empty: of a quote",
        examples=[["NASDAQ:AAPL|1d", "NASDAQ:AAPL|1h"]],
    )
    job_id: str | None = Field(
        description="the job that found it first", examples=["6b0987f1a5c9b7d6c1e7f0aa"]
    )
    ex_date: datetime.date | None = Field(
        description="of a dividend that a quote named; null: of bars", examples=["2026-11-09"]
    )
    amount: float | None = Field(
        description="of that dividend, a share; null: of bars, or not known before it is paid",
        examples=[0.26],
    )

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(
            kind=event.kind,
            source=event.source,
            found_at=to_date(event.found_at),
            before=to_date(event.before),
            factor=event.factor,
            found_by=[str(series) for series in event.found_by],
            job_id=event.job_id,
            ex_date=event.ex_date,
            amount=event.amount,
        )


class EventsOut(BaseModel):
    """The events of a symbol, those found last first."""

    symbol: str
    exchange: str
    events: list[EventOut]
