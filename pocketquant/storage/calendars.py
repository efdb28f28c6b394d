"""`CalendarStore`: the trading hours of each symbol, as the provider sent them, version by version.

A version counts from the moment at which a sync first saw it. Doubts are about the newest version:
for each interval, the newest bar that it did not predict.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, cast

from pymongo import ReturnDocument
from pymongo.errors import PyMongoError

from pocketquant.domain.batches import batched
from pocketquant.domain.calendar import Calendar, CalendarTexts, parse_calendar
from pocketquant.domain.dates import to_date, to_seconds
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Symbol
from pocketquant.servers.connections import Mongo
from pocketquant.storage.key_ranges import keys_of_exchange

_MOST_VERSIONS = 50
_SYMBOLS_A_READ = 1000
_UNKNOWN_SECONDS = 2.0  # a first sync may bring the calendar soon
_MOST_CACHED = 20_000
_TTL_SECONDS = 60.0
_IS_WRONG = {"$set": {"is_wrong": {"$or": [{"$ne": ["$problem", None]}, {"$ne": ["$doubts", {}]}]}}}


@dataclass(frozen=True, slots=True)
class KeptCalendar:
    """The newest texts of a symbol; `seen_from` is when a sync first saw them, in epoch seconds.

    `problem` says why no calendar can be made of them; `doubts` are the opens of unpredicted bars.
    """

    symbol: Symbol
    texts: CalendarTexts
    seen_from: int
    problem: str | None
    doubts: Mapping[Interval, int]
    version_count: int

    @property
    def calendar(self) -> Calendar | None:
        """The calendar; None if none can be made of the texts."""
        return None if self.problem is not None else parse_calendar(self.texts)

    def trusted(self, interval: Interval) -> Calendar | None:
        """Return the calendar, unless a bar of this interval was not predicted."""
        return None if self.trouble(interval) else self.calendar

    def trouble(self, interval: Interval) -> str | None:
        """Return why no bar of this interval can be predicted for sure; None if it can."""
        if self.problem is not None:
            return f"no calendar: {self.problem}"
        doubted = self.doubts.get(interval)
        return None if doubted is None else doubt_of(doubted)


def trusted_of(kept: KeptCalendar | None, interval: Interval) -> Calendar | None:
    """Return the calendar that is trusted for an interval, of a symbol that may have none."""
    return kept.trusted(interval) if kept else None


class CalendarStore:
    """One document a symbol."""

    def __init__(self, mongo: Mongo) -> None:
        self._calendars = mongo["calendars"]

    def get(self, symbol: Symbol) -> KeptCalendar | None:
        """Return what is kept of a symbol; None if no sync has seen its hours."""
        document = self._calendars.find_one({"_id": str(symbol)})
        return _read(document) if document else None

    def of(self, symbols: Collection[Symbol]) -> dict[Symbol, KeptCalendar]:
        """Return what is kept of these symbols."""
        kept: dict[Symbol, KeptCalendar] = {}
        for batch in batched(map(str, symbols), _SYMBOLS_A_READ):
            found = self._calendars.find({"_id": {"$in": list(batch)}})
            kept |= {each.symbol: each for each in map(_read, found)}
        return kept

    def distinct(
        self, exchange: str | None = None, symbols: Collection[str] = ()
    ) -> Iterator[Calendar]:
        """Yield each calendar once: of these symbols, of an exchange, or of all."""
        wanted: dict[str, Any] = {}
        if symbols:
            wanted["_id"] = {"$in": list(symbols)}
        elif exchange is not None:
            wanted["_id"] = keys_of_exchange(exchange)
        for fingerprint in self._calendars.distinct("fingerprint", wanted):
            document = self._calendars.find_one({"fingerprint": fingerprint})
            calendar = _read(document).calendar if document else None
            if calendar is not None:
                yield calendar

    def keep(
        self, symbol: Symbol, texts: CalendarTexts, problem: str | None, now: int
    ) -> KeptCalendar:
        """Make the texts the newest version, unless they are; doubts end with the one before.

        `problem` is the reason why no calendar can be made of them.
        """
        version = {**asdict(texts), "seen_from": to_date(now)}
        versions = {"$ifNull": ["$versions", []]}
        newest = {"$last": versions}
        is_newest = {
            "$and": [
                {"$eq": [{"$getField": {"field": name, "input": newest}}, {"$literal": text}]}
                for name, text in asdict(texts).items()
            ]
        }
        longer = {"$concatArrays": [versions, [{"$literal": version}]]}
        change = {
            "versions": {"$cond": [is_newest, versions, {"$slice": [longer, -_MOST_VERSIONS]}]},
            "doubts": {"$cond": [is_newest, {"$ifNull": ["$doubts", {}]}, {}]},
            "problem": {"$literal": problem},
            "fingerprint": _fingerprint(texts),
        }
        document = self._calendars.find_one_and_update(
            {"_id": str(symbol)},
            [{"$set": change}, _IS_WRONG],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return _read(cast(dict[str, Any], document))

    def doubt(self, symbol: Symbol, interval: Interval, unpredicted: int) -> None:
        """Note the open of a bar that the newest version did not predict."""
        change = {f"doubts.{interval.value}": to_date(unpredicted)}
        self._calendars.update_one({"_id": str(symbol)}, [{"$set": change}, _IS_WRONG])

    def trust(self, symbol: Symbol, interval: Interval) -> None:
        """Take the doubt about one interval back."""
        change = {"$unset": f"doubts.{interval.value}"}
        self._calendars.update_one({"_id": str(symbol)}, [change, _IS_WRONG])

    def wrong(self, limit: int) -> list[KeptCalendar]:
        """Return calendars that can't be made, or that are doubtful, in order of their symbols."""
        found = self._calendars.find({"is_wrong": True}).sort("_id").limit(limit)
        return [_read(document) for document in found]

    def count_wrong(self) -> int:
        """Return how many calendars can't be made, or are doubtful."""
        return self._calendars.count_documents({"is_wrong": True})

    def forget(self, symbol: Symbol) -> None:
        """Remove all versions of a symbol."""
        self._calendars.delete_one({"_id": str(symbol)})


