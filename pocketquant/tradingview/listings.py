"""What TradingView's symbol search answers → symbols that can be synced as they are.

`exchange` of an answer is a name for people (`BYMA`); the exchange of a chart's symbol is `prefix`,
or else the id of the source (`BCBA`). A future comes as one entry whose `contracts` can be traded;
its own name cannot. Found text is marked by `<em>`, and nearly every field may be missing.
"""

import re
from collections.abc import Iterator
from typing import Annotated

import msgspec

from pocketquant.domain.errors import InvalidSymbol, ProtocolViolation
from pocketquant.domain.searches import FoundSymbol, SearchPage
from pocketquant.domain.symbols import Symbol

_MARKS = re.compile("</?em>")
_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Source(msgspec.Struct, frozen=True):
    id: str | None = None


class _Contract(msgspec.Struct, frozen=True):
    symbol: str
    description: str | None = None
    typespecs: list[str] | None = None


class _Entry(msgspec.Struct, frozen=True):
    symbol: str
    description: str | None = None
    type: str | None = None
    exchange: str | None = None
    currency_code: str | None = None
    country: str | None = None
    prefix: str | None = None
    source_id: str | None = None
    source2: _Source | None = None
    typespecs: list[str] | None = None
    contracts: list[_Contract] | None = None

    @property
    def chart_exchange(self) -> str:
        source = self.source_id or (self.source2.id if self.source2 else None)
        return self.prefix or source or self.exchange or ""


class _Answer(msgspec.Struct, frozen=True):
    symbols: list[_Entry]
    symbols_remaining: _Count = 0


def read_page(body: bytes) -> SearchPage:
    """The page that TradingView answered with; ProtocolViolation where it is none."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolViolation("TradingView answered the search with something else") from error
    named = [list(_symbols_of(entry)) for entry in answer.symbols]
    matches = tuple(tuple(filter(None, symbols)) for symbols in named)
    unusable = sum(symbols.count(None) for symbols in named)
    return SearchPage(matches, answer.symbols_remaining, unusable)


def _symbols_of(entry: _Entry) -> Iterator[FoundSymbol | None]:
    """The entry's symbol, or those of its contracts; None for one that no chart has."""
    if not entry.contracts:
        yield _found(entry, entry.symbol, entry.description, entry.typespecs)
    for contract in entry.contracts or ():
        name = contract.description or entry.description
        yield _found(entry, contract.symbol, name, contract.typespecs or entry.typespecs)


def _found(
    entry: _Entry, ticker: str, name: str | None, kinds: list[str] | None
) -> FoundSymbol | None:
    try:
        symbol = Symbol.parse(f"{entry.chart_exchange}:{_unmarked(ticker)}")
    except InvalidSymbol:
        return None
    return FoundSymbol(
        exchange=symbol.exchange,
        ticker=symbol.ticker,
        name=_unmarked(name or ""),
        type=entry.type or "",
        kinds=tuple(kinds or ()),
        currency=entry.currency_code or "",
        country=entry.country or "",
        provider_exchange=entry.exchange or "",
    )


def _unmarked(text: str) -> str:
    return _MARKS.sub("", text).strip()
