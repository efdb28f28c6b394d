"""Requests and responses about registered symbols."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, StrictBool, StringConstraints

from pocketquant.domain.intervals import Interval
from pocketquant.storage.symbols import RegisteredSymbol, Wanted
from web.schemas.fields import Exchange, Ticker
from web.schemas.requests import PageQuery, RequestModel

# No control characters: no name holds them, and MongoDB refuses a pattern with NUL.
SearchText = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")
]


class SymbolsQuery(PageQuery):
    """Which symbols to list."""

    exchange: Exchange | None = Field(
        None, description="only symbols of this exchange", examples=["NASDAQ"]
    )
    type: SearchText | None = Field(
        None, description="only symbols of this type, in the provider's words", examples=["stock"]
    )
    active: bool | None = Field(
        None,
        description="true: only symbols that schedules sync; false: only the others",
        examples=[True],
    )
    interval: Interval | None = Field(
        None, description="only symbols tracked at this interval", examples=["1d"]
    )
    query: SearchText | None = Field(
        None, description="part of the ticker or of the name, in any case", examples=["apple"]
    )

    def filters(self) -> Wanted:
        return Wanted(self.exchange, self.type, self.active, self.interval, self.query)


class SymbolIn(RequestModel):
    """A symbol to register."""

    symbol: Ticker
    exchange: Exchange
    intervals: list[Interval] = Field(
        [Interval.D1],
        min_length=1,
        max_length=len(Interval),
        description="intervals that schedules keep up to date",
        examples=[["1h", "1d"]],
    )
    active: StrictBool = Field(True, description="false: no schedule syncs it", examples=[True])


class SymbolChange(RequestModel):
    """Changes of a symbol; an absent or null field stays as it is."""

    active: StrictBool | None = Field(
        None, description="whether schedules sync the symbol", examples=[False]
    )
    intervals: list[Interval] | None = Field(
        None,
        max_length=len(Interval),
        description="intervals that schedules keep up to date, in place of the current ones",
        examples=[["1d"]],
    )


class RemovalQuery(RequestModel):
    """What to remove besides the registration."""

    with_bars: bool = Field(
        False,
        description="true: also remove its bars, live bars and sync statuses of all intervals",
        examples=[True],
    )


class SymbolOut(BaseModel):
    """A registered symbol; its texts come from the provider and may be empty."""

    symbol: str
    exchange: str
    name: str = Field(description="name of the company, pair or contract", examples=["Apple Inc."])
    type: str = Field(description="type, in the provider's words", examples=["stock"])
    currency: str = Field(description="currency of its prices", examples=["USD"])
    session: str = Field(description="trading hours, in local time", examples=["0930-1600"])
    timezone: str = Field(description="time zone of the session", examples=["America/New_York"])
    has_volume: bool = Field(description="whether the provider has volumes", examples=[True])
    active: bool = Field(description="whether schedules sync it", examples=[True])
    intervals: list[Interval] = Field(
        description="tracked intervals, which schedules keep up to date", examples=[["1h", "1d"]]
    )

    @classmethod
    def of(cls, registered: RegisteredSymbol) -> Self:
        listing = registered.listing
        return cls(
            symbol=listing.symbol.ticker,
            exchange=listing.symbol.exchange,
            name=listing.description,
            type=listing.type,
            currency=listing.currency,
            session=listing.session,
            timezone=listing.timezone,
            has_volume=listing.has_volume,
            active=registered.active,
            intervals=list(registered.intervals),
        )
