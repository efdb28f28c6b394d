"""What TradingView's symbol search answers → symbols that can be synced as they are.

`exchange` of an answer is a name for people (`BYMA`); the exchange of a chart's symbol is `prefix`,
or else the id of the source (`BCBA`). A future comes as one entry whose `contracts` can be traded;
its own name cannot, and its exchange (`CME`) is not theirs, which is a `prefix` of each
(`CME_MINI`). Found text is marked by `<em>`, and nearly every field may be missing, or be null.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from pocketquant.domain.errors import InvalidSymbol, ProtocolViolation
from pocketquant.domain.searches import FoundSymbol, SearchPage
from pocketquant.domain.symbols import Symbol

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
        """The exchange of what has no prefix."""
        return self.source_id or (self.source2.id if self.source2 else None) or self.exchange or ""


class _Answer(msgspec.Struct, frozen=True):
    symbols: list[msgspec.Raw]
    symbols_remaining: _Count = 0


def read_page(body: bytes) -> SearchPage:
    """The page that TradingView answered with; ProtocolViolation where it is none.

    An entry that cannot be read is unusable, and the others stand, if there are any.
    """
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolViolation(_SOMETHING_ELSE) from error
    entries = [_entry(raw) for raw in answer.symbols]
    if entries and not any(entries):
        raise ProtocolViolation(_SOMETHING_ELSE)
    named = [list(_symbols_of(entry)) if entry else [None] for entry in entries]
    matches = tuple(tuple(filter(None, symbols)) for symbols in named)
    unusable = sum(symbols.count(None) for symbols in named)
    return SearchPage(matches, answer.symbols_remaining, unusable)


def _entry(raw: msgspec.Raw) -> _Entry | None:
    try:
        return msgspec.json.decode(raw, type=_Entry)
    except msgspec.ValidationError:
        return None


def _symbols_of(entry: _Entry) -> Iterator[FoundSymbol | None]:
    """The entry's symbol, or those of its contracts; None for one that no chart has."""
    if not entry.contracts:
        yield _found(entry, entry.prefix, entry.symbol, entry.description, entry.typespecs)
    for contract in entry.contracts or ():
        prefix, name = contract.prefix or entry.prefix, contract.description or entry.description
        kinds = contract.typespecs or entry.typespecs
        yield _found(entry, prefix, contract.symbol, name, kinds)


def _found(
    entry: _Entry, prefix: str | None, ticker: str, name: object, kinds: object
) -> FoundSymbol | None:
    try:
        symbol = Symbol.parse(f"{prefix or entry.source}:{_unmarked(ticker)}")
    except InvalidSymbol:
        return None
    return FoundSymbol(
        exchange=symbol.exchange,
        ticker=symbol.ticker,
        name=_unmarked(_text(name)),
        type=_text(entry.type),
        kinds=tuple(map(_text, kinds)) if isinstance(kinds, list) else (),
        currency=_text(entry.currency_code),
        country=_text(entry.country),
        provider_exchange=entry.exchange or "",
    )


def _text(value: object) -> str:
    """A text that only describes, empty for what is none."""
    return value if isinstance(value, str) else ""


def _unmarked(text: str) -> str:
    return _MARKS.sub("", text).strip()
