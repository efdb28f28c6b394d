"""Use-case: what a job asked for becomes units, written in batches and published in waves.

A crash leaves a plan whose lease runs out; the reconciler sends for another planner, which goes on
with the first wave that was not published, and finds the units that are there already.
"""

from dataclasses import dataclass

import structlog

from pocketquant.messaging.dispatcher import Dispatcher
from pocketquant.servers.connections import translating_driver_errors
from pocketquant.storage.interventions import Interventions
from pocketquant.storage.jobs import Jobs
from pocketquant.storage.plans import Plan, Plans, Want
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.storage.units import Unit

_WAVE = 10_000  # units written before they are published: workers then compete with the rest

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans jobs of any size."""

    plans: Plans
    jobs: Jobs
    interventions: Interventions
    statuses: SyncStatuses
    dispatcher: Dispatcher

    def plan(self, job_id: str) -> None:
        """Plan the job unless it is planned, cancelled, or another planner has it."""
        with translating_driver_errors(), structlog.contextvars.bound_contextvars(job_id=job_id):
            plan = self.plans.take(job_id)
            if plan is None:
                return
            written = self._plan(plan)
            if written is None or not self.plans.end(plan.job_id, plan.planner):
                self._stop(plan)
                return
            self.jobs.close_one(job_id)  # all may have joined units that have ended since
            _log.info("job_planned", units=written)

    def _plan(self, plan: Plan) -> int | None:
        """Write and publish the units; how many are new, or None once the plan is not ours."""
        made: list[Unit] = []
        written = 0
        for done, wants in enumerate(self.plans.pieces(plan), plan.done + 1):
            made += self._insert(plan, wants)
            if len(made) < _WAVE and done < plan.pieces:
                if not self.plans.keep(plan):
                    return None
                continue
            if made and self.dispatcher.has_room(plan.queue):
                self.dispatcher.publish(made)
            written += len(made)
            made = []
            if not self.plans.keep(plan, done):
                return None
        return written

    def _insert(self, plan: Plan, wants: list[Want]) -> list[Unit]:
        """The new units of these, written down; their series look under way.

        This planner may have been stalled while they were done, or an earlier one killed.
        """
        units = self.plans.insert(plan, wants)
        self.statuses.mark_pending([unit.request.series for unit in units], plan.job_id)
        written = wants if plan.is_resumed else units
        self.statuses.settle([each.request.series for each in written])
        return units

    def _stop(self, plan: Plan) -> None:
        """Cancel what was planned of a cancelled job; leave the rest to another planner's care."""
        if not self.jobs.cancelled_among([plan.job_id]):
            _log.warning("plan_taken_over")
            return
        self.plans.leave(plan)
        self.interventions.cancel(plan.job_id)
