"""`SymbolRegistry`: every symbol that was synced or registered, with the provider's listing.

A first sync tracks its interval, so that schedules sync it too. An interval that a user untracked
stays untracked, even if it is synced on request, until a user names it again.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import structlog
from pymongo import ASCENDING, ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError

from pocketquant.domain.dates import to_date, to_seconds
from pocketquant.domain.errors import Conflict, PocketQuantError
from pocketquant.domain.intervals import Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.variants import DEFAULT
from pocketquant.servers.connections import Mongo
from pocketquant.storage.key_ranges import keys_of_exchange

_log = structlog.get_logger(__name__)

T = TypeVar("T")

_NOT_HERE = ("symbol", "hours")  # the hours have a store of their own
_LATER_FIELDS = (
    "full_name",
    "price_scale",
    "min_move",
    "delay_seconds",
    "allowed_adjustment",
    "has_adjustment",
    "has_extended_hours",
)


@dataclass(frozen=True, slots=True)
class RegisteredSymbol:
    """A listing, whether schedules sync the symbol, and its tracked intervals."""

    listing: Listing
    active: bool
    intervals: tuple[Interval, ...]  # shortest first
    registered_at: int | None


@dataclass(frozen=True, slots=True)
class SymbolFilter:
    """A filter for symbols; None matches any value."""

    exchange: str | None = None
    type: str | None = None
    active: bool | None = None
    interval: Interval | None = None
    text: str | None = None  # a part of the ticker or description, ignoring case

    def condition(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.exchange is not None:
            found["_id"] = keys_of_exchange(self.exchange)
        if self.type is not None:
            found["type"] = self.type
        if self.active is not None:
            found["active"] = self.active
        if self.interval is not None:
            found["intervals"] = self.interval.value
        if self.text is not None:
            part = {"$regex": re.escape(self.text), "$options": "i"}
            found["$or"] = [{"symbol": part}, {"description": part}]
        return found


class SymbolRegistry:
    """The symbols, one document each."""

    def __init__(self, mongo: Mongo) -> None:
        self._symbols = mongo["symbols"]

    def register(self, listing: Listing, interval: Interval | None, now: int) -> None:
        """Store the listing, and track `interval`, if given, unless a user untracked it.

        Empty fields of the listing leave the stored ones as they are.
        """
        fields = {name: value for name, value in asdict(listing).items() if name not in _NOT_HERE}
        known = {name: value for name, value in fields.items() if value not in ("", None)}
        first = {
            name: value
            for name, value in _new(listing, (), is_active=True, now=now).items()
            if name not in known
        }
        key = str(listing.symbol)
        writes = [UpdateOne({"_id": key}, {"$set": known, "$setOnInsert": first}, upsert=True)]
        if interval is not None:
            unless_untracked = {"_id": key, "untracked": {"$ne": interval.value}}
            writes.append(UpdateOne(unless_untracked, {"$addToSet": {"intervals": interval.value}}))
        self._symbols.bulk_write(writes)

    def add(
        self, symbol: Symbol, intervals: Collection[Interval], is_active: bool, now: int
    ) -> RegisteredSymbol:
        """Register a symbol before its first sync; Conflict if it is registered already.

        VariantNotAllowed or InvalidRequest if the provider has no such bars.
        """
        _require_bars(symbol, intervals)
        self.require_variant(symbol)
        document = _new(Listing(symbol), intervals, is_active, now)
        try:
            self._symbols.insert_one({"_id": str(symbol), **document})
        except DuplicateKeyError as error:
            raise Conflict(f"{symbol} is registered already") from error
        return _read(document)

    def change(
        self, symbol: Symbol, is_active: bool | None, intervals: Collection[Interval] | None
    ) -> RegisteredSymbol | None:
        """Change the values that are not None; return None if the symbol is not registered."""
        change: dict[str, Any] = {}
        if is_active is not None:
            change["active"] = is_active
        if intervals is not None:
            _require_bars(symbol, intervals)
            wanted = [interval.value for interval in intervals]
            before = {"$setUnion": ["$intervals", {"$ifNull": ["$untracked", []]}]}
            change["untracked"] = {"$setDifference": [before, wanted]}
            change["intervals"] = wanted
        if not change:
            return self.get(symbol)
        document = self._symbols.find_one_and_update(
            {"_id": str(symbol)}, [{"$set": change}], return_document=ReturnDocument.AFTER
        )
        return _read(document) if document else None

    def remove(self, symbol: Symbol) -> bool:
        """Remove the symbol; False if it is not registered."""
        return self._symbols.delete_one({"_id": str(symbol)}).deleted_count == 1

    def get(self, symbol: Symbol) -> RegisteredSymbol | None:
        """Return the symbol; None if it is not registered."""
        document = self._symbols.find_one({"_id": str(symbol)})
        return _read(document) if document else None

    def require_variant(self, symbol: Symbol) -> None:
        """Raise VariantNotAllowed if the known listing rules the symbol's variant out."""
        if symbol.variant != DEFAULT:
            registered = self.get(symbol.listing)
            if registered is not None:
                registered.listing.require_variant(symbol.variant)

    def delays(self, symbols: Iterable[Symbol]) -> dict[Symbol, int]:
        """Return by how many seconds the provider's data of each symbol is late; 0: unknown."""
        wanted = {"_id": {"$in": [str(symbol) for symbol in symbols]}}
        found = self._symbols.find(wanted, {"delay_seconds": True})
        return {Symbol.parse(each["_id"]): each.get("delay_seconds") or 0 for each in found}

    def page(
        self, wanted: SymbolFilter, offset: int, limit: int
    ) -> tuple[list[RegisteredSymbol], int]:
        """Return symbols from `offset` on, in order of their key, and the number of all matches.

        An unreadable symbol is logged and left out.
        """
        condition = wanted.condition()
        found = self._symbols.find(condition).sort("_id", ASCENDING).skip(offset).limit(limit)
        readable = [read for each in found if (read := _readable(_read, each)) is not None]
        return readable, self._symbols.count_documents(condition)

    def tracked_of(self, symbols: Iterable[Symbol]) -> set[Series]:
        """Return the tracked series of the active ones among these symbols."""
        wanted = {"_id": {"$in": [str(symbol) for symbol in symbols]}, "active": True}
        found = self._symbols.find(wanted, {"intervals": True})
        return {each for document in found for each in _readable(_all_series, document) or ()}

    def tracked(
        self, intervals: Collection[Interval], exchange: str | None = None
    ) -> Iterator[Series]:
        """Yield every series of the active symbols in order of the symbol, read as it is needed.

        With intervals, those of these intervals; with an exchange, those of its symbols. A symbol
        that can't be read is logged and left out: it must not keep the others from being synced.
        """
        wanted: dict[str, Any] = SymbolFilter(exchange=exchange, active=True).condition()
        if intervals:
            wanted["intervals"] = {"$in": [interval.value for interval in intervals]}
        for document in self._symbols.find(wanted, {"intervals": True}).sort("_id", ASCENDING):
            found = _readable(_all_series, document) or ()
            yield from (each for each in found if not intervals or each.interval in intervals)


