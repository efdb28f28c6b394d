"""Fills a database with many symbols, jobs and failed syncs, as years of use do."""

from datetime import timedelta
from typing import Any

from pocketquant.domain.dates import to_date
from pocketquant.domain.intervals import Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import SyncReport, UnitState
from pocketquant.servers.connections import Mongo
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.storage.units import Document, new_unit_fields

EXCHANGE = "MANY"
INTERVALS = (Interval.D1, Interval.H1)
CODES = ("unknown_symbol", "provider_error", "no_data")


def fill(mongo: Mongo, symbols: int, jobs: int, failed: int, now: int) -> str:
    """Store so many symbols with two series each, ended jobs, and failed syncs.

    The failed syncs are those of the newest job, whose id is returned.
    """
    names = [f"M{number:05d}" for number in range(symbols)]
    _clone(mongo["symbols"], _registered(mongo, now), names)
    for status in _synced(mongo, now):
        _clone(mongo["sync_status"], status, names)
    ended = to_date(now)
    job: Document = {
        "kind": "bulk",
        "queue": "bulk",
        "planned": True,
        "total": symbols,
        "pieces": 1,
    }
    made = [
        {
            **job,
            "_id": f"job-{number}",
            "counts": {"completed": symbols, "failed": 0 if number else failed},
            **dict.fromkeys(("created_at", "finished_at"), ended - timedelta(minutes=number)),
        }
        for number in range(jobs)
    ]
    mongo["jobs"].insert_many(made)
    if failed:
        mongo["units"].insert_many(_failed_unit(number, ended) for number in range(failed))
    return "job-0"


def remove(mongo: Mongo) -> None:
    """Remove all that was filled in."""
    mongo["symbols"].delete_many({"exchange": EXCHANGE})
    mongo["sync_status"].delete_many({"exchange": EXCHANGE})
    mongo["jobs"].delete_many({"_id": {"$regex": "^job-"}})
    mongo["units"].delete_many({"jobs": "job-0"})


def _registered(mongo: Mongo, now: int) -> Document:
    symbol = Symbol(EXCHANGE, "TEMPLATE")
    listing = Listing(symbol, "A company among many", "stock", "USD", "Etc/UTC", "24x7")
    registry = SymbolRegistry(mongo)
    for interval in INTERVALS:
        registry.register(listing, interval, now)
    return _taken(mongo["symbols"], str(symbol))


def _synced(mongo: Mongo, now: int) -> list[Document]:
    found = []
    for interval in INTERVALS:
        series = Series(Symbol(EXCHANGE, "TEMPLATE"), interval)
        report = SyncReport(series, 5000, 5000, 0, 0, {}, 5000, now - 86_400 * 5000, now)
        SyncStatuses(mongo).mark_completed(report, None, now)
        found.append(_taken(mongo["sync_status"], str(series)))
    return found


def _taken(collection: Any, key: str) -> Document:
    document: Document = collection.find_one_and_delete({"_id": key})
    return document


def _clone(collection: Any, template: Document, names: list[str]) -> None:
    if names:
        collection.insert_many(
            {**template, "_id": template["_id"].replace("TEMPLATE", name), "symbol": name}
            for name in names
        )


def _failed_unit(number: int, ended: Any) -> Document:
    code = CODES[number % len(CODES)]
    return {
        **new_unit_fields(f"unit-{number}", "bulk"),
        "series": f"{EXCHANGE}:M{number:05d}|1d",
        "n_bars": 5000,
        "jobs": ["job-0"],
        "state": UnitState.FAILED,
        "attempt": 5,
        "error": {"code": code, "message": f"{code}: the provider's long reason of it, as it is"},
        "created_at": ended,
        "finished_at": ended - timedelta(seconds=number),
    }
