"""QuoteRecorder: messages of a stream become bars and marks, with a real board."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import redis

from pocketquant.cache.board import QuoteBoard
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.market_clock import MarketClock
from pocketquant.domain.repairs import Repairs
from pocketquant.domain.symbols import Series
from pocketquant.live.recorder import QuoteRecorder
from pocketquant.storage.calendars import KeptCalendar
from pocketquant.tradingview.messages import event
from tests.forming import kept

NOON = 1_700_049_600
KO = "NYSE:KO"
INTERVALS = (Interval.M1, Interval.M5)
ALWAYS_OPEN = {KO: kept(KO)}


class Stream:
    """A recorder that has watched a symbol for an hour; times are seconds after noon."""

    def __init__(
        self, cache: redis.Redis, calendars: Mapping[str, KeptCalendar] = ALWAYS_OPEN
    ) -> None:
        self.clock = MarketClock(NOON, 0.0, 2.0)
        repairs = Repairs(INTERVALS, 0.0)
        self.recorder = QuoteRecorder(
            QuoteBoard(cache), "1-of-1", INTERVALS, 2.0, repairs, self.clock
        )
        self.recorder.learn(calendars, NOON - 3600)
        self.recorder.watch(frozenset({KO}))
        self.recorder.open("qs_mine", "token")
        self.receive(-3600, lp=10.0, volume=1000.0, lp_time=NOON - 3600, open_time=1)
        self.recorder.advance(NOON - 1, NOON - 1)
        self.recorder.repairs_due(NOON - 600)  # the next may come five minutes later

    def receive(self, at: float, **fields: object) -> None:
        answer = {"n": KO, "s": "ok", "v": fields}
        self.recorder.receive(event("qsd", ["qs_mine", answer], None), NOON + at)

    def trade(self, at: float, day_volume: float, comes_at: float | None = None) -> None:
        """Receive a trade that was made `at`, at once or when it `comes_at`."""
        arrival = at if comes_at is None else comes_at
        self.receive(arrival, lp_time=NOON + at, volume=day_volume)

    def closed(self, now: float) -> list[LiveBar]:
        return self.recorder.advance(NOON + now, NOON + now)


@pytest.fixture
def stream(cache: redis.Redis) -> Stream:
    return Stream(cache)


def shown(bars: Iterable[LiveBar]) -> list[tuple[str, int, object, bool]]:
    """Interval, start after noon, volume and whether it is partial; marks have no volume."""
    return [(bar.interval.value, bar.start - NOON, bar.volume, bar.is_partial) for bar in bars]


def test_a_late_tick_marks_its_closed_minute_and_repairs_it(stream: Stream) -> None:
    """The stored minute becomes partial, and so does the open longer bar."""
    stream.trade(10, 1005)
    stream.trade(70, 1007)
    assert [("1m", 0, 5.0, False)] == shown(stream.closed(62))
    stream.trade(59, 1010, comes_at=63)
    assert [("1m", 0, None, True)] == shown(stream.closed(63))
    assert {Series.parse(f"{KO}|1m"): NOON} == stream.recorder.repairs_due(NOON + 63)
    assert [] == stream.closed(64)
    assert [("1m", 60, 2.0, False), ("5m", 0, 7.0, True)] == shown(stream.closed(302))
    assert {} == stream.recorder.repairs_due(NOON + 302)  # one in five minutes
    assert {Series.parse(f"{KO}|5m"): NOON} == stream.recorder.repairs_due(NOON + 63 + 300)


def test_a_very_late_tick_marks_longer_bars_too(stream: Stream) -> None:
    """They were stored as complete."""
    stream.trade(10, 1005)
    assert 2 == len(stream.closed(302))
    stream.trade(20, 1006, comes_at=303)
    assert [("1m", 0, None, True), ("5m", 0, None, True)] == sorted(shown(stream.closed(303)))


def test_a_correction_of_the_total_is_no_trade(stream: Stream) -> None:
    """It has no size; its minute, and that of the tick before, are partial and repaired."""
    stream.trade(10, 50_000_090)
    assert [("1m", 0, 49_999_090.0, False)] == shown(stream.closed(62))
    stream.trade(70, 50_000_080)
    stream.trade(130, 50_000_090)
    stream.trade(190, 50_000_095)
    assert [("1m", 0, None, True)] == shown(stream.closed(71))
    assert [
        ("1m", 60, 0.0, True),
        ("1m", 120, 10.0, True),
        ("1m", 180, 5.0, False),
    ] == shown(stream.closed(242))
    assert {Series.parse(f"{KO}|1m"): NOON} == stream.recorder.repairs_due(NOON + 242)


def test_outside_the_session_no_bars_are_built(stream: Stream) -> None:
    """Time and total move while the price stands; the first bar of the session excludes them."""
    stream.receive(0, current_session="pre_market")
    for at in range(10, 300, 10):
        stream.trade(at, 1000 + at)
    stream.receive(300, current_session="market")
    assert [] == stream.closed(302)
    stream.receive(310, lp=11.0, lp_time=NOON + 310, volume=1295.0)
    (minute,) = stream.closed(362)
    assert (11.0, 5.0, False) == (minute.open, minute.volume, minute.is_partial)


def test_the_hello_sets_the_clock(stream: Stream, wire: Path) -> None:
    """Its milliseconds count; the hello of each later connection sets it again."""
    hello = (wire / "hello_2025-03_free.txt").read_text()
    for now in (NOON + 10, NOON + 500):
        stream.recorder.open("qs_next", "token")
        stream.recorder.receive(hello, now)
        off = 1742933763.175 - now
        assert NOON + off == pytest.approx(stream.clock.time(0), abs=1e-6)
        stream.clock.greet(NOON, stream.clock.time(0))


def test_trades_keep_the_clock_right(stream: Stream) -> None:
    """The only symbol trades five seconds ahead of the clock."""
    stream.trade(65, 1005, comes_at=60)
    stream.closed(61)
    assert NOON + 5 == stream.clock.time(0)


NEW_YORK = CalendarTexts("America/New_York", "0930-1600")  # 14:30 UTC


def test_ticks_out_of_session_make_no_bar(cache: redis.Redis) -> None:
    """They are counted; a late one marks no bar."""
    stream = Stream(cache, calendars={KO: kept(KO, NEW_YORK)})
    before = stream.recorder.out_of_session_ticks
    stream.trade(9000 - 1, 1005)
    stream.trade(9000, 1006)
    assert [("1m", 9000, 1.0, False)] == shown(stream.closed(9062))
    stream.trade(8999, 1007, comes_at=9063)
    assert (2, 0) == (stream.recorder.out_of_session_ticks - before, stream.recorder.late_ticks)
    assert [] == stream.closed(9064)


def test_bars_of_an_interval_in_doubt_are_withheld(stream: Stream) -> None:
    """They are built on, so that the first one after the doubt is complete."""
    stream.recorder.learn({KO: kept(KO, doubts={Interval.M5: 100})}, NOON)
    stream.trade(10, 1005)
    assert [("1m", 0, 5.0, False)] == shown(stream.closed(302))
    stream.trade(310, 1006)
    stream.recorder.learn({KO: kept(KO)}, NOON + 311)
    assert [("1m", 300, 1.0, False), ("5m", 300, 1.0, False)] == shown(stream.closed(602))


def test_changed_hours_mark_the_bars_of_their_day(stream: Stream) -> None:
    """Closed bars that the new hours do not have become partial, and are repaired."""
    stream.trade(10, 1005)
    assert 2 == len(stream.closed(302))
    stream.recorder.learn({KO: kept(KO, CalendarTexts("Etc/UTC", "0001-2359"))}, NOON + 302)
    assert [] == stream.closed(43_200)  # the session of 24x7 ends at midnight
    stream.trade(43_270, 1006)  # after midnight
    marks = stream.closed(43_271)
    assert {"5m"} == {bar.interval.value for bar in marks}
    assert [("5m", 0, None, True)] == [each for each in shown(marks) if each[1] == 0]
    assert NOON - 12 * 3600 == min(bar.start for bar in marks)
    assert NOON + 12 * 3600 - 300 == max(bar.start for bar in marks)
    due = stream.recorder.repairs_due(NOON + 44_000)
    assert Series.parse(f"{KO}|5m") in due


def test_a_calendar_that_comes_late_begins_longer_bars(cache: redis.Redis) -> None:
    """Until then there are minutes alone, and their sync, which brings it."""
    stream = Stream(cache, calendars={})
    stream.trade(10, 1005)
    assert [("1m", 0, 5.0, False)] == shown(stream.closed(62))
    stream.recorder.learn({KO: kept(KO)}, NOON + 63)
    stream.trade(70, 1006)
    assert [("1m", 60, 1.0, False), ("5m", 0, 1.0, True)] == shown(stream.closed(302))
    assert Series.parse(f"{KO}|5m") in stream.recorder.repairs_due(NOON + 302)
