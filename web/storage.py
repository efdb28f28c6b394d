"""Access to the platform's storage in a request, with the API's errors when MongoDB fails."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Event

import pymongo

from pocketquant.servers.connections import translating_driver_errors
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.wiring import Platform


class Storage:
    """Yields the platform for a block of MongoDB operations."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._has_indexes = Event()

    @contextmanager
    def __call__(self, timeout_seconds: float | None = 5.0) -> Iterator[Platform]:
        """Yield the platform, its collections created; raise StorageUnavailable if a server fails.

        The whole block has `timeout_seconds`; with None, each operation has the driver's limit.
        """
        with (
            translating_driver_errors(),
            pymongo.timeout(timeout_seconds) if timeout_seconds else nullcontext(),
        ):
            if (
                not self._has_indexes.is_set()
            ):  # several threads may create them at once; that is harmless
                make_collections_and_indexes(self._platform.mongo)
                self._has_indexes.set()
            yield self._platform
