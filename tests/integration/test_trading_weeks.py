"""Weeks of trading in virtual time: quotes of simulated exchanges become the exchanges' own bars.

The simulated server encodes each change of a quote; a quote session reads it, and an aggregator
builds the bars, by calendars parsed from the simulator's descriptions of the symbols. Weeks are
made of the days.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import pytest

from pocketquant.domain.aggregation import BarAggregator
from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import parse_calendar
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.quotes import Quote
from pocketquant.domain.symbols import Symbol
from pocketquant.domain.weeks import WEEKS_AND_MONTHS, Days, closed_of
from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.wire.faults import Faults
from pocketquant.simulator.wire.quotes import SimulatedQuoteSession
from pocketquant.tradingview.messages import QUOTE_FIELDS
from pocketquant.tradingview.quotes import QuoteSession
from tests.resolutions import resolution_of
from tests.simulated import calendar_of, known

NAME = "qs_week"
MARKET = Market({})
BUILT = tuple(interval for interval in Interval if interval not in WEEKS_AND_MONTHS)
FIELDS = [name for name in QUOTE_FIELDS if name not in {"bid", "ask"}]  # half of all messages
MOST_BARS = 15_000  # more than the minutes of a week

EXCHANGES = (
    "NASDAQ:AAPL",
    "OANDA:EURUSD",
    "CME_MINI:ES1!",
    "NSE:RELIANCE",
    "HKEX:700",
    "BINANCE:BTCUSDT",
)
ALWAYS_IN_CHICAGO = "CME:BTC1!"
SELDOM = {"OTC:SELDOM"}  # a week is partial if a day without a trade is in it

Rows = list[tuple[float | None, ...]]


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@dataclass
class Stream:
    """A connection since a second before `start`, and the bars that have closed."""

    symbols: Sequence[str]
    start: int
    closed: list[LiveBar] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.calendars = {symbol: calendar_of(known(symbol)) for symbol in self.symbols}
        self.bars = self._aggregator()
        self._connect(self.start)

    def run_until(self, end: int) -> None:
        """Let the time pass."""
        for now in range(self._now + MINUTE, end + 1, MINUTE):
            self._receive(self._server.push(now * 1000), now)
            self.closed += self.bars.advance(now)
        self._now = end

    def finish(self, end: int) -> None:
        """Let the time pass, and a while more in which the last bars of delayed symbols close."""
        most_delay = max(known(symbol).delay_seconds for symbol in self.symbols)
        self.run_until(end + most_delay + MINUTE)

    def break_off(self, until: int, is_restart: bool) -> None:
        """Lose the connection now, or end and start again; be connected from `until` on."""
        if is_restart:
            before, self.bars = self.bars, self._aggregator()
            for symbol in self.symbols:
                self.bars.resume(before.state(symbol), self._now)
        else:
            self.bars.lose(self._now)
        self._connect(until, self._client.quotes())

    def _aggregator(self) -> BarAggregator:
        aggregator = BarAggregator()
        for symbol, calendar in self.calendars.items():
            aggregator.learn(symbol, calendar, self.start)
        return aggregator

    def _connect(self, at: int, quotes: Iterable[Quote] = ()) -> None:
        """Connect a second before a time, from which on all is seen."""
        self._now = at
        self._server = SimulatedQuoteSession(NAME, MARKET, Faults())
        self._client = QuoteSession(NAME, "token", quotes)
        self._client.add(map(Symbol.parse, self.symbols))
        self._server.answer("quote_set_fields", [NAME, *FIELDS], 0)
        before = at - 1
        added = self._server.answer("quote_add_symbols", [NAME, *self.symbols], before * 1000)
        self._receive(added, before)

    def live(self, symbol: str, interval: Interval, end: int) -> Rows:
        """Return the whole bars since the start that closed by `end`."""
        return [
            (bar.start, bar.open, bar.high, bar.low, bar.close, bar.volume)
            for bar in self.closed
            if bar.symbol == symbol
            and bar.interval is interval
            and bar.start >= self.start
            and bar.end <= end
            and not bar.is_partial
        ]

    def weeks(self, symbol: str, end: int) -> Rows:
        """Return the whole weeks that the live days make."""
        rows = np.array(self.live(symbol, Interval.D1, end), dtype=float).reshape(-1, 6)
        made = closed_of(Days(Bars(rows.T.copy())), Interval.W1, self.calendars[symbol])
        whole = made.chosen(~made.is_partial)
        return list(zip(*(column.tolist() for column in whole.bars.columns), strict=True))

    def own(self, symbol: str, interval: Interval, end: int) -> Rows:
        """Return the exchange's own bars since the start that closed by `end`."""
        newest = MARKET.newest(
            known(symbol), resolution_of(interval), end + 2 * DAY, MOST_BARS, end
        )
        bars = newest.bars.between(self.start, end)
        closes = self.calendars[symbol].bars_at(bars.time, interval).closes
        rows = zip(*(column.tolist() for column in bars.columns), strict=True)
        return [row for row, close in zip(rows, closes.tolist(), strict=True) if close <= end]

    def _receive(self, texts: Iterable[str], now: int) -> None:
        received = self._client.receive("".join(texts), now)
        for symbol, delay_seconds in received.delays:
            self.bars.see(symbol, now, delay_seconds)
        self.bars.take(received.ticks)
        for quote in (*received.ended, *self._client.changed()):
            self.bars.report(quote, is_whole=True)
        assert not received.doubts


