"""Live days beside the exchange's own, on a market whose time the test moves."""

from collections.abc import Callable, Collection

import msgspec
import numpy as np
import pandas as pd
import pytest

from pocketquant.cache.board_writer import BoardWriter, Flush
from pocketquant.coordination.leases import Leases
from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.intervals import HOUR, MINUTE, Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.market_clock import MarketClock
from pocketquant.domain.repairs import Repairs
from pocketquant.domain.symbols import Series
from pocketquant.live.recorder import QuoteRecorder
from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.market.world import find
from pocketquant.simulator.wire import answers
from pocketquant.simulator.wire.faults import Fault, FaultKind, Faults
from pocketquant.simulator.wire.outgoing import Action, Send
from pocketquant.simulator.wire.session import Conversation
from pocketquant.simulator.wire.tally import Tally
from pocketquant.storage.calendars import KeptCalendar
from pocketquant.tradingview.calendar_texts import calendar_texts
from pocketquant.tradingview.messages import Resolved
from pocketquant.wiring import Platform
from tests.forming import kept
from tests.resolutions import resolution_of

STEP_SECONDS = 30
WITH_SMALL_GRACE = 2.0
AAPL, EURUSD, BITCOIN = "NASDAQ:AAPL", "OANDA:EURUSD", "BINANCE:BTCUSDT"
FUTURE, DELAYED, INDEX = "CME_MINI:ES1!", "NSE:RELIANCE", "TVC:RUT"

Row = tuple[int, float, float, float, float, float | None]


def seconds(text: str) -> int:
    return int(pd.Timestamp(text, tz="UTC").timestamp())


class LiveDays:
    """A streamer of some symbols without sockets, from `start` of the market's time on."""

    def __init__(self, platform: Platform, symbols: Collection[str], start: str) -> None:
        self.platform = platform
        self.now = seconds(start)
        self.market, self.faults = Market({}), Faults()
        self.symbols = frozenset(symbols)
        self.closed: list[LiveBar] = []
        self.start()
        self.connect()

    def start(self, knows_hours: bool = True) -> None:
        """Begin with a new recorder, which goes on from the quote board."""
        clock = MarketClock(self.now, 0.0, 1e9)
        repairs = Repairs((Interval.D1,), 0.0)
        self.recorder = QuoteRecorder(
            self.platform.board, "1-of-1", (Interval.D1,), WITH_SMALL_GRACE, repairs, clock
        )
        if knows_hours:
            self.learn()
        self.recorder.watch(self.symbols)

    def learn(self, hours: CalendarTexts | None = None) -> None:
        """Use the calendars of the exchanges, or one of these hours."""
        calendars = {each: kept(each, hours) if hours else hours_of(each) for each in self.symbols}
        self.recorder.learn(calendars, self.now)

    def connect(self) -> None:
        self.conversation = Conversation(self.market, self.faults, Tally())
        self.session = self.recorder.open("qs_mine", "unauthorized_user_token")
        self.receive(self.conversation.open(self.now * 1000))

    def receive(self, actions: list[Action]) -> None:
        for action in actions:
            assert isinstance(action, Send)
            self.recorder.receive(action.text, self.now)
        for text in self.session.outgoing():
            self.receive(self.conversation.receive(text, self.now * 1000))

    def run(self, until: str) -> None:
        """Move the time on, connected."""
        while self.now < seconds(until):
            self.now += STEP_SECONDS
            self.receive(self.conversation.push(self.now * 1000))
            while self.conversation.is_behind(self.now * 1000):
                self.receive(self.conversation.push(self.now * 1000))
            self.recorder.has_news()
            self.closed += self.recorder.advance(self.now, self.now)

    def lose(self, until: str) -> None:
        """Lose the connection, and move the time on without one."""
        self.closed += self.recorder.lose(self.now)
        self.now = seconds(until)
        self.closed += self.recorder.advance(self.now, self.now)

    def days(self, symbol: str) -> list[tuple[Row, bool]]:
        """The closed days, and whether they are partial."""
        return [
            ((bar.start, *bar[4:9]), bar.is_partial) for bar in self.closed if bar.symbol == symbol
        ]

    def exchanges_own(self, symbol: str, opened: str) -> Row:
        """The day of history that opens then."""
        instrument = find(symbol)
        assert instrument
        resolution = resolution_of(Interval.D1)
        bars: Bars = self.market.newest(instrument, resolution, self.now, 10).bars
        time, *prices, volume = bars.between(seconds(opened), seconds(opened) + 1).columns[:, 0]
        return (int(time), *map(float, prices), float(volume) if instrument.has_volume else None)

    def due(self) -> dict[Series, int]:
        return self.recorder.repairs_due(self.now + HOUR)


