"""Use-case: one series brought up to date.

    claim the unit          nobody else has it for the time of the lease
    fetch                   the provider's newest bars
    upsert                  closed bars into their chunks; twice changes nothing
    note                    the listing, the status with the forming bar
    drop                    the cached answers of the series
    finish                  the unit, and with the last one its job

Every step may happen twice. A crash after any of them leaves a unit whose lease runs out, and
the next worker repeats them all.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from pocketquant.cache.responses import ResponseCache
from pocketquant.connections import named_failures
from pocketquant.coordination.outcomes import Outcomes
from pocketquant.domain.errors import (
    InternalError,
    LeaseLost,
    Misconfigured,
    PocketQuantError,
    Rejected,
)
from pocketquant.domain.syncs import (
    History,
    SyncReport,
    SyncRequest,
    retry_delay_seconds,
)
from pocketquant.storage.bars import BarStore, Upserted
from pocketquant.storage.ledger import Ledger
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import SyncStatuses
from pocketquant.storage.units import Unit

_log = structlog.get_logger(__name__)


class Provider(Protocol):
    """Where history comes from."""

    def fetch(self, request: SyncRequest) -> History:
        """The newest `n_bars` bars of the series, or a typed error."""


@dataclass(frozen=True, slots=True)
class Syncer:
    """Does the units of the ledger."""

    ledger: Ledger
    provider: Provider
    bars: BarStore
    statuses: SyncStatuses
    symbols: SymbolRegistry
    responses: ResponseCache
    outcomes: Outcomes
    clock: Callable[[], float]

    def do(self, unit_id: str) -> None:
        """Claim the unit and bring it to an end: completed, put back, or failed.

        Where MongoDB is away the unit stays as it is: its lease runs out, another attempt follows.
        """
        with named_failures():
            unit = self.ledger.claim(unit_id)
        if unit is None:
            _log.debug("unit_not_due", unit_id=unit_id)
            return
        log = _log.bind(unit_id=unit.id, series=str(unit.request.series), attempt=unit.attempt)
        try:
            error = self._try_to_complete(unit, log)
            if error is not None:
                self._end_in_error(unit, error, log)
        except LeaseLost:
            log.warning("unit_taken_over")

    def _try_to_complete(
        self, unit: Unit, log: structlog.stdlib.BoundLogger
    ) -> PocketQuantError | None:
        try:
            with named_failures():
                self._complete(unit, log)
        except LeaseLost:
            raise
        except PocketQuantError as error:
            return error
        except Exception as error:  # a defect must not vanish with its worker
            log.exception("sync_crashed")
            return InternalError(f"{type(error).__name__} in the sync")
        return None

    def _complete(self, unit: Unit, log: structlog.stdlib.BoundLogger) -> None:
        began = time.monotonic()
        held: Unit | None = unit
        while held is not None:  # again where a joined request wants more bars
            self.statuses.mark_syncing(held.request.series, held.jobs[-1], held.attempt)
            history = self.provider.fetch(held.request)
            self.ledger.extend(held)
            report = self._store(held.request, history)
            held = self.ledger.finish(held, report)
        self.outcomes.announce(unit.id)
        log.info(
            "sync_completed",
            fetched=report.fetched,
            inserted=report.inserted,
            changed=report.changed,
            refused=sum(report.refused.values()),
            seconds=round(time.monotonic() - began, 3),
        )

    def _store(self, request: SyncRequest, history: History) -> SyncReport:
        series = request.series
        now = int(self.clock())
        upserted = self.bars.upsert({series: history.closed})[series]
        if history.listing:
            self.symbols.register(history.listing, series.interval, now)
        report = self._report(request, history, upserted)
        self.statuses.mark_completed(report, history.forming, now)
        self.responses.drop(series)
        return report

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
        )

    def _end_in_error(
        self, unit: Unit, error: PocketQuantError, log: structlog.stdlib.BoundLogger
    ) -> None:
        """The status before the ledger: a crash between them leaves a unit that is tried again."""
        series = unit.request.series
        delay = retry_delay_seconds(unit.attempt, random.random())  # noqa: S311  # jitter
        is_over = isinstance(error, Rejected | Misconfigured) or self.ledger.is_last_attempt(unit)
        with named_failures():
            self.ledger.extend(unit)
            if is_over:
                self.statuses.mark_failed(series, error)
                self.ledger.fail(unit, error)
            else:
                self.statuses.mark_deferred(series, error, int(self.clock() + delay))
                self.ledger.defer(unit, error, delay)
        self.outcomes.announce(unit.id)
        event = "sync_failed" if is_over else "sync_deferred"
        log.warning(event, code=error.code, cause=str(error))
