"""Use-case: sync one series.

    claim       the unit, so that no other worker holds it until the lease expires
    wait        for the governor's turn; if that is far off, put the unit back
    fetch       the provider's newest bars, back to the oldest live bar
    upsert      the closed bars into their chunks
    note        the listing, its hours, and the status with the forming bar
    prune       the live bars that history now covers
    mend        if these are minutes, the longer live bars that a gap made partial
    drop        the cached answers of the series
    finish      the unit, and with the last unit its job

Every step may run twice. After a crash the lease expires, and another attempt repeats all steps.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog
from structlog.typing import FilteringBoundLogger

from pocketquant import metrics
from pocketquant.cache.responses import ResponseCache
from pocketquant.coordination.nudges import Nudges, unit_channel
from pocketquant.domain.bars import Bars
from pocketquant.domain.errors import (
    Cancelled,
    InternalError,
    LeaseLost,
    Misconfigured,
    PocketQuantError,
    Rejected,
    StorageUnavailable,
)
from pocketquant.domain.intervals import Interval
from pocketquant.domain.joining import bars_to_reach
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import (
    MAX_BARS,
    MAX_DELAY_SECONDS,
    History,
    SyncReport,
    SyncRequest,
    retry_delay_seconds,
)
from pocketquant.history.hours import HoursKeeping
from pocketquant.history.mending import Mending
from pocketquant.history.paced_provider import Interrupted, PacedProvider, ProviderCall, TurnFarOff
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import translating_driver_errors
from pocketquant.storage.bars import BarStore, Upserted
from pocketquant.storage.ledger import Ledger
from pocketquant.storage.live_bars import LiveBarStore
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.storage.units import Unit

_MOST_CLOSED_BARS = MAX_BARS - 10  # a fetch also holds the forming bar and refused ones
_OWN_DELAY_SECONDS = 60.0  # the longest after failures of our servers, which may be back by then

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Syncer:
    """Syncs the units of the ledger."""

    ledger: Ledger
    provider: PacedProvider
    bars: BarStore
    live_bars: LiveBarStore
    statuses: SyncStatuses
    symbols: SymbolRegistry
    responses: ResponseCache
    nudges: Nudges
    clock: Callable[[], float]
    mending: Mending
    hours: HoursKeeping

    def do(self, unit_id: str) -> None:
        """Claim the unit and sync it: it ends completed, put back, failed or cancelled.

        StorageUnavailable if MongoDB is away; the lease expires, and another attempt follows.
        """
        with translating_driver_errors():
            unit = self.ledger.claim(unit_id)
        if unit is None:
            _log.debug("unit_not_due", unit_id=unit_id)
            return
        log = _log.bind(unit_id=unit.id, series=str(unit.request.series), attempt=unit.attempt)
        try:
            with translating_driver_errors():
                self._bring_to_an_end(unit, log)
        except LeaseLost:
            metrics.SYNCS.labels(result="lost", code=metrics.NO_CODE).inc()
            log.warning("unit_taken_over")

    def _bring_to_an_end(self, unit: Unit, log: FilteringBoundLogger) -> None:
        try:
            self._complete_or_put_back(unit, log)
        except Cancelled as error:
            self._cancel(unit, error, log)

    def _complete_or_put_back(self, unit: Unit, log: FilteringBoundLogger) -> None:
        try:
            with translating_driver_errors():
                self._complete(unit, log)
        except (LeaseLost, Cancelled):
            raise
        except TurnFarOff as turn:
            self._postpone(unit, turn, log)
        except Interrupted:
            self._hand_back(unit, log)
        except StorageUnavailable as error:  # failures of our servers cost the unit no attempt
            held = self.ledger.extend(unit)  # LeaseLost if its end was written after all
            delay = _delay_seconds(unit.troubles + 1, _OWN_DELAY_SECONDS)
            self._postpone(held, TurnFarOff(delay, error), log)
        except PocketQuantError as error:
            self._end_in_error(unit, error, log)
        except Exception as error:  # a defect must not disappear with its worker
            log.exception("sync_crashed")
            defect = InternalError(f"{type(error).__name__} in the sync")
            self._end_in_error(unit, defect, log)

    def _complete(self, unit: Unit, log: FilteringBoundLogger) -> None:
        began = time.monotonic()
        held: Unit | None = unit
        while held is not None:  # repeated if a joined request wants more bars
            series = held.request.series
            self.statuses.mark_syncing(series, held.newest_job, held.tries, held.lease)
            oldest_live = self.live_bars.first_time(series)
            history = self._fetch_back_to(self._oldest_wanted(held, oldest_live), held)
            history.require_bars(series)
            held = self.ledger.extend(held)
            report = self._store(held, history, has_live=oldest_live is not None)
            held = self.ledger.finish(held, report)
        self._track_if_joined(unit, history)
        self._announce(unit, "completed", metrics.NO_CODE)
        log.info(
            "sync_completed",
            fetched=report.fetched,
            inserted=report.inserted,
            changed=report.changed,
            refused=sum(report.refused.values()),
            seconds=round(time.monotonic() - began, 3),
        )

    def _oldest_wanted(self, unit: Unit, oldest_live: int | None) -> int | None:
        """Return the oldest time to fetch: of the oldest live bar, or of a bar to mend."""
        if not (_is_repair(unit) and unit.request.series.interval is Interval.M1):
            return oldest_live
        symbol, now = unit.request.series.symbol, int(self.clock())
        oldest = (oldest_live, self.mending.oldest_partial(symbol, now))
        return min((each for each in oldest if each is not None), default=None)

    def _fetch_back_to(self, oldest: int | None, unit: Unit) -> History:
        """Fetch the requested bars, or more if needed to reach back to `oldest`.

        Live bars older than the provider's history stay as they are.
        """
        history = self._fetch(unit, unit.request)
        n_bars = bars_to_reach(oldest, history, unit.request)
        if n_bars is not None:
            oldest = self._in_reach(unit.request.series, oldest)
            n_bars = bars_to_reach(oldest, history, unit.request)
        if n_bars is None:
            return history
        self.ledger.extend(unit)
        return self._fetch(unit, replace(unit.request, n_bars=n_bars))

    def _in_reach(self, series: Series, oldest: int | None) -> int | None:
        """Return `oldest`, but at least the oldest live bar that the largest fetch can reach."""
        newest = self.bars.latest(series, _MOST_CLOSED_BARS)
        since = newest.first_time if len(newest) == _MOST_CLOSED_BARS else None
        if since is None or oldest is None or oldest >= since:
            return oldest
        return self.live_bars.read(series, since, None, 1, newest=False).first_time

    def _fetch(self, unit: Unit, request: SyncRequest) -> History:
        holder = f"{unit.id}#{unit.attempt}"
        is_urgent = unit.queue == QueueName.INTERACTIVE
        return self.provider.fetch(ProviderCall(request, holder, is_urgent))

    def _store(self, unit: Unit, history: History, has_live: bool) -> SyncReport:
        series = unit.request.series
        now = int(self.clock())
        with metrics.STORE_SECONDS.labels(operation="upsert").time():
            upserted = self.bars.upsert({series: history.closed}, unit.lease)[series]
        metrics.BARS_STORED.labels(change="inserted").inc(upserted.inserted)
        metrics.BARS_STORED.labels(change="changed").inc(upserted.changed)
        if history.listing:
            tracked = None if _is_repair(unit) else series.interval
            self.symbols.register(history.listing, tracked, now)
        report = self._report(unit.request, history, upserted)
        problem = self.hours.note(series, history, now)
        if self.statuses.mark_completed(report, history.forming, now, unit.lease, problem):
            self.statuses.recount(series, lambda: self.bars.extent(series))
        if has_live:
            self.responses.drop(series)  # from now on readers find the pruned bars in history
            self._prune(series, history.closed)
        is_minutes = series.interval is Interval.M1
        mended = self.mending.mend(series.symbol, history) if is_minutes else []
        self.responses.drop(series, *mended)
        return report

    def _track_if_joined(self, unit: Unit, history: History) -> None:
        """Track the series if a user requested it during its repair, and so joined the repair."""
        if not (_is_repair(unit) and history.listing):
            return
        ended = self.ledger.get_unit(unit.id)
        if ended is not None and not _is_repair(ended):
            interval = unit.request.series.interval
            self.symbols.register(history.listing, interval, int(self.clock()))

    def _prune(self, series: Series, closed: Bars) -> None:
        """Remove the live bars that these closed bars replace."""
        if closed.first_time is not None and closed.last_time is not None:
            self.live_bars.prune(series, closed.first_time, closed.last_time + 1)

    def _report(self, request: SyncRequest, history: History, upserted: Upserted) -> SyncReport:
        extent = self.bars.extent(request.series)
        return SyncReport(
            series=request.series,
            fetched=history.fetched,
            inserted=upserted.inserted,
            changed=upserted.changed,
            unchanged=upserted.unchanged,
            refused={str(reason): count for reason, count in history.refused.items()},
            bar_count=extent.count,
            first_bar_at=extent.first_time,
            last_bar_at=extent.last_time,
            forming=int(history.forming is not None),
        )

    def _end_in_error(self, unit: Unit, error: PocketQuantError, log: FilteringBoundLogger) -> None:
        """Write the status before the ledger: after a crash in between, the unit is tried again."""
        series = unit.request.series
        delay = _delay_seconds(unit.tries)
        is_over = isinstance(error, Rejected | Misconfigured) or self.ledger.is_last_attempt(unit)
        lease = self.ledger.extend(unit).lease
        if is_over:
            self.statuses.mark_failed(series, error, lease)
            self.ledger.fail(unit, error)
        else:
            self.statuses.mark_deferred(series, error, int(self.clock() + delay), lease)
            self.ledger.defer(unit, error, delay)
            metrics.DEFERRAL_SECONDS.labels(cause="error").observe(delay)
        self._announce(unit, "failed" if is_over else "deferred", error.code)
        event = "sync_failed" if is_over else "sync_deferred"
        log.warning(event, code=error.code, cause=str(error))

    def _postpone(self, unit: Unit, turn: TurnFarOff, log: FilteringBoundLogger) -> None:
        """Put the unit back without costing an attempt; waiting users see the error, if any."""
        due = int(self.clock() + turn.delay_seconds)
        self.statuses.mark_postponed(unit.request.series, due, unit.lease)
        self.ledger.postpone(unit, turn.delay_seconds, turn.error)
        cause, code = ("error", turn.error.code) if turn.error else ("pace", metrics.NO_CODE)
        metrics.DEFERRAL_SECONDS.labels(cause=cause).observe(turn.delay_seconds)
        self._announce(unit, "postponed", code)
        log.info("sync_postponed", seconds=round(turn.delay_seconds, 1), code=code)

    def _hand_back(self, unit: Unit, log: FilteringBoundLogger) -> None:
        """Leave the unit to another attempt: this worker ends, or a job joined a cancelled unit."""
        self.statuses.mark_postponed(unit.request.series, int(self.clock()), unit.lease)
        self.ledger.hand_back(unit)
        self._announce(unit, "handed_back", metrics.NO_CODE)
        log.info("sync_handed_back")

    def _cancel(self, unit: Unit, error: Cancelled, log: FilteringBoundLogger) -> None:
        self.statuses.mark_cancelled(unit.request.series, unit.lease)
        if not self.ledger.cancel(unit, error):
            self._hand_back(unit, log)
            return
        self._announce(unit, "cancelled", error.code)
        log.info("sync_cancelled")

    def _announce(self, unit: Unit, result: str, code: str) -> None:
        self.nudges.announce(unit_channel(unit.id))
        metrics.SYNCS.labels(result=result, code=code).inc()


def _is_repair(unit: Unit) -> bool:
    """Whether only a repair wants the unit, so that its series is not tracked.

    A unit that a user's job joins moves to the more urgent queue of the two.
    """
    return unit.queue == QueueName.REPAIR


def _delay_seconds(failures: int, longest_seconds: float = MAX_DELAY_SECONDS) -> float:
    return retry_delay_seconds(failures, random.random(), longest_seconds)  # noqa: S311  # jitter
