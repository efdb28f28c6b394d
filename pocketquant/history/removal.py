"""Use-case: a symbol is forgotten, with its bars or without.

    no sync of it under way     or Conflict: a worker would put back what is removed
    registry                    schedules know it no more
    bars, live bars, statuses   only when they are wanted gone
    cached answers              dropped after what they were made of
    look again                  Conflict where a sync has begun meanwhile: remove it once more

Every step may happen twice, so whoever is told of a Conflict just asks again later.
"""

from dataclasses import dataclass

from pocketquant.cache.responses import ResponseCache
from pocketquant.domain.errors import Conflict, NotFound
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.storage.bars import BarStore
from pocketquant.storage.ledger import Ledger
from pocketquant.storage.live_bars import LiveBarStore
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import SyncStatuses


@dataclass(frozen=True, slots=True)
class Removal:
    """Removes symbols; a server that is away passes through as the driver's error."""

    symbols: SymbolRegistry
    ledger: Ledger
    bars: BarStore
    live_bars: LiveBarStore
    statuses: SyncStatuses
    responses: ResponseCache

    def remove(self, symbol: Symbol, with_bars: bool) -> None:
        """Forget the symbol; NotFound where nothing is known of it, Conflict while it is synced."""
        all_series = [Series(symbol, interval) for interval in Interval]
        self._require_rest(symbol, all_series)
        is_known = self.symbols.remove(symbol)
        if with_bars:
            is_known |= self._remove_bars(symbol, all_series)
        if not is_known:
            raise NotFound(f"{symbol} is not registered")
        self._require_rest(symbol, all_series)
        if with_bars and self.symbols.get(symbol) is not None:
            raise Conflict(f"{symbol} was synced while it was removed; remove it once more")

    def _require_rest(self, symbol: Symbol, all_series: list[Series]) -> None:
        busy = self.ledger.active(all_series)
        if busy:
            names = ", ".join(sorted(series.interval.value for series in busy))
            raise Conflict(
                f"{symbol} is being synced ({names}); wait for its end, or cancel its job"
            )

    def _remove_bars(self, symbol: Symbol, all_series: list[Series]) -> bool:
        """What was stored of the symbol; also where a removal before this one was broken off."""
        removed = [
            self.bars.delete(series) + self.live_bars.delete(series) for series in all_series
        ]
        had_statuses = self.statuses.forget(symbol)
        self.responses.drop(*all_series)
        return any(removed) or had_statuses
