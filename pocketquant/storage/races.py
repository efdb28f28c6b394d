"""Lost races in bulk writes: conditions that no longer held."""

from pymongo.errors import BulkWriteError

_DUPLICATE_KEY = 11000  # MongoDB's error code


def lost_races(error: BulkWriteError) -> list[int]:
    """The places of the operations that met a document with their key; raises any other failure.

    An upsert whose condition on a known `_id` does not hold tries to insert, and fails thus.
    """
    failures = error.details["writeErrors"]
    if error.details["writeConcernErrors"] or any(
        failure["code"] != _DUPLICATE_KEY for failure in failures
    ):
        raise error
    return [failure["index"] for failure in failures]
