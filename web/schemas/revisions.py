"""Changes of bars that were stored before."""

import math
from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from pocketquant.domain.dates import to_date
from pocketquant.domain.revisions import Reason
from pocketquant.storage.revisions import Revision
from web.schemas.fields import UtcMoment
from web.schemas.requests import PageQuery, SeriesFields


class RevisionsQuery(SeriesFields, PageQuery):
    """The series, and a page of its changes."""


class ChangeOut(BaseModel):
    """One number of a bar, before and after."""

    datetime: UtcMoment = Field(
        description="open time of the bar", examples=["2024-01-30T14:30:00Z"]
    )
    field: str = Field(
        description="`open`, `high`, `low`, `close`, or `volume` if no price changed",
        examples=["volume"],
    )
    before: float | None = Field(description="null: no volume", examples=[55859400.0])
    after: float | None = Field(description="null: no volume", examples=[55863200.0])


class RevisionOut(BaseModel):
    """A change of stored bars that lie near each other, by one sync or import."""

    replaced_at: datetime = Field(
        description="the moment of the change; `as_of` of an earlier one has the former values",
        examples=["2024-01-31T21:05:07.123Z"],
    )
    bars: int = Field(description="how many bars changed", examples=[1])
    first_bar_at: datetime = Field(examples=["2024-01-30T14:30:00Z"])
    last_bar_at: datetime = Field(examples=["2024-01-30T14:30:00Z"])
    largest_change: ChangeOut = Field(
        description="of all prices the one that changed most, relatively; else of all volumes"
    )
    reason: Reason = Field(description="what brought the new values", examples=["sync"])
    job_id: str | None = Field(
        description="the newest job that wanted the sync; null: an import",
        examples=["0190b2d5a1b24c1d9e7f3a2b4c5d6e7f"],
    )

    @classmethod
    def of(cls, revision: Revision) -> Self:
        time, field, before, after = revision.largest
        return cls(
            replaced_at=revision.replaced_at,
            bars=revision.bars,
            first_bar_at=to_date(revision.first_bar_at),
            last_bar_at=to_date(revision.last_bar_at),
            largest_change=ChangeOut(
                datetime=to_date(time),
                field=field,
                before=None if math.isnan(before) else before,
                after=None if math.isnan(after) else after,
            ),
            reason=revision.cause.reason,
            job_id=revision.cause.job_id,
        )
