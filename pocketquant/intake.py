"""Use-case: a request becomes a job of the ledger, and whoever waits learns how it ended."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from pocketquant.connections import named_failures
from pocketquant.coordination.outcomes import Outcomes
from pocketquant.domain.syncs import SyncRequest, UnitState
from pocketquant.queues import Dispatcher, QueueName
from pocketquant.storage.ledger import Ledger
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.storage.units import Unit

_LOOK_AGAIN_SECONDS = 2.0  # a nudge may be lost with the Redis that held it

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that will be done, whatever dies now, and its units."""

    job_id: str
    units: list[Unit]


@dataclass(frozen=True, slots=True)
class Waited:
    """The unit as it was when an attempt of it ended, or still open when the time ran out."""

    job_id: str
    unit: Unit
    has_ended: bool


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes requests in."""

    ledger: Ledger
    statuses: SyncStatuses
    dispatcher: Dispatcher
    outcomes: Outcomes
    now: Callable[[], datetime]

    def submit(self, kind: str, requests: Sequence[SyncRequest], queue: QueueName) -> Submitted:
        """Write the job down, then publish it.

        StorageUnavailable when either fails; a job that was written down is done all the same,
        and a repeated request joins its units.
        """
        with named_failures():
            job_id, units = self.ledger.submit(kind, requests, queue, self.now())
            new = [unit.request.series for unit in units if unit.attempt == 0]
            self.statuses.mark_pending(new, job_id)
            with structlog.contextvars.bound_contextvars(job_id=job_id):
                self.dispatcher.publish(units, queue)
        _log.info("job_submitted", job_id=job_id, kind=kind, units=len(units), queue=str(queue))
        return Submitted(job_id, units)

    def sync(self, request: SyncRequest, timeout_seconds: float) -> Waited:
        """Submit one interactive sync and wait until an attempt of it ends, or the time is over."""
        deadline = time.monotonic() + timeout_seconds
        submitted = self.submit("sync", [request], QueueName.INTERACTIVE)
        before = submitted.units[0]
        with named_failures(), self.outcomes.listening(before.id) as nudges:
            while True:
                unit = self.ledger.get_unit(before.id) or before
                if _has_ended(unit, before):
                    return Waited(submitted.job_id, unit, has_ended=True)
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return Waited(submitted.job_id, unit, has_ended=False)
                nudges.wait(min(remaining, _LOOK_AGAIN_SECONDS))


def _has_ended(unit: Unit, before: Unit) -> bool:
    is_over = unit.state not in {UnitState.QUEUED, UnitState.RUNNING}
    return is_over or unit.ended_attempt > before.ended_attempt
