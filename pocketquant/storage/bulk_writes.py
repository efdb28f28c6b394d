"""The failures of a bulk write: documents that changed meanwhile, or errors to raise."""

from pymongo.errors import BulkWriteError

_DUPLICATE_KEY = 11000  # MongoDB's error code


def duplicate_key_failures(error: BulkWriteError) -> list[int]:
    """Return the indexes of the operations that failed on a duplicate key; raise any other error.

    An upsert with a known `_id` whose other conditions do not hold tries to insert the document,
    and fails this way.
    """
    failures = error.details["writeErrors"]
    is_unacknowledged = bool(error.details["writeConcernErrors"])
    if is_unacknowledged or any(failure["code"] != _DUPLICATE_KEY for failure in failures):
        raise error
    return [failure["index"] for failure in failures]
