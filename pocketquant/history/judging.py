"""Use-case: judge bars that were stored. Findings are noted in the status of their series.

judge       the bars around those that were written: which may be bad prints?
compare     the newest days with intraday bars of their whole sessions, and with the quote's
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import structlog

from pocketquant.domain.bars import Bars, concatenate
from pocketquant.domain.calendar import Calendar
from pocketquant.domain.calendar.bars import BarTimes
from pocketquant.domain.day_differences import (
    DayDifference,
    bars_of_quote,
    day_differences,
    days_of,
)
from pocketquant.domain.intervals import Interval
from pocketquant.domain.outliers import AROUND, outliers
from pocketquant.domain.symbols import Series
from pocketquant.history.steps import Steps, each_apart
from pocketquant.storage.bars import BarStore
from pocketquant.storage.calendars import CalendarStore, trusted_of
from pocketquant.storage.findings import Findings, Unjudged
from pocketquant.storage.generations import Generations, series_of
from pocketquant.storage.reports import ReportStore
from pocketquant.storage.sync_status import SyncStatuses

_SERIES_A_ROUND = 50
_MOST_BARS = 100_000  # of one series in a round, the newest first
_DAYS = 10
_SHORTER = sorted(
    (each for each in Interval if each.is_intraday), key=lambda each: each.seconds, reverse=True
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Judging:
    """Judges some series with each tick."""

    bars: BarStore
    statuses: SyncStatuses
    generations: Generations
    calendars: CalendarStore
    reports: ReportStore
    findings: Findings
    steps: Steps

    def run(self) -> None:
        """Judge some series; a step that fails stops no other, and the next round repeats it."""
        counts = self.steps.run({"judging": self._judge_some})
        if any(counts.values()):
            _log.info("series_judged", **counts)

    def _judge_some(self) -> int:
        return len(each_apart(self.findings.unjudged(_SERIES_A_ROUND), self._judge))

    def _judge(self, unjudged: Unjudged) -> None:
        series = unjudged.series
        stored = self.generations.current(series).bars
        since = self._find_outliers(stored, *unjudged.stretch)
        if series.interval is Interval.D1:
            self._compare_days(stored)
        self.findings.finish(unjudged, since)

    def _find_outliers(self, stored: Series, start: int, end: int) -> int:
        """Judge the bars of a stretch and those around them anew; return since when.

        A bar is judged once ten newer ones are stored.
        """
        among = self.bars.read(stored, start, end, _MOST_BARS)
        since = start if among.first_time is None else among.first_time
        older = self.bars.read(stored, None, since, 2 * AROUND)
        newer = self.bars.read(stored, end, None, 2 * AROUND, newest=False)
        around = concatenate([older, among, newer])
        if len(around) > 2 * AROUND:
            judged = (int(around.time[AROUND]), int(around.time[-AROUND]))
            found = [each.time for each in outliers(around)]
            self.findings.note_outliers(series_of(stored), judged, found)
        return since if len(among) == _MOST_BARS else start

    def _compare_days(self, stored: Series) -> None:
        """Compare the newest ten days of a daily series with what else is known of them.

        Without a trusted calendar, the session that a day covers is not known.
        """
        days, symbol = self.bars.latest(stored, _DAYS), stored.symbol
        calendar = trusted_of(self.calendars.get(symbol), Interval.D1)
        if calendar is None or not len(days):
            return
        windows = calendar.bars_at(days.time, Interval.D1)
        found = [
            *self._with_intraday(stored, days, windows),
            *self._with_quote(stored, days, calendar),
        ]
        found.sort(key=lambda each: each.time)
        judged = (int(days.time[0]), int(days.time[-1]) + 1)
        self.findings.note_differences(series_of(stored), judged, found)

    def _with_intraday(
        self, stored: Series, days: Bars, windows: BarTimes
    ) -> Iterator[DayDifference]:
        """Yield differences from the longest intraday bars of which a whole session was fetched."""
        candidates = [Series(stored.symbol, interval) for interval in _SHORTER]
        coverages = self.statuses.coverages(candidates)
        for series in candidates:
            if (known := coverages.get(series)) is None:
                continue
            edges = zip(windows.opens.tolist(), windows.closes.tolist(), strict=True)
            is_whole = np.array([known.coverage.has_all(*edge) for edge in edges])
            if is_whole.any():
                whole = BarTimes(windows.opens[is_whole], windows.closes[is_whole])
                current = self.generations.current(series).bars
                bars = self.bars.read(current, int(whole.opens[0]), int(whole.closes[-1]))
                yield from day_differences(days, days_of(bars, whole), series.interval.value)
                return

    def _with_quote(
        self, stored: Series, days: Bars, calendar: Calendar
    ) -> Iterator[DayDifference]:
        quoted = self.reports.previous_day(stored.symbol)
        window = calendar.bar_of_day(quoted.day, Interval.D1) if quoted else None
        if quoted is not None and window is not None:
            yield from day_differences(days, bars_of_quote(quoted, window.open), "quote")