def _require_bars(symbol: Symbol, intervals: Collection[Interval]) -> None:
    """Raise InvalidRequest if no bars are fetched at one of these intervals."""
    for interval in intervals:
        Series(symbol, interval).require_bars()


def _new(
    listing: Listing, intervals: Collection[Interval], is_active: bool, now: int
) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(listing).items() if name not in _NOT_HERE}
    return {
        "exchange": listing.symbol.exchange,
        "symbol": listing.symbol.name,
        **fields,
        "active": is_active,
        "intervals": [interval.value for interval in intervals],
        "registered_at": to_date(now),
    }


def _readable(read: Callable[[dict[str, Any]], T], document: dict[str, Any]) -> T | None:
    """Return `read(document)`; log and return None if the document is malformed."""
    try:
        return read(document)
    except (PocketQuantError, AttributeError, LookupError, TypeError, ValueError) as error:
        _log.error("symbol_unreadable", symbol=str(document["_id"]), cause=repr(error))
        return None


def _all_series(document: dict[str, Any]) -> list[Series]:
    symbol = Symbol.parse(document["_id"])
    return [Series(symbol, interval) for interval in map(Interval, document["intervals"])]


def _read(document: dict[str, Any]) -> RegisteredSymbol:
    return RegisteredSymbol(
        listing=Listing(
            symbol=Symbol.of(document["exchange"], document["symbol"]),
            description=document["description"],
            type=document["type"],
            currency=document["currency"],
            timezone=document["timezone"],
            session=document["session"],
            has_volume=document["has_volume"],
            **{name: document[name] for name in _LATER_FIELDS if name in document},
        ),
        active=document["active"],
        intervals=tuple(
            sorted(map(Interval, document["intervals"]), key=lambda each: each.seconds)
        ),
        registered_at=to_seconds(document["registered_at"]),
    )
