"""Parts that many requests share: a symbol in the path, a page of a list."""

from pydantic import BaseModel, ConfigDict, Field

from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series, Symbol
from web.schemas.fields import Exchange, Ticker


class RequestModel(BaseModel):
    """A body, path or query; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SymbolPath(RequestModel):
    """The symbol in a path."""

    exchange: Exchange
    symbol: Ticker = Field(
        description="the ticker, in any case; write a `/` in it as it is or as `%2F`"
    )

    def to_symbol(self) -> Symbol:
        return Symbol(self.exchange, self.symbol)

    def series(self, interval: Interval) -> Series:
        return Series(self.to_symbol(), interval)


class PageQuery(RequestModel):
    page: int = Field(1, ge=1, le=1000000, description="page number, from 1")
    page_size: int = Field(50, ge=1, le=500, description="entries per page", examples=[50])

    @property
    def offset(self) -> int:
        """How many entries come before this page."""
        return (self.page - 1) * self.page_size
