"""The Celery tasks; each calls one use-case."""

from collections.abc import Callable, Sequence

import structlog
from celery import Celery

from pocketquant.coordination.tick_turns import TickTurns
from pocketquant.domain.errors import StorageUnavailable
from pocketquant.history.planner import Planner
from pocketquant.history.syncer import Syncer
from pocketquant.messaging.queues import PLAN_JOB, SYNC_UNIT, TICK

_log = structlog.get_logger(__name__)


def register_tasks(
    app: Celery,
    syncer: Callable[[], Syncer],
    planner: Planner,
    tick_turns: TickTurns,
    rounds: Sequence[Callable[[], None]],
) -> None:
    """Register the tasks; `syncer` is called at the first sync, each of `rounds` with a tick."""

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
            planner.plan(job_id)
        except StorageUnavailable as error:  # its lease expires, and a tick sends another planner
            _log.error("plan_left", job_id=job_id, cause=str(error))

    @app.task(name=TICK)
    def tick(period_seconds: float = 0.0) -> None:
        """Publish lost messages again, and start due schedules.

        A tick of beat has its period as argument; it is skipped if it comes too soon after another.
        """
        if period_seconds and not tick_turns.take(period_seconds / 2):
            return
        for run in rounds:
            try:
                run()
            except StorageUnavailable as error:  # the next tick does it
                _log.error("tick_missed", cause=str(error))
            except Exception:  # noqa: BLE001  # a defect of one round must not stop the other
                _log.exception("tick_crashed")
