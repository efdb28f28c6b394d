"""Use-case: what a job asked for becomes units, written in batches and published in waves.

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
from pocketquant.storage.plans import Plan, Plans, Want
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.storage.units import Unit

_BATCH = 1000  # units written at once
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
        with named_failures(), structlog.contextvars.bound_contextvars(job_id=job_id):
            plan = self.plans.take(job_id)
            if plan is None:
                return
            wants, published = plan.wants(), 0
            while wave := list(islice(wants, _WAVE)):
                units = self._insert(plan, wave)
                if units is None:
                    self._cancel(job_id)
                    return
                self.dispatcher.publish(units)
                published += len(units)
            self.plans.end(job_id)
            self.jobs.close_one(job_id)  # all may have joined units that have ended since
            _log.info("job_planned", units=published)

    def _insert(self, plan: Plan, wave: list[Want]) -> list[Unit] | None:
        """The new units of the wave, all written down; None when the job was cancelled."""
        made: list[Unit] = []
        for start in range(0, len(wave), _BATCH):
            units = self.plans.insert(plan, wave[start : start + _BATCH])
            self.statuses.mark_pending([unit.request.series for unit in units], plan.job_id)
            made += units
            if not self.plans.keep(plan):
                return None
        return made

    def _cancel(self, job_id: str) -> None:
        """The rest of it: units of this plan may have been written after the others had ended."""
        self.plans.leave(job_id)
        self.interventions.cancel(job_id)