@pytest.mark.parametrize(
    ("start", "end", "symbols"),
    [
        pytest.param(
            "2026-11-22T00:00",
            "2026-11-29T00:00",
            (*EXCHANGES, *SELDOM),
            id="a week with an early close, and a stock that trades on some of its days",
        ),
        pytest.param(
            "2026-03-07T12:00",
            "2026-03-10T00:00",
            (*EXCHANGES, ALWAYS_IN_CHICAGO),
            id="clocks of the US go forward",
        ),
        pytest.param(
            "2026-10-31T12:00",
            "2026-11-03T00:00",
            (*EXCHANGES, ALWAYS_IN_CHICAGO, "ICEEUR:BRN1!"),
            id="clocks of the US go back",
        ),
        pytest.param("2025-12-31T12:00", "2026-01-03T00:00", EXCHANGES, id="New Year"),
        pytest.param(
            "2025-10-20T00:00", "2025-10-23T12:00", ("NSE:RELIANCE",), id="a session on a holiday"
        ),
        pytest.param("2026-07-30T00:00", "2026-08-05T00:00", ("NSE:TCS",), id="hours that change"),
    ],
)
def test_live_bars_are_the_exchanges_own(start: str, end: str, symbols: tuple[str, ...]) -> None:
    """Whole live bars equal history in open time and all values; none is missing or extra."""
    stream = Stream(symbols, at(start))
    stream.finish(at(end))
    for symbol in symbols:
        for interval in BUILT:
            own = stream.own(symbol, interval, at(end))
            live = stream.live(symbol, interval, at(end))
            only_one_has = sorted(set(own) ^ set(live))
            assert [] == only_one_has[:4], f"{symbol} {interval.value}"
            assert len(own) == len(live) > 0
        if symbol not in SELDOM:
            assert stream.own(symbol, Interval.W1, at(end)) == stream.weeks(symbol, at(end))
    assert 0 == stream.bars.late_ticks.total() + stream.bars.missed_ticks.total()


@pytest.mark.parametrize("is_restart", [False, True])
@pytest.mark.parametrize(
    ("symbol", "start", "lost", "seen", "end"),
    [
        ("HKEX:700", "11-23T01:00", "11-23T03:50", "11-23T05:10", "11-23T08:30"),
        ("NASDAQ:AAPL", "11-27T14:00", "11-27T17:20", "11-27T17:50", "11-27T18:30"),
        ("NASDAQ:AAPL", "11-27T14:00", "11-27T14:10", "11-27T14:20", "11-27T18:30"),
        ("CME:BTC1!", "03-08T06:00", "03-08T07:50", "03-08T08:05", "03-09T05:30"),
        ("CME_MINI:ES1!", "11-26T17:30", "11-26T17:50", "11-26T23:10", "11-27T18:30"),
    ],
    ids=["lunch", "early close", "before the open", "clock change", "holiday"],
)
def test_a_gap_costs_only_the_bars_that_it_touches(
    symbol: str, start: str, lost: str, seen: str, end: str, is_restart: bool
) -> None:
    """Bars outside the gap are whole and the exchange's own; no other bar counts as whole."""
    start, lost, seen, end = (f"2026-{text}" for text in (start, lost, seen, end))
    stream = Stream([symbol], at(start))
    stream.run_until(at(lost))
    stream.break_off(at(seen), is_restart)
    stream.finish(at(end))
    for interval in BUILT:
        if interval.is_intraday:
            own, live = (each(symbol, interval, at(end)) for each in (stream.own, stream.live))
            opens = np.array([row[0] for row in own], dtype=np.int64)
            closes = stream.calendars[symbol].bars_at(opens, interval).closes
            is_touched = (opens < at(seen) - 1) & (closes > at(lost))
            assert [row for row, each in zip(own, is_touched, strict=True) if not each] == live


def test_hours_that_change_while_the_streamer_runs() -> None:
    """Bars of the day on which they become known may be partial; all others are whole and right."""
    symbol, day, end = "NSE:TCS", at("2026-08-03"), at("2026-08-05")
    stream = Stream([symbol], at("2026-07-31"))
    changed = stream.calendars[symbol]
    before = replace(changed.texts, session=changed.texts.session.partition("#")[0])
    stream.bars.learn(symbol, parse_calendar(before), stream.start)
    stream.bars.regrouped()
    stream.run_until(day + 6 * HOUR)
    stream.bars.learn(symbol, changed, day + 6 * HOUR)
    assert [] == stream.bars.regrouped()
    stream.finish(end)
    ((_, (start, _), _),) = stream.bars.regrouped()
    assert day == start - start % DAY
    for interval in BUILT:
        own, live = stream.own(symbol, interval, end), stream.live(symbol, interval, end)
        assert set(live) <= set(own)
        assert {day} >= {row[0] - row[0] % DAY for row in set(own) - set(live)}
