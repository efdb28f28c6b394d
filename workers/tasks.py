"""The Celery tasks; each calls one use-case."""

from collections.abc import Callable

import structlog
from celery import Celery

from pocketquant.domain.errors import StorageUnavailable
from pocketquant.history.syncer import Syncer
from pocketquant.messaging.queues import PLAN_JOB, SYNC_UNIT, TICK
from pocketquant.wiring import Platform

_log = structlog.get_logger(__name__)


def register_tasks(app: Celery, platform: Platform, syncer: Callable[[], Syncer]) -> None:
    """Register the tasks; `syncer` is called at the first sync."""

    @app.task(name=SYNC_UNIT)
    def sync_unit(unit_id: str) -> None:
        """Sync one unit of the ledger."""
        try:
            syncer().do(unit_id)
        except StorageUnavailable as error:  # its lease expires, and a tick publishes it again
            _log.error("unit_left", unit_id=unit_id, cause=str(error))

    @app.task(name=PLAN_JOB)
    def plan_job(job_id: str) -> None:
        """Create the units of a job, and publish them."""
        try:
            platform.planner.plan(job_id)
        except StorageUnavailable as error:  # its lease expires, and a tick sends another planner
            _log.error("plan_left", job_id=job_id, cause=str(error))

    @app.task(name=TICK)
    def tick(period_seconds: float = 0.0) -> None:
        """Publish lost messages again, and start due schedules.

        Beat's ticks tell their period; one that comes too soon after another does nothing.
        """
        if period_seconds and not platform.tick_turns.take(period_seconds / 2):
            return
        for round_of in (platform.reconciler.run, platform.scheduler.run_due):
            try:
                round_of()
            except StorageUnavailable as error:  # the next tick does it
                _log.error("tick_missed", cause=str(error))
            except Exception:  # noqa: BLE001  # a defect of one round must not stop the other
                _log.exception("tick_crashed")
