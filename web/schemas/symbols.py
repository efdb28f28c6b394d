"""The registry of symbols."""

from typing import Self

from pydantic import BaseModel, Field

from pocketquant.domain.intervals import Interval
from pocketquant.storage.symbols import RegisteredSymbol
from web.schemas.fields import Exchange
from web.schemas.given import PageQuery


class SymbolsQuery(PageQuery):
    exchange: Exchange | None = Field(None, description="only symbols of this exchange")


class SymbolOut(BaseModel):
    """A symbol that was synced, and what the provider says of it; empty where it is silent."""

    symbol: str = Field(examples=["AAPL"])
    exchange: str = Field(examples=["NASDAQ"])
    name: str = Field(examples=["Apple Inc."])
    type: str = Field(examples=["stock"])
    currency: str = Field(examples=["USD"])
    session: str = Field(examples=["0930-1600"])
    timezone: str = Field(examples=["America/New_York"])
    has_volume: bool = Field(examples=[True])
    active: bool = Field(description="kept up to date", examples=[True])
    intervals: list[Interval] = Field(description="synced so far", examples=[["1h", "1d"]])

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
