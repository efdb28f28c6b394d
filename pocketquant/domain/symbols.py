"""`Symbol`, and `Series`: one symbol at one interval."""

import re
from dataclasses import dataclass
from typing import Self

from pocketquant.domain.errors import InvalidRequest, InvalidSymbol
from pocketquant.domain.intervals import Interval
from pocketquant.domain.variants import DEFAULT, TradingHours, Variant

EXCHANGE_PATTERN = r"[A-Z0-9_]{1,32}"
TICKER_PATTERN = r"[A-Z0-9._!&/\-]{1,64}"

_EXCHANGE = re.compile(EXCHANGE_PATTERN)
_TICKER = re.compile(TICKER_PATTERN)


@dataclass(frozen=True, slots=True, order=True)
class Symbol:
    """`EXCHANGE:TICKER`, upper case, as TradingView writes it, and how its bars are asked for.

    The text of another variant than the default one has its marks:
    `NASDAQ:AAPL;adjustment=dividends`.
    """

    exchange: str
    ticker: str
    variant: Variant = DEFAULT

    def __post_init__(self) -> None:
        if not _EXCHANGE.fullmatch(self.exchange):
            raise InvalidSymbol(
                f"exchange {self.exchange[:80]!r} does not match {EXCHANGE_PATTERN}"
            )
        if not _TICKER.fullmatch(self.ticker):
            raise InvalidSymbol(f"ticker {self.ticker[:80]!r} is not {TICKER_PATTERN}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `EXCHANGE:TICKER` in any case, with the marks of its variant in any order."""
        exchange, colon, name = text.partition(":")
        if not colon or not text.isascii():  # some letters become ASCII in upper case
            raise InvalidSymbol(f"{text[:80]!r} is not EXCHANGE:TICKER")
        return cls.of(exchange.upper(), name)

    @classmethod
    def of(cls, exchange: str, name: str) -> Self:
        """Return the symbol of an exchange with this `name`."""
        ticker, mark, marks = name.partition(";")
        return cls(exchange, ticker.upper(), Variant.parse(marks) if mark else DEFAULT)

    def __str__(self) -> str:
        return f"{self.exchange}:{self.name}"

    @property
    def name(self) -> str:
        """The ticker with the marks of the variant, which names it at its exchange."""
        return self.ticker if self.variant is DEFAULT else f"{self.ticker}{self.variant}"

    @property
    def listing(self) -> "Symbol":
        """The symbol in its default variant."""
        return Symbol(self.exchange, self.ticker)


@dataclass(frozen=True, slots=True)
class Series:
    """One symbol at one interval; its text is the key of its data everywhere."""

    symbol: Symbol
    interval: Interval

    @classmethod
    def parse(cls, key: str) -> Self:
        """Read the key back: `NASDAQ:AAPL|1m`."""
        symbol, _, interval = key.rpartition("|")
        return cls(Symbol.parse(symbol), Interval.parse(interval))

    def __str__(self) -> str:
        return f"{self.symbol}|{self.interval.value}"

    def require_bars(self) -> None:
        """Raise InvalidRequest if no bars are fetched of it: days are of regular hours only."""
        hours = self.symbol.variant.session
        if hours is TradingHours.EXTENDED and not self.interval.is_intraday:
            raise InvalidRequest(
                f"{self} has no bars: session=extended is for bars of up to 4h, as TradingView's"
                " days, weeks and months are of regular hours; ask for them without it"
            )
