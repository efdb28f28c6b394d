"""`SeriesCounts`: how many series are in trouble, counted by indexes at most once a minute."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pocketquant.history.window_guard import WindowGuard
from pocketquant.storage.sync_status import AtRisk, StatusFilter, SyncStatuses

_FRESH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class SeriesInTrouble:
    """The number of series by their trouble, and the tracked ones at risk of losing history."""

    counts: dict[str, int]
    at_risk: Sequence[AtRisk]


class SeriesCounts:
    """Counts series in trouble; an answer is kept for a minute, so that scrapes cost little."""

    def __init__(
        self,
        statuses: SyncStatuses,
        guard: WindowGuard,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._statuses = statuses
        self._guard = guard
        self._clock = clock
        self._monotonic = monotonic
        self._kept: tuple[float, SeriesInTrouble] | None = None

    def read(self) -> SeriesInTrouble:
        """Return the counts of the last minute; the driver's errors pass through."""
        kept = self._kept
        if kept is None or self._monotonic() - kept[0] >= _FRESH_SECONDS:
            kept = self._kept = (self._monotonic(), self._count())
        return kept[1]

    def _count(self) -> SeriesInTrouble:
        now, thresholds = int(self._clock()), self._guard.thresholds
        filters = {
            "stale": StatusFilter(late_before=thresholds.late_before(now)),
            "gaps": StatusFilter(has_gaps=True),
            "doubtful": StatusFilter(is_doubtful=True),
            "never_synced": StatusFilter(is_never_synced=True),
            "refused": StatusFilter(has_refused=True),
            "at_risk": StatusFilter(leaves_before=thresholds.leaves_before(now)),
        }
        counts = {name: self._statuses.count(wanted) for name, wanted in filters.items()}
        return SeriesInTrouble(counts, self._guard.at_risk(now))
