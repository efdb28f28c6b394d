"""Parts that many requests share: a symbol in the path, a page of a list."""

from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from pocketquant.domain.errors import InvalidSymbol
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.variants import DEFAULT, Adjustment, TradingHours, Variant
from web.schemas.fields import Currency, Exchange, Ticker


class RequestModel(BaseModel):
    """A body, path or query; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class VariantFields(RequestModel):
    """How the bars of the symbol are asked for, unless its name says it."""

    adjustment: Adjustment = Field(
        DEFAULT.adjustment,
        description="what older bars are adjusted by: `splits`, or `dividends` as well",
        examples=["splits"],
    )
    session: TradingHours = Field(
        DEFAULT.session,
        description="`extended`: also the hours before the open and after the close, for bars"
        " shorter than a day",
        examples=["regular"],
    )
    currency: Currency | None = Field(
        None, description="currency of the prices; the symbol's own unless given", examples=[None]
    )
    back_adjustment: bool = Field(
        DEFAULT.back_adjustment,
        description="whether older contracts of a continuous future are adjusted to the newest",
        examples=[False],
    )
    settlement_as_close: bool | None = Field(
        DEFAULT.settlement_as_close,
        description="whether the settlement price of a future is the close of its day; as the"
        " provider has it unless given",
        examples=[None],
    )

    def of(self, exchange: str, name: str) -> Symbol:
        """Return the symbol in this variant; InvalidSymbol if its name has another one."""
        symbol = Symbol.of(exchange, name)
        variant = Variant(
            self.adjustment,
            self.session,
            self.currency or "",
            self.back_adjustment,
            self.settlement_as_close,
        )
        if variant == DEFAULT:
            return symbol
        if symbol.variant not in {DEFAULT, variant}:
            raise InvalidSymbol(f"{symbol} has another variant than{variant}; give it once")
        return replace(symbol, variant=variant)


class SymbolPath(RequestModel):
    """The symbol in a path."""

    exchange: Exchange
    symbol: Ticker = Field(
        description="the ticker, in any case; write a `/` in it as it is or as `%2F`"
    )

    def to_symbol(self, variant: VariantFields) -> Symbol:
        return variant.of(self.exchange, self.symbol)


class SeriesFields(VariantFields):
    """The interval and the variant of the symbol in the path."""

    interval: Interval = Interval.D1

    def series(self, path: SymbolPath) -> Series:
        return Series(path.to_symbol(self), self.interval)


class PageQuery(RequestModel):
    page: int = Field(1, ge=1, le=1000000, description="page number, from 1")
    page_size: int = Field(50, ge=1, le=500, description="entries per page", examples=[50])

    @property
    def offset(self) -> int:
        """How many entries come before this page."""
        return (self.page - 1) * self.page_size