def hours_of(symbol: str) -> KeptCalendar:
    """The calendar that a sync of the symbol would keep."""
    instrument = find(symbol)
    assert instrument
    texts = calendar_texts(msgspec.convert(answers.resolved(instrument), Resolved))
    assert texts
    return kept(symbol, texts)


Begin = Callable[..., LiveDays]


@pytest.fixture
def begin(wired: Platform) -> Begin:
    """Starts a stream of symbols at a time."""

    def streaming(start: str, *symbols: str) -> LiveDays:
        return LiveDays(wired, symbols, start)

    return streaming


def test_days_are_the_exchanges_own(begin: Begin) -> None:
    """Monday of a currency is whole, from Sunday evening; so are those of the other markets."""
    live = begin("2026-06-07T20:30", EURUSD, FUTURE, AAPL, DELAYED, INDEX, BITCOIN)
    live.run("2026-06-08T21:00")
    assert [] == live.days(EURUSD)
    live.run("2026-06-09T00:01")
    opens = {
        EURUSD: "2026-06-07T21:00",  # 17:00 in New York
        FUTURE: "2026-06-07T22:00",
        AAPL: "2026-06-08T13:30",
        DELAYED: "2026-06-08T03:45",
    }
    for symbol, opened in opens.items():
        assert [(live.exchanges_own(symbol, opened), False)] == live.days(symbol)
    sunday, monday = live.days(BITCOIN)
    assert (live.exchanges_own(BITCOIN, "2026-06-07"), False) == sunday
    assert (live.exchanges_own(BITCOIN, "2026-06-08"), False) == monday
    (index,) = live.days(INDEX)  # its volume is not known, so it may be wrong
    assert (live.exchanges_own(INDEX, "2026-06-08T13:30"), True) == index
    assert [Series.parse(f"{INDEX}|1d")] == list(live.due())


def test_a_sync_changes_no_day(begin: Begin) -> None:
    """Monday of a currency is one bar, before and after history has it."""
    live = begin("2026-06-07T20:30", EURUSD)
    live.run("2026-06-08T21:01")
    platform, series = live.platform, Series.parse(f"{EURUSD}|1d")
    platform.calendars.keep(series.symbol, hours_of(EURUSD).texts, None, live.now)
    platform.live_bars.upsert(live.closed)
    before = platform.shown_bars.joined_days(series.symbol, None, None)
    assert [seconds("2026-06-07T21:00")] == before.bars.time.tolist()
    history = np.array([live.exchanges_own(EURUSD, "2026-06-07T21:00")]).T
    platform.bars.upsert({series: Bars(history)})
    after = platform.shown_bars.joined_days(series.symbol, None, None)
    assert (before.bars, set(before.partial)) == (after.bars, set(after.partial))


@pytest.mark.parametrize(
    ("symbol", "start", "until", "opened"),
    [
        (EURUSD, "2026-03-08T20:30", "2026-03-09T22:00", "2026-03-08T21:00"),
        (EURUSD, "2026-11-01T21:30", "2026-11-02T23:00", "2026-11-01T22:00"),
        (AAPL, "2026-03-09T13:00", "2026-03-09T21:00", "2026-03-09T13:30"),
        (DELAYED, "2026-01-26T03:00", "2026-01-27T11:00", "2026-01-27T03:45"),  # after a holiday
    ],
)
def test_days_after_a_clock_change_and_a_holiday(
    begin: Begin, symbol: str, start: str, until: str, opened: str
) -> None:
    """They open as the exchange does."""
    live = begin(start, symbol)
    live.run(until)
    assert [(live.exchanges_own(symbol, opened), False)] == live.days(symbol)


def test_a_gap_in_the_middle_of_a_day(begin: Begin) -> None:
    """The first quote after it reports the day; nothing has to be repaired."""
    live = begin("2026-06-08T13:20", AAPL)
    live.run("2026-06-08T15:00")
    live.lose("2026-06-08T18:00")
    live.connect()
    live.run("2026-06-08T20:16")
    assert [(live.exchanges_own(AAPL, "2026-06-08T13:30"), False)] == live.days(AAPL)
    assert {} == live.due()


