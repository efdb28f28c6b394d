"""Use-case: what a job asked for becomes units, batch by batch, each published once written.

A crash leaves a plan whose lease runs out; the reconciler sends for another planner, which finds
the units that are there already.
"""

from dataclasses import dataclass
from itertools import islice

import structlog

from pocketquant.connections import named_failures
from pocketquant.dispatcher import Dispatcher
from pocketquant.storage.interventions import Interventions
from pocketquant.storage.jobs import Jobs
from pocketquant.storage.plans import Plans
from pocketquant.storage.sync_status import SyncStatuses

_BATCH = 1000

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
        with named_failures(), structlog.contextvars.bound_contextvars(job_id=job_id):
            plan = self.plans.take(job_id)
            if plan is None:
                return
            wants, published = plan.wants(), 0
            while batch := list(islice(wants, _BATCH)):
                units = self.plans.insert(plan, batch)
                self.statuses.mark_pending([unit.request.series for unit in units], job_id)
                self.dispatcher.publish(units)
                published += len(units)
                if not self.plans.keep(plan):
                    self.plans.leave(job_id)
                    self.interventions.cancel(job_id)
                    self.statuses.mark_cancelled(job_id)
                    return
            self.plans.end(job_id)
            self.jobs.close_one(job_id)  # all may have joined units that have ended since
            _log.info("job_planned", units=published)
