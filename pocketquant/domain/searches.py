"""What is sought among the symbols that the provider offers, and what is found."""

from dataclasses import dataclass
from enum import StrEnum


class SymbolKind(StrEnum):
    """What can be sought by itself, in TradingView's words."""

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
    """What is sought; empty text or None stands for any."""

    text: str
    kind: SymbolKind | None = None
    exchange: str = ""
    country: str = ""
    start: int = 0  # matches to leave out


@dataclass(frozen=True, slots=True)
class FoundSymbol:
    """A symbol that the provider offers; empty text where it says nothing."""

    exchange: str
    ticker: str
    name: str
    type: str
    kinds: tuple[str, ...]  # finer than the type: `etf`, `perpetual`, `continuous`
    currency: str
    country: str
    provider_exchange: str  # the exchange's name for people


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of matches, best first; each match is one symbol or the contracts of one future."""

    matches: tuple[tuple[FoundSymbol, ...], ...]
    remaining: int  # matches after this page
    unusable: int = 0  # symbols whose names are not of the form that charts take
