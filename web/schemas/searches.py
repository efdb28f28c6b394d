"""The search for symbols at the provider."""

from typing import Self

from pydantic import BaseModel, Field, field_validator

from pocketquant.domain.searches import FoundSymbol, SearchPage, SearchRequest, SymbolKind
from web.schemas.fields import Exchange
from web.schemas.requests import RequestModel
from web.schemas.symbols import SearchText

_PAGE = 50


class SearchQuery(RequestModel):
    """A search by text, filtered by type, exchange or country."""

    query: SearchText = Field(description="part of the ticker or of the name, or an ISIN")
    type: SymbolKind | None = Field(None, description="only symbols of this kind")
    exchange: Exchange | None = Field(None, description="only symbols of this exchange")
    country: str | None = Field(
        None, pattern="^[A-Za-z]{2}$", description="only symbols of this country (two letters)"
    )
    limit: int = Field(
        _PAGE,
        ge=1,
        le=_PAGE,
        description="maximum number of matches; a future with all its contracts is one match",
        examples=[10],
    )
    start: int = Field(
        0, ge=0, le=10_000, description="matches to skip: `next_start` of the previous page"
    )

    @field_validator("query")
    @classmethod
    def _is_not_blank(cls, query: str) -> str:
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
    """A symbol that can be synced; texts are empty where the provider has none."""

    symbol: str
    exchange: str = Field(description="the exchange, as a sync expects it")
    name: str = Field(description="name of the company, pair or contract", examples=["Apple Inc."])
    type: str
    kinds: list[str] = Field(description="subtypes, in the provider's words", examples=[["common"]])
    currency: str
    country: str
    provider_exchange: str = Field(
        description="name of the exchange at the provider", examples=["NASDAQ"]
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
    """Matching symbols at the provider, best match first."""

    symbols: list[FoundSymbolOut] = Field(
        description="the symbols; each contract of a future is an entry of its own"
    )
    remaining: int = Field(description="number of matches after these", examples=[15])
    next_start: int | None = Field(
        description="`start` of the next page; null: this is the last one", examples=[50]
    )
    unusable: int = Field(description="symbols left out: charts do not accept their names")

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
