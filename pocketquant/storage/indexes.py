"""Make all collections and indexes at start; repeated and concurrent calls are harmless."""

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import OperationFailure

from pocketquant.servers.connections import Mongo

BAR_COLLECTIONS = ("ohlcv", "ohlcv_live", "ohlcv_revisions")

_ZSTD = {"wiredTiger": {"configString": "block_compressor=zstd"}}
_NAMESPACE_EXISTS = 48  # MongoDB's error code

# Covers the query of `BarStore.extent`, so that counting bars reads no chunk.
_EXTENT = IndexModel(
    [(field, ASCENDING) for field in ("_id", "count", "start", "end")], name="extent"
)

# Of chunks with bars that changed, so that listing changes reads no other chunk.
_REVISED = IndexModel(
    [("_id", ASCENDING), ("revised_at", ASCENDING)],
    name="revised",
    partialFilterExpression={"revised_at": {"$exists": True}},
)

# Jobs and units, also dead letters, are kept for 30 days after their end.
_ENDED_LONG_AGO = IndexModel(
    "finished_at", name="ended_long_ago", expireAfterSeconds=30 * 24 * 3600
)


def _of_some(count: str, name: str) -> IndexModel:
    """Return an index of the documents of which this count is above 0."""
    return IndexModel(count, name=name, partialFilterExpression={count: {"$gt": 0}})


_INDEXES = {
    "api_keys": [IndexModel("created_at", name="oldest_first")],
    "calendars": [
        IndexModel("fingerprint", name="equal_calendars"),
        IndexModel("is_wrong", name="wrong", partialFilterExpression={"is_wrong": True}),
    ],
    "ohlcv": [_EXTENT, _REVISED],
    "ohlcv_live": [_EXTENT],
    "ohlcv_revisions": [IndexModel("expires_at", name="kept_long_enough", expireAfterSeconds=0)],
    "sync_status": [
        IndexModel(
            "reach.asked_at",
            name="limits",
            partialFilterExpression={"reach.stop": "limit"},
        ),
        IndexModel(
            "coverage.gaps",
            name="with_gaps",
            partialFilterExpression={"coverage.gaps": {"$gt": 0}},
        ),
        IndexModel(
            "calendar_problem",
            name="doubtful",
            partialFilterExpression={"calendar_problem": {"$type": "string"}},
        ),
        IndexModel(
            "last_sync_at",
            name="never_synced",
            partialFilterExpression={"last_sync_at": {"$type": "null"}},
        ),
        _of_some("refused_bars", "with_refused_bars"),
        IndexModel(
            "unjudged.from",
            name="unjudged",
            partialFilterExpression={"unjudged.from": {"$type": "date"}},
        ),
        _of_some("outlier_count", "with_outliers"),
        _of_some("difference_count", "with_differences"),
        IndexModel(
            "coverage.late_since",
            name="late",
            partialFilterExpression={"coverage.late_since": {"$exists": True}},
        ),
        IndexModel(
            [("coverage.leaves_at", ASCENDING), ("guarded_at", ASCENDING)],
            name="at_risk",
            partialFilterExpression={"coverage.leaves_at": {"$exists": True}},
        ),
        IndexModel(
            "next_deletion_at",
            name="old_generations",
            partialFilterExpression={"next_deletion_at": {"$type": "date"}},
        ),
        IndexModel(
            "has_rescale_to_follow",
            name="rescales_to_follow",
            partialFilterExpression={"has_rescale_to_follow": True},
        ),
    ],
    "units": [
        IndexModel(
            "series",
            name="one_active_unit_a_series",
            unique=True,
            partialFilterExpression={"active": True},
        ),
        IndexModel(
            [("jobs", ASCENDING), ("state", ASCENDING), ("finished_at", ASCENDING)],
            name="of_job_by_state",
        ),
        IndexModel(
            [("state", ASCENDING), ("queue", ASCENDING), ("dispatched_at", ASCENDING)],
            name="by_queue_and_silence",
            partialFilterExpression={"active": True},
        ),
        IndexModel(
            [("aside", ASCENDING), ("dispatched_at", ASCENDING)],
            name="aside",
            partialFilterExpression={"aside": True},
        ),
        IndexModel("series", name="aside_by_series", partialFilterExpression={"aside": True}),
        IndexModel("series", name="paused_by_series", partialFilterExpression={"state": "paused"}),
        IndexModel(
            [("state", ASCENDING), ("finished_at", ASCENDING)],
            name="dead_letters",
            partialFilterExpression={"state": "failed"},
        ),
        _ENDED_LONG_AGO,
    ],
    "job_wants": [
        IndexModel("created_at", name="of_no_job", expireAfterSeconds=30 * 24 * 3600),
    ],
    "jobs": [
        IndexModel("created_at", name="open", partialFilterExpression={"open": True}),
        IndexModel([("created_at", DESCENDING), ("_id", DESCENDING)], name="newest_first"),
        IndexModel(
            "key", name="one_job_a_key", unique=True, partialFilterExpression={"key": {"$type": 2}}
        ),
        _ENDED_LONG_AGO,
    ],
}


def make_collections_and_indexes(mongo: Mongo) -> None:
    """Make missing collections and indexes; leave existing ones as they are."""
    for name in BAR_COLLECTIONS:
        _make_compressed_collection(mongo, name)
    for name, indexes in _INDEXES.items():
        mongo[name].create_indexes(indexes)


def missing_indexes(mongo: Mongo) -> list[str]:
    """Return the missing indexes as `collection.index`; only reads."""
    return [
        f"{name}.{index.document['name']}"
        for name, indexes in _INDEXES.items()
        for present in [mongo[name].index_information()]
        for index in indexes
        if index.document["name"] not in present
    ]


def _make_compressed_collection(mongo: Mongo, name: str) -> None:
    try:
        mongo.create_collection(name, check_exists=False, storageEngine=_ZSTD)
    except OperationFailure as error:
        if error.code != _NAMESPACE_EXISTS:
            raise
