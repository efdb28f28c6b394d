"""Use-case: the quotes of one shard become bars, and both go onto the quote board.

    learn           the calendars of symbols, which bound their bars
    watch           subscribed symbols; those on the board are resumed
    open            a session of quotes, for a connection
    receive         texts of the connection → ticks → open bars; quotes → open days
    advance         the clock → closed bars
    write           all changes, as one flush → the board
    lose            the connection; bars of the lost time are partial

One thread calls all of it.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pocketquant.cache.board import QuoteBoard
from pocketquant.cache.board_records import RefusedSymbol, UnreadableSymbol
from pocketquant.cache.board_writer import BoardWriter, Entry, Flush
from pocketquant.domain.aggregation import BarAggregator
from pocketquant.domain.calendar import Calendar
from pocketquant.domain.day_bars import closing_time
from pocketquant.domain.gaps import Gap
from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.market_clock import MarketClock
from pocketquant.domain.periods import period, periods_lost
from pocketquant.domain.quotes import Quote
from pocketquant.domain.repairs import Repairs
from pocketquant.domain.reports import Report
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.weeks import WEEKS_AND_MONTHS
from pocketquant.live.pending_writes import BoardChanges, PendingWrites
from pocketquant.storage.calendars import KeptCalendar
from pocketquant.tradingview.quotes import DroppedQuote, QuoteSession


class QuoteRecorder:
    """Quotes and open bars of one shard's watched symbols. Times are epoch seconds.

    `intervals` are the intervals of the bars that `advance` returns.
    """

    def __init__(
        self,
        board: QuoteBoard,
        shard: str,
        intervals: Iterable[Interval],
        grace_seconds: float,
        repairs: Repairs,
        clock: MarketClock,
    ) -> None:
        self._board = board
        self._shard = shard
        self._intervals = frozenset(intervals)
        self._repairs = repairs
        self._clock = clock
        self._bars = BarAggregator({*self._intervals, Interval.M1}, grace_seconds)
        self._session: QuoteSession | None = None
        self.watched: frozenset[str] = frozenset()
        self._calendars: Mapping[str, KeptCalendar] = {}
        self._quotes: dict[str, Quote] = {}
        self._resumed: set[str] = set()
        self._lacking: set[str] = set()  # an unreadable quote may have changed these
        self._refused: dict[str, RefusedSymbol] = {}
        self._unreadable: dict[str, UnreadableSymbol] = {}
        self._doubtful: deque[tuple[float, list[LiveBar]]] = deque()
        self._marks: list[LiveBar] = []
        self._reports: dict[str, Report] = {}
        self._new_reports: dict[str, Report] = {}
        self._pending = PendingWrites()
        self.ticks = 0
        self.unreadable_quotes = 0
        self.newest_tick_at = 0
        self.has_heard = False

    @property
    def refused(self) -> tuple[RefusedSymbol, ...]:
        """The watched symbols that the provider does not serve, with the reasons."""
        return tuple(self._refused.values())

    @property
    def unreadable(self) -> tuple[UnreadableSymbol, ...]:
        """The watched symbols with unreadable quotes, which were dropped."""
        return tuple(self._unreadable.values())

    @property
    def late_ticks(self) -> int:
        return self._bars.late_ticks.total()

    @property
    def missed_ticks(self) -> int:
        return self._bars.missed_ticks.total()

    @property
    def out_of_session_ticks(self) -> int:
        return self._bars.out_of_session_ticks.total()

    def learn(self, calendars: Mapping[str, KeptCalendar], now: float) -> None:
        """Use these calendars, by symbol; bars of an interval in doubt are withheld."""
        before, self._calendars = self._calendars, calendars
        for symbol in self.watched:
            if calendars.get(symbol) is not before.get(symbol):
                self._bars.learn(symbol, self._calendar(symbol), now)
        self._note_regrouped()

    def watch(self, symbols: frozenset[str]) -> None:
        """Watch exactly these symbols. The driver's errors pass through, and change nothing."""
        new, gone = symbols - self.watched, self.watched - symbols
        resumable = self._board.resumable(self._shard, sorted(new))
        for symbol in new:
            self._bars.learn(symbol, self._calendar(symbol), 0)
        for each in resumable:
            self._bars.resume(each.bars, each.seen_until)
            self._quotes[each.bars.symbol] = each.quote
            self._resumed.add(each.bars.symbol)
        for symbol in gone:
            self._give_up(symbol)
        self._pending.forgotten = (self._pending.forgotten | gone) - new
        self.watched = symbols
        if self._session is not None:
            self._session.remove(map(Symbol.parse, sorted(gone)))
            self._session.add(map(Symbol.parse, sorted(new)))

    def open(self, session: str, token: str) -> QuoteSession:
        """A session for a new connection, which requests all watched symbols."""
        self._refused.clear()
        self._lacking.clear()
        self._session = QuoteSession(session, token, self._quotes.values())
        self._session.add(map(Symbol.parse, sorted(self.watched)))
        return self._session

    def receive(self, text: str, now: float) -> int:
        """Read a text of the connection that came at `now`; return its number of ticks.

        The first text of a connection sets the market clock.
        """
        if self._session is None:
            return 0
        received = self._session.receive(text, now)
        if (greeted_at := self._session.greeted_at()) is not None:
            self._clock.greet(greeted_at, now)
        self.has_heard = True
        for symbol, delay_seconds in received.delays:
            self._bars.see(symbol, now, delay_seconds)
            is_restart = symbol in self._resumed
            self._resumed.discard(symbol)
            self._note_gaps(symbol, self._bars.gaps(symbol), is_restart)
        if received.ended:
            self._report(received.ended)
        if received.ticks:
            self._bars.take(received.ticks)
            self.ticks += len(received.ticks)
            symbol, time, *_ = received.ticks[-1]
            self.newest_tick_at = max(self.newest_tick_at, time)
            self._clock.trade(symbol, time + self._bars.delay_seconds(symbol), now)
            for symbol, time in (*self._bars.too_late(), *received.doubts):
                self._mark_minute(symbol, time)
            self._note_regrouped()
        self._note_reports(received.reports)
        for dropped in received.dropped:
            self._drop_quote(dropped, now)
        for symbol, error in received.refused:
            self._refuse(RefusedSymbol(symbol, error.code, str(error)), now)
        return len(received.ticks)

    def has_news(self) -> bool:
        """Take over the changed quotes; whether any has changed since the last call."""
        changed = self._session.changed() if self._session else ()
        for quote in changed:
            self._quotes[quote.symbol] = quote
            self._pending.news.add(quote.symbol)
        self._report(changed)
        return bool(changed)

    def advance(self, now: float, heard_at: float) -> list[LiveBar]:
        """Move the clock to `now`; return the closed bars, and marks of incomplete earlier ones.

        Bars that close after `heard_at`, the time of the last quotes, may still lack some: `lose`
        returns them again.
        """
        self._clock.judge(now, len(self.watched))
        closed = self._bars.advance(now)
        self._pending.closed.update(bar.symbol for bar in closed)
        wanted = [
            bar for bar in closed if bar.interval in self._intervals and not self._is_withheld(bar)
        ]
        if wanted:
            self._doubtful.append((now, wanted))
            self._repair_days(wanted, now)
        while self._doubtful and self._doubtful[0][0] <= heard_at:
            self._doubtful.popleft()
        marks, self._marks = self._marks, []
        return wanted + marks

    def lose(self, since: float) -> list[LiveBar]:
        """Give up the connection, which has sent nothing `since` that time.

        Return, as partial, the bars that were closed as complete but hold some of the lost time.
        """
        self.has_news()
        self._session = None
        self._bars.lose(since)
        self._pending.whole |= self._quotes.keys()
        closed = [bar for _, bars in self._doubtful for bar in bars if bar.symbol in self._bars]
        self._doubtful.clear()
        partial = [
            bar._replace(is_partial=True)
            for bar in closed
            if self._bars.closing_time(bar) > since and not bar.is_partial
        ]
        self._repair_days(partial, since)
        return partial

    def repairs_due(self, now: float) -> dict[Series, int]:
        """The series to sync because of gaps, each with the start of its first gap."""
        return self._repairs.due(now)

    def new_reports(self) -> dict[str, Report]:
        """Return the reports of quotes that have changed since the last call, by symbol."""
        new, self._new_reports = self._new_reports, {}
        return new

    def write(self, writer: BoardWriter, flush: Flush, is_renewal: bool) -> None:
        """Add all changes to the flush, and write it.

        With `is_renewal`, due every 20 s, records without a change are kept from expiring. After a
        failure the next flush writes everything; LeaseLost passes through.
        """
        changes = self._pending.begin(self._quotes.keys(), is_renewal)
        expired = writer.write(
            replace(
                flush,
                entries=(self._entry(symbol, changes) for symbol in changes.due),
                kept=tuple(changes.kept),
                forgotten=tuple(changes.forgotten),
            )
        )
        self._pending.finish(changes, expired, is_renewal)

    def _entry(self, symbol: str, changes: BoardChanges) -> Entry:
        has_closed = changes.has_closed(symbol)
        return Entry(
            self._quotes[symbol],
            self._bars.state(symbol, has_longer=has_closed),
            is_news=changes.is_news(symbol),
            has_closed=has_closed,
        )

    def _report(self, quotes: Iterable[Quote]) -> None:
        """Note the days that these quotes report."""
        lacking = self._session.awaited | self._lacking if self._session else self.watched
        for quote in quotes:
            if quote.symbol in self._bars:
                self._bars.report(quote, is_whole=quote.symbol not in lacking)

    def _note_reports(self, reports: Mapping[str, Report]) -> None:
        for symbol, report in reports.items():
            if self._reports.get(symbol) != report:
                self._reports[symbol] = self._new_reports[symbol] = report

    def _mark_minute(self, symbol: str, time: int) -> None:
        """Have the bars that hold the minute of `time` marked partial, and repaired."""
        self._note_gaps(symbol, [self._bars.mark_minute(symbol, time)])
        calendar, closed_until = self._bars.calendar(symbol), self._bars.closed_until(symbol)
        for interval in (each for each in self._intervals if each.is_intraday):
            held = period(calendar, interval, time)
            if held is not None and held[1] <= closed_until:
                self._marks.append(LiveBar.mark(symbol, interval, held))

    def _note_regrouped(self) -> None:
        """Have the bars of the time in which a calendar changed marked partial, and repaired."""
        for symbol, gap, before in self._bars.regrouped():
            self._note_gaps(symbol, [gap])
            self._pending.whole.add(symbol)
            if symbol in self._quotes:
                self._report([self._quotes[symbol]])
            if before is not None:
                self._mark_lost(symbol, gap, before)

    def _mark_lost(self, symbol: str, gap: Gap, before: Calendar) -> None:
        """Mark the closed bars of the gap that the calendar before had, and the one now has not."""
        calendar, closed_until = self._bars.calendar(symbol), self._bars.closed_until(symbol)
        lost = [
            LiveBar.mark(symbol, interval, each)
            for interval in self._intervals - WEEKS_AND_MONTHS
            for each in periods_lost(before, calendar, interval, *gap)
            if interval.is_intraday or closing_time(each, before) <= closed_until
        ]
        self._marks += lost
        self._repair_days(lost, closed_until)

    def _note_gaps(self, symbol: str, gaps: Iterable[Gap], is_restart: bool = False) -> None:
        calendar, delay_seconds = self._bars.calendar(symbol), self._bars.delay_seconds(symbol)
        self._repairs.note(symbol, gaps, calendar, delay_seconds, is_restart)

    def _repair_days(self, closed: Iterable[LiveBar], now: float) -> None:
        """Have the partial days among closed bars repaired."""
        for bar in closed:
            if bar.interval is Interval.D1 and bar.is_partial:
                self._repairs.note_day(bar, now)

    def _calendar(self, symbol: str) -> Calendar | None:
        kept = self._calendars.get(symbol)
        return kept.calendar if kept else None

    def _is_withheld(self, bar: LiveBar) -> bool:
        kept = self._calendars.get(bar.symbol)
        return kept is not None and bar.interval in kept.doubts

    def _drop_quote(self, dropped: DroppedQuote, now: float) -> None:
        """Count the quote, and have the bars that may lack its trade marked and repaired."""
        self.unreadable_quotes += 1
        symbol, fault = dropped
        if not symbol:
            return
        before = self._unreadable.get(symbol)
        count = before.count + 1 if before else 1
        self._unreadable[symbol] = UnreadableSymbol(symbol, count, fault)
        if symbol in self._bars:
            self._lacking.add(symbol)
            self._bars.doubt(symbol, now)
            self._note_gaps(symbol, self._bars.gaps(symbol))

    def _refuse(self, refused: RefusedSymbol, now: float) -> None:
        """Note the reason; open bars of the symbol will close as partial."""
        self._refused[refused.symbol] = refused
        self._quotes.pop(refused.symbol, None)
        self._pending.forgotten.add(refused.symbol)
        if refused.symbol in self._bars:
            self._bars.lose(now, [refused.symbol])

    def _give_up(self, symbol: str) -> None:
        self._refused.pop(symbol, None)
        self._unreadable.pop(symbol, None)
        self._reports.pop(symbol, None)
        self._quotes.pop(symbol, None)
        if symbol in self._bars:
            self._bars.forget(symbol)
