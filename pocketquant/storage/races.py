"""What went wrong in a bulk write: conditions that no longer held, or worse."""

from pymongo.errors import BulkWriteError

from pocketquant.domain.errors import StorageUnavailable

_DUPLICATE_KEY = 11000  # MongoDB's error code


def lost_races(error: BulkWriteError) -> list[int]:
    """The places of the operations that met a document with their key; raises any other failure.

    An upsert whose condition on a known `_id` does not hold tries to insert, and fails thus.
    """
    unacknowledged = error.details["writeConcernErrors"]
    if unacknowledged:
        reason = unacknowledged[0]["errmsg"]
        raise StorageUnavailable(f"MongoDB did not acknowledge a write: {reason}") from error
    failures = error.details["writeErrors"]
    if any(failure["code"] != _DUPLICATE_KEY for failure in failures):
        raise error
    return [failure["index"] for failure in failures]
