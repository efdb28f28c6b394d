"""Decodes the responses of TradingView's symbol search into symbols that can be synced.

The `exchange` of an entry is a display name (`BYMA`); charts need its `prefix` or else the id of
its source (`BCBA`). A future is one entry with several `contracts`; only the contracts have charts,
and each one's exchange is its own `prefix` (`CME_MINI`), not the entry's (`CME`). `<em>` marks the
matched text. Nearly every field may be missing or null.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from pocketquant.domain.errors import InvalidSymbol, ProtocolViolation
from pocketquant.domain.searches import FoundSymbol, SearchPage
from pocketquant.domain.symbols import Symbol
from pocketquant.tradingview.messages import text_or_empty

_SOMETHING_ELSE = "TradingView answered the search with something else"
_MARKS = re.compile("</?em>")
_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Source(msgspec.Struct, frozen=True):
    id: str | None = None


class _Contract(msgspec.Struct, frozen=True):
    symbol: str
    prefix: str | None = None
    description: Any = None
    typespecs: Any = None


class _Entry(msgspec.Struct, frozen=True):
    symbol: str
    description: Any = None
    type: Any = None
    exchange: str | None = None
    currency_code: Any = None
    country: Any = None
    prefix: str | None = None
    source_id: str | None = None
    source2: _Source | None = None
    typespecs: Any = None
    contracts: list[_Contract] | None = None

    @property
    def source(self) -> str:
        """The exchange for an entry without a prefix."""
        return self.source_id or (self.source2.id if self.source2 else None) or self.exchange or ""


class _Response(msgspec.Struct, frozen=True):
    symbols: list[msgspec.Raw]
    symbols_remaining: _Count = 0


def read_page(body: bytes) -> SearchPage:
    """Decode one page of matches. ProtocolViolation if the body is no page or no entry is readable.

    An unreadable entry among readable ones only counts as unusable.
    """
    try:
        answer = msgspec.json.decode(body, type=_Response)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolViolation(_SOMETHING_ELSE) from error
    entries = [_read_entry(raw) for raw in answer.symbols]
    if entries and not any(entries):
        raise ProtocolViolation(_SOMETHING_ELSE)
    found = [list(_symbols_of(entry)) if entry else [None] for entry in entries]
    matches = tuple(tuple(filter(None, symbols)) for symbols in found)
    unusable = sum(symbols.count(None) for symbols in found)
    return SearchPage(matches, answer.symbols_remaining, unusable)


def _read_entry(raw: msgspec.Raw) -> _Entry | None:
    try:
        return msgspec.json.decode(raw, type=_Entry)
    except msgspec.ValidationError:
        return None


def _symbols_of(entry: _Entry) -> Iterator[FoundSymbol | None]:
    """Yield the entry's symbol or those of its contracts; None for a name no chart accepts."""
    if not entry.contracts:
        yield _symbol(entry, entry.prefix, entry.symbol, entry.description, entry.typespecs)
    for contract in entry.contracts or ():
        prefix, name = contract.prefix or entry.prefix, contract.description or entry.description
        kinds = contract.typespecs or entry.typespecs
        yield _symbol(entry, prefix, contract.symbol, name, kinds)


def _symbol(
    entry: _Entry, prefix: str | None, ticker: str, name: object, kinds: object
) -> FoundSymbol | None:
    try:
        symbol = Symbol.parse(f"{prefix or entry.source}:{_unmarked(ticker)}")
    except InvalidSymbol:
        return None
    return FoundSymbol(
        exchange=symbol.exchange,
        ticker=symbol.ticker,
        name=_unmarked(text_or_empty(name)),
        type=text_or_empty(entry.type),
        kinds=tuple(map(text_or_empty, kinds)) if isinstance(kinds, list) else (),
        currency=text_or_empty(entry.currency_code),
        country=text_or_empty(entry.country),
        provider_exchange=entry.exchange or "",
    )


def _unmarked(text: str) -> str:
    return _MARKS.sub("", text).strip()
