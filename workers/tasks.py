"""The tasks, each a thin cover over one use-case."""

from functools import cache

import structlog
from celery import Celery

from pocketquant.domain.errors import StorageUnavailable
from pocketquant.queues import SYNC_UNIT, TICK
from pocketquant.sync import Syncer
from pocketquant.wiring import Platform, wire_syncer

_log = structlog.get_logger(__name__)


def register_tasks(app: Celery, platform: Platform) -> None:
    """Give the application its tasks; the provider's libraries load with the first sync."""

    @cache
    def syncer() -> Syncer:
        return wire_syncer(platform)

    @app.task(name=SYNC_UNIT)
    def sync_unit(unit_id: str) -> None:
        """Do one unit of the ledger."""
        try:
            syncer().do(unit_id)
        except StorageUnavailable as error:  # its lease runs out and the tick publishes it again
            _log.error("unit_left", unit_id=unit_id, cause=str(error))

    @app.task(name=TICK)
    def tick() -> None:
        """Find again what was lost on the way."""
        try:
            platform.reconciler.run()
        except StorageUnavailable as error:  # the next tick does it
            _log.error("tick_missed", cause=str(error))
