"""Use-case: store a request as a job, publish it, and wait for its end if required."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog

from pocketquant.coordination.nudges import JOBS_CHANNEL, Nudges, unit_channel
from pocketquant.domain.backfills import Total
from pocketquant.domain.errors import Cancelled, StorageUnavailable
from pocketquant.domain.syncs import SyncRequest, UnitState
from pocketquant.messaging.dispatcher import Dispatcher
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import translating_driver_errors
from pocketquant.storage.interventions import Cancellation, DeadLetterFilter, Interventions
from pocketquant.storage.jobs import JobStore, Opened
from pocketquant.storage.ledger import Ledger
from pocketquant.storage.plans import JobPlan, JobPlans
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.storage.units import Unit

_LOOK_AGAIN_SECONDS = 2.0  # a nudge may be lost with the Redis that held it

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key of a caller: for a day, the same key returns the same job.

    `fingerprint` identifies the request; another one under the same key is an error.
    """

    text: str
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job of one unit; it will be done even if every process dies now."""

    job_id: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class Waited:
    """The unit after an attempt at it ended, or still open when the time-out passed."""

    job_id: str
    unit: Unit
    has_ended: bool


@dataclass(frozen=True, slots=True)
class Intake:
    """Accepts requests. Every method raises StorageUnavailable when a server is away.

    A job that was stored before such an error will be done, and a repeated request joins its
    units.
    """

    jobs: JobStore
    plans: JobPlans
    interventions: Interventions
    ledger: Ledger
    statuses: SyncStatuses
    symbols: SymbolRegistry
    dispatcher: Dispatcher
    nudges: Nudges
    now: Callable[[], datetime]

    def submit(self, request: SyncRequest, queue: QueueName, key: Key | None = None) -> Submitted:
        """Store a job of one sync, then publish it; Cancelled if the key's job was cancelled.

        VariantNotAllowed if an earlier sync of the symbol has shown that there are no such bars.
        """
        with translating_driver_errors():
            self.symbols.require_variant(request.series.symbol)
            opened = self._open("sync", [request], queue, key)
            plan = self.plans.take(opened.job_id)
            unit = self._unit_of(opened.job_id) if plan is None or plan.is_resumed else None
            if plan is None and unit is not None:  # an earlier request with this key made the job
                return Submitted(opened.job_id, unit)
            if plan is None:
                plan = self._replan(opened.job_id, request)
            unit = unit or self.plans.join(plan, next(plan.wants()))
            if not unit.attempt:
                self.statuses.mark_pending([unit.request.series], opened.job_id)
                self.statuses.settle([unit.request.series])
            self.plans.end(plan.job_id, plan.planner)
            with structlog.contextvars.bound_contextvars(job_id=opened.job_id):
                self.dispatcher.publish([unit], queue)
        self.nudges.announce(JOBS_CHANNEL)
        _log.info("job_submitted", job_id=opened.job_id, series=str(request.series), queue=queue)
        return Submitted(opened.job_id, unit)

    def submit_large(
        self,
        kind: str,
        requests: Iterable[SyncRequest],
        queue: QueueName,
        key: Key | None = None,
        estimate: Total | None = None,
    ) -> str:
        """Store a job of any size, publish it for planning, and return its id at once."""
        with translating_driver_errors():
            opened = self._open(kind, requests, queue, key, estimate)
            if opened.is_new:
                with structlog.contextvars.bound_contextvars(job_id=opened.job_id):
                    self.dispatcher.publish_plan(opened.job_id)
                self.nudges.announce(JOBS_CHANNEL)
                _log.info("job_submitted", job_id=opened.job_id, kind=kind, queue=queue)
        return opened.job_id

    def sync(self, request: SyncRequest, timeout_seconds: float, key: Key | None = None) -> Waited:
        """Submit one interactive sync; return when an attempt ends or the time-out has passed."""
        deadline = time.monotonic() + timeout_seconds
        submitted = self.submit(request, QueueName.INTERACTIVE, key)
        before = submitted.unit
        with (
            translating_driver_errors(),
            self.nudges.listening(unit_channel(before.id)) as listener,
        ):
            while True:
                unit = self.ledger.get_unit(before.id) or before
                if _has_ended(unit, before):
                    return Waited(submitted.job_id, unit, has_ended=True)
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return Waited(submitted.job_id, unit, has_ended=False)
                listener.wait(min(remaining, _LOOK_AGAIN_SECONDS))

    def cancel(self, job_id: str) -> Cancellation:
        """Cancel a job; NotFound if it does not exist, Conflict if it has ended."""
        with translating_driver_errors():
            cancellation = self.interventions.cancel(job_id)
        self.nudges.announce(JOBS_CHANNEL)
        _log.info("job_cancelled", job_id=job_id, units=cancellation.cancelled)
        return cancellation

    def pause(self, job_id: str) -> None:
        """Pause a job; NotFound if it does not exist, Conflict if it has ended."""
        with translating_driver_errors():
            self.interventions.pause(job_id)
        self.nudges.announce(JOBS_CHANNEL)
        _log.info("job_paused", job_id=job_id)

    def resume(self, job_id: str) -> None:
        """Resume a paused job; NotFound if it does not exist, Conflict if it has ended."""
        with translating_driver_errors():
            self.interventions.resume(job_id)
        self.nudges.announce(JOBS_CHANNEL)
        _log.info("job_resumed", job_id=job_id)

    def retry(self, wanted: DeadLetterFilter) -> int:
        """Queue dead letters again; return how many, including those that joined a running sync."""
        queued = joined = 0
        with translating_driver_errors():
            for retried in self.interventions.retry(wanted):
                self.dispatcher.publish(retried.queued)
                queued += len(retried.queued)
                joined += len(retried.joined)
        self.nudges.announce(JOBS_CHANNEL)
        _log.info(
            "dead_letters_retried",
            units=queued,
            joined=joined,
            job_id=wanted.job_id,
            code=wanted.code,
        )
        return queued + joined

    def _open(
        self,
        kind: str,
        requests: Iterable[SyncRequest],
        queue: QueueName,
        key: Key | None,
        estimate: Total | None = None,
    ) -> Opened:
        text, fingerprint = (key.text, key.fingerprint) if key else (None, "")
        return self.jobs.open(kind, requests, queue, self.now(), text, fingerprint, estimate)

    def _unit_of(self, job_id: str) -> Unit | None:
        units, _ = self.jobs.units(job_id, state=None, code=None, offset=0, limit=1)
        return units[0] if units else None

    def _replan(self, job_id: str, request: SyncRequest) -> JobPlan:
        """Plan a job that has lost its unit once more; Cancelled if the job was cancelled."""
        if self.jobs.cancelled_among([job_id]):
            raise Cancelled(f"job {job_id}, which this key has made, was cancelled")
        self.plans.plan_again(job_id, request)
        plan = self.plans.take(job_id)
        if plan is None:
            raise StorageUnavailable("the job of this key is being written down; ask again")
        return plan


def _has_ended(unit: Unit, before: Unit) -> bool:
    is_over = unit.state not in {UnitState.QUEUED, UnitState.RUNNING}
    return is_over or unit.ended_attempt > before.ended_attempt
