"""`SyncStatuses`: the state of each series' sync, one document a series.

Each change is one atomic update that sets the new state, so that repeating it changes nothing. A
worker writes under its lease (`UnitLease`), and gets LeaseLost once that has expired.

`pending` and `syncing` mean that a unit of the series is open. A caller that writes them without
holding that unit calls `settle` afterwards, since the unit may have ended meanwhile.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from pymongo import ASCENDING, DESCENDING, InsertOne, UpdateMany, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from pocketquant.domain.backfills import Reach
from pocketquant.domain.batches import batched
from pocketquant.domain.coverage import Coverage, Stretch
from pocketquant.domain.dates import to_date, to_seconds
from pocketquant.domain.errors import (
    Cancelled,
    PocketQuantError,
    StorageUnavailable,
    UnknownSymbol,
)
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import FormingBar, Stop, SyncReport, SyncState
from pocketquant.domain.window import Outlook
from pocketquant.servers.connections import Mongo
from pocketquant.storage.bars import Extent
from pocketquant.storage.bulk_writes import duplicate_key_failures
from pocketquant.storage.coverage import KeptCoverage, read_outlook, read_ranges
from pocketquant.storage.findings import to_judge
from pocketquant.storage.generations import CURRENT_FIELDS, Current, read_current
from pocketquant.storage.key_ranges import keys_of_exchange, keys_of_symbol
from pocketquant.storage.leases import UnitLease

_UNKNOWN = {
    "bar_count": 0,
    "first_bar_at": None,
    "last_bar_at": None,
    "last_sync_at": None,
    "error_code": None,
    "error_message": None,
    "job_id": None,
    "attempts": 0,
    "next_attempt_at": None,
    "forming": None,
}
_OPEN = {"$in": [SyncState.PENDING, SyncState.SYNCING]}
_BRIEF = WriteConcern(w=1)  # for `syncing`, which the end of the sync soon replaces
_FORMING_DATES = ("time", "close_time", "as_of")
_REACH_DATES = ("oldest", "asked_at")
_RANGES = "coverage.ranges"
_LONG = (_RANGES, "coverage.counts", "rescales", "outliers", "differences")
_LISTED = dict.fromkeys(_LONG, False)
_PROGRESS = ("last_bar_at", "last_sync_at")
_OF_LISTING = ("registered", "calendar_problem")
_SERIES_A_QUERY = 1000
_MOST_ROUNDS = 100


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """The state of one series' sync; times are epoch seconds, or None if there is none yet."""

    series: Series
    status: SyncState
    bar_count: int = 0
    first_bar_at: int | None = None
    last_bar_at: int | None = None
    last_sync_at: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    job_id: str | None = None
    attempts: int = 0
    next_attempt_at: int | None = None
    forming: FormingBar | None = None
    calendar_problem: str | None = None
    refused_bars: int = 0  # of its last sync
    outlook: Outlook = field(default_factory=Outlook)
    generation: int = 1
    reach: Reach | None = None
    outliers: int = 0
    differences: int = 0

    @property
    def is_without_bars(self) -> bool:
        """Whether the provider had no bar at the last sync, or does not know the symbol."""
        is_empty = self.last_sync_at is not None and not self.bar_count
        return is_empty or self.error_code == UnknownSymbol.code


class Begun(NamedTuple):
    """The coverage and the chunks of a series when its sync began.

    `registered` names the listing that an earlier sync has registered, and `calendar_problem` is
    what it found wrong with the calendar. `begins_at` is where the provider's history was found to
    begin, if it was.
    """

    kept: KeptCoverage
    current: Current
    registered: str | None = None
    calendar_problem: str | None = None
    begins_at: int | None = None


class Newest(NamedTuple):
    """The news that a sync of the newest bars brings besides closed bars.

    `registered` names the listing if it was registered anew.
    """

    synced_at: int
    forming: FormingBar | None
    calendar_problem: str | None
    refused: int = 0
    registered: str | None = None


class AtRisk(NamedTuple):
    """A series with bars that were not fetched, and that the provider soon serves no more."""

    series: Series
    lacks_from: int


