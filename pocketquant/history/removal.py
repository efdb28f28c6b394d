"""Use-case: remove a symbol, with its bars or without.

    check       Conflict while a sync of the symbol runs: its worker would write again
    registry    remove the symbol; schedules no longer sync it
    bars        remove bars, live bars and statuses, if requested
    answers     drop the cached answers of its series
    check       Conflict if a sync has begun meanwhile

Every step may run twice: after a Conflict, a caller repeats the removal later.
"""

from dataclasses import dataclass

from pocketquant.cache.responses import ResponseCache
from pocketquant.domain.errors import Conflict, NotFound
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.storage.bars import BarStore
from pocketquant.storage.calendars import CalendarStore
from pocketquant.storage.ledger import Ledger
from pocketquant.storage.live_bars import LiveBarStore
from pocketquant.storage.reports import ReportStore
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import SyncStatuses


@dataclass(frozen=True, slots=True)
class Removal:
    """Removes symbols; the driver's errors pass through."""

    symbols: SymbolRegistry
    ledger: Ledger
    bars: BarStore
    live_bars: LiveBarStore
    statuses: SyncStatuses
    responses: ResponseCache
    calendars: CalendarStore
    reports: ReportStore

    def remove(self, symbol: Symbol, with_bars: bool) -> None:
        """Remove the symbol; NotFound if nothing of it is stored, Conflict while it is synced."""
        all_series = [Series(symbol, interval) for interval in Interval]
        self._require_no_sync(symbol, all_series)
        self.statuses.forget_listing(symbol)
        is_known = self.symbols.remove(symbol)
        if with_bars:
            is_known |= self._remove_bars(symbol, all_series)
        if not is_known:
            raise NotFound(f"{symbol} is not registered")
        self.statuses.forget_listing(symbol)  # a sync that began and ended meanwhile
        self._require_no_sync(symbol, all_series)
        if with_bars and self.symbols.get(symbol) is not None:
            raise Conflict(f"{symbol} was synced while it was removed; remove it once more")

    def _require_no_sync(self, symbol: Symbol, all_series: list[Series]) -> None:
        busy = self.ledger.active(all_series)
        if busy:
            names = ", ".join(sorted(series.interval.value for series in busy))
            raise Conflict(
                f"{symbol} is being synced ({names}); wait for its end, or cancel its job"
            )

    def _remove_bars(self, symbol: Symbol, all_series: list[Series]) -> bool:
        """Remove all data of the symbol; return whether there was any."""
        removed = [
            self.bars.delete(series) + self.live_bars.delete(series) for series in all_series
        ]
        for series in all_series:
            self.bars.delete_generations(series)
        self.calendars.forget(symbol)
        self.reports.forget(symbol)
        had_statuses = self.statuses.forget(symbol)
        self.responses.drop(*all_series)
        return any(removed) or had_statuses
