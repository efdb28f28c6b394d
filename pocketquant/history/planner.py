"""Use-case: make the units of a job, written in batches and published in waves.

After a crash the plan's lease expires, and the reconciler publishes the job for another planner. It
continues with the first wave that was not published, and skips units that exist already.
"""

from dataclasses import dataclass

import structlog

from pocketquant.messaging.dispatcher import Dispatcher
from pocketquant.servers.connections import translating_driver_errors
from pocketquant.storage.interventions import Interventions
from pocketquant.storage.jobs import JobStore
from pocketquant.storage.plans import JobPlan, JobPlans, Want
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.storage.units import Unit

_WAVE = 10_000  # units to write before publishing; workers then compete with further writes

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans jobs of any size."""

    plans: JobPlans
    jobs: JobStore
    interventions: Interventions
    statuses: SyncStatuses
    dispatcher: Dispatcher

    def plan(self, job_id: str) -> None:
        """Plan the job unless it is planned or cancelled, or another planner holds it."""
        with translating_driver_errors(), structlog.contextvars.bound_contextvars(job_id=job_id):
            plan = self.plans.take(job_id)
            if plan is None:
                return
            written = self._plan(plan)
            if written is None or not self.plans.end(plan.job_id, plan.planner):
                self._stop(plan)
                return
            self.interventions.pause_planned(job_id)
            self.jobs.close_one(job_id)  # its units may all have ended by now
            _log.info("job_planned", units=written)

    def _plan(self, plan: JobPlan) -> int | None:
        """Write and publish the units; return how many are new, or None once the lease is lost."""
        made: list[Unit] = []
        written = 0
        for done, wants in enumerate(self.plans.pieces(plan), plan.done + 1):
            made += self._insert(plan, wants)
            if len(made) < _WAVE and done < plan.pieces:
                if not self.plans.keep(plan):
                    return None
                continue
            if made and not plan.is_set_aside and self.dispatcher.has_room(plan.queue):
                self.dispatcher.publish(made)
            written += len(made)
            made = []
            if not self.plans.keep(plan, done):
                return None
        return written

    def _insert(self, plan: JobPlan, wants: list[Want]) -> list[Unit]:
        """Insert the units, mark their series pending, and return the new units.

        Series whose units are set aside keep their state, as other syncs may change it meanwhile.
        Units may have ended already if this planner stalled or an earlier one was killed, hence
        `settle`.
        """
        units = self.plans.insert(plan, wants)
        if plan.is_set_aside:
            return units
        self.statuses.mark_pending([unit.request.series for unit in units], plan.job_id)
        written = wants if plan.is_resumed else units
        self.statuses.settle([each.request.series for each in written])
        return units

    def _stop(self, plan: JobPlan) -> None:
        """Cancel the units of a cancelled job; leave any other job to the planner that took it."""
        if not self.jobs.cancelled_among([plan.job_id]):
            _log.warning("plan_taken_over")
            return
        self.plans.leave(plan)
        self.interventions.cancel(plan.job_id)
