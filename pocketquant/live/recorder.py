"""Use-case: what one shard's stream of quotes says, onto the board and into bars.

    watch           the symbols wished for; those on the board are gone on with
    open            a session of quotes, for a connection
    receive         texts of the connection → ticks → open bars
    advance         the clock → closed bars
    write           what has changed, one flush → the board
    lose            the connection, and with it what it did not tell

One loop calls all of it, one after the other.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from pocketquant.cache.board import QuoteBoard
from pocketquant.cache.board_records import RefusedSymbol, UnreadableSymbol
from pocketquant.cache.board_writer import BoardWriter, Entry, Flush
from pocketquant.domain.aggregation import BarAggregator
from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.market_clock import MarketClock
from pocketquant.domain.quotes import Quote
from pocketquant.domain.repairs import Repairs
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.tradingview.quotes import DroppedQuote, QuoteSession


class QuoteRecorder:
    """One shard's symbols, from when they are first watched. Times are epoch seconds.

    `intervals` are those of the bars that `advance` gives.
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
        self._watched: frozenset[str] = frozenset()
        self._quotes: dict[str, Quote] = {}
        self._resumed: set[str] = set()
        self._refused: dict[str, RefusedSymbol] = {}
        self._unreadable: dict[str, UnreadableSymbol] = {}
        self._doubtful: deque[tuple[float, list[LiveBar]]] = deque()
        self._marks: list[LiveBar] = []
        self._minutes_closed: set[str] = set()
        self._news: set[str] = set()
        self._to_write: set[str] = set()
        self._to_forget: set[str] = set()
        self._written: set[str] = set()
        self.ticks = 0
        self.unreadable_quotes = 0
        self.newest_tick_at = 0
        self.has_heard = False

    @property
    def watched(self) -> frozenset[str]:
        return self._watched

    @property
    def refused(self) -> tuple[RefusedSymbol, ...]:
        """The watched symbols that the provider does not serve, and why."""
        return tuple(self._refused.values())

    @property
    def unreadable(self) -> tuple[UnreadableSymbol, ...]:
        """The watched symbols of which quotes were dropped, and why the last one was."""
        return tuple(self._unreadable.values())

    @property
    def late_ticks(self) -> int:
        return self._bars.late_ticks.total()

    @property
    def missed_ticks(self) -> int:
        return self._bars.missed_ticks.total()

    def watch(self, symbols: frozenset[str]) -> None:
        """Watch exactly these. The driver's errors pass through, and nothing has changed then."""
        new, gone = symbols - self._watched, self._watched - symbols
        for each in self._board.resumable(self._shard, sorted(new)):
            self._bars.resume(each.bars, each.seen_until)
            self._quotes[each.bars.symbol] = each.quote
            self._resumed.add(each.bars.symbol)
        for symbol in gone:
            self._give_up(symbol)
        self._to_forget = (self._to_forget | gone) - new
        self._watched = symbols
        if self._session is not None:
            self._session.remove(map(Symbol.parse, sorted(gone)))
            self._session.add(map(Symbol.parse, sorted(new)))

    def open(self, session: str, token: str) -> QuoteSession:
        """A session for a new connection, asking for all that is watched."""
        self._refused.clear()
        self._session = QuoteSession(session, token, self._quotes.values())
        self._session.add(map(Symbol.parse, sorted(self._watched)))
        return self._session

    def receive(self, text: str, now: float) -> int:
        """Take a text of the connection in, which came at `now`; how many ticks it held.

        The first one sets the clock.
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
            self._repairs.note(symbol, self._bars.gaps(symbol), delay_seconds, is_restart)
        if received.ticks:
            self._bars.take(received.ticks)
            self.ticks += len(received.ticks)
            symbol, time, *_ = received.ticks[-1]
            self.newest_tick_at = max(self.newest_tick_at, time)
            self._clock.trade(symbol, time + self._bars.delay_seconds(symbol), now)
            for symbol, time in (*self._bars.too_late(), *received.doubts):
                self._question(symbol, time)
        for dropped in received.dropped:
            self._drop_quote(dropped, now)
        for symbol, error in received.refused:
            self._refuse(RefusedSymbol(symbol, error.code, str(error)), now)
        return len(received.ticks)

    def has_news(self) -> bool:
        """Take in which quotes have changed; whether any has since this was last asked."""
        changed = self._session.changed() if self._session else ()
        for quote in changed:
            self._quotes[quote.symbol] = quote
            self._news.add(quote.symbol)
        return bool(changed)

    def advance(self, now: float, heard_at: float) -> list[LiveBar]:
        """The bars that close as the clock moves to `now`; and marks of bars closed before.

        Those that end after `heard_at`, when quotes came last, may yet turn out to lack some: see
        `lose`.
        """
        self._clock.judge(now, len(self._watched))
        closed = self._bars.advance(now)
        self._minutes_closed.update(bar.symbol for bar in closed if bar.interval is Interval.M1)
        wanted = [bar for bar in closed if bar.interval in self._intervals]
        if wanted:
            self._doubtful.append((now, wanted))
        while self._doubtful and self._doubtful[0][0] <= heard_at:
            self._doubtful.popleft()
        marks, self._marks = self._marks, []
        return wanted + marks

    def lose(self, since: float) -> list[LiveBar]:
        """The connection has told nothing `since` then, and is given up.

        Gives the bars that were closed as whole but have some of that time: now they are partial.
        """
        self.has_news()
        self._session = None
        self._bars.lose(since)
        self._to_write |= self._quotes.keys()
        closed = [bar for _, bars in self._doubtful for bar in bars if bar.symbol in self._bars]
        self._doubtful.clear()
        return [
            bar._replace(is_partial=True)
            for bar in closed
            if bar.end + self._bars.delay_seconds(bar.symbol) > since and not bar.is_partial
        ]

    def repairs_due(self, now: float) -> dict[Series, int]:
        """The series that are to be synced because of gaps, each since when."""
        return self._repairs.due(now)

    def write(self, writer: BoardWriter, flush: Flush, is_to_renew: bool) -> None:
        """Complete the flush with all that has changed, and do it.

        With `is_to_renew`, which is for every 20 s, symbols without a change live on. LeaseLost
        from the writer; after any failure all of it is written the next time.
        """
        due = (self._to_write | self._news | self._minutes_closed) & self._quotes.keys()
        kept = self._quotes.keys() - self._written - due if is_to_renew else ()
        wholly = self._to_write
        flush = replace(
            flush,
            entries=(self._entry(symbol, symbol in wholly) for symbol in due),
            kept=tuple(kept),
            forgotten=tuple(self._to_forget),
        )
        self._to_write = wholly | self._quotes.keys()  # unless it succeeds
        gone = writer.write(flush)
        self._to_write = set(gone)
        self._written = set() if is_to_renew else self._written | due
        self._news.clear()
        self._minutes_closed.clear()
        self._to_forget.clear()

    def _entry(self, symbol: str, is_all_due: bool) -> Entry:
        has_closed = is_all_due or symbol in self._minutes_closed
        return Entry(
            self._quotes[symbol],
            self._bars.state(symbol, has_longer=has_closed),
            is_news=is_all_due or symbol in self._news,
            has_closed=has_closed,
        )

    def _question(self, symbol: str, time: int) -> None:
        """Have the bars marked and repaired whose minute of `time` lacks or doubles something."""
        delay_seconds = self._bars.delay_seconds(symbol)
        self._repairs.note(symbol, [self._bars.question(symbol, time)], delay_seconds)
        closed_until = self._bars.closed_until(symbol)
        self._marks += (
            LiveBar.mark(symbol, interval, time)
            for interval in self._intervals
            if interval.period_end(time) <= closed_until
        )

    def _drop_quote(self, dropped: DroppedQuote, now: float) -> None:
        """Count it, and have the bars that may lack a trade marked and repaired."""
        self.unreadable_quotes += 1
        symbol, fault = dropped
        if not symbol:
            return
        before = self._unreadable.get(symbol)
        count = before.count + 1 if before else 1
        self._unreadable[symbol] = UnreadableSymbol(symbol, count, fault)
        if symbol in self._bars:
            self._bars.doubt(symbol, now)
            delay_seconds = self._bars.delay_seconds(symbol)
            self._repairs.note(symbol, self._bars.gaps(symbol), delay_seconds)

    def _refuse(self, refused: RefusedSymbol, now: float) -> None:
        """Show why; its open bars close as partial ones."""
        self._refused[refused.symbol] = refused
        self._quotes.pop(refused.symbol, None)
        self._to_forget.add(refused.symbol)
        if refused.symbol in self._bars:
            self._bars.lose(now, [refused.symbol])

    def _give_up(self, symbol: str) -> None:
        self._refused.pop(symbol, None)
        self._unreadable.pop(symbol, None)
        self._quotes.pop(symbol, None)
        if symbol in self._bars:
            self._bars.forget(symbol)
