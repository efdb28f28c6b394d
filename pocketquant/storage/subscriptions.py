"""`Subscriptions`: which symbols are subscribed, and whether streaming is on.

    {_id: "NASDAQ:AAPL", exchange, symbol, since}      one document a symbol
    {_id: "wish", is_on, version}                      one document for all symbols

A change is written first, then `version` is increased. Readers read the version before the symbols,
so they never take an old set for a newer version. A call that dies in between returns to nobody.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from pocketquant.domain.dates import to_date, to_seconds
from pocketquant.domain.symbols import Symbol
from pocketquant.servers.connections import Mongo
from pocketquant.storage.bulk_writes import duplicate_key_failures

_STATE = {"_id": "wish"}
_SYMBOLS = {"exchange": {"$exists": True}}


@dataclass(frozen=True, slots=True)
class SubscriptionSet:
    """Subscribed symbols, each with the epoch second of its subscription; watched if `is_on`."""

    is_on: bool
    version: int
    since: dict[Symbol, int]


class Subscriptions:
    """Streaming is on until it is stopped. The driver's errors pass through."""

    def __init__(self, mongo: Mongo) -> None:
        # Read from the primary, whatever the URL prefers: an acknowledged change must be seen.
        self._documents = mongo["subscriptions"]

    def add(self, symbols: Collection[Symbol], now: int) -> int:
        """Subscribe these symbols; return how many were not subscribed before."""
        added = self._insert(symbols, now) if symbols else 0
        self._count_change({})
        return added

    def remove(self, symbols: Collection[Symbol]) -> int:
        """Unsubscribe these symbols; return how many were subscribed."""
        removed = self._documents.delete_many({"_id": {"$in": [str(each) for each in symbols]}})
        self._count_change({})
        return removed.deleted_count

    def start(self) -> None:
        """Turn streaming on."""
        self._count_change({"is_on": True})

    def stop(self) -> None:
        """Turn streaming off; subscriptions stay."""
        self._count_change({"is_on": False})

    def all(self) -> SubscriptionSet:
        """All subscriptions: those of the returned version, or newer ones."""
        state = self._state()
        found = self._documents.find(_SYMBOLS, {"since": True})
        since = {Symbol.parse(each["_id"]): to_seconds(each["since"]) or 0 for each in found}
        return SubscriptionSet(state.get("is_on", True), state.get("version", 0), since)

    def version(self) -> int:
        """A number that grows with every change; cheap enough to read every second."""
        version: int = self._state().get("version", 0)
        return version

    def is_on(self) -> bool:
        """Whether streaming is on."""
        is_on: bool = self._state().get("is_on", True)
        return is_on

    def has(self, symbol: Symbol) -> bool:
        """Whether the symbol is subscribed."""
        return self._documents.find_one({"_id": str(symbol)}, {"_id": True}) is not None

    def count(self) -> int:
        """How many symbols are subscribed."""
        return self._documents.count_documents(_SYMBOLS)

    def _insert(self, symbols: Collection[Symbol], now: int) -> int:
        updates = [
            UpdateOne({"_id": str(each)}, {"$setOnInsert": _document(each, now)}, upsert=True)
            for each in symbols
        ]
        try:
            return self._documents.bulk_write(updates, ordered=False).upserted_count
        except BulkWriteError as error:  # another call subscribes some of them at this moment
            duplicate_key_failures(error)
            inserted: int = error.details["nUpserted"]
            return inserted

    def _count_change(self, change: dict[str, Any]) -> None:
        update = {"$inc": {"version": 1}, **({"$set": change} if change else {})}
        self._documents.update_one(_STATE, update, upsert=True)

    def _state(self) -> dict[str, Any]:
        return self._documents.find_one(_STATE) or {}


def _document(symbol: Symbol, now: int) -> dict[str, Any]:
    return {"exchange": symbol.exchange, "symbol": symbol.name, "since": to_date(now)}
