"""`Symbol`, and `Series`: one symbol at one interval."""

import re
from dataclasses import dataclass
from typing import Self

from pocketquant.domain.errors import InvalidSymbol
from pocketquant.domain.intervals import Interval

EXCHANGE_PATTERN = r"[A-Z0-9_]{1,32}"
TICKER_PATTERN = r"[A-Z0-9._!&/\-]{1,64}"

_EXCHANGE = re.compile(EXCHANGE_PATTERN)
_TICKER = re.compile(TICKER_PATTERN)


@dataclass(frozen=True, slots=True, order=True)
class Symbol:
    """`EXCHANGE:TICKER`, upper case, as TradingView writes it."""

    exchange: str
    ticker: str

    def __post_init__(self) -> None:
        if not _EXCHANGE.fullmatch(self.exchange):
            raise InvalidSymbol(
                f"exchange {self.exchange[:80]!r} does not match {EXCHANGE_PATTERN}"
            )
        if not _TICKER.fullmatch(self.ticker):
            raise InvalidSymbol(f"ticker {self.ticker[:80]!r} is not {TICKER_PATTERN}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `EXCHANGE:TICKER` in any case."""
        exchange, colon, ticker = text.partition(":")
        if not colon or not text.isascii():  # some letters become ASCII in upper case
            raise InvalidSymbol(f"{text[:80]!r} is not EXCHANGE:TICKER")
        return cls(exchange.upper(), ticker.upper())

    def __str__(self) -> str:
        return f"{self.exchange}:{self.ticker}"


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
