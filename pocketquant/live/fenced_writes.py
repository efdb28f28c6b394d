"""Use-case: store closed live bars and reports of quotes in MongoDB, and have gaps repaired.

Every write is fenced: a streamer that has lost its shard to another one writes no more.
"""

from collections.abc import Callable, Mapping

import redis
import structlog

from pocketquant import metrics
from pocketquant.cache.responses import ResponseCache
from pocketquant.coordination.leases import Lease
from pocketquant.domain.errors import LeaseLost
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.repairs import repairing
from pocketquant.domain.reports import Report
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.history.intake import Intake
from pocketquant.messaging.queues import QueueName
from pocketquant.storage.fences import Fences
from pocketquant.storage.live_bars import LiveBarStore
from pocketquant.storage.reports import ReportStore
from pocketquant.storage.symbols import SymbolRegistry

REPAIR = "repair"

_log = structlog.get_logger(__name__)


class FencedBarWriter:
    """Writes under `lease`; its streamer replaces it after taking the shard again.

    LeaseLost and the drivers' errors pass through.
    """

    def __init__(
        self,
        lease: Lease,
        fences: Fences,
        live_bars: LiveBarStore,
        responses: ResponseCache,
        symbols: SymbolRegistry,
        intake: Intake,
        reports: ReportStore,
        clock: Callable[[], float],
    ) -> None:
        self.lease = lease
        self._fences = fences
        self._live_bars = live_bars
        self._responses = responses
        self._symbols = symbols
        self._intake = intake
        self._reports = reports
        self._clock = clock
        self._outdated: set[Series] = set()
        self._raised: Lease | None = None

    def store(self, bars: list[LiveBar]) -> None:
        """Store the bars, then drop cached answers without them. A repetition changes nothing."""
        self._require_fence()
        self._outdated |= self._live_bars.upsert(bars).keys()
        try:
            self._responses.drop(*self._outdated)
        except redis.RedisError as error:  # retried with the next bars
            _log.warning("answers_not_dropped", series=len(self._outdated), cause=str(error))
        else:
            self._outdated.clear()

    def submit(self, since: Mapping[Series, int]) -> None:
        """Sync these series from the given times; daily and longer ones only if tracked.

        Minutes cannot repair bars of a day and longer. Those of an untracked series stay partial
        until a user syncs it.
        """
        self._require_fence()
        long = {series.symbol for series in since if not series.interval.is_intraday}
        tracked = self._symbols.tracked_of(long) if long else set()
        wanted = {
            series: start
            for series, start in since.items()
            if series.interval.is_intraday or series in tracked
        }
        requests = repairing(wanted, self._clock())
        if not requests:
            return
        job_id = self._intake.submit_large(REPAIR, requests, QueueName.REPAIR)
        metrics.LIVE_REPAIRS.inc(len(requests))
        _log.info("repairs_submitted", job_id=job_id, series=len(wanted), syncs=len(requests))

    def note_reports(self, reports: Mapping[str, Report]) -> None:
        """Keep what quotes reported, by symbol. A repetition changes nothing."""
        self._require_fence()
        now = int(self._clock())
        for symbol, report in reports.items():
            self._reports.note(Symbol.parse(symbol), report, now)

    def _require_fence(self) -> None:
        lease = self.lease
        if self._raised != lease and self._fences.raise_to(lease.name, lease.token):
            self._raised = lease
        if self._raised != lease or not self._fences.holds(lease.name, lease.token):
            raise LeaseLost(f"another streamer has taken {lease.name} over")
