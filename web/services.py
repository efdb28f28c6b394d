"""What the views of one application share, and how they reach it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Event
from typing import cast

import pymongo
from flask import Flask, current_app
from prometheus_client import CollectorRegistry

from pocketquant.servers.connections import translating_driver_errors
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.wiring import Platform
from web.bars.live_forming import LiveForming
from web.bars.ohlcv import OhlcvReader
from web.fleet.overview import Lookout
from web.fleet.probes import Probes
from web.guard.places import Places
from web.streams.job_watch import JobWatch
from web.streams.quote_feed import QuoteFeed

_NAME = "pocketquant"


@dataclass(frozen=True, slots=True)
class Site:
    """The platform, and what belongs to the HTTP side alone."""

    platform: Platform
    ohlcv: OhlcvReader
    live_forming: LiveForming
    probes: Probes
    lookout: Lookout
    fleet_metrics: CollectorRegistry
    job_watch: JobWatch
    quote_feed: QuoteFeed
    waiting_calls: BoundedSemaphore
    streams: Places
    exports: Places
    writing_exports: BoundedSemaphore
    clock: Callable[[], float]
    has_indexes: Event = field(default_factory=Event)

    @contextmanager
    def storage(self, patience_seconds: float | None = 5.0) -> Iterator[Platform]:
        """The platform with its collections made; a server that is away is StorageUnavailable.

        MongoDB gets `patience_seconds` for the whole block, or each operation the driver's limit.
        """
        with (
            translating_driver_errors(),
            pymongo.timeout(patience_seconds) if patience_seconds else nullcontext(),
        ):
            if not self.has_indexes.is_set():  # several threads may make them; that is harmless
                make_collections_and_indexes(self.platform.mongo)
                self.has_indexes.set()
            yield self.platform

    @contextmanager
    def place_to_wait(self) -> Iterator[bool]:
        """Whether this call may hold its thread; without a place it must answer at once."""
        has_place = self.waiting_calls.acquire(blocking=False)
        try:
            yield has_place
        finally:
            if has_place:
                self.waiting_calls.release()

    def attach(self, app: Flask) -> None:
        app.extensions[_NAME] = self


def current_site() -> Site:
    return cast(Site, current_app.extensions[_NAME])
