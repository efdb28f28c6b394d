"""Use-case: find the bars that a series lacks, and request the syncs that fill them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pocketquant.domain.batches import batched
from pocketquant.domain.calendar import Calendar
from pocketquant.domain.coverage import Coverage, CoverageState, Ints, Missing, missing_bars
from pocketquant.domain.errors import InvalidRequest, NotFound
from pocketquant.domain.intervals import Interval
from pocketquant.domain.strip import StripPart, strip_of
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import MAX_BARS, Stop, SyncRequest
from pocketquant.storage import chunks
from pocketquant.storage.bars import BarStore
from pocketquant.storage.calendars import CalendarStore, KeptCalendar, trusted_of
from pocketquant.storage.coverage import KeptCoverage
from pocketquant.storage.generations import Generations, series_of
from pocketquant.storage.live_bars import LiveBarStore
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import StatusFilter, SyncStatus, SyncStatuses

_MOST_BARS = 2_000_000  # 3.8 years of minutes of a market that never closes
_CHUNKS_A_READ = 64
_MORE_BARS = 5  # the forming one, and some that the calendar does not have


@dataclass(frozen=True, slots=True)
class Examined:
    """The bars that a series lacks from `start` to before `end`.

    Without a calendar, or with a doubtful one, that cannot be known; `problem` says why. `stored`
    are the chunks that were examined, and `kept_calendar` the texts that syncs have seen.
    """

    series: Series
    stored: Series
    start: int
    end: int
    coverage: Coverage
    kept_calendar: KeptCalendar | None
    missing: Missing | None = None

    @property
    def calendar(self) -> Calendar | None:
        """Return the calendar, unless it is doubtful."""
        return trusted_of(self.kept_calendar, self.series.interval)

    @property
    def problem(self) -> str | None:
        """Return why missing bars are not known; None if they are."""
        if self.kept_calendar is None:
            return "no sync has seen the symbol's hours"
        return self.kept_calendar.trouble(self.series.interval)


@dataclass(frozen=True, slots=True)
class Quality:
    """How whole a series is, by what was fetched of it; bars are counted by the calendar.

    `not_fetched` are those between fetched stretches, `late` those that have closed since the last
    one; both are None if the calendar is unknown or doubtful. `lost` are fewer stored bars than
    once were, and `limited` says that the provider does not serve all of its past. `limit_bars` is
    how many of its bars the account's plan serves, if a sync of it or of another one has met that.
    """

    status: SyncStatus
    start: int | None
    gaps: int
    not_fetched: int | None
    late: int | None
    lost: int
    is_limited: bool
    limit_bars: int | None
    strip: list[StripPart]


@dataclass(frozen=True, slots=True)
class Holes:
    """Compares stored bars with calendars and coverage; the driver's errors pass through."""

    statuses: SyncStatuses
    bars: BarStore
    live_bars: LiveBarStore
    generations: Generations
    calendars: CalendarStore
    symbols: SymbolRegistry
    clock: Callable[[], float]

    def find(self, series: Series, start: int | None = None, end: int | None = None) -> Examined:
        """Return what a series lacks, by default since its first bar and until now.

        A bar is lacking once it has closed, by the provider's delayed clock. Live bars that were
        seen whole count as stored. NotFound if the series was never requested; InvalidRequest for
        an empty range.
        """
        kept = self.statuses.coverage(series)
        if kept is None:
            raise NotFound(f"{series} was never requested; sync it first")
        now, held = int(self.clock()), self.generations.current(series).bars
        start, end = self._range(held, kept, start, end, now)
        known = self.calendars.get(series.symbol)
        examined = Examined(series, held, start, end, kept.coverage, known)
        calendar = examined.calendar
        if calendar is None:
            return examined
        bars = calendar.bars(series.interval, start, end)
        delay = self.symbols.delays([series.symbol]).get(series.symbol, 0)
        expected = bars.opens[bars.closes <= now - delay]
        counts = self.bars.chunk_counts([held])[held]
        stored = self._stored(held, expected, counts)
        damaged = kept.damaged(series, counts)
        missing = missing_bars(expected, stored, kept.coverage, damaged)
        return replace(examined, missing=missing)

    def qualities(
        self, wanted: StatusFilter, offset: int, limit: int, strip_cells: int = 0
    ) -> tuple[list[Quality], int]:
        """Return how whole the series of a page are, and how many match; no bar is read for it.

        A strip is made of so many cells.
        """
        page, total = self.statuses.page_with_coverage(wanted, offset, limit)
        symbols = {status.series.symbol for status, _ in page}
        calendars, delays = self.calendars.of(symbols), self.symbols.delays(symbols)
        current = self.generations.currents([status.series for status, _ in page])
        counts = self.bars.chunk_counts([each.bars for each in current.values()])
        now, of_plan = int(self.clock()), self.statuses.limit()
        found: list[Quality] = []
        for status, kept in page:
            series = status.series
            calendar = trusted_of(calendars.get(series.symbol), series.interval)
            until = now - delays.get(series.symbol, 0)
            stored = counts[current[series].bars]
            found.append(_quality(status, kept, stored, calendar, until, of_plan, strip_cells))
        return found, total

    def repairs(
        self, symbols: Iterable[Symbol], intervals: Iterable[Interval]
    ) -> Iterator[SyncRequest]:
        """Yield the syncs that fill the holes of these symbols.

        Without intervals, all series are examined that were ever requested. A series whose
        calendar is unknown or doubtful is synced as far as one fetch reaches. One that the provider
        has no bar of, or does not know any more, is left to its schedules and users.
        """
        chosen = set(intervals)
        for symbol in symbols:
            for series in self.statuses.series_of(symbol):
                if not chosen or series.interval in chosen:
                    request = self._repair(series)
                    if request is not None:
                        yield request

    def _repair(self, series: Series) -> SyncRequest | None:
        status, examined = self.statuses.get(series), self.find(series)
        if status is not None and status.is_without_bars:
            return None
        has_nothing, calendar = examined.start == examined.end, examined.calendar
        if has_nothing or calendar is None or examined.missing is None:
            return SyncRequest(series, MAX_BARS)
        holes = examined.missing.fillable
        if not holes:
            return None
        oldest = min(hole.first_time for hole in holes)
        opens = calendar.opens(series.interval, oldest, int(self.clock()))
        n_bars = len(opens) + _MORE_BARS
        if n_bars <= MAX_BARS:
            return SyncRequest(series, n_bars)
        end = self._end(examined.missing)
        return SyncRequest(series, start=oldest, end=end, is_missing_only=True)

    @staticmethod
    def _end(missing: Missing) -> int | None:
        """Return the end of the newest hole; None if that is now."""
        if missing.not_synced:
            return None
        return max(hole.last_time for hole in missing.fillable) + 1

    def _range(
        self, series: Series, kept: KeptCoverage, start: int | None, end: int | None, now: int
    ) -> tuple[int, int]:
        """Return the part of a range that can have holes: the newest two million bars of it."""
        if start is not None and (now if end is None else end) <= start:
            raise InvalidRequest("end: must be after start")
        end = now if end is None else min(end, now)
        known = (kept.coverage.start, self.bars.extent(series).first_time)
        oldest = min((each for each in known if each is not None), default=end)
        longest = end - _MOST_BARS * series.interval.seconds
        start = max(oldest, longest, longest if start is None else start)
        return min(start, end), end

    def _stored(self, series: Series, expected: Ints, counts: Mapping[int, int]) -> Ints:
        """Return when the bars open that are stored, among them all expected ones.

        A chunk with as many bars as are expected of it is not read: they are the expected ones.
        """
        if not len(expected):
            return expected
        first, last = int(expected[0]), int(expected[-1]) + 1
        indexes, edges = chunks.windows(series, first, last)
        places = np.searchsorted(expected, edges)
        held = np.array([counts.get(index, 0) for index in indexes])
        is_whole = held == np.diff(places)
        doubtful = [index for index, whole in zip(indexes, is_whole, strict=True) if not whole]
        whole = expected[np.repeat(is_whole, np.diff(places))]
        return np.concatenate(
            [whole, *self._times(series, doubtful), self._live(series, first, last)]
        )

    def _times(self, series: Series, indexes: list[int]) -> Iterator[Ints]:
        ids = (chunks.id_of(series, index) for index in indexes)
        for batch in batched(ids, _CHUNKS_A_READ):
            yield from (bars.time for bars in self.bars.read_chunks([*batch]).values())

    def _live(self, series: Series, start: int, end: int) -> Ints:
        """Return when the live bars open that were seen whole."""
        series = series_of(series)
        partial = self.live_bars.partial_times(series)
        live = self.live_bars.read(series, start, end, None, newest=False).time
        return live[~np.isin(live, np.array(partial, dtype=np.int64))]


