"""Use-case: run schedules when they are due.

Every tick runs it, on any worker, perhaps on several at once. A run is begun by compare-and-set,
which stores a key; then the run is started, and its key makes one job however often that is tried.
So a crash in between loses and doubles no run: the next tick starts it. A schedule that fails is
shown as a tick problem, and stops no other.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import chain, product, starmap

import structlog

from pocketquant.coordination.nudges import SCHEDULES_CHANNEL
from pocketquant.domain.batches import batched
from pocketquant.domain.schedules import (
    Schedule,
    bars_to_fetch,
    begun,
    due_run,
    has_closed,
    has_traded_since,
)
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import SyncRequest, UnitState
from pocketquant.history.intake import Intake, Key
from pocketquant.history.steps import Steps
from pocketquant.history.window_guard import WindowGuard
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import translating_driver_errors
from pocketquant.storage.calendars import CalendarStore, trusted_of
from pocketquant.storage.jobs import JobStore
from pocketquant.storage.schedules import Schedules
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.storage.units import Job

_SERIES_A_QUERY = 1000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Starts the syncs of due schedules. `now` is MongoDB's clock, the same for every worker."""

    schedules: Schedules
    symbols: SymbolRegistry
    statuses: SyncStatuses
    intake: Intake
    jobs: JobStore
    steps: Steps
    calendars: CalendarStore
    guard: WindowGuard
    now: Callable[[], datetime]

    def run_due(self) -> None:
        """Sync series at risk, note ended runs and start due ones; a failure stops no other."""
        with translating_driver_errors():
            now = int(self.now().timestamp())
            made = self.schedules.made(now)
        steps: dict[str, Callable[[], object]] = {"window guard": self.guard.run}
        steps |= {f"schedule {one.name}": partial(self._advance, one, now) for one in made}
        self.steps.run(steps)

    def _advance(self, seen: Schedule, now: int) -> None:
        schedule = self._begun_if_due(self._noted_if_ended(seen), now)
        if schedule.starting:
            self._start(schedule, schedule.starting, now)

    def _noted_if_ended(self, schedule: Schedule) -> Schedule:
        if not schedule.has_open_job or schedule.last_job_id is None:
            return schedule
        job = self.jobs.get(schedule.last_job_id)
        if job is not None and job.finished_at is None:
            return schedule
        self.schedules.note_ended(schedule.name, schedule.last_job_id, _success_at(job))
        return replace(schedule, has_open_job=False)

    def _begun_if_due(self, schedule: Schedule, now: int) -> Schedule:
        key = due_run(schedule, now)
        if key is None:
            return schedule
        wanted = begun(schedule, key, now, self.next_close)
        return wanted if self.schedules.begin(schedule, wanted) else schedule

    def _start(self, schedule: Schedule, key: str, now: int) -> None:
        requests = self._requests(schedule, now)
        job_id = None
        for first in requests:  # the rest is read while it is written: it may be a million
            job_id = self.intake.submit_large(
                f"schedule:{schedule.name}",
                chain([first], requests),
                QueueName.SCHEDULED,
                Key(key),
            )
            break
        if self.schedules.note_started(schedule, job_id, now):
            self.intake.nudges.announce(SCHEDULES_CHANNEL)
            _log.info("schedule_started", name=schedule.name, job_id=job_id)

    def next_close(self, schedule: Schedule, time: int) -> int | None:
        """Return the first close after a time among the markets of a schedule."""
        calendars = self.calendars.distinct(schedule.exchange, schedule.symbols)
        closes = (calendar.next_close(time) for calendar in calendars)
        return min((close for close in closes if close is not None), default=None)

    def _requests(self, schedule: Schedule, now: int) -> Iterator[SyncRequest]:
        """Yield the syncs of a run: of markets that have closed, or may have traded since.

        A unit may wait in its queue until the next run is due, and must not leave a gap then.
        """
        until = max(now, schedule.next_run_at)
        for batch in batched(self.statuses.progress(self._series(schedule)), _SERIES_A_QUERY):
            kept = self.calendars.of({each.series.symbol for each in batch})
            for series, last_bar_at, last_sync_at in batch:
                calendar = trusted_of(kept.get(series.symbol), series.interval)
                if schedule.is_requested or (
                    has_closed(schedule, calendar) and has_traded_since(calendar, last_sync_at, now)
                ):
                    n_bars = bars_to_fetch(last_bar_at, until, series.interval, schedule.n_bars)
                    yield SyncRequest(series, n_bars)

    def _series(self, schedule: Schedule) -> Iterator[Series]:
        if not schedule.symbols:
            yield from self.symbols.tracked(schedule.intervals, schedule.exchange)
            return
        symbols = [Symbol.parse(name) for name in schedule.symbols]
        if schedule.intervals:
            yield from starmap(Series, product(symbols, schedule.intervals))
        else:
            yield from sorted(self.symbols.tracked_of(symbols), key=str)


def _success_at(job: Job | None) -> int | None:
    """Return when the job ended, if it completed any sync or had none; else None."""
    if job is None or job.finished_at is None:
        return None
    has_success = job.counts[UnitState.COMPLETED] > 0 or job.total == 0
    return int(job.finished_at.timestamp()) if has_success else None
