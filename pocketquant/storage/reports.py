"""`ReportStore`: what quotes have reported of symbols besides their prices.

    dividends    {_id: "NASDAQ:AAPL|2026-11-18", amount: 0.26, seen_at: date}
    quoted_days  {_id: "NASDAQ:AAPL", day: "2026-11-17", open, high, low, close, volume}

The provider names the newest dividend and the next one; here all of them stay. Of quoted days the
newest of each symbol is kept.
"""

from dataclasses import asdict
from datetime import date
from typing import Any

from pymongo import UpdateOne

from pocketquant.domain.dates import to_date, to_seconds
from pocketquant.domain.events import Dividend, Event, EventKind, EventSource
from pocketquant.domain.reports import QuotedDay, Report
from pocketquant.domain.symbols import Symbol
from pocketquant.servers.connections import Mongo
from pocketquant.storage.key_ranges import keys_of_symbol


class ReportStore:
    """The reports of all symbols; the driver's errors pass through."""

    def __init__(self, mongo: Mongo) -> None:
        self._dividends = mongo["dividends"]
        self._days = mongo["quoted_days"]

    def note(self, symbol: Symbol, report: Report, now: int) -> None:
        """Keep what a quote reports; a repetition changes nothing, an amount replaces another.

        Dividends are of the symbol in all of its variants, but not if they are converted.
        """
        dividends = () if symbol.variant.currency else report.dividends
        writes = [_write(symbol.listing, each, now) for each in dividends]
        if writes:
            self._dividends.bulk_write(writes, ordered=False)
        if report.previous_day is not None:
            day = asdict(report.previous_day) | {"day": report.previous_day.day.isoformat()}
            self._days.update_one({"_id": str(symbol)}, {"$set": day}, upsert=True)

    def dividends(self, symbol: Symbol) -> list[Event]:
        """Return the dividends of a symbol, in whichever variant, in order of their ex-dates."""
        keys = keys_of_symbol(symbol.exchange, symbol.ticker)
        return [_read(each) for each in self._dividends.find({"_id": keys}).sort("_id")]

    def previous_day(self, symbol: Symbol) -> QuotedDay | None:
        """Return the last day that a quote reported as over."""
        document = self._days.find_one({"_id": str(symbol)}, {"_id": False})
        if document is None:
            return None
        return QuotedDay(**document | {"day": date.fromisoformat(document["day"])})

    def forget(self, symbol: Symbol) -> None:
        """Remove the reports of a symbol; those of the default variant are of the others too."""
        if symbol == symbol.listing:
            keys = keys_of_symbol(symbol.exchange, symbol.ticker)
            self._dividends.delete_many({"_id": keys})
        self._days.delete_one({"_id": str(symbol)})


def _write(symbol: Symbol, dividend: Dividend, now: int) -> UpdateOne:
    first: dict[str, Any] = {"seen_at": to_date(now)}
    change: dict[str, Any] = {"$setOnInsert": first}
    if dividend.amount is None:
        first["amount"] = None
    else:
        change["$set"] = {"amount": dividend.amount}
    return UpdateOne({"_id": f"{symbol}|{dividend.ex_date}"}, change, upsert=True)


def _read(document: dict[str, Any]) -> Event:
    _, _, day = document["_id"].rpartition("|")
    return Event(
        EventKind.DIVIDEND,
        EventSource.QUOTE,
        to_seconds(document["seen_at"]),
        ex_date=date.fromisoformat(day),
        amount=document["amount"],
    )