def _quality(
    status: SyncStatus,
    kept: KeptCoverage,
    counts: Mapping[int, int],
    calendar: Calendar | None,
    until: int,
    plan_limit: int | None,
    strip_cells: int,
) -> Quality:
    series, gaps, end = status.series, kept.coverage.gaps(), kept.coverage.end
    not_fetched = late = None
    if calendar is not None:
        not_fetched = sum(len(calendar.opens(series.interval, *gap)) for gap in gaps)
        if end is not None:
            closes = calendar.bars(series.interval, end, max(end, until)).closes
            late = int(np.count_nonzero(closes <= until))
    strip_end = end if late == 0 and end is not None else until
    damaged = kept.damaged(series, counts)
    return Quality(
        status=status,
        start=kept.coverage.start,
        gaps=len(gaps),
        not_fetched=not_fetched,
        late=late,
        lost=sum(max(0, count - counts.get(index, 0)) for index, count in kept.counts.items()),
        is_limited=CoverageState.LIMITED in {each.state for each in kept.coverage.ranges},
        limit_bars=_limit(status, plan_limit),
        strip=strip_of(kept.coverage, damaged, strip_end, strip_cells) if strip_cells else [],
    )


def _limit(status: SyncStatus, plan_limit: int | None) -> int | None:
    if status.reach is not None and status.reach.stop is Stop.LIMIT:
        return status.reach.bars
    return plan_limit if status.series.interval.is_intraday else None
