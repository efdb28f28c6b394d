"""`Findings`: which bars of a series are to be judged, and what was found. A part of its status:

    {unjudged: {from: date, until: date},
     outliers: [{time: date}, …], outlier_count: 1,
     differences: [{time: date, against, field, stored, other}, …], difference_count: 1}

Writers of bars widen the stretch that is to be judged; a worker judges it soon.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from pocketquant.domain.coverage import Stretch
from pocketquant.domain.dates import to_date, to_seconds
from pocketquant.domain.day_differences import DayDifference
from pocketquant.domain.symbols import Series
from pocketquant.servers.connections import Mongo

_MOST_FINDINGS = 100  # of each kind, the newest


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A series, and the stretch of it that is to be judged."""

    series: Series
    stretch: Stretch
    mark: Any


def to_judge(stretch: Stretch | None) -> dict[str, Any]:
    """Return the part of an update that widens the stretch to be judged."""
    if stretch is None:
        return {}
    start, end = map(to_date, stretch)
    return {"$min": {"unjudged.from": start}, "$max": {"unjudged.until": end}}


class Findings:
    """The findings in all series; the driver's errors pass through."""

    def __init__(self, mongo: Mongo) -> None:
        self._statuses = mongo["sync_status"]

    def add(self, series: Series, stretch: Stretch) -> None:
        """Have a stretch of a known series judged."""
        self._statuses.update_one({"_id": str(series)}, to_judge(stretch))

    def unjudged(self, limit: int) -> list[Unjudged]:
        """Return some series that are to be judged."""
        marked = {"unjudged.from": {"$type": "date"}}
        found = self._statuses.find(marked, {"unjudged": True}).limit(limit)
        return [
            Unjudged(
                Series.parse(each["_id"]),
                (to_seconds(each["unjudged"]["from"]), to_seconds(each["unjudged"]["until"])),
                each["unjudged"],
            )
            for each in found
        ]

    def finish(self, judged: Unjudged, since: int) -> None:
        """Note that a stretch was judged since a moment, unless it was widened meanwhile."""
        change: dict[str, Any] = {"$unset": {"unjudged": ""}}
        if since > judged.stretch[0]:
            change = {"$set": {"unjudged.until": to_date(since)}}
        self._statuses.update_one({"_id": str(judged.series), "unjudged": judged.mark}, change)

    def note_outliers(self, series: Series, judged: Stretch, found: Iterable[int]) -> None:
        """Keep the open times of outliers, in place of those found in a stretch before.

        The newest hundred of a series are kept and counted. A repetition changes nothing.
        """
        self._note(series, "outlier", judged, [{"time": to_date(time)} for time in found])

    def note_differences(
        self, series: Series, judged: Stretch, found: Iterable[DayDifference]
    ) -> None:
        """Keep differences of daily bars, in place of those found in a stretch before."""
        documents = [asdict(each) | {"time": to_date(each.time)} for each in found]
        self._note(series, "difference", judged, documents)

    def differences(self, series: Series) -> list[DayDifference]:
        """Return what `note_differences` keeps, in order of time."""
        document = self._statuses.find_one({"_id": str(series)}, {"differences": True}) or {}
        return [
            DayDifference(**each | {"time": to_seconds(each["time"])})
            for each in document.get("differences", ())
        ]

    def _note(
        self, series: Series, kind: str, judged: Stretch, found: list[dict[str, Any]]
    ) -> None:
        field, (start, end) = f"{kind}s", map(to_date, judged)
        kept = {"$ifNull": [f"${field}", []]}
        older = {"$filter": {"input": kept, "cond": {"$lt": ["$$this.time", start]}}}
        newer = {"$filter": {"input": kept, "cond": {"$gte": ["$$this.time", end]}}}
        condition: dict[str, Any] = {"_id": str(series)}
        if not found:
            condition[field] = {"$elemMatch": {"time": {"$gte": start, "$lt": end}}}
        joined = {"$concatArrays": [older, {"$literal": found}, newer]}
        change: list[dict[str, Any]] = [
            {"$set": {field: {"$slice": [joined, -_MOST_FINDINGS]}}},
            {"$set": {f"{kind}_count": {"$size": f"${field}"}}},
        ]
        self._statuses.update_one(condition, change)
