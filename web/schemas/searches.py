"""Symbols that the provider offers."""

from typing import Self

from pydantic import BaseModel, Field, field_validator

from pocketquant.domain.searches import FoundSymbol, SearchPage, SearchRequest, SymbolKind
from web.schemas.fields import Exchange
from web.schemas.given import Given
from web.schemas.symbols import SearchText

_PAGE = 50


class SearchQuery(Given):
    """What is sought at the provider."""

    query: SearchText = Field(
        description="a part of the ticker, of the name, or an ISIN", examples=["aapl"]
    )
    type: SymbolKind | None = Field(
        None, description="only symbols of this kind", examples=["stock"]
    )
    exchange: Exchange | None = Field(
        None, description="only symbols of this exchange", examples=["NASDAQ"]
    )
    country: str | None = Field(
        None,
        pattern="^[A-Za-z]{2}$",
        description="only symbols of this country, by its two letters",
        examples=["US"],
    )
    limit: int = Field(
        _PAGE,
        ge=1,
        le=_PAGE,
        description="matches at most; the contracts of a future are one match",
        examples=[10],
    )
    start: int = Field(
        0, ge=0, le=10_000, description="matches to leave out: `next_start` of before", examples=[0]
    )

    @field_validator("query")
    @classmethod
    def _says_something(cls, query: str) -> str:
        words = " ".join(query.split())
        if not words:
            raise ValueError("name something to look for")
        return words

    def request(self) -> SearchRequest:
        country = (self.country or "").upper()
        return SearchRequest(
            self.query.upper(), self.type, self.exchange or "", country, self.start
        )


class FoundSymbolOut(BaseModel):
    """A symbol that can be synced as it is; texts are empty where the provider is silent."""

    symbol: str = Field(description="the ticker at its exchange", examples=["AAPL"])
    exchange: str = Field(description="the exchange, as a sync takes it", examples=["NASDAQ"])
    name: str = Field(description="of the company, the pair, the contract", examples=["Apple Inc."])
    type: str = Field(description="in the provider's words", examples=["stock"])
    kinds: list[str] = Field(description="what it is in more detail", examples=[["common"]])
    currency: str = Field(description="of its prices", examples=["USD"])
    country: str = Field(description="two letters", examples=["US"])
    provider_exchange: str = Field(
        description="the exchange's name at the provider, for people", examples=["NASDAQ"]
    )

    @classmethod
    def of(cls, found: FoundSymbol) -> Self:
        return cls(
            symbol=found.ticker,
            exchange=found.exchange,
            name=found.name,
            type=found.type,
            kinds=list(found.kinds),
            currency=found.currency,
            country=found.country,
            provider_exchange=found.provider_exchange,
        )


class SearchOut(BaseModel):
    """What the provider offers, best first."""

    symbols: list[FoundSymbolOut] = Field(description="a contract of a future has its own entry")
    remaining: int = Field(description="matches after these", examples=[15])
    next_start: int | None = Field(
        description="`start` of the matches after these; null: there are none", examples=[50]
    )
    unusable: int = Field(description="symbols left out, whose names no chart takes", examples=[0])

    @classmethod
    def of(cls, page: SearchPage, query: SearchQuery) -> Self:
        shown = page.matches[: query.limit]
        remaining = page.remaining + len(page.matches) - len(shown)
        end = query.start + len(shown)
        return cls(
            symbols=[FoundSymbolOut.of(symbol) for match in shown for symbol in match],
            remaining=remaining,
            next_start=end if remaining and shown else None,
            unusable=page.unusable,
        )
