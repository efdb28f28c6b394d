"""Use-case: sync series whose history leaves the provider's window before others.

The provider serves only the newest bars of an intraday series. Every tick looks for series that
lose history soon; an index gives them, the most urgent first. They become one job, in a queue
before that of schedules; a sync of theirs that waits there already moves to the front. Each has
four turns in the time for which it is at risk, so that one which can't be synced takes few.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pocketquant.domain.window import Thresholds, request_in_time
from pocketquant.history.intake import Intake
from pocketquant.messaging.queues import QueueName
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import AtRisk, SyncStatuses

_MOST_SERIES = 10_000
_TURNS = 4


@dataclass(frozen=True, slots=True)
class WindowGuard:
    """Syncs tracked series that are at risk. `now` is MongoDB's clock."""

    statuses: SyncStatuses
    symbols: SymbolRegistry
    intake: Intake
    thresholds: Thresholds
    now: Callable[[], datetime]

    def run(self) -> int:
        """Request the syncs of series whose turn it is; return how many.

        A second worker that does it meanwhile, or another tick after a crash, joins these syncs.
        """
        now = int(self.now().timestamp())
        found = self._found(now, now - self.thresholds.at_risk_seconds // _TURNS)
        wanted = self._tracked(found)
        if wanted:
            requests = (request_in_time(each.series, each.lacks_from, now) for each in wanted)
            self.intake.submit_large("at-risk", requests, QueueName.BULK)
        self.statuses.note_guarded([each.series for each in found], now)
        return len(wanted)

    def at_risk(self, now: int) -> list[AtRisk]:
        """Return the tracked series at risk, the most urgent first; at most 10,000."""
        return self._tracked(self._found(now, None))

    def _found(self, now: int, guarded_before: int | None) -> list[AtRisk]:
        leaves_before = self.thresholds.leaves_before(now)
        return self.statuses.at_risk(leaves_before, guarded_before, _MOST_SERIES)

    def _tracked(self, found: list[AtRisk]) -> list[AtRisk]:
        tracked = self.symbols.tracked_of({each.series.symbol for each in found}) if found else ()
        return [each for each in found if each.series in tracked]
