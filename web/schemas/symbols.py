"""The registry of symbols."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, StrictBool, StringConstraints

from pocketquant.domain.intervals import Interval
from pocketquant.storage.symbols import RegisteredSymbol, Wanted
from web.schemas.fields import Exchange, Ticker
from web.schemas.given import Given, PageQuery

# No control characters: a NUL is in no name, and no database takes it as a pattern.
SearchText = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")
]


class SymbolsQuery(PageQuery):
    """Which symbols are listed."""

    exchange: Exchange | None = Field(
        None, description="only symbols of this exchange", examples=["NASDAQ"]
    )
    type: SearchText | None = Field(
        None, description="only symbols of this type, in the provider's words", examples=["stock"]
    )
    active: bool | None = Field(
        None, description="only those that are kept up to date, or only the others", examples=[True]
    )
    interval: Interval | None = Field(
        None, description="only symbols tracked at this interval", examples=["1d"]
    )
    query: SearchText | None = Field(
        None, description="a part of the ticker or of the name, in any case", examples=["apple"]
    )

    def wanted(self) -> Wanted:
        return Wanted(self.exchange, self.type, self.active, self.interval, self.query)


class SymbolIn(Given):
    """A symbol to be kept up to date."""

    symbol: Ticker
    exchange: Exchange
    intervals: list[Interval] = Field(
        [Interval.D1],
        min_length=1,
        max_length=len(Interval),
        description="the intervals that schedules bring up to date",
        examples=[["1h", "1d"]],
    )
    active: StrictBool = Field(
        True, description="false: no schedule syncs it until it is changed", examples=[True]
    )


class SymbolChange(Given):
    """What is to be otherwise; what is absent or null stays as it is."""

    active: StrictBool | None = Field(
        None, description="whether schedules sync the symbol at all", examples=[False]
    )
    intervals: list[Interval] | None = Field(
        None,
        max_length=len(Interval),
        description="the intervals that schedules bring up to date, in place of those before",
        examples=[["1d"]],
    )


class RemovalQuery(Given):
    """How much of a symbol is removed."""

    with_bars: bool = Field(
        False,
        description="remove its bars, live bars and sync statuses too, at every interval",
        examples=[True],
    )


class SymbolOut(BaseModel):
    """A registered symbol, and what the provider says of it; empty where it is silent."""

    symbol: str = Field(description="the ticker at its exchange", examples=["AAPL"])
    exchange: str = Field(description="the exchange", examples=["NASDAQ"])
    name: str = Field(description="of the company, the pair, the contract", examples=["Apple Inc."])
    type: str = Field(description="in the provider's words", examples=["stock"])
    currency: str = Field(description="of its prices", examples=["USD"])
    session: str = Field(description="when it is traded, local time", examples=["0930-1600"])
    timezone: str = Field(description="of the session", examples=["America/New_York"])
    has_volume: bool = Field(description="whether the provider tells volumes", examples=[True])
    active: bool = Field(description="whether schedules keep it up to date", examples=[True])
    intervals: list[Interval] = Field(
        description="tracked ones, which schedules bring up to date", examples=[["1h", "1d"]]
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