class Progress(NamedTuple):
    """When the last bar of a series opened, and when it was last synced."""

    series: Series
    last_bar_at: int | None
    last_sync_at: int | None


@dataclass(frozen=True, slots=True)
class StatusFilter:
    """A filter for statuses; None matches any value.

    `has_gaps`: some of it was fetched, but not all in one stretch. `is_doubtful`: its calendar is.
    `late_before`: a bar that closed before this moment was not fetched. `leaves_before`: bars that
    were not fetched leave the provider's window by then.
    """

    exchange: str | None = None
    ticker: str | None = None
    interval: Interval | None = None
    status: SyncState | None = None
    error_code: str | None = None
    stale_before: int | None = None  # last synced before this moment, or never
    has_gaps: bool = False
    is_doubtful: bool = False
    is_never_synced: bool = False
    has_refused: bool = False
    late_before: int | None = None
    leaves_before: int | None = None
    has_outliers: bool = False
    has_differences: bool = False

    def condition(self) -> dict[str, Any]:
        plain = {
            "symbol": self.ticker,
            "interval": self.interval and self.interval.value,
            "status": self.status and self.status.value,
            "error_code": self.error_code,
        }
        found: dict[str, Any] = {name: value for name, value in plain.items() if value is not None}
        if self.exchange is not None:
            found["_id"] = (
                keys_of_exchange(self.exchange)
                if self.ticker is None
                else keys_of_symbol(self.exchange, self.ticker)
            )
        counted = {
            "coverage.gaps": self.has_gaps,
            "refused_bars": self.has_refused,
            "outlier_count": self.has_outliers,
            "difference_count": self.has_differences,
        }
        found |= {name: {"$gt": 0} for name, is_wanted in counted.items() if is_wanted}
        if self.is_doubtful:
            found["calendar_problem"] = {"$type": "string"}
        if self.is_never_synced:
            found["last_sync_at"] = {"$type": "null"}
        if self.late_before is not None:
            found["coverage.late_since"] = {"$lt": to_date(self.late_before)}
        if self.leaves_before is not None:
            found["coverage.leaves_at"] = {"$lt": to_date(self.leaves_before)}
        if self.stale_before is not None:
            stale = {"last_sync_at": {"$lt": to_date(self.stale_before)}}
            found["$or"] = [{"last_sync_at": None}, stale]
        return found


