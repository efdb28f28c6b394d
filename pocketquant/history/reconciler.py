"""Use-case: what was lost on the way is found again.

Run every few seconds by whoever gets the tick. It trusts nothing but the ledger: a message lost
with its broker, a worker killed in mid-sync, a planner, finisher or canceller that died half-way
all leave a trace there, and this puts them right. Running it twice at once does no harm.
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
from pocketquant.storage.jobs import Jobs
from pocketquant.storage.lost_units import LostUnits
from pocketquant.storage.plans import Plans
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.storage.units import Unit

_MOST_UNITS = 2000
_MOST_JOBS = 100
_JOB_IS_BEING_WRITTEN = timedelta(seconds=15)
_SILENT_SECONDS = 10.0
_SILENT_SECONDS_BEHIND_OTHERS = 300.0  # its message most likely still waits in the queue

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Mends what crashes left behind, and publishes what has become due."""

    jobs: Jobs
    plans: Plans
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
        """One round; a step that fails is tried again in the next one, and stops no other."""
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
        """The statuses first, so that after a crash they are written again."""
        stopped = self.lost_units.stopped(_MOST_UNITS)
        for unit in stopped:
            self.statuses.mark_stopped(unit.request.series)
        self.lost_units.cancel_stopped(stopped)
        for unit in stopped:
            self.nudges.announce(unit_channel(unit.id))
        return len(stopped)

    def _plan_jobs(self) -> int:
        """Publish the plans that nobody works on."""
        unplanned = self.plans.unplanned(self._being_written(), _MOST_JOBS)
        return len(each_apart(unplanned, self.dispatcher.publish_plan))

    def _end_cancelled(self) -> int:
        """Cancel the rest of the jobs whose cancellation broke off."""
        half_cancelled = self.interventions.half_cancelled(self._being_written(), _MOST_JOBS)
        return len(each_apart(half_cancelled, self.interventions.cancel))

    def _close_jobs(self) -> int:
        """Close the jobs that have no open unit any more; somebody died who should have."""
        unclosed = self.jobs.unclosed(self._being_written(), _MOST_JOBS)
        return sum(each_apart(unclosed, self.interventions.close))

    def _being_written(self) -> datetime:
        """Jobs made after this moment may still be in somebody's hands."""
        return self.now() - _JOB_IS_BEING_WRITTEN

    def _publish_due(self) -> int:
        """No more than can begin before they are looked at again, the most urgent first.

        The silence of a unit proves nothing while its own queue is long.
        """
        limit = min(_MOST_UNITS, self.governor.allowance(2 * self.tick_seconds))
        if not limit:
            return 0
        orphans = self.lost_units.take_orphans(_SILENT_SECONDS, limit)
        self.dispatcher.publish(orphans, QueueName.INTERACTIVE)
        published = len(orphans)
        for queue, length in self.dispatcher.lengths().items():
            if length >= LONG_QUEUE:
                continue
            silent = _SILENT_SECONDS_BEHIND_OTHERS if length else _SILENT_SECONDS
            due = self.lost_units.take_due(silent, _SILENT_SECONDS, limit - published, queue)
            self.dispatcher.publish(due)
            published += len(due)
        return published
