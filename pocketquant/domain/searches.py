"""Searches among the provider's symbols, and their results."""

from dataclasses import dataclass
from enum import StrEnum


class SymbolKind(StrEnum):
    """Kinds of symbols to search for, by TradingView's names."""

    STOCK = "stock"
    FUND = "fund"
    FUTURES = "futures"
    FOREX = "forex"
    CRYPTO = "crypto"
    INDEX = "index"
    BOND = "bond"
    ECONOMIC = "economic"
    OPTION = "option"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search; empty text or None matches everything."""

    text: str
    kind: SymbolKind | None = None
    exchange: str = ""
    country: str = ""
    start: int = 0  # matches to skip


@dataclass(frozen=True, slots=True)
class FoundSymbol:
    """A symbol of the provider; empty text for an unknown value."""

    exchange: str
    ticker: str
    name: str
    type: str
    kinds: tuple[str, ...]  # more detailed than the type: `etf`, `perpetual`, `continuous`
    currency: str
    country: str
    provider_exchange: str  # display name of the exchange


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of matches, best first; a match is one symbol, or all contracts of a future."""

    matches: tuple[tuple[FoundSymbol, ...], ...]
    remaining: int  # matches after this page
    unusable: int = 0  # symbols with a name that charts do not accept