class SyncStatuses:
    """The statuses of all series that were ever requested; the driver's errors pass through."""

    def __init__(self, mongo: Mongo) -> None:
        self._statuses = mongo["sync_status"]
        self._units = mongo["units"]
        self._brief = self._statuses.with_options(write_concern=_BRIEF)

    def mark_pending(self, all_series: Iterable[Series], job_id: str) -> None:
        """Mark the series as waiting for the job, unless this job has marked them before."""
        waiting = {
            "status": SyncState.PENDING.value,
            "job_id": job_id,
            "attempts": 0,
            "next_attempt_at": None,
            **_error(None),
        }
        wanted = {str(series): series for series in all_series}
        found = self._statuses.find({"_id": {"$in": list(wanted)}}, {"_id": True})
        known = {document["_id"] for document in found}
        writes: list[InsertOne[dict[str, Any]] | UpdateMany] = [
            InsertOne({"_id": key, **_first(series), **waiting})
            for key, series in wanted.items()
            if key not in known
        ]
        if known:
            elsewhere = {"_id": {"$in": list(known)}, "job_id": {"$ne": job_id}}
            writes.append(UpdateMany(elsewhere, {"$set": waiting}))
        if writes:
            self._write_unless_there(writes)

    def mark_retried(self, all_series: Iterable[Series]) -> None:
        """Mark failed series as pending again; their error stays until a sync succeeds."""
        ids = [str(series) for series in all_series]
        self._statuses.update_many(
            {"_id": {"$in": ids}, "status": SyncState.ERROR},
            {"$set": {"status": SyncState.PENDING, "attempts": 0}},
        )

    def settle(self, all_series: Iterable[Series]) -> None:
        """Restore the last state of those series that are marked open but have no open unit.

        A status that a new job has marked meanwhile stays as it is.
        """
        keys = [str(series) for series in all_series]
        looking = {"_id": {"$in": keys}, "status": _OPEN}
        waiting = {each["_id"]: each for each in self._statuses.find(looking, {"job_id": True})}
        active = {"series": {"$in": list(waiting)}, "active": True}
        for unit in self._units.find(active, {"series": True}) if waiting else ():
            waiting.pop(unit["series"], None)
        writes: list[InsertOne[dict[str, Any]] | UpdateMany] = [
            UpdateMany({**seen, "status": _OPEN}, _restored()) for seen in waiting.values()
        ]
        if writes:
            self._statuses.bulk_write(writes, ordered=False)

    def mark_cancelled(self, series: Series, lease: UnitLease) -> None:
        """Restore the state before the sync, which no job wants any more."""
        self._write(series, _restored(), lease)

    def mark_stopped(self, series: Series) -> None:
        """Restore the state before the sync, of a unit that no worker holds."""
        self._statuses.update_one({"_id": str(series), "status": _OPEN}, _restored())

    def mark_given_up(self, series: Series, error: PocketQuantError) -> None:
        """Mark an open series as failed after every attempt died with its worker."""
        self._statuses.update_one(
            {"_id": str(series), "status": _OPEN},
            {"$set": {"status": SyncState.ERROR, "next_attempt_at": None, **_error(error)}},
        )

    def mark_syncing(
        self, series: Series, job_id: str | None, attempt: int, lease: UnitLease | None = None
    ) -> Begun:
        """Mark the series as being synced; return its coverage and its chunks.

        An earlier error stays until a sync succeeds.
        """
        change = _update(
            series, SyncState.SYNCING, job_id=job_id, attempts=attempt, next_attempt_at=None
        )
        before = self._write(series, change, lease, self._brief) or {}
        reach = _read_reach(before["reach"]) if before.get("reach") else None
        limit = reach.bars if reach and reach.stop is Stop.LIMIT else None
        begins_at = reach.oldest if reach and reach.stop is Stop.END else None
        kept = replace(KeptCoverage.read(before.get("coverage")), limit=limit)
        registered, problem = (before.get(name) for name in _OF_LISTING)
        return Begun(kept, read_current(series, before), registered, problem, begins_at)

    def mark_completed(
        self,
        report: SyncReport,
        forming: FormingBar | None,
        now: int,
        lease: UnitLease | None = None,
        calendar_problem: str | None = None,
        kept: KeptCoverage | None = None,
        registered: str | None = None,
        unjudged: Stretch | None = None,
    ) -> bool:
        """Mark the series as up to date; return whether it has imported bars too.

        If so, call `recount`: an import may have stored bars after the report counted them.
        """
        newest = Newest(now, forming, calendar_problem, sum(report.refused.values()), registered)
        extent = Extent(report.bar_count, report.first_bar_at, report.last_bar_at)
        return self.mark_stored(
            report.series, extent, newest, kept, is_last=True, lease=lease, unjudged=unjudged
        )

    def mark_stored(
        self,
        series: Series,
        extent: Extent,
        newest: Newest | None,
        kept: KeptCoverage | None = None,
        *,
        is_last: bool,
        lease: UnitLease | None = None,
        reach: Reach | None = None,
        unjudged: Stretch | None = None,
    ) -> bool:
        """Mark what is stored after a page of bars, and the sync as completed after the last one.

        `newest` is known if the page had the newest bars, and `reach` if it was the last that the
        provider serves. `unjudged` is the time of new bars. Return whether the series has imported
        bars too; if so, call `recount`.
        """
        fields: dict[str, Any] = {**extent_fields(extent), "next_attempt_at": None}
        if newest is not None:
            fields["last_sync_at"] = to_date(newest.synced_at)
            fields["forming"] = forming_document(newest.forming)
            fields["calendar_problem"] = newest.calendar_problem
            fields["refused_bars"] = newest.refused
            if newest.registered is not None:
                fields["registered"] = newest.registered
        if kept is not None:
            fields["coverage"] = kept.document()
        if reach is not None:
            fields["reach"] = _reach_document(reach)
        if is_last:
            fields |= _error(None)
        change = _update(series, SyncState.COMPLETED if is_last else SyncState.SYNCING, **fields)
        before = self._write(series, change | to_judge(unjudged), lease)
        return bool(before and before.get("has_imports"))

    def recount(self, series: Series, count: Callable[[], Extent]) -> Extent:
        """Store the extent of a series that imports and syncs may write at the same time.

        It counts again after writing, until the count is stable, so the last writer is right.
        """
        for _ in range(_MOST_ROUNDS):
            extent = count()
            counted = {**extent_fields(extent), "has_imports": True}
            first = {**_first(series), "status": SyncState.COMPLETED.value}
            unset = {name: value for name, value in first.items() if name not in counted}
            change = {"$set": counted, "$setOnInsert": unset}
            self._statuses.update_one({"_id": str(series)}, change, upsert=True)
            if count() == extent:
                return extent
        raise StorageUnavailable(f"{series} is written faster than it can be counted")

    def mark_deferred(
        self,
        series: Series,
        error: PocketQuantError,
        next_attempt_at: int,
        lease: UnitLease | None = None,
    ) -> None:
        """Mark the series as waiting for another attempt after this error."""
        due = {"next_attempt_at": to_date(next_attempt_at)}
        self._write(series, _update(series, SyncState.PENDING, **due, **_error(error)), lease)

    def mark_postponed(
        self, series: Series, next_attempt_at: int, lease: UnitLease | None = None
    ) -> None:
        """Mark the series as waiting for its turn."""
        due = {"next_attempt_at": to_date(next_attempt_at)}
        self._write(series, _update(series, SyncState.PENDING, **due), lease)

    def mark_failed(
        self, series: Series, error: PocketQuantError, lease: UnitLease | None = None
    ) -> None:
        """Mark the series as failed for good."""
        failed = _update(series, SyncState.ERROR, next_attempt_at=None, **_error(error))
        self._write(series, failed, lease)

    def get(self, series: Series) -> SyncStatus | None:
        """Return the status of a series; None if it was never requested."""
        document = self._statuses.find_one({"_id": str(series)}, _LISTED)
        return _read(document) if document else None

    def series_of(self, symbol: Symbol) -> list[Series]:
        """Return the series of the symbol that were ever requested."""
        found = self._statuses.find(_of_symbol(symbol), {"_id": True})
        return [Series.parse(each["_id"]) for each in found]

    def page(self, wanted: StatusFilter, offset: int, limit: int) -> tuple[list[SyncStatus], int]:
        """Return statuses from `offset` on, in order of the key, and the number of all matches."""
        found, total = self._page(wanted, offset, limit, _LISTED)
        return [_read(document) for document in found], total

    def page_with_coverage(
        self, wanted: StatusFilter, offset: int, limit: int
    ) -> tuple[list[tuple[SyncStatus, KeptCoverage]], int]:
        """Return the same as `page`, each status with the coverage of its series."""
        found, total = self._page(wanted, offset, limit, None)
        return [(_read(each), KeptCoverage.read(each.get("coverage"))) for each in found], total

    def count(self, wanted: StatusFilter) -> int:
        return self._statuses.count_documents(wanted.condition())

    def at_risk(self, leaves_before: int, guarded_before: int | None, limit: int) -> list[AtRisk]:
        """Return the series that lose history before a moment, the most urgent first.

        With `guarded_before`, those that `note_guarded` has not named since.
        """
        losing = StatusFilter(leaves_before=leaves_before).condition()
        if guarded_before is not None:
            losing["guarded_at"] = {"$not": {"$gt": to_date(guarded_before)}}
        found = self._statuses.find(losing, {"coverage.lacks_from": True})
        return [
            AtRisk(Series.parse(each["_id"]), to_seconds(each["coverage"]["lacks_from"]))
            for each in found.sort("coverage.leaves_at", ASCENDING).limit(limit)
        ]

    def note_guarded(self, all_series: Iterable[Series], now: int) -> None:
        """Note that series at risk have had their turn."""
        for batch in batched(all_series, _SERIES_A_QUERY):
            guarded = {"$set": {"guarded_at": to_date(now)}}
            self._statuses.update_many({"_id": {"$in": [str(each) for each in batch]}}, guarded)

    def coverage(self, series: Series) -> KeptCoverage | None:
        """Return the coverage of a series; None if it was never requested."""
        return self.coverages([series]).get(series)

    def coverages(self, all_series: Iterable[Series]) -> dict[Series, KeptCoverage]:
        """Return the coverage of these series; one that was never requested is left out."""
        keys = [str(series) for series in all_series]
        found = self._statuses.find({"_id": {"$in": keys}}, {"coverage": True})
        return {
            Series.parse(each["_id"]): KeptCoverage.read(each.get("coverage")) for each in found
        }

    def covered(self, all_series: Iterable[Series]) -> dict[Series, Coverage]:
        """Return the stretches that were fetched of these series, without counts of bars."""
        found: dict[Series, Coverage] = {}
        for batch in batched(all_series, _SERIES_A_QUERY):
            wanted = {"_id": {"$in": [str(each) for each in batch]}, _RANGES: {"$exists": True}}
            for each in self._statuses.find(wanted, {_RANGES: True}):
                found[Series.parse(each["_id"])] = read_ranges(each["coverage"])
        return found

    def reaches(self, all_series: Iterable[Series]) -> dict[Series, Reach]:
        """Return how far back the provider served these series, where a range has shown it."""
        keys = [str(series) for series in all_series]
        wanted = {"_id": {"$in": keys}, "reach": {"$type": "object"}}
        found = self._statuses.find(wanted, {"reach": True})
        return {Series.parse(each["_id"]): _read_reach(each["reach"]) for each in found}

    def limit(self) -> int | None:
        """Return how many bars the plan serves, by the newest range that ended at its limit."""
        found = self._statuses.find({"reach.stop": Stop.LIMIT}, {"reach": True})
        newest = next(found.sort("reach.asked_at", DESCENDING).limit(1), None)
        return None if newest is None else _read_reach(newest["reach"]).bars

    def forget(self, symbol: Symbol) -> bool:
        """Remove all statuses of the symbol; return whether there were any."""
        return self._statuses.delete_many(_of_symbol(symbol)).deleted_count > 0

    def forget_listing(self, symbol: Symbol) -> None:
        """Let the next sync of each series register the symbol."""
        self._statuses.update_many(_of_symbol(symbol), {"$unset": {"registered": ""}})

    def progress(self, all_series: Iterable[Series]) -> Iterator[Progress]:
        """Yield how far each series is; a thousand are held at once."""
        for batch in batched(all_series, _SERIES_A_QUERY):
            keys = [str(series) for series in batch]
            found = self._statuses.find({"_id": {"$in": keys}}, dict.fromkeys(_PROGRESS, True))
            times = {each["_id"]: [to_seconds(each[name]) for name in _PROGRESS] for each in found}
            for series, key in zip(batch, keys, strict=True):
                yield Progress(series, *times.get(key, (None, None)))

    def _page(
        self, wanted: StatusFilter, offset: int, limit: int, fields: dict[str, bool] | None
    ) -> tuple[Iterable[dict[str, Any]], int]:
        condition = wanted.condition()
        found = self._statuses.find(condition, fields).sort("_id", ASCENDING)
        return found.skip(offset).limit(limit), self._statuses.count_documents(condition)

    def _write(
        self,
        series: Series,
        change: dict[str, Any] | list[dict[str, Any]],
        lease: UnitLease | None,
        statuses: Collection[dict[str, Any]] | None = None,
    ) -> dict[str, Any] | None:
        """Change the status; return what `Begun` needs of the old one, if there was any.

        LeaseLost once the lease expired.
        An upsert cannot be conditional on the lease, so a missing status is inserted first.
        """
        statuses = self._statuses if statuses is None else statuses
        known = {"_id": str(series)}
        returned = dict.fromkeys((*CURRENT_FIELDS, *_OF_LISTING, "coverage", "reach"), True)
        if lease is None:
            return statuses.find_one_and_update(known, change, returned, upsert=True)
        held = {**known, "$expr": lease.holds()}
        before = statuses.find_one_and_update(held, change, returned)
        if before is None:
            first = {**_first(series), "status": SyncState.PENDING.value}
            statuses.update_one(known, {"$setOnInsert": first}, upsert=True)
            before = statuses.find_one_and_update(held, change, returned)
        if before is None:
            raise lease.lost()
        return before

    def _write_unless_there(self, writes: list[InsertOne[dict[str, Any]] | UpdateMany]) -> None:
        """Write; a status that was inserted meanwhile belongs to a newer sync, and stays."""
        try:
            self._statuses.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            duplicate_key_failures(error)


