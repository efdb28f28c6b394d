"""`Generations`: which chunks hold the bars of a series.

A split multiplies the whole past of a series. The bars in the new scale are stored as another
generation, whose chunks have a key of their own; then one write of the series' status makes it the
current one, so that every reader has bars of one scale. A part of the status:

    {generation: 2, live_from: date, generations_begun: 2,
     old_generations: {"1": {replaced_at: date, delete_at: date}}, next_deletion_at: date,
     rescales: [{generation: 2, found_at: date, factor: 0.1, splits: [{before, factor}], …}]}

The first generation has no such fields, and its chunks have the key of the series. Live bars that
open before `live_from` have the scale of an older generation: they no longer count.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from pocketquant.domain.bars import Bars
from pocketquant.domain.dates import to_date, to_seconds
from pocketquant.domain.rescale import Split
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.servers.connections import Mongo
from pocketquant.storage.key_ranges import keys_of_symbol
from pocketquant.storage.leases import UnitLease

CURRENT_FIELDS = ("generation", "live_from", "has_imports", "import_id")

_FIRST = 1
_NEXT = {
    "$add": [1, {"$max": [_FIRST, "$generation", "$generations_begun"]}],  # ignores missing ones
}
_UNUSED_SECONDS = 86400  # a worker that still writes a generation has lost its lease long before
_MOST_RESCALES = 100  # of one series
_MOST_SERIES = 20  # of one call


@dataclass(frozen=True, slots=True)
class Generation(Series):
    """A series in a later generation of its chunks; the plain series is the first one."""

    number: int

    def __str__(self) -> str:
        return f"{self.symbol}|{self.interval.value}@{self.number}"


@dataclass(frozen=True, slots=True)
class Current:
    """The chunks that a series has now, and the oldest live bar in their scale.

    `import_id` is that of the last import.
    """

    bars: Series
    live_from: int | None = None
    has_imports: bool = False
    import_id: ObjectId | None = None

    @property
    def number(self) -> int:
        return number_of(self.bars)

    def live(self, bars: Bars) -> Bars:
        """Return those of the series' live bars that have the scale of its chunks."""
        return bars if self.live_from is None else bars.between(self.live_from, None)


@dataclass(frozen=True, slots=True)
class Rescale:
    """A change of scale that made a generation current.

    Its bars from `fetched_from` on are the provider's; the older ones were multiplied then. Without
    a factor there are no older ones: the bars had other prices, by no common ratio.
    """

    series: Series
    generation: int
    found_at: int
    fetched_from: int
    job_id: str | None
    factor: float | None
    volume_factor: float | None
    splits: tuple[Split, ...]

    def document(self) -> dict[str, Any]:
        return {
            "generation": self.generation,
            "found_at": to_date(self.found_at),
            "fetched_from": to_date(self.fetched_from),
            "job_id": self.job_id,
            "factor": self.factor,
            "volume_factor": self.volume_factor,
            "splits": [
                {"before": to_date(each.before), "factor": each.factor} for each in self.splits
            ],
        }


@dataclass(frozen=True, slots=True)
class Expired:
    """Generations of a series that are to be deleted."""

    series: Series
    generations: tuple[Series, ...]
    due: Any


def generation_of(series: Series, number: int) -> Series:
    """Return the series in this generation."""
    if number == _FIRST:
        return Series(series.symbol, series.interval)
    return Generation(series.symbol, series.interval, number)


def series_of(bars: Series) -> Series:
    """Return the series that a generation belongs to."""
    return generation_of(bars, _FIRST)


def number_of(series: Series) -> int:
    return series.number if isinstance(series, Generation) else _FIRST


def read_current(series: Series, status: Mapping[str, Any] | None) -> Current:
    """Return the current generation by a status; the first one if there is no status."""
    status = status or {}
    return Current(
        generation_of(series, status.get("generation", _FIRST)),
        to_seconds(status.get("live_from")),
        bool(status.get("has_imports")),
        status.get("import_id"),
    )


