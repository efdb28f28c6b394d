"""Use-case of each tick: what follows a rescale, and the end of old generations.

    fetch      the older bars of the series again, which were multiplied until then
    compare    the symbol's other series: each is synced as far as one fetch reaches
    delete     the generations that need not be kept any longer

The swap of generations leaves a mark in the status, so a crash loses none of it; a job has a key of
its series and generation, so it is made once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import structlog

from pocketquant.domain.syncs import MAX_BARS, SyncRequest
from pocketquant.history.intake import Intake, Key
from pocketquant.history.steps import Steps, each_apart
from pocketquant.messaging.queues import QueueName
from pocketquant.storage.bars import BarStore
from pocketquant.storage.generations import Expired, Generations, Rescale
from pocketquant.storage.jobs import JobStore
from pocketquant.storage.sync_status import SyncStatuses

RESCALE = "rescale"  # the kind of its jobs

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RescaleFollowUp:
    """Runs with each tick; a step that fails stops no other, and the next round repeats it."""

    generations: Generations
    bars: BarStore
    statuses: SyncStatuses
    jobs: JobStore
    intake: Intake
    steps: Steps
    now: Callable[[], datetime]

    def run(self) -> None:
        """Make the jobs that follow rescales, and delete old generations."""
        counts = self.steps.run({"rescales": self._follow, "old_generations": self._delete})
        if any(counts.values()):
            _log.info("rescales_followed", **counts)

    def _follow(self) -> int:
        return len(each_apart(self.generations.to_follow(), self._submit))

    def _submit(self, rescale: Rescale) -> None:
        requests = list(self._requests(rescale))
        if requests:
            key = Key(f"{RESCALE} {rescale.series} {rescale.generation}")
            self.intake.submit_large(RESCALE, requests, QueueName.BULK, key)
        self.generations.followed(rescale)

    def _requests(self, rescale: Rescale) -> Iterator[SyncRequest]:
        """Yield the syncs that follow; one that follows another series' rescale has no others."""
        series = rescale.series
        current = self.generations.current(series)
        oldest = self.bars.extent(current.bars).first_time
        if oldest is not None and oldest < rescale.fetched_from:
            yield SyncRequest(series, start=oldest, end=rescale.fetched_from + 1)
        job = self.jobs.get(rescale.job_id) if rescale.job_id else None
        if job is None or job.kind != RESCALE:
            for other in self.statuses.series_of(series.symbol):
                if other != series:
                    yield SyncRequest(other, MAX_BARS)

    def _delete(self) -> int:
        expired = self.generations.expired(int(self.now().timestamp()))
        return len(each_apart(expired, self._delete_one))

    def _delete_one(self, expired: Expired) -> None:
        for generation in expired.generations:
            self.bars.delete(generation)
        self.generations.forget(expired)
