"""What is asked for in the same words everywhere: a symbol of a path, a page of a list."""

from pydantic import BaseModel, ConfigDict, Field

from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series, Symbol
from web.schemas.fields import Exchange, Ticker


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SymbolPath(Given):
    """Which symbol a path names."""

    exchange: Exchange
    symbol: Ticker = Field(
        description="the ticker, in any case; a `/` in it may be written as it is or as `%2F`"
    )

    def named(self) -> Symbol:
        return Symbol(self.exchange, self.symbol)

    def series(self, interval: Interval) -> Series:
        return Series(self.named(), interval)


class PageQuery(Given):
    page: int = Field(1, ge=1, le=1_000_000, description="which page, from 1", examples=[1])
    page_size: int = Field(50, ge=1, le=500, description="entries a page", examples=[50])
