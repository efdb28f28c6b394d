"""Requests and responses about registered symbols."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, StrictBool, StringConstraints

from pocketquant.domain.intervals import Interval
from pocketquant.storage.symbols import RegisteredSymbol, SymbolFilter
from web.schemas.fields import Exchange, Ticker
from web.schemas.requests import PageQuery, RequestModel, VariantFields

# No control characters: no name holds them, and MongoDB refuses a pattern with NUL.
SearchText = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")
]


class SymbolsQuery(PageQuery):
    """Which symbols to list."""

    exchange: Exchange | None = Field(None, description="only symbols of this exchange")
    type: SearchText | None = Field(
        None, description="only symbols of this type, in the provider's words"
    )
    active: bool | None = Field(
        None, description="only symbols that schedules sync, or (false) only the others"
    )
    interval: Interval | None = Field(None, description="only symbols tracked at this interval")
    query: SearchText | None = None

    def filters(self) -> SymbolFilter:
        return SymbolFilter(self.exchange, self.type, self.active, self.interval, self.query)


class SymbolIn(VariantFields):
    """A symbol to register."""

    symbol: Ticker
    exchange: Exchange
    intervals: list[Interval] = Field(
        [Interval.D1],
        min_length=1,
        max_length=len(Interval),
        description="intervals that schedules keep up to date",
    )
    active: StrictBool = Field(True, description="false: no schedule syncs it")


class SymbolChange(RequestModel):
    """Changes of a symbol; an absent or null field stays as it is."""

    active: StrictBool | None = None
    intervals: list[Interval] | None = Field(
        None,
        max_length=len(Interval),
        description="intervals that schedules keep up to date, in place of the current ones",
    )


class RemovalQuery(VariantFields):
    """The variant, and which data a removal includes besides the registration."""

    with_bars: bool = Field(
        False,
        description="true: also remove its bars, live bars and sync statuses of all intervals",
    )


class SymbolOut(BaseModel):
    """A registered symbol; its texts come from the provider and may be empty."""

    symbol: str
    exchange: str
    name: str = Field(description="name of the company, pair or contract", examples=["Apple Inc."])
    type: str
    currency: str
    session: str = Field(description="trading hours, in local time", examples=["0930-1600"])
    timezone: str = Field(description="time zone of the session", examples=["America/New_York"])
    has_volume: bool = Field(description="whether the provider has volumes")
    full_name: str = Field(
        description="full name of the provider's feed; empty: not synced yet",
        examples=["BATS:AAPL"],
    )
    tick_size: float | None = Field(description="smallest step of the price", examples=[0.01])
    delay_seconds: int | None = Field(description="delay of the feed", examples=[900])
    allowed_adjustment: str = Field(
        description="adjustments that the provider offers, in its words", examples=["any"]
    )
    has_extended_hours: bool | None = Field(
        description="whether the provider has bars of extended hours; null: not known",
        examples=[True],
    )
    active: bool
    intervals: list[Interval] = Field(
        description="tracked intervals, which schedules keep up to date"
    )

    @classmethod
    def of(cls, registered: RegisteredSymbol) -> Self:
        listing = registered.listing
        return cls(
            symbol=listing.symbol.name,
            exchange=listing.symbol.exchange,
            name=listing.description,
            type=listing.type,
            currency=listing.currency,
            session=listing.session,
            timezone=listing.timezone,
            has_volume=listing.has_volume,
            full_name=listing.full_name,
            tick_size=listing.tick_size,
            delay_seconds=listing.delay_seconds,
            allowed_adjustment=listing.allowed_adjustment,
            has_extended_hours=listing.has_extended_hours,
            active=registered.active,
            intervals=list(registered.intervals),
        )
