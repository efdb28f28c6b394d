"""When a symbol trades."""

from datetime import date, datetime

from pydantic import BaseModel, Field

from pocketquant.domain.intervals import DAY, Interval
from web.schemas.fields import Moment
from web.schemas.requests import VariantFields

_DAYS_BEFORE, _DAYS_AFTER = 7, 30


class CalendarQuery(VariantFields):
    """The variant, and the range of sessions to return."""

    start: Moment | None = Field(
        None,
        description="sessions that end after this moment; a week ago unless given",
        examples=["2026-11-23"],
    )
    end: Moment | None = Field(
        None,
        description="sessions that open before this moment; 30 days from now, or after `start`,"
        " unless given",
        examples=["2026-12-01"],
    )

    def range(self, now: float) -> tuple[int, int]:
        """Return the range, with the defaults filled in."""
        start = int(now) - _DAYS_BEFORE * DAY if self.start is None else self.start
        end = max(int(now), start) + _DAYS_AFTER * DAY if self.end is None else self.end
        return start, end


class SessionOut(BaseModel):
    """One stretch of continuous trading."""

    open: datetime = Field(description="when it opens", examples=["2026-11-27T14:30:00Z"])
    close: datetime = Field(
        description="when it closes; no bar of it is open then", examples=["2026-11-27T18:00:00Z"]
    )
    trading_day: date = Field(
        description="the date it belongs to; an evening session belongs to the next date",
        examples=["2026-11-27"],
    )


class DoubtOut(BaseModel):
    """A bar that the provider sent and the calendar did not predict."""

    interval: Interval = Field(description="interval of the bar", examples=["1h"])
    opened_at: datetime = Field(
        description="when the newest such bar opened", examples=["2026-11-27T19:00:00Z"]
    )


class CalendarOut(BaseModel):
    """When a symbol trades, according to the provider."""

    symbol: str
    exchange: str
    timezone: str = Field(
        description="the time zone of these hours",
        examples=["America/New_York"],
    )
    session: str = Field(
        description="the ordinary hours, as the provider writes them", examples=["0930-1600"]
    )
    source: str = Field(description="where the hours come from", examples=["tradingview"])
    seen_from: datetime = Field(description="when a sync first saw these hours")
    problem: str | None = Field(
        description="why the hours cannot be read, so that no session is known; null: they can",
        examples=[None],
    )
    doubts: list[DoubtOut] = Field(
        description="intervals of recently fetched bars that the calendar did not predict"
    )
    is_open: bool | None = Field(description="whether a session is open now; null: unknown")
    next_open: datetime | None = Field(description="the next open of a session")
    next_close: datetime | None = Field(description="the next close of a session")
    holidays: list[date] = Field(
        description="listed days without a session, in the range", examples=[["2026-11-26"]]
    )
    special_days: list[date] = Field(
        description="listed days with hours of their own, such as an early close, in the range",
        examples=[["2026-11-27"]],
    )
    sessions: list[SessionOut] = Field(description="the sessions of the range, in order of time")