def test_a_gap_at_the_close(begin: Begin) -> None:
    """The day is partial, has the values from before the gap, and is repaired."""
    live = begin("2026-06-08T19:00", AAPL)
    live.run("2026-06-08T19:50")
    live.lose("2026-06-08T20:16")
    live.connect()
    live.run("2026-06-08T20:30")
    ((row, is_partial),) = live.days(AAPL)
    assert (live.exchanges_own(AAPL, "2026-06-08T13:30")[:2], True) == (row[:2], is_partial)
    assert {Series.parse(f"{AAPL}|1d"): seconds("2026-06-08T13:30")} == live.due()


def test_a_stream_that_broke_while_the_day_closed(begin: Begin) -> None:
    """It closed as whole; when the loss is noticed, it is marked, and repaired."""
    live = begin("2026-06-08T19:50", AAPL)
    live.run("2026-06-08T20:10")
    since = live.now
    whole = live.recorder.advance(since + 6 * MINUTE, since)
    (marked,) = live.recorder.lose(since)
    assert [whole[0]._replace(is_partial=True)] == [marked]
    assert not whole[0].is_partial
    assert [Series.parse(f"{AAPL}|1d")] == list(live.due())


@pytest.mark.parametrize(
    ("lost", "found"),
    [("2026-06-08T15:00", "2026-06-08T15:02"), ("2026-06-08T20:01", "2026-06-08T20:03")],
)
def test_a_restart(begin: Begin, lost: str, found: str) -> None:
    """The next streamer goes on from the board, and its first quote makes the day whole."""
    live = begin("2026-06-08T13:20", EURUSD, DELAYED, "OTC:QUIET")
    live.run(lost)
    flush(live)
    live.now = seconds(found)
    live.start()
    live.connect()
    live.run("2026-06-08T21:31")
    for symbol, opened in ((EURUSD, "2026-06-07T21:00"), ("OTC:QUIET", "2026-06-08T13:30")):
        assert [(live.exchanges_own(symbol, opened), False)] == live.days(symbol)


def flush(live: LiveDays) -> None:
    """Write the state to the board, as a streamer does before it ends."""
    leases = Leases(live.platform.cache, seconds=60.0)
    lease = leases.acquire("streamer:1-of-1")
    assert lease is not None
    writer = BoardWriter(live.platform.cache, "1-of-1", lease.key, lease.token)
    live.recorder.write(writer, Flush(live.now, live.now), is_renewal=False)
    leases.release(lease)


def test_a_restart_after_the_close(begin: Begin) -> None:
    """A day closes once, though no quote came after its close."""
    live = begin("2026-06-08T13:20", "OTC:QUIET")
    live.run("2026-06-08T20:10")
    flush(live)
    live.run("2026-06-08T20:16")
    flush(live)
    live.start()
    live.connect()
    live.run("2026-06-08T20:20")
    expected = live.exchanges_own("OTC:QUIET", "2026-06-08T13:30")
    assert [(expected, False)] == live.days("OTC:QUIET")


def test_hours_that_come_late(begin: Begin) -> None:
    """The day begins with the quote that is known, and is whole."""
    live = begin("2026-06-08T19:00", AAPL)
    live.start(knows_hours=False)
    live.connect()
    live.run("2026-06-08T19:30")
    live.learn()
    live.run("2026-06-08T20:16")
    assert [(live.exchanges_own(AAPL, "2026-06-08T13:30"), False)] == live.days(AAPL)


def test_hours_that_were_wrong(begin: Begin) -> None:
    """The day that closed by them is marked and repaired, and closes again by the right ones."""
    live = begin("2026-06-08T18:00", AAPL)
    live.start(knows_hours=False)
    live.learn(CalendarTexts("America/New_York", "0930-1500"))
    live.connect()
    live.run("2026-06-08T19:16")
    assert [False] == [is_partial for _, is_partial in live.days(AAPL)]
    live.learn()
    live.run("2026-06-08T20:16")
    early, mark, right = (bar for bar in live.closed if bar.symbol == AAPL)
    assert (early.start, True) == (mark.start, mark.is_mark)
    assert (live.exchanges_own(AAPL, "2026-06-08T13:30"), False) == live.days(AAPL)[-1]
    assert right.end > early.end
    assert [Series.parse(f"{AAPL}|1d")] == list(live.due())


def test_an_unreadable_quote(begin: Begin) -> None:
    """It may have had the day's highest price, so the day is partial."""
    live = begin("2026-06-08T19:00", AAPL)
    live.run("2026-06-08T19:30")
    live.faults.order(Fault(FaultKind.QUOTES_UNREADABLE, times=1))
    live.run("2026-06-08T20:16")
    ((_, is_partial),) = live.days(AAPL)
    assert is_partial
