"""`Backlog`: counts the open units of the ledger for operators; only reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pocketquant.domain.syncs import UnitState
from pocketquant.servers.connections import Mongo
from pocketquant.storage.units import Document

# A unit waits since it was made, or since the delay after it was put back has passed.
_WAITING_SINCE = {"$max": ["$created_at", "$not_before"]}
_IS_DEFERRED = {"$gt": ["$not_before", "$$NOW"]}

_BY_QUEUE: list[Document] = [
    {"$match": {"active": True, "state": {"$in": [UnitState.QUEUED, UnitState.RUNNING]}}},
    {
        "$group": {
            "_id": {"queue": "$queue", "state": "$state", "is_deferred": _IS_DEFERRED},
            "count": {"$sum": 1},
            "since": {"$min": _WAITING_SINCE},
        }
    },
    {"$set": {"milliseconds": {"$subtract": ["$$NOW", "$since"]}}},
]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The units of one queue that are due, and how long the oldest of them has waited."""

    units: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """All open units: due ones by queue, those deferred to a later time, and running ones."""

    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    deferred: int = 0
    running: int = 0


class Backlog:
    """Counts open units, by the server's clock."""

    def __init__(self, mongo: Mongo) -> None:
        self._units = mongo["units"]

    def read(self) -> Work:
        return _work(list(self._units.aggregate(_BY_QUEUE)))


def _work(groups: list[Document]) -> Work:
    running = [one for one in groups if one["_id"]["state"] == UnitState.RUNNING]
    queued = [one for one in groups if one["_id"]["state"] == UnitState.QUEUED]
    return Work(
        waiting={
            one["_id"]["queue"]: Waiting(one["count"], max(0.0, one["milliseconds"] / 1000))
            for one in queued
            if not one["_id"]["is_deferred"]
        },
        deferred=sum(one["count"] for one in queued if one["_id"]["is_deferred"]),
        running=sum(one["count"] for one in running),
    )
