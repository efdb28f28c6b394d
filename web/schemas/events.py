"""The corporate events of a symbol."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, Field

from pocketquant.domain.dates import to_date
from pocketquant.domain.intervals import Interval
from pocketquant.storage.generations import Rescale


class EventKind(StrEnum):
    """The kinds of events."""

    SPLIT = "split"


class EventSource(StrEnum):
    """The source of an event."""

    BARS = "bars"  # the ratio of fetched bars to stored ones


class EventOut(BaseModel):
    """A split, as one series of the symbol shows it."""

    kind: EventKind = Field(examples=["split"])
    interval: Interval = Field(
        description="the interval of the bars that show it; each series finds it for itself",
        examples=["1d"],
    )
    before: datetime = Field(
        description="bars that open before this moment were multiplied: the split took place"
        " between the last of them and `found_at`",
        examples=["2026-11-19T14:30:00Z"],
    )
    factor: float = Field(
        description="of their prices: 0.1 after a split of 10 for 1, 10 if it was undone",
        examples=[0.1],
    )
    found_at: datetime = Field(
        description="when a sync found it", examples=["2026-11-19T22:00:12Z"]
    )
    source: EventSource = Field(
        description="`bars`: the ratio of the fetched bars to those that were stored",
        examples=["bars"],
    )
    job_id: str | None = Field(
        description="the job of that sync", examples=["6b0987f1a5c9b7d6c1e7f0aa"]
    )

    @classmethod
    def all_of(cls, rescales: list[Rescale]) -> list[Self]:
        return [
            cls(
                kind=EventKind.SPLIT,
                interval=rescale.series.interval,
                before=to_date(split.before),
                factor=split.factor,
                found_at=to_date(rescale.found_at),
                source=EventSource.BARS,
                job_id=rescale.job_id,
            )
            for rescale in rescales
            for split in rescale.splits
        ]


class EventsOut(BaseModel):
    """The events of a symbol, those found last first."""

    symbol: str
    exchange: str
    events: list[EventOut]
