"""Errors of the drivers that say that a server is away, as a change of the primary caused them."""

import pytest
from pymongo.errors import BulkWriteError, OperationFailure, WriteError

from pocketquant.domain.errors import StorageUnavailable
from pocketquant.servers.connections import translating_driver_errors

STEPPED_DOWN = "Not primary while writing to pocketquant.jobs"
INTERRUPTED = {"code": 11602, "errmsg": "operation was interrupted"}
DUPLICATE = {"index": 1, "code": 11000, "errmsg": "E11000 duplicate key error"}


def bulk(write_errors: list[object], write_concern_errors: list[object]) -> BulkWriteError:
    return BulkWriteError({"writeErrors": write_errors, "writeConcernErrors": write_concern_errors})


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (WriteError(STEPPED_DOWN, 189), STEPPED_DOWN),
        (bulk([], [INTERRUPTED]), "did not acknowledge a write: operation was interrupted"),
        (bulk([DUPLICATE, INTERRUPTED], []), "changes its primary: operation was interrupted"),
        (OperationFailure("not authorized", 13), "refuses the user"),
    ],
)
def test_a_change_of_the_primary_is_a_storage_failure(error: OperationFailure, reason: str) -> None:
    """The caller may retry, wherever in a reply MongoDB says so."""
    with pytest.raises(StorageUnavailable, match=reason), translating_driver_errors():
        raise error


@pytest.mark.parametrize(
    "error", [WriteError("Document failed validation", 121), bulk([DUPLICATE], [])]
)
def test_other_errors_of_writes_are_raised(error: OperationFailure) -> None:
    """They are defects of the call, or races that the caller decides."""
    with pytest.raises(type(error)), translating_driver_errors():
        raise error