def _update(series: Series, status: SyncState, **fields: object) -> dict[str, Any]:
    first = {name: value for name, value in _first(series).items() if name not in fields}
    return {"$set": {"status": status.value, **fields}, "$setOnInsert": first}


def _restored() -> list[dict[str, Any]]:
    """Return the update to the state before: failed, completed, or cancelled if never synced."""
    cancelled = _error(Cancelled("its job was cancelled"))
    never = {"$and": [{"$eq": ["$error_code", None]}, {"$eq": ["$last_sync_at", None]}]}
    errors = {name: {"$cond": [never, text, f"${name}"]} for name, text in cancelled.items()}
    failed = {"$ne": ["$error_code", None]}
    state = {"$cond": [failed, SyncState.ERROR.value, SyncState.COMPLETED.value]}
    return [{"$set": {**errors, "next_attempt_at": None}}, {"$set": {"status": state}}]


def _first(series: Series) -> dict[str, Any]:
    return {
        "exchange": series.symbol.exchange,
        "symbol": series.symbol.name,
        "interval": series.interval.value,
        **_UNKNOWN,
    }


def _error(error: PocketQuantError | None) -> dict[str, str | None]:
    return {
        "error_code": error.code if error else None,
        "error_message": str(error) if error else None,
    }


def extent_fields(extent: Extent) -> dict[str, Any]:
    return {
        "bar_count": extent.count,
        "first_bar_at": to_date(extent.first_time),
        "last_bar_at": to_date(extent.last_time),
    }


