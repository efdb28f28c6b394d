"""Use-case: closed live bars into MongoDB, and the syncs that repair gaps into the ledger.

Every write is fenced: who has lost the shard to another streamer writes nothing more.
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
from pocketquant.domain.symbols import Series
from pocketquant.intake import Intake
from pocketquant.queues import QueueName
from pocketquant.storage.fences import Fences
from pocketquant.storage.live_bars import LiveBarStore

REPAIR = "repair"

_log = structlog.get_logger(__name__)


class LiveBarStorage:
    """What a streamer stores under `lease`, which may be exchanged for a newer one of its own.

    The drivers' errors, and LeaseLost, pass through.
    """

    def __init__(
        self,
        lease: Lease,
        fences: Fences,
        live_bars: LiveBarStore,
        responses: ResponseCache,
        intake: Intake,
        clock: Callable[[], float],
    ) -> None:
        self.lease = lease
        self._fences = fences
        self._live_bars = live_bars
        self._responses = responses
        self._intake = intake
        self._clock = clock
        self._outdated: set[Series] = set()
        self._raised: Lease | None = None

    def store(self, bars: list[LiveBar]) -> None:
        """Store the bars, then forget the answers that lack them; twice changes nothing."""
        self._require_fence()
        self._outdated |= self._live_bars.upsert(bars).keys()
        try:
            self._responses.drop(*self._outdated)
        except redis.RedisError as error:  # tried again with the next bars
            _log.warning("answers_not_dropped", series=len(self._outdated), cause=str(error))
        else:
            self._outdated.clear()

    def submit(self, since: Mapping[Series, int]) -> None:
        """Have these series synced, each from then on."""
        self._require_fence()
        requests = repairing(since, self._clock())
        job_id = self._intake.submit_large(REPAIR, requests, QueueName.BULK)
        metrics.LIVE_REPAIRS.inc(len(since))
        _log.info("repairs_submitted", job_id=job_id, series=len(since))

    def _require_fence(self) -> None:
        lease = self.lease
        if self._raised != lease and self._fences.raise_to(lease.name, lease.token):
            self._raised = lease
        if self._raised != lease or not self._fences.holds(lease.name, lease.token):
            raise LeaseLost(f"another streamer has taken {lease.name} over")
