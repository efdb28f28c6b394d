"""Use-case: bars that a user brings, beside those of the provider.

    check      the checks of a sync, and those of `domain.imports`
    upsert     the good ones; a stored bar of the same time is replaced
    register   the symbol, where it is unknown; no schedule syncs it for that
    count      the status of the series tells all its bars, whoever writes it at the same time
    drop       the cached answers of the series

Every step may happen twice: whoever got no answer brings the same bars again.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from pocketquant.cache.responses import ResponseCache
from pocketquant.domain.bars import Bars, Floats
from pocketquant.domain.errors import Conflict
from pocketquant.domain.imports import RefusedBar, Surroundings, check, nearest_seconds
from pocketquant.domain.symbols import Series
from pocketquant.domain.trading_hours import TradingHours
from pocketquant.storage.bars import BarStore, Extent, Upserted
from pocketquant.storage.live_bars import LiveBarStore
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import SyncStatuses


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of the bars, and what there is of the series now."""

    series: Series
    upserted: Upserted
    refused: list[RefusedBar]
    extent: Extent


@dataclass(frozen=True, slots=True)
class Importing:
    """Stores bars from elsewhere; a server that is away passes through as the driver's error."""

    symbols: SymbolRegistry
    bars: BarStore
    live_bars: LiveBarStore
    statuses: SyncStatuses
    responses: ResponseCache
    clock: Callable[[], float]

    def do(self, series: Series, columns: Floats) -> ImportReport:
        """Store the good ones of a raw (6, n) block, in whatever order."""
        around = self._surroundings(series, columns)
        good, refused = check(columns, series.interval, around, int(self.clock()))
        if not len(good):
            return ImportReport(series, Upserted(), refused, self.bars.extent(series))
        upserted = self.bars.upsert({series: good})[series]
        extent = self._note(series)
        self.responses.drop(series)
        return ImportReport(series, upserted, refused, extent)

    def _surroundings(self, series: Series, columns: Floats) -> Surroundings:
        reach = nearest_seconds(series.interval)
        start, end = int(columns[0].min()) - reach, int(columns[0].max()) + reach
        stored: Bars = self.bars.read(series, start, end + 1)
        known = self.symbols.get(series.symbol)
        return Surroundings(
            times=stored.columns[0],
            last_time=self.bars.extent(series).last_time,
            live_from=self.live_bars.first_time(series),
            hours=TradingHours.parse(known.listing.timezone, known.listing.session)
            if known
            else None,
        )

    def _note(self, series: Series) -> Extent:
        with suppress(Conflict):  # it is known already
            self.symbols.add(series.symbol, (), is_active=True, now=int(self.clock()))
        return self.statuses.recount(series, lambda: self.bars.extent(series))
