"""`Subscriptions`: the durable wish, which symbols are to be watched, and whether at all.

    {_id: "NASDAQ:AAPL", exchange, symbol, since}      one document a symbol
    {_id: "wish", is_on, version}                      of all of them

A change is written first and counted in `version` then; whoever reads the version before the rest
never takes an old wish for a new one. A call that died in between was acknowledged to nobody.
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

_WISH = {"_id": "wish"}
_SYMBOLS = {"exchange": {"$exists": True}}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be watched, each symbol with the epoch second since when; nothing unless on."""

    is_on: bool
    version: int
    since: dict[Symbol, int]


class Subscriptions:
    """The wish; streaming is on until it is stopped. The driver's errors pass through."""

    def __init__(self, mongo: Mongo) -> None:
        # The primary, whatever the URL prefers for reads: a change must be seen once it is told of.
        self._wishes = mongo["subscriptions"]

    def add(self, symbols: Collection[Symbol], now: int) -> int:
        """Watch these too; how many were not watched before."""
        added = self._insert(symbols, now) if symbols else 0
        self._count_change({})
        return added

    def remove(self, symbols: Collection[Symbol]) -> int:
        """Watch these no more; how many were watched."""
        removed = self._wishes.delete_many({"_id": {"$in": [str(each) for each in symbols]}})
        self._count_change({})
        return removed.deleted_count

    def start(self) -> None:
        """Watch what is subscribed."""
        self._count_change({"is_on": True})

    def stop(self) -> None:
        """Watch nothing; what is subscribed stays so."""
        self._count_change({"is_on": False})

    def all(self) -> Wish:
        """The whole wish, of this version or newer."""
        wish = self._wish()
        found = self._wishes.find(_SYMBOLS, {"since": True})
        since = {Symbol.parse(each["_id"]): to_seconds(each["since"]) or 0 for each in found}
        return Wish(wish.get("is_on", True), wish.get("version", 0), since)

    def version(self) -> int:
        """A number that grows with every change: the one cheap question to ask again and again."""
        version: int = self._wish().get("version", 0)
        return version

    def is_on(self) -> bool:
        """Whether what is subscribed is to be watched."""
        is_on: bool = self._wish().get("is_on", True)
        return is_on

    def has(self, symbol: Symbol) -> bool:
        """Whether the symbol is subscribed."""
        return self._wishes.find_one({"_id": str(symbol)}, {"_id": True}) is not None

    def count(self) -> int:
        """How many symbols are subscribed."""
        return self._wishes.count_documents(_SYMBOLS)

    def _insert(self, symbols: Collection[Symbol], now: int) -> int:
        updates = [
            UpdateOne({"_id": str(each)}, {"$setOnInsert": _document(each, now)}, upsert=True)
            for each in symbols
        ]
        try:
            return self._wishes.bulk_write(updates, ordered=False).upserted_count
        except BulkWriteError as error:  # somebody else subscribes them at this moment
            duplicate_key_failures(error)
            inserted: int = error.details["nUpserted"]
            return inserted

    def _count_change(self, change: dict[str, Any]) -> None:
        update = {"$inc": {"version": 1}, **({"$set": change} if change else {})}
        self._wishes.update_one(_WISH, update, upsert=True)

    def _wish(self) -> dict[str, Any]:
        return self._wishes.find_one(_WISH) or {}


def _document(symbol: Symbol, now: int) -> dict[str, Any]:
    return {"exchange": symbol.exchange, "symbol": symbol.ticker, "since": to_date(now)}
