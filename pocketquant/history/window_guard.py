"""Use-case: sync what leaves the provider's window, before other series.

The provider serves only the newest bars of an intraday series. Every tick looks for series that
lose history soon; an index gives them, the most urgent first. They become one job an hour, in a
queue before that of schedules, and a sync of theirs that waits there already moves to the front.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pocketquant.domain.intervals import HOUR
from pocketquant.domain.syncs import SyncRequest
from pocketquant.domain.window import Thresholds, request_in_time
from pocketquant.history.intake import Intake, Key
from pocketquant.messaging.queues import QueueName
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import AtRisk, SyncStatuses

_MOST_SERIES = 10_000
_JOBS_BEFORE_IT_IS_LATE = 4


@dataclass(frozen=True, slots=True)
class WindowGuard:
    """Syncs tracked series that are at risk. `now` is MongoDB's clock."""

    statuses: SyncStatuses
    symbols: SymbolRegistry
    intake: Intake
    thresholds: Thresholds
    now: Callable[[], datetime]

    def run(self) -> int:
        """Request the syncs; return how many series are at risk.

        Several workers may do it at once: the key of an hour makes one job. A series whose sync has
        failed is left to schedules, which retry it.
        """
        now = int(self.now().timestamp())
        found = self.at_risk(now)
        requests = _requests(found, now)
        first = next(requests, None)
        if first is not None:
            seconds = min(HOUR, self.thresholds.at_risk_seconds // _JOBS_BEFORE_IT_IS_LATE) or 1
            key = Key(f"window-guard:{now // seconds}:{seconds}")
            self.intake.submit_large("at-risk", [first, *requests], QueueName.BULK, key)
        return len(found)

    def at_risk(self, now: int) -> list[AtRisk]:
        """Return the tracked series at risk, the most urgent first; at most 10,000."""
        found = self.statuses.at_risk(self.thresholds.leaves_before(now), _MOST_SERIES)
        tracked = self.symbols.tracked_of({each.series.symbol for each in found}) if found else ()
        return [each for each in found if each.series in tracked]


def _requests(found: list[AtRisk], now: int) -> Iterator[SyncRequest]:
    for each in found:
        if not each.has_failed:
            yield request_in_time(each.series, each.lacks_from, now)
