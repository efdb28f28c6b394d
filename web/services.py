"""What the views of one application share, and how they reach it."""

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
from web.streams.job_watch import JobWatch
from web.streams.quote_feed import QuoteFeed

_NAME = "pocketquant"


@dataclass(frozen=True, slots=True)
class WebServices:
    """The platform, and what belongs to the HTTP side alone."""

    platform: Platform
    storage: Storage
    ohlcv: OhlcvReader
    live_forming: LiveForming
    server_probes: ServerProbes
    fleet_probe: FleetProbe
    fleet_metrics: CollectorRegistry
    job_watch: JobWatch
    quote_feed: QuoteFeed
    waiting_calls: BoundedSemaphore
    streams: Slots
    exports: Exports
    clock: Callable[[], float]

    @contextmanager
    def slot_to_wait(self) -> Iterator[bool]:
        """Yield whether this call may hold its thread; otherwise it must answer at once."""
        has_slot = self.waiting_calls.acquire(blocking=False)
        try:
            yield has_slot
        finally:
            if has_slot:
                self.waiting_calls.release()

    def attach(self, app: Flask) -> None:
        app.extensions[_NAME] = self


def current_services() -> WebServices:
    return cast(WebServices, current_app.extensions[_NAME])
