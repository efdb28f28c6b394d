"""`SymbolRegistry`: every symbol that was ever synced, with what the provider says of it."""

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pymongo import ASCENDING

from pocketquant.connections import Mongo
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Listing, Series, Symbol
from pocketquant.storage.dates import to_date, to_seconds


@dataclass(frozen=True, slots=True)
class RegisteredSymbol:
    """A listing, whether it is kept up to date, and the intervals it was synced at."""

    listing: Listing
    active: bool
    intervals: tuple[Interval, ...]  # shortest first
    registered_at: int | None


class SymbolRegistry:
    """The symbols, one document each."""

    def __init__(self, mongo: Mongo) -> None:
        self._symbols = mongo["symbols"]

    def register(self, listing: Listing, interval: Interval, now: int) -> None:
        """Note the listing and that it is tracked at `interval`; what it is silent on stays."""
        symbol = listing.symbol
        texts = {name: value for name, value in asdict(listing).items() if name != "symbol"}
        said = {name: value for name, value in texts.items() if value != ""}
        unsaid = {name: value for name, value in texts.items() if value == ""}
        first = {
            "exchange": symbol.exchange,
            "symbol": symbol.ticker,
            "active": True,
            "registered_at": to_date(now),
        }
        self._symbols.update_one(
            {"_id": str(symbol)},
            {
                "$set": said,
                "$addToSet": {"intervals": interval.value},
                "$setOnInsert": first | unsaid,
            },
            upsert=True,
        )

    def get(self, symbol: Symbol) -> RegisteredSymbol | None:
        """The symbol; None where it was never registered."""
        document = self._symbols.find_one({"_id": str(symbol)})
        return _read(document) if document else None

    def page(
        self, exchange: str | None, offset: int, limit: int
    ) -> tuple[list[RegisteredSymbol], int]:
        """Symbols from `offset` on in order of their key, and how many there are in all.

        With an exchange, those of that exchange.
        """
        # ";" follows ":", the separator of the key.
        wanted = {"_id": {"$gt": f"{exchange}:", "$lt": f"{exchange};"}} if exchange else {}
        found = self._symbols.find(wanted).sort("_id", ASCENDING).skip(offset).limit(limit)
        return [_read(document) for document in found], self._symbols.count_documents(wanted)

    def tracked(self, intervals: Collection[Interval]) -> Iterator[Series]:
        """Every series of the active symbols, read as they are asked for, in order of the symbol.

        With intervals, those of these intervals.
        """
        wanted: dict[str, Any] = {"active": True}
        if intervals:
            wanted["intervals"] = {"$in": [interval.value for interval in intervals]}
        for document in self._symbols.find(wanted, {"intervals": True}).sort("_id", ASCENDING):
            symbol = Symbol.parse(document["_id"])
            for interval in map(Interval, document["intervals"]):
                if not intervals or interval in intervals:
                    yield Series(symbol, interval)


def _read(document: dict[str, Any]) -> RegisteredSymbol:
    return RegisteredSymbol(
        listing=Listing(
            symbol=Symbol(document["exchange"], document["symbol"]),
            description=document["description"],
            type=document["type"],
            currency=document["currency"],
            timezone=document["timezone"],
            session=document["session"],
            has_volume=document["has_volume"],
        ),
        active=document["active"],
        intervals=tuple(
            sorted(map(Interval, document["intervals"]), key=lambda each: each.seconds)
        ),
        registered_at=to_seconds(document["registered_at"]),
    )
