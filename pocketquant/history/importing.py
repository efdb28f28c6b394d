"""Use-case: store bars that a user imports, beside the bars of the provider.

    check      the bars, as a sync does and by `domain.imports`
    upsert     the valid bars; a stored bar of the same time is replaced
    register   the symbol if it is unknown, without an interval for schedules to sync
    count      all bars of the series into its status, also while a sync writes the status
    drop       the cached answers of the series

Every step may run twice: a user who got no answer sends the same bars again.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from pocketquant.cache.responses import ResponseCache
from pocketquant.domain.bars import Bars, Floats
from pocketquant.domain.calendar import Calendar
from pocketquant.domain.errors import Conflict
from pocketquant.domain.imports import (
    RefusedBar,
    Surroundings,
    check,
    nearest_seconds,
    on_trading_days,
)
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series
from pocketquant.domain.weeks import WEEKS_AND_MONTHS
from pocketquant.storage.bars import BarStore, Extent, Upserted
from pocketquant.storage.calendars import CalendarStore
from pocketquant.storage.findings import Findings
from pocketquant.storage.generations import Current, Generations
from pocketquant.storage.live_bars import LiveBarStore
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import SyncStatuses


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The result of an import, and the bars that the series has now."""

    series: Series
    upserted: Upserted
    refused: list[RefusedBar]
    extent: Extent


@dataclass(frozen=True, slots=True)
class Importing:
    """Imports bars; the driver's errors pass through."""

    symbols: SymbolRegistry
    bars: BarStore
    live_bars: LiveBarStore
    generations: Generations
    statuses: SyncStatuses
    responses: ResponseCache
    calendars: CalendarStore
    findings: Findings
    clock: Callable[[], float]

    def do(self, series: Series, columns: Floats) -> ImportReport:
        """Store the valid bars of a raw (6, n) block, in any order."""
        current = self.generations.current(series)
        calendar = self._calendar(series)
        if calendar is not None and series.interval is Interval.D1:
            columns = on_trading_days(columns, calendar)
        around = self._surroundings(series, current, columns, calendar)
        good, refused = check(columns, series.interval, around, int(self.clock()))
        if not len(good):
            return ImportReport(series, Upserted(), refused, self.bars.extent(current.bars))
        current, upserted = self._store(series, current, good)
        extent = self._note(series, current)
        self.findings.add(series, (int(good.time[0]), int(good.time[-1]) + 1))
        self.responses.drop(series)
        return ImportReport(series, upserted, refused, extent)

    def _store(self, series: Series, current: Current, good: Bars) -> tuple[Current, Upserted]:
        """Store the bars; once more if a sync has made another generation current meanwhile."""
        while True:
            upserted = self.bars.upsert({current.bars: good})[current.bars]
            if self.generations.note_import(current):
                return current, upserted
            current = self.generations.current(series)

    def _calendar(self, series: Series) -> Calendar | None:
        known = self.calendars.get(series.symbol)
        return known.calendar if known else None

    def _surroundings(
        self, series: Series, current: Current, columns: Floats, calendar: Calendar | None
    ) -> Surroundings:
        reach = nearest_seconds(series.interval)
        start, end = int(columns[0].min()) - reach, int(columns[0].max()) + reach
        stored: Bars = self.bars.read(current.bars, start, end + 1)
        is_of_days = series.interval in WEEKS_AND_MONTHS  # live ones are not stored
        return Surroundings(
            times=stored.columns[0],
            last_time=self.bars.extent(current.bars).last_time,
            live_from=None if is_of_days else self.live_bars.first_time(series),
            calendar=calendar,
        )

    def _note(self, series: Series, current: Current) -> Extent:
        with suppress(Conflict):  # it is known already
            self.symbols.add(series.symbol, (), is_active=True, now=int(self.clock()))
        return self.statuses.recount(series, lambda: self.bars.extent(current.bars))
