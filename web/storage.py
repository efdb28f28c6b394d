"""The platform's storage for one request: collections exist, and failures have the API's errors."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Event

import pymongo

from pocketquant.servers.connections import translating_driver_errors
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.wiring import Platform


class Storage:
    """Opens the platform for a block of MongoDB operations."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._has_indexes = Event()

    @contextmanager
    def __call__(self, patience_seconds: float | None = 5.0) -> Iterator[Platform]:
        """Yield the platform with its collections made; raise StorageUnavailable without a server.

        MongoDB gets `patience_seconds` for the whole block; with None, each operation has the
        driver's own limit.
        """
        with (
            translating_driver_errors(),
            pymongo.timeout(patience_seconds) if patience_seconds else nullcontext(),
        ):
            if not self._has_indexes.is_set():  # several threads may make them; that is harmless
                make_collections_and_indexes(self._platform.mongo)
                self._has_indexes.set()
            yield self._platform
