"""`WebServices`: the objects that the views of one application share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import cast

from flask import Flask, current_app
from prometheus_client import CollectorRegistry

from pocketquant.wiring import Platform
from web.bars.exports import Exports
from web.bars.live_forming import LiveForming
from web.bars.ohlcv import OhlcvReader
from web.fleet.probes import ServerProbes
from web.fleet.snapshot import FleetProbe
from web.slots import Slots
from web.storage import Storage
from web.streams.change_feed import ChangeFeed
from web.streams.job_watch import JobWatch
from web.streams.quote_feed import QuoteFeed

_EXTENSION = "pocketquant"


@dataclass(frozen=True, slots=True)
class WebServices:
    """The platform, and the objects that only the HTTP side has."""

    platform: Platform
    storage: Storage
    ohlcv: OhlcvReader
    live_forming: LiveForming
    server_probes: ServerProbes
    fleet_probe: FleetProbe
    fleet_metrics: CollectorRegistry
    job_watch: JobWatch
    quote_feed: QuoteFeed
    change_feed: ChangeFeed
    waiting_calls: BoundedSemaphore
    streams: Slots
    exports: Exports
    clock: Callable[[], float]

    @contextmanager
    def waiting_slot(self) -> Iterator[bool]:
        """Yield whether this request may wait and so hold its thread; if not, answer at once."""
        has_slot = self.waiting_calls.acquire(blocking=False)
        try:
            yield has_slot
        finally:
            if has_slot:
                self.waiting_calls.release()

    def attach(self, app: Flask) -> None:
        """Make these the services that `current_services` returns in requests of the app."""
        app.extensions[_EXTENSION] = self


def current_services() -> WebServices:
    return cast(WebServices, current_app.extensions[_EXTENSION])
