"""Use-case: what was lost on the way is found again.

Run every few seconds by whoever gets the tick. It trusts nothing but the ledger: a message lost
with its broker, a worker killed in mid-sync, a submitter or finisher that died half-way all leave
a trace there, and this puts them right. Running it twice at once does no harm.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from pocketquant.connections import named_failures
from pocketquant.coordination.outcomes import Outcomes
from pocketquant.queues import Dispatcher, QueueName
from pocketquant.storage.ledger import Ledger
from pocketquant.storage.sync_status import SyncStatuses

_MOST_UNITS = 500
_MOST_JOBS = 100
_JOB_IS_BEING_WRITTEN = timedelta(seconds=15)
_SILENT_SECONDS = 10.0
_SILENT_SECONDS_BEHIND_OTHERS = 300.0  # its message most likely still waits in the queue

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Mends what crashes left behind."""

    ledger: Ledger
    statuses: SyncStatuses
    dispatcher: Dispatcher
    outcomes: Outcomes
    now: Callable[[], datetime]

    def run(self) -> None:
        """One round."""
        with named_failures():
            given_up = self.ledger.give_up_exhausted(_MOST_UNITS)
            for unit in given_up:
                if unit.error:
                    self.statuses.mark_failed(unit.request.series, unit.error)
                self.outcomes.announce(unit.id)
            mended = self.ledger.mend_jobs(self.now() - _JOB_IS_BEING_WRITTEN, _MOST_JOBS)
            has_backlog = not all(self.dispatcher.is_empty(queue) for queue in QueueName)
            silent = _SILENT_SECONDS_BEHIND_OTHERS if has_backlog else _SILENT_SECONDS
            units = self.ledger.due_units(silent, _SILENT_SECONDS, _MOST_UNITS)
            self.dispatcher.publish(units)
        if given_up or mended or units:
            counts = {"published": len(units), "given_up": len(given_up), "mended_jobs": mended}
            _log.info("reconciled", **counts)
