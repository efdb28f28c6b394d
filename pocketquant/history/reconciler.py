"""Use-case: finish the work that crashes interrupted, and publish the units that are due.

The worker that receives the tick runs it, every few seconds. It reads only the ledger: a message
lost with its broker, a worker killed during a sync, and an interrupted planning, closing or
cancelling all show there. Running it twice at once does no harm.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from pocketquant.coordination.governor import Governor
from pocketquant.coordination.nudges import Nudges, unit_channel
from pocketquant.domain.errors import PocketQuantError
from pocketquant.history.steps import Steps, each_apart
from pocketquant.messaging.dispatcher import LONG_QUEUE, Dispatcher
from pocketquant.messaging.queues import QueueName
from pocketquant.storage.interventions import Interventions
from pocketquant.storage.jobs import JobStore
from pocketquant.storage.lost_units import LostUnits
from pocketquant.storage.plans import JobPlans
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.storage.units import Unit

_MOST_UNITS = 2000
_MOST_JOBS = 100
_GRACE = timedelta(seconds=15)  # younger jobs may still be in progress elsewhere
_SILENT_SECONDS = 10.0
_SILENT_SECONDS_IN_QUEUE = 300.0  # the message most likely still waits in the queue

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Finishes interrupted work, and publishes due units."""

    jobs: JobStore
    plans: JobPlans
    interventions: Interventions
    lost_units: LostUnits
    statuses: SyncStatuses
    dispatcher: Dispatcher
    nudges: Nudges
    governor: Governor
    steps: Steps
    tick_seconds: float
    now: Callable[[], datetime]

    def run(self) -> None:
        """Run all steps; a step that fails stops no other, and the next round runs it again."""
        counts = self.steps.run(
            {
                "given_up": self._give_up_exhausted,
                "stopped_units": self._end_stopped,
                "planned_jobs": self._plan_jobs,
                "cancelled_jobs": self._end_cancelled,
                "closed_jobs": self._close_jobs,
                "published": self._publish_due,
            }
        )
        if any(counts.values()):
            _log.info("reconciled", **counts)

    def _give_up_exhausted(self) -> int:
        given_up = self.lost_units.give_up_exhausted(_MOST_UNITS, self._note_given_up)
        for unit in given_up:
            self.nudges.announce(unit_channel(unit.id))
        return len(given_up)

    def _note_given_up(self, unit: Unit, error: PocketQuantError) -> None:
        self.statuses.mark_given_up(unit.request.series, error)

    def _end_stopped(self) -> int:
        """Cancel stopped units. Statuses come first, so that a crash lets them be written again."""
        stopped = self.lost_units.stopped(_MOST_UNITS)
        for unit in stopped:
            self.statuses.mark_stopped(unit.request.series)
        self.lost_units.cancel_stopped(stopped)
        for unit in stopped:
            self.nudges.announce(unit_channel(unit.id))
        return len(stopped)

    def _plan_jobs(self) -> int:
        """Publish the unplanned jobs that no planner holds."""
        unplanned = self.plans.unplanned(self._before(), _MOST_JOBS)
        return len(each_apart(unplanned, self.dispatcher.publish_plan))

    def _end_cancelled(self) -> int:
        """Complete the interrupted cancellations."""
        half_cancelled = self.interventions.half_cancelled(self._before(), _MOST_JOBS)
        return len(each_apart(half_cancelled, self.interventions.cancel))

    def _close_jobs(self) -> int:
        """Close the jobs without an open unit whose last worker died before closing them."""
        unclosed = self.jobs.unclosed(self._before(), _MOST_JOBS)
        return sum(each_apart(unclosed, self.interventions.close))

    def _before(self) -> datetime:
        """Return the time before which a job must have been made to be looked at."""
        return self.now() - _GRACE

    def _publish_due(self) -> int:
        """Publish at most what the governor admits until the next tick, orphans first.

        Units that were set aside come last, and only if no backfill waits in its queue.
        In a queue that is not empty a unit may be silent for long without its message being lost.
        """
        limit = min(_MOST_UNITS, self.governor.allowance(2 * self.tick_seconds))
        if not limit:
            return 0
        orphans = self.lost_units.take_orphans(_SILENT_SECONDS, limit)
        self.dispatcher.publish(orphans, QueueName.INTERACTIVE)
        published = len(orphans)
        lengths = self.dispatcher.lengths()
        for queue, length in lengths.items():
            if length >= LONG_QUEUE:
                continue
            silent = _SILENT_SECONDS_IN_QUEUE if length else _SILENT_SECONDS
            due = self.lost_units.take_due(silent, _SILENT_SECONDS, limit - published, queue)
            self.dispatcher.publish(due)
            published += len(due)
        if not lengths[QueueName.BACKFILL]:
            aside = self.lost_units.take_aside(limit - published)
            self.dispatcher.publish(aside)
            published += len(aside)
        return published