class Generations:
    """The generations of all series; the driver's errors pass through."""

    def __init__(self, mongo: Mongo) -> None:
        self._statuses = mongo["sync_status"]

    def current(self, series: Series) -> Current:
        """Return the current generation of a series."""
        return self.currents([series])[series]

    def currents(self, all_series: Collection[Series]) -> dict[Series, Current]:
        """Return the current generation of each series."""
        wanted = {"_id": {"$in": [str(series) for series in all_series]}}
        fields = dict.fromkeys(CURRENT_FIELDS, True)
        found = {each["_id"]: each for each in self._statuses.find(wanted, fields)}
        return {series: read_current(series, found.get(str(series))) for series in all_series}

    def at(self, series: Series, moment: datetime) -> Series:
        """Return the generation that was current at a moment, as far as it is kept."""
        fields = {"generation": True, "old_generations": True}
        status = self._statuses.find_one({"_id": str(series)}, fields) or {}
        replaced = {
            int(number): old["replaced_at"]
            for number, old in status.get("old_generations", {}).items()
            if old["replaced_at"] is not None and old["replaced_at"] > moment
        }
        if not replaced:
            return read_current(series, status).bars
        return generation_of(series, min(replaced, key=lambda number: replaced[number]))

    def begin(self, series: Series, now: int, lease: UnitLease) -> Series:
        """Return a new generation to write; it is deleted some day unless it becomes current.

        No other attempt writes the same one, so what a killed worker leaves behind is never read.
        """
        begun = self._statuses.find_one_and_update(
            self._held(series, lease),
            [{"$set": {"generations_begun": _NEXT}}],
            return_document=True,
        )
        if begun is None:
            raise lease.lost()
        number = begun["generations_begun"]
        delete_at = to_date(now + _UNUSED_SECONDS)
        unused = {f"old_generations.{number}": {"replaced_at": None, "delete_at": delete_at}}
        self._statuses.update_one(
            {"_id": str(series)}, {"$set": unused, "$min": {"next_deletion_at": delete_at}}
        )
        return generation_of(series, number)

    def swap(
        self,
        old: Current,
        rescale: Rescale,
        fields: Mapping[str, Any],
        now: float,
        keep_seconds: int,
        lease: UnitLease,
    ) -> bool:
        """Make the rescaled generation current, with the fields of the status that go with it.

        False if the old one is no longer current, or if bars were imported since it was read.
        """
        number = rescale.generation
        delete_at = to_date(int(now) + keep_seconds)
        condition = {
            **self._held(rescale.series, lease),
            **_is_current(old.number),
            "import_id": old.import_id,
        }
        change = {
            "$set": {
                **fields,
                "generation": number,
                "has_rescale_to_follow": True,
                f"old_generations.{old.number}": {
                    "replaced_at": to_date(now),
                    "delete_at": delete_at,
                },
            },
            "$unset": {f"old_generations.{number}": ""},
            "$min": {"next_deletion_at": delete_at},
            "$push": {"rescales": {"$each": [rescale.document()], "$slice": -_MOST_RESCALES}},
        }
        if self._statuses.update_one(condition, change).matched_count:
            return True
        if self._statuses.find_one(self._held(rescale.series, lease), {"_id": True}) is None:
            raise lease.lost()
        return False

    def rescales(self, symbol: Symbol) -> list[Rescale]:
        """Return the rescales of all series of a symbol, the newest first."""
        found = self._statuses.find(
            {"_id": keys_of_symbol(symbol.exchange, symbol.name)}, {"rescales": True}
        )
        rescales = [rescale for status in found for rescale in _read_rescales(status)]
        return sorted(rescales, key=lambda each: (each.found_at, each.generation), reverse=True)

    def to_follow(self) -> list[Rescale]:
        """Return the newest rescale of some series, which nobody has followed up."""
        unfollowed = {"has_rescale_to_follow": True}
        found = self._statuses.find(unfollowed, {"rescales": True}).limit(_MOST_SERIES)
        return [_read_rescales(status)[-1] for status in found]

    def followed(self, rescale: Rescale) -> None:
        """Note that a rescale was followed up, unless there was a newer one."""
        condition = {"_id": str(rescale.series), **_is_current(rescale.generation)}
        self._statuses.update_one(condition, {"$unset": {"has_rescale_to_follow": ""}})

    def note_import(self, current: Current) -> bool:
        """Note that bars were imported into a generation; False if it is no longer current."""
        series = series_of(current.bars)
        condition = {"_id": str(series), **_is_current(current.number)}
        noted = self._statuses.update_one(condition, {"$set": {"import_id": ObjectId()}})
        return bool(noted.matched_count) or self.current(series).number == current.number

    def expired(self, now: int) -> list[Expired]:
        """Return some series with generations that need not be kept any longer."""
        due = {"next_deletion_at": {"$lte": to_date(now)}}
        fields = {"old_generations": True, "next_deletion_at": True}
        return [
            Expired(
                series := Series.parse(each["_id"]),
                tuple(
                    generation_of(series, int(number))
                    for number, old in each["old_generations"].items()
                    if old["delete_at"] <= to_date(now)
                ),
                each["next_deletion_at"],
            )
            for each in self._statuses.find(due, fields).limit(_MOST_SERIES)
        ]

    def forget(self, expired: Expired) -> None:
        """Forget generations whose chunks were deleted."""
        gone = [f"old_generations.{number_of(each)}" for each in expired.generations]
        rest = {"$objectToArray": "$old_generations"}
        due = {"$min": {"$map": {"input": rest, "in": "$$this.v.delete_at"}}}
        self._statuses.update_one(
            {"_id": str(expired.series), "next_deletion_at": expired.due},
            [{"$unset": gone}, {"$set": {"next_deletion_at": due}}],
        )

    @staticmethod
    def _held(series: Series, lease: UnitLease) -> dict[str, Any]:
        return {"_id": str(series), "$expr": lease.holds()}


def _is_current(number: int) -> dict[str, Any]:
    """Return the condition on a status that this generation is the current one."""
    return {"generation": {"$in": [None, _FIRST]} if number == _FIRST else number}


def _read_rescales(status: Mapping[str, Any]) -> list[Rescale]:
    series = Series.parse(status["_id"])
    return [
        Rescale(
            series,
            each["generation"],
            to_seconds(each["found_at"]),
            to_seconds(each["fetched_from"]),
            each["job_id"],
            each["factor"],
            each["volume_factor"],
            tuple(Split(to_seconds(one["before"]), one["factor"]) for one in each["splits"]),
        )
        for each in status.get("rescales", ())
    ]