class CachedCalendars:
    """Calendars as they were read up to a minute ago; threads may share them.

    One that is not known is looked for after `unknown_seconds` again. While MongoDB is away, those
    that were read before stay.
    """

    def __init__(self, calendars: CalendarStore, clock: Callable[[], float]) -> None:
        self._calendars = calendars
        self._clock = clock
        self._known: dict[Symbol, tuple[float, KeptCalendar | None]] = {}

    def get(self, symbol: Symbol, unknown_seconds: float = _UNKNOWN_SECONDS) -> KeptCalendar | None:
        """Return what is kept of a symbol; None if no sync has seen its hours."""
        read_at, kept = self._known.get(symbol, (-_TTL_SECONDS, None))
        now = self._clock()
        if now - read_at < (_TTL_SECONDS if kept else unknown_seconds):
            return kept
        try:
            kept = self._calendars.get(symbol)
        except PyMongoError:
            if symbol not in self._known:
                raise
        if len(self._known) >= _MOST_CACHED:
            self._known.clear()
        self._known[symbol] = now, kept
        return kept

    def calendar(self, symbol: Symbol) -> Calendar | None:
        """Return the symbol's calendar; None if it is not known, or can't be made."""
        kept = self.get(symbol)
        return kept.calendar if kept else None


def _fingerprint(texts: CalendarTexts) -> str:
    return sha256("\0".join(asdict(texts).values()).encode()).hexdigest()[:24]


def why_withheld(kept: KeptCalendar | None, interval: Interval) -> str | None:
    """Return why live bars of this interval are not shown; None if they are.

    Minutes need no calendar.
    """
    if interval is Interval.M1 and (kept is None or interval not in kept.doubts):
        return None
    if kept is None:
        return "its trading hours are not known yet; a sync brings them"
    return kept.trouble(interval)


def doubt_of(unpredicted: int) -> str:
    """Say why a calendar is doubtful."""
    when = f"{to_date(unpredicted):%Y-%m-%d %H:%M}"
    return f"doubtful: a bar opened at {when} UTC, which the calendar did not predict"


def _read(document: dict[str, Any]) -> KeptCalendar:
    newest = document["versions"][-1]
    return KeptCalendar(
        symbol=Symbol.parse(document["_id"]),
        texts=CalendarTexts(
            newest["timezone"], newest["session"], newest["holidays"], newest["corrections"]
        ),
        seen_from=to_seconds(newest["seen_from"]) or 0,
        problem=document["problem"],
        doubts={Interval(name): to_seconds(at) or 0 for name, at in document["doubts"].items()},
        version_count=len(document["versions"]),
    )