def forming_document(forming: FormingBar | None) -> dict[str, Any] | None:
    if forming is None:
        return None
    document = asdict(forming)
    return document | {name: to_date(document[name]) for name in _FORMING_DATES}


def _reach_document(reach: Reach) -> dict[str, Any]:
    document = asdict(reach)
    return document | {name: to_date(document[name]) for name in _REACH_DATES}


def _read_reach(document: dict[str, Any]) -> Reach:
    dates = {name: to_seconds(document[name]) for name in _REACH_DATES}
    return Reach(**document | dates | {"stop": Stop(document["stop"])})


def _of_symbol(symbol: Symbol) -> dict[str, Any]:
    return StatusFilter(exchange=symbol.exchange, ticker=symbol.name).condition()


def _read(document: dict[str, Any]) -> SyncStatus:
    return SyncStatus(
        series=Series.parse(document["_id"]),
        status=SyncState(document["status"]),
        bar_count=document["bar_count"],
        first_bar_at=to_seconds(document["first_bar_at"]),
        last_bar_at=to_seconds(document["last_bar_at"]),
        last_sync_at=to_seconds(document["last_sync_at"]),
        error_code=document["error_code"],
        error_message=document["error_message"],
        job_id=document["job_id"],
        attempts=document["attempts"],
        next_attempt_at=to_seconds(document["next_attempt_at"]),
        forming=_read_forming(document["forming"]),
        calendar_problem=document.get("calendar_problem"),
        refused_bars=document.get("refused_bars", 0),
        outlook=read_outlook(document.get("coverage") or {}),
        generation=document.get("generation", 1),
        reach=_read_reach(document["reach"]) if document.get("reach") else None,
        outliers=document.get("outlier_count", 0),
        differences=document.get("difference_count", 0),
    )


def _read_forming(document: dict[str, Any] | None) -> FormingBar | None:
    if document is None:
        return None
    return FormingBar(**document | {name: to_seconds(document[name]) for name in _FORMING_DATES})
