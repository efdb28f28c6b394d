"""BarAggregator: ticks in, closed and forming bars of every interval out."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketquant.domain.aggregation import BarAggregator, Regrouped
from pocketquant.domain.calendar import Calendar, CalendarTexts, parse_calendar
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, WEEK, Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.quotes import LiveQuote, Quote, Tick, Volume
from tests.forming import ALWAYS, aggregator_of, forming
from tests.unit.domain.calendar import texts

NOON = 1_700_049_600  # Wednesday, 12:00 UTC
KO, IBM = "NYSE:KO", "NYSE:IBM"
LONG_AFTER = NOON + 10 * 365 * DAY

waits = st.sampled_from([0, 1, 7, 29, MINUTE, 5 * MINUTE, HOUR, 5 * HOUR, DAY, WEEK, 30 * DAY])
prices = st.integers(1, 100_000).map(lambda cents: cents / 100)
sizes = st.integers(0, 10**7).map(lambda lots: Decimal(lots) / 10_000)
steps = st.tuples(waits, st.sampled_from([KO, IBM]), prices, sizes)


@st.composite
def tapes(draw: st.DrawFn) -> list[Tick]:
    """Ticks of two symbols in order of time, over seconds or years."""
    time, ticks = NOON, []
    for wait, symbol, price, size in draw(st.lists(steps, min_size=1, max_size=60)):
        time += wait
        ticks.append(Tick(symbol, time, price, size))
    return ticks


def seeing(*symbols: str, delay_seconds: int = 0, **settings: float) -> BarAggregator:
    """An aggregator that has seen the symbols for ever."""
    aggregator = BarAggregator(**settings)
    for symbol in symbols or (KO, IBM):
        aggregator.learn(symbol, ALWAYS, 0)
        aggregator.see(symbol, 0, delay_seconds)
    return aggregator


def tick(offset: float, price: float = 10.0, size: Volume | None = 1, symbol: str = KO) -> Tick:
    """A tick `offset` seconds after noon."""
    return Tick(symbol, NOON + int(offset), price, size)


def starts(bars: Iterable[LiveBar]) -> list[tuple[str, int]]:
    """The interval of each bar, and its start in seconds after noon."""
    return [(bar.interval.value, bar.start - NOON) for bar in bars]


def in_order(bars: Iterable[LiveBar]) -> list[LiveBar]:
    """Bars in an order that does not depend on when they closed."""
    return sorted(bars, key=lambda bar: (bar.symbol, bar.interval.seconds, bar.start))


def test_a_minute_of_ticks() -> None:
    """A minute closes a grace period after its end, not earlier, and only once."""
    aggregator = seeing(KO)
    aggregator.take([tick(1, 10.0), tick(2, 12.0, 3), tick(30, 9.0), tick(59, 11.0, 0)])
    assert [] == aggregator.advance(NOON + 61.9)
    expected = LiveBar(
        symbol=KO,
        interval=Interval.M1,
        start=NOON,
        end=NOON + 60,
        open=10.0,
        high=12.0,
        low=9.0,
        close=11.0,
        volume=5.0,
        tick_count=4,
        is_partial=False,
        first_tick_at=NOON + 1,
        last_tick_at=NOON + 59,
    )
    assert [expected] == aggregator.advance(NOON + 62)
    assert [] == aggregator.advance(NOON + 63)


def test_longer_bars_close_with_their_last_minute() -> None:
    """A longer bar closes after its last minute, also if there was no tick in that one."""
    aggregator = seeing(KO)
    aggregator.take([tick(10), tick(179), tick(200)])
    assert [("1m", 0), ("1m", 120), ("3m", 0)] == starts(aggregator.advance(NOON + 182))
    assert [("1m", 180)] == starts(aggregator.advance(NOON + 242))
    assert [("5m", 0)] == starts(aggregator.advance(NOON + 302))
    assert [("3m", 180)] == starts(aggregator.advance(NOON + 362))


def test_empty_minutes_make_no_bar() -> None:
    """There is no bar without a trade, however far the clock moves."""
    aggregator = seeing(KO)
    aggregator.take([tick(0)])
    assert len(INTRADAY) == len(aggregator.advance(LONG_AFTER))
    assert [] == aggregator.advance(LONG_AFTER + WEEK)


def test_an_unreadable_quote_makes_its_minute_partial() -> None:
    """The minutes before and after it stay complete."""
    aggregator = seeing(KO)
    aggregator.doubt(IBM, NOON)
    for minute in range(3):
        aggregator.take([Tick(KO, NOON + minute * 60 + 1, 5.0, 1)])
        if minute == 1:
            aggregator.doubt(KO, NOON + 90)
    closed = [bar for bar in aggregator.advance(NOON + 400) if bar.interval is Interval.M1]
    assert [False, True, False] == [bar.is_partial for bar in closed]


def test_an_unreadable_quote_leaves_a_lost_stream_lost() -> None:
    """All bars after the loss are partial."""
    aggregator = seeing(KO)
    aggregator.lose(NOON + 30)
    aggregator.doubt(KO, NOON + 40)
    aggregator.take([Tick(KO, NOON + 130, 5.0, 1)])
    closed = [bar for bar in aggregator.advance(NOON + 400) if bar.interval is Interval.M1]
    assert [True] == [bar.is_partial for bar in closed]


def test_late_ticks_within_the_grace() -> None:
    """A tick counts until its minute is closed; its time decides whether it is open or close."""
    aggregator = seeing(KO)
    aggregator.take([tick(59, 10.0), tick(61, 20.0), tick(58, 30.0, 5), tick(60, 25.0)])
    first, *_ = aggregator.advance(NOON + 62)
    assert (30.0, 30.0, 10.0, 6.0) == (first.open, first.high, first.close, first.volume)
    second, *_ = aggregator.advance(NOON + 122)
    assert (25.0, 20.0) == (second.open, second.close)
    assert 0 == aggregator.late_ticks.total()


def test_later_ticks_are_counted() -> None:
    """A closed minute never reopens, even without a tick; its later ticks are counted."""
    aggregator = seeing()
    aggregator.take([tick(10), tick(70)])
    aggregator.advance(NOON + 62)
    aggregator.take([tick(59), tick(59, symbol=IBM), tick(71)])
    assert {KO: 1, IBM: 1} == aggregator.late_ticks
    assert [2] == [bar.tick_count for bar in aggregator.advance(NOON + 122)]


def test_a_late_tick_makes_open_bars_partial() -> None:
    """`too_late` returns each minute once, however many ticks come."""
    aggregator = seeing(KO)
    aggregator.take([tick(10), tick(70)])
    aggregator.advance(NOON + 62)
    aggregator.take([tick(59), tick(50)])
    aggregator.take([tick(58), tick(71)])
    assert ([(KO, NOON + 59)], []) == (aggregator.too_late(), aggregator.too_late())
    assert ({KO: 3}, {}) == (aggregator.late_ticks, aggregator.missed_ticks)
    closed = aggregator.advance(NOON + 182)
    assert [("1m", False), ("3m", True)] == [(bar.interval.value, bar.is_partial) for bar in closed]
    assert NOON + 180 == aggregator.closed_until(KO)


def test_a_marked_minute_is_partial() -> None:
    """The minutes before and after it stay complete."""
    aggregator = seeing(KO)
    aggregator.take([tick(10), tick(70), tick(130)])
    assert (NOON + 60, NOON + 120) == aggregator.mark_minute(KO, NOON + 70)
    closed = [bar for bar in aggregator.advance(NOON + 400) if bar.interval is Interval.M1]
    assert [False, True, False] == [bar.is_partial for bar in closed]


def test_ticks_from_before_the_stream() -> None:
    """A first quote carries an old trade, which counts as missed and makes no bar."""
    aggregator = aggregator_of([KO, IBM])
    aggregator.see(KO, NOON)
    aggregator.take([tick(-DAY)])
    assert ({KO: 1}, {}) == (aggregator.missed_ticks, aggregator.late_ticks)
    assert [] == aggregator.advance(LONG_AFTER)


def test_ticks_ahead_of_the_clock() -> None:
    """Ticks may be several minutes ahead of the clock; each minute closes at its own time."""
    aggregator = seeing(KO)
    aggregator.advance(NOON)
    aggregator.take([tick(70), tick(130), tick(10)])
    assert [("1m", 0), ("1m", 60)] == starts(aggregator.advance(NOON + 130))
    aggregator.take([tick(131)])
    assert [2, 4] == [bar.tick_count for bar in aggregator.advance(NOON + 182)]


def test_the_clock_does_not_go_back() -> None:
    """A clock that is set back reopens no bar."""
    aggregator = seeing(KO)
    aggregator.advance(NOON + 62)
    aggregator.advance(NOON)
    aggregator.take([tick(30)])
    assert {KO: 1} == aggregator.late_ticks


def test_a_delayed_symbol() -> None:
    """A delayed symbol's bars close by its own clock, beside those of others."""
    aggregator = seeing(KO)
    aggregator.see(IBM, 0, 900)
    aggregator.take([tick(10), tick(10, symbol=IBM)])
    assert [KO] == [bar.symbol for bar in aggregator.advance(NOON + 62)]
    aggregator.take([tick(59, symbol=IBM)])
    later = aggregator.advance(NOON + 960 + 2)
    assert [2] == [bar.tick_count for bar in later if bar[:2] == (IBM, Interval.M1)]


def test_the_first_ticks_of_a_delayed_symbol_are_not_late() -> None:
    """They are as old as its delay."""
    aggregator = aggregator_of([KO, IBM])
    aggregator.see(KO, NOON + 870, 900)
    aggregator.take([tick(10)])
    (bar,) = (each for each in aggregator.advance(NOON + 962) if each.interval is Interval.M1)
    assert (NOON, 1, False) == (bar.start, bar.tick_count, bar.is_partial)
    assert {} == aggregator.late_ticks


@pytest.mark.parametrize(
    ("before", "after", "closes_at"), [(0, 900, 962), (900, 0, 62), (900, 900, 962)]
)
def test_a_delay_that_changes(before: int, after: int, closes_at: int) -> None:
    """Open bars close once, by the new delay."""
    aggregator = seeing(KO, delay_seconds=before)
    aggregator.take([tick(10), tick(70)])
    aggregator.advance(NOON + 50)
    aggregator.see(KO, NOON + 55, after)
    assert [] == aggregator.advance(NOON + closes_at - 1)
    assert [("1m", 0)] == starts(aggregator.advance(NOON + closes_at))
    assert 1 == starts(aggregator.advance(LONG_AFTER)).count(("3m", 0))


def test_a_new_delay_reopens_nothing() -> None:
    """A bar that closed before its feed became delayed stays closed."""
    aggregator = seeing(KO)
    aggregator.take([tick(10)])
    assert [("1m", 0)] == starts(aggregator.advance(NOON + 62))
    aggregator.see(KO, NOON + 62, 900)
    aggregator.take([tick(20)])
    assert {KO: 1} == aggregator.late_ticks


def test_the_grace_can_change() -> None:
    """A new grace is valid at once for open bars; closed ones stay closed."""
    aggregator = seeing(KO, grace_seconds=0)
    aggregator.take([tick(10), tick(70)])
    assert [("1m", 0)] == starts(aggregator.advance(NOON + 60))
    aggregator.grace_seconds = 30
    aggregator.take([tick(11)])
    assert [] == aggregator.advance(NOON + 149)
    assert [("1m", 60)] == starts(aggregator.advance(NOON + 150))
    assert {KO: 1} == aggregator.late_ticks


def test_intervals_can_change() -> None:
    """`advance` returns bars of the chosen intervals; a new one is complete at once."""
    aggregator = seeing(KO)
    aggregator.intervals = (Interval.M3,)
    aggregator.take([tick(10), tick(70)])
    assert [("3m", 0)] == starts(aggregator.advance(NOON + 182))
    aggregator.intervals = (Interval.M1, Interval.M5)
    aggregator.take([tick(190)])
    one, five = aggregator.advance(NOON + 302)
    assert (Interval.M1, Interval.M5, 3, False) == (
        one.interval,
        five.interval,
        five.tick_count,
        five.is_partial,
    )
    assert [] == aggregator.advance(NOON + 362)


def test_a_stream_that_begins_in_mid_bar() -> None:
    """Bars that were open when the stream began are partial, those that begin later are not."""
    aggregator = aggregator_of([KO, IBM])
    aggregator.see(KO, NOON + 30)
    aggregator.take([tick(40), tick(61), tick(301)])
    partial = {
        (bar.interval.value, bar.start - NOON): bar.is_partial
        for bar in aggregator.advance(NOON + 602)
    }
    assert {
        ("1m", 0): True,
        ("1m", 60): False,
        ("3m", 0): True,
        ("5m", 0): True,
        ("1m", 300): False,
        ("3m", 180): False,
        ("5m", 300): False,
    } == partial


def test_a_stream_that_begins_with_a_bar() -> None:
    """The hour from one o'clock is complete; longer bars that were open by then are not."""
    aggregator = aggregator_of([KO, IBM])
    aggregator.see(KO, NOON + HOUR)
    aggregator.take([tick(HOUR)])
    bars = aggregator.advance(LONG_AFTER)
    assert ["45m", "2h", "3h", "4h"] == [bar.interval.value for bar in bars if bar.is_partial]


def test_a_gap_touches_its_bars_only() -> None:
    """Bars that contain a part of the gap are partial, those before and after it are complete."""
    aggregator = seeing()
    aggregator.take([tick(10), tick(10, symbol=IBM), tick(90), tick(100, symbol=IBM)])
    aggregator.lose(NOON + 100, [KO])
    aggregator.see(KO, NOON + 130)
    aggregator.take([tick(131), tick(190), tick(200, symbol=IBM), tick(400)])
    partial = [bar for bar in aggregator.advance(NOON + 602) if bar.is_partial]
    assert {KO} == {bar.symbol for bar in partial}
    assert [("1m", 60), ("1m", 120), ("3m", 0), ("5m", 0)] == starts(partial)


def test_a_gap_touches_bars_that_begin_after_it() -> None:
    """A longer bar is partial too if its first tick came after the gap."""
    aggregator = seeing(KO)
    aggregator.lose(NOON + 100)
    aggregator.see(KO, NOON + 110)
    aggregator.take([tick(170)])
    assert [("1m", 120, False), ("3m", 0, True)] == [
        (bar.interval.value, bar.start - NOON, bar.is_partial)
        for bar in aggregator.advance(NOON + 182)
    ]


def test_bars_that_close_while_the_stream_is_lost() -> None:
    """A bar that ended before the loss is complete, one that ended after it is partial."""
    aggregator = seeing(KO)
    aggregator.take([tick(10), tick(70)])
    aggregator.lose(NOON + 90)
    assert [False, True] == [bar.is_partial for bar in aggregator.advance(NOON + 122)]


def test_a_gap_of_a_delayed_symbol() -> None:
    """The ticks that a delayed symbol loses in a gap were traded earlier by its delay."""
    aggregator = seeing(KO, delay_seconds=900)
    aggregator.take([tick(10), tick(70), tick(130)])
    aggregator.lose(NOON + 900 + 70)
    aggregator.see(KO, NOON + 900 + 80, 900)
    minutes = aggregator.advance(NOON + 900 + 182)[:3]
    assert [False, True, False] == [bar.is_partial for bar in minutes]


def test_a_trade_from_a_gap_is_missed() -> None:
    """A trade of a minute that closed during a gap is not late."""
    aggregator = seeing(KO)
    aggregator.lose(NOON + 10)
    aggregator.advance(NOON + 100)
    aggregator.see(KO, NOON + 100)
    aggregator.take([tick(30)])
    assert {KO: 1} == aggregator.missed_ticks


def test_symbols_without_volume() -> None:
    """The bars of a symbol without volume have none."""
    aggregator = seeing(KO)
    aggregator.take([tick(10, size=None), tick(20, size=None), tick(30, size=None)])
    assert {None} == {bar.volume for bar in aggregator.advance(LONG_AFTER)}


def test_volume_that_appears() -> None:
    """The volume of a minute sums up its ticks with a size."""
    aggregator = seeing(KO)
    aggregator.take([tick(10, size=None), tick(20, size=0), tick(30, size=4)])
    assert {4.0} == {bar.volume for bar in aggregator.advance(LONG_AFTER)}


def test_forming_bars() -> None:
    """The forming bar of any interval contains closed minutes, one in its grace, and the newest."""
    aggregator = seeing(KO)
    assert forming(aggregator, KO, Interval.M5) is None
    aggregator.take([tick(10, 10.0), tick(70, 12.0), tick(130, 9.0)])
    aggregator.advance(NOON + 121)
    for interval in INTRADAY:
        bar = forming(aggregator, KO, interval)
        assert bar is not None
        count = 1 if interval is Interval.M1 else 3
        assert (interval, count, 9.0) == (bar.interval, bar.tick_count, bar.close)


def test_a_forming_bar_in_its_grace() -> None:
    """A bar past its end is the forming one until it closes or the next one has a tick."""
    aggregator = seeing(KO)
    aggregator.take([tick(10), tick(170)])
    aggregator.advance(NOON + 181)
    assert NOON == forming(aggregator, KO, Interval.M3).start
    aggregator.take([tick(181)])
    assert NOON + 180 == forming(aggregator, KO, Interval.M3).start
    aggregator.advance(NOON + 242)
    assert forming(aggregator, KO, Interval.M1) is None
    assert NOON + 180 == forming(aggregator, KO, Interval.M3).start


def test_the_state_without_longer_bars() -> None:
    """The other parts of the state are equal."""
    aggregator = seeing(KO)
    aggregator.take([tick(10), tick(70)])
    aggregator.advance(NOON + 62)
    state = aggregator.state(KO)
    assert state.longer
    assert replace(state, longer=()) == aggregator.state(KO, has_longer=False)


def test_a_symbol_is_forgotten() -> None:
    """A forgotten symbol makes no bar; if it is seen again, it starts anew."""
    aggregator = seeing()
    aggregator.take([tick(10), tick(10, symbol=IBM)])
    aggregator.advance(NOON + 62)
    aggregator.take([tick(70)])
    aggregator.forget(KO)
    assert [False, True] == [KO in aggregator, IBM in aggregator]
    with pytest.raises(KeyError):
        aggregator.take([tick(71)])
    aggregator.see(KO, NOON + 130)
    assert {IBM} == {bar.symbol for bar in aggregator.advance(LONG_AFTER)}


def test_a_restart_resumes_open_bars() -> None:
    """Bars that contain a part of the downtime are partial."""
    before = seeing(KO)
    before.take([tick(10, 10.0), tick(61, 11.0)])
    before.advance(NOON + 65)
    after = aggregator_of([KO, IBM])
    after.resume(before.state(KO), NOON + 65)
    after.see(KO, NOON + 75)
    after.take([tick(80, 12.0), tick(130, 13.0)])
    bars = after.advance(NOON + 182)
    assert [("1m", 60), ("1m", 120), ("3m", 0)] == starts(bars)
    assert [(2, True), (1, False), (4, True)] == [(bar.tick_count, bar.is_partial) for bar in bars]


def test_a_restart_without_an_open_minute_reopens_no_bar() -> None:
    """The symbol's next ticks make bars."""
    before = seeing(KO)
    before.take([tick(10)])
    before.advance(NOON + 62)
    after = aggregator_of([KO, IBM])
    after.resume(before.state(KO), NOON + 62)
    after.see(KO, NOON + 62)
    after.take([tick(20), tick(70)])
    assert {KO: 1} == after.late_ticks
    assert [("1m", 60)] == starts(after.advance(NOON + 122))


@given(tapes(), st.sets(st.integers(1, 59)))
def test_batches_do_not_matter(tape: list[Tick], cuts: set[int]) -> None:
    """The bars do not depend on how the ticks are batched and when the clock moves."""
    at_once = seeing()
    at_once.take(tape)
    batched = seeing()
    bars = []
    for begin, end in pairwise([0, *sorted(cuts), len(tape) + 60]):
        batch = tape[begin:end]
        batched.take(iter(batch))
        bars += batched.advance(batch[-1].time if batch else 0)
    bars += batched.advance(LONG_AFTER)
    assert in_order(at_once.advance(LONG_AFTER)) == in_order(bars)
    assert 0 == batched.late_ticks.total()


@given(
    tapes(),
    st.lists(st.integers(0, 3), min_size=60, max_size=60),
    st.integers(0, 60),
    st.sampled_from([0, 900]),
)
def test_a_restart_changes_nothing(
    tape: list[Tick], late: list[int], cut: int, delay_seconds: int
) -> None:
    """An aggregator that resumes a state at any moment makes the bars of the original one."""
    tape = [tick._replace(time=tick.time - by) for tick, by in zip(tape, late, strict=False)]
    whole, first, second = (seeing(delay_seconds=delay_seconds) for _ in range(3))
    now = tape[min(cut, len(tape) - 1)].time + delay_seconds
    bars: dict[BarAggregator, list[LiveBar]] = {whole: [], first: []}
    for aggregator, closed in bars.items():
        aggregator.take(tape[:cut])
        closed += aggregator.advance(now)
    for symbol in (KO, IBM):
        second.forget(symbol)
        second.learn(symbol, ALWAYS, now)
        second.resume(first.state(symbol), now)
        for aggregator in (first, second):
            aggregator.see(symbol, now, delay_seconds)
        assert first.state(symbol) == second.state(symbol)
    for aggregator, closed in ((whole, bars[whole]), (second, bars[first])):
        aggregator.take(tape[cut:])
        closed += aggregator.advance(LONG_AFTER)
    assert in_order(bars[whole]) == in_order(bars[first])
    assert whole.late_ticks == first.late_ticks + second.late_ticks


@settings(max_examples=50)
@given(tapes())
def test_all_intervals_are_those_of_pandas(tape: list[Tick]) -> None:
    """pandas makes the same minutes of ticks, and the same longer bars of minutes."""
    aggregator = seeing()
    aggregator.take(tape)
    closed = aggregator.advance(LONG_AFTER)
    for symbol in {each.symbol for each in tape}:
        ticks = pd.DataFrame([each for each in tape if each.symbol == symbol], columns=Tick._fields)
        times = pd.to_datetime(ticks["time"], unit="s")
        columns = dict.fromkeys(("open", "high", "low", "close"), ticks["price"])
        minutes = resampled(pd.DataFrame({**columns, "volume": ticks["size"]}), times, Interval.M1)
        for interval in INTRADAY:
            expected = resampled(minutes, minutes.index.to_series(), interval)
            expected["volume"] = expected["volume"].astype(float)
            bars = [bar for bar in closed if bar[:2] == (symbol, interval)]
            assert list(expected.itertuples(name=None)) == [
                (pd.Timestamp(bar.start, unit="s"), *bar[4:9]) for bar in bars
            ]


def resampled(parts: pd.DataFrame, times: pd.Series, interval: Interval) -> pd.DataFrame:
    """The expected bars: parts grouped by their periods."""
    keys = times.dt.floor(f"{interval.seconds}s")
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return parts.groupby(keys.to_numpy()).agg(how)


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 10**9)), min_size=1, max_size=60))
def test_volumes_of_a_day_add_up_to_its_total(steps: list[tuple[int, int]]) -> None:
    """The sum of the bars' volumes, as decimals, is exactly the day's total for each interval."""
    quote, aggregator = LiveQuote(KO), seeing(KO)
    quote.update({"last_price": 1.0, "time": NOON - 1, "day_volume": 0.0}, NOON)
    time, total = NOON, 0
    for wait, lots in steps:
        time, total = min(time + wait, NOON + 12 * HOUR - 1), total + lots
        traded = quote.update({"time": time, "day_volume": total / 100_000}, time)
        aggregator.take([traded] if traded else [])
    bars = aggregator.advance(LONG_AFTER)
    for interval in INTRADAY:
        volumes = [bar.volume for bar in bars if bar.interval is interval]
        assert Decimal(total) / 100_000 == sum(Decimal(repr(volume)) for volume in volumes)


def test_the_state_of_a_stream_can_be_read() -> None:
    """It is whether the symbol is known, its delay, and its gaps by its own clock."""
    aggregator = seeing(KO, delay_seconds=900)
    aggregator.lose(NOON + 900)
    aggregator.see(KO, NOON + 990, 900)
    assert [True, False] == [KO in aggregator, IBM in aggregator]
    assert 900 == aggregator.delay_seconds(KO)
    assert (NOON, NOON + 120) == aggregator.gaps(KO)[-1]


AAPL, HKEX, ES = (parse_calendar(each) for each in (texts.AAPL, texts.HKEX_2026, texts.ES))
THANKSGIVING_FRIDAY = 1_795_737_600  # 2026-11-27, a day with an early close in New York
INTRADAY = [each for each in Interval if each.is_intraday]


def at(text: str, price: float = 10.0, symbol: str = KO) -> Tick:
    """A tick at a time of the day with the early close."""
    hours, minutes, seconds = map(int, text.split(":"))
    time = THANKSGIVING_FRIDAY + hours * HOUR + minutes * MINUTE + seconds
    return Tick(symbol, time, price, 1)


def trading(calendar: Calendar | None, since: float = THANKSGIVING_FRIDAY) -> BarAggregator:
    """An aggregator of a symbol with this calendar."""
    aggregator = BarAggregator()
    aggregator.learn(KO, calendar, since)
    aggregator.see(KO, since)
    return aggregator


def opens(bars: Iterable[LiveBar], interval: Interval) -> list[str]:
    """The opens of the bars of an interval, by the clock of UTC."""
    chosen = [bar.start for bar in bars if bar.interval is interval]
    return [f"{time % DAY // HOUR:02}:{time % HOUR // MINUTE:02}" for time in chosen]


def test_bars_count_from_the_open_of_the_session() -> None:
    """An hour of New York opens at half past; the last one is short and closes with the market."""
    aggregator = trading(AAPL)
    aggregator.take(at(f"{14 + minute // 60}:{minute % 60}:30") for minute in range(30, 240))
    closing = THANKSGIVING_FRIDAY + 18 * HOUR + 2
    early = aggregator.advance(closing - 1)
    assert ["14:30", "15:30", "16:30"] == opens(early, Interval.H1)
    bars = [*early, *aggregator.advance(closing)]
    assert ["14:30", "15:30", "16:30", "17:30"] == opens(bars, Interval.H1)
    assert ["14:30"] == opens(bars, Interval.H4)
    assert [60, 60, 60, 30] == [bar.tick_count for bar in bars if bar.interval is Interval.H1]
    assert {False} == {bar.is_partial for bar in bars}


def test_ticks_outside_the_session_are_counted_and_not_used() -> None:
    """A second before the open, at the close and after it; the open itself counts."""
    aggregator = trading(AAPL)
    aggregator.take([at("14:29:59"), at("14:30:00"), at("17:59:59"), at("18:00:00"), at("20:59:0")])
    bars = aggregator.advance(THANKSGIVING_FRIDAY + DAY)
    assert ["14:30", "17:59"] == opens(bars, Interval.M1)
    assert {KO: 3} == aggregator.out_of_session_ticks
    assert [0, 0] == [aggregator.late_ticks.total(), aggregator.missed_ticks.total()]


def test_bars_before_and_after_lunch() -> None:
    """The bar that lunch cuts is due when lunch begins, and counting begins anew after it."""
    monday = 1_780_876_800  # 2026-06-08
    aggregator = trading(HKEX, monday)
    times = [monday + hour * HOUR + 45 * MINUTE for hour in (1, 3, 4, 5, 7)]
    aggregator.take(Tick(KO, time, 10.0, 1) for time in times[:2])
    morning = aggregator.advance(monday + 4 * HOUR + 2)
    assert ["01:30", "03:30"] == opens(morning, Interval.H2)
    aggregator.take(Tick(KO, time, 10.0, 1) for time in times[2:])
    assert ["05:00", "07:00"] == opens(aggregator.advance(monday + 8 * HOUR + 2), Interval.H2)
    assert {KO: 1} == aggregator.out_of_session_ticks


def test_ticks_in_an_auction_are_out_of_session() -> None:
    """Trades before 09:30 in Hong Kong and after 16:00 are counted, and make no bar."""
    monday = 1_780_876_800  # 2026-06-08
    aggregator = trading(HKEX, monday)
    times = ("01:20", "01:29", "01:30", "07:59", "08:00", "08:10")
    clock = [int(text[:2]) * HOUR + int(text[3:]) * MINUTE for text in times]
    aggregator.take(Tick(KO, monday + time, 10.0, 1) for time in clock)
    assert ["01:30", "07:59"] == opens(aggregator.advance(monday + DAY), Interval.M1)
    assert {KO: 4} == aggregator.out_of_session_ticks


def test_an_overnight_session() -> None:
    """Bars count from the evening before through midnight UTC, until the break."""
    tuesday = 1_780_963_200  # 2026-06-09
    aggregator = trading(ES, tuesday)
    evening = tuesday + 22 * HOUR
    aggregator.take(Tick(KO, evening + hour * HOUR, 10.0, 1) for hour in range(23))
    bars = aggregator.advance(tuesday + 2 * DAY)
    assert ["22:00", "02:00", "06:00", "10:00", "14:00", "18:00"] == opens(bars, Interval.H4)
    assert evening + 23 * HOUR == [bar.end for bar in bars if bar.interval is Interval.H4][-1]


def test_without_a_calendar_minutes_alone_are_built() -> None:
    """They are built at any time."""
    aggregator = trading(None)
    aggregator.take([at("3:00:00"), at("14:30:00")])
    assert [Interval.M1] * 2 == [bar.interval for bar in aggregator.advance(LONG_AFTER)]
    assert ({}, None) == (aggregator.out_of_session_ticks, aggregator.calendar(KO))


@settings(max_examples=50)
@given(
    st.sampled_from([AAPL, HKEX, ES]),
    st.sampled_from(["2026-03-06", "2026-03-27", "2026-10-30", "2026-11-25"]),
    st.lists(st.integers(0, 5 * DAY - 1), min_size=1, max_size=60).map(sorted),
)
def test_each_bar_holds_the_ticks_of_its_window(
    calendar: Calendar, day: str, offsets: list[int]
) -> None:
    """Every bar is one of the calendar's, over clock changes and early closes; no tick is lost."""
    begin = int(pd.Timestamp(day, tz="UTC").timestamp())
    times = [begin + offset for offset in offsets]
    aggregator = trading(calendar, begin)
    aggregator.take(Tick(KO, time, float(time), 1) for time in times)
    closed = aggregator.advance(begin + 40 * DAY)
    sessions = calendar.sessions(begin, begin + 6 * DAY)
    spans = list(zip(sessions.opens.tolist(), sessions.closes.tolist(), strict=True))
    used = [time for time in times if any(low <= time < high for low, high in spans)]
    assert len(times) - len(used) == aggregator.out_of_session_ticks.total()
    for interval in INTRADAY:
        windows = [
            (low, min(low + interval.seconds, end))
            for start, end in spans
            for low in range(start, end, interval.seconds)
        ]
        held = [
            (*window, [time for time in used if window[0] <= time < window[1]])
            for window in windows
        ]
        expected = [(low, high, each[0], each[-1], len(each)) for low, high, each in held if each]
        assert expected == [
            (bar.start, bar.end, bar.open, bar.close, bar.tick_count)
            for bar in closed
            if bar.interval is interval
        ]


def test_a_calendar_that_comes_late() -> None:
    """Longer bars are built from then on; those that hold earlier minutes are partial."""
    aggregator = BarAggregator()
    aggregator.see(KO, at("14:00:00").time)
    aggregator.take([at("14:35:00"), at("14:40:10")])
    aggregator.advance(at("14:40:20").time)
    aggregator.learn(KO, AAPL, at("14:40:20").time)
    gap = (at("14:00:00").time, at("14:40:00").time)
    assert [Regrouped(KO, gap, None)] == aggregator.regrouped()
    assert [] == aggregator.regrouped()
    aggregator.take([at("14:40:30"), at("14:46:00")])
    bars = aggregator.advance(at("15:30:02").time)
    assert [("14:40", False), ("14:46", False)] == [
        (*opens([bar], Interval.M1), bar.is_partial) for bar in bars if bar.interval is Interval.M1
    ]
    assert {"15m": [("14:30", True), ("14:45", False)], "1h": [("14:30", True)]} == {
        interval.value: [
            (*opens([bar], interval), bar.is_partial) for bar in bars if bar.interval is interval
        ]
        for interval in (Interval.M15, Interval.H1)
    }


def test_changed_hours_count_from_the_next_session_on() -> None:
    """Open bars keep their ends; the time of that day that has passed is partial."""
    aggregator = trading(HKEX, 1_780_876_800)
    morning, evening = 1_780_876_800 + 2 * HOUR, 1_780_876_800 + 9 * HOUR
    aggregator.take([Tick(KO, morning, 10.0, 1)])
    for calendar in (AAPL, HKEX, AAPL):
        aggregator.learn(KO, calendar, morning)
    assert (HKEX, []) == (aggregator.calendar(KO), aggregator.regrouped())
    bars = aggregator.advance(morning + 2 * HOUR + 2)
    assert ["01:30"] == opens(bars, Interval.H1)
    aggregator.take([Tick(KO, evening, 10.0, 1)])
    assert (AAPL, 1) == (aggregator.calendar(KO), aggregator.out_of_session_ticks[KO])
    (regrouped,) = aggregator.regrouped()
    assert (HKEX, morning - 30 * MINUTE) == (regrouped.before, regrouped.gap[0])
    aggregator.take([Tick(KO, 1_780_876_800 + 14 * HOUR, 10.0, 1)])
    later = aggregator.advance(1_780_876_800 + 20 * HOUR)
    assert [("13:30", False)] == [
        (*opens([bar], Interval.H1), bar.is_partial) for bar in later if bar.interval is Interval.H1
    ]


def test_changed_hours_count_at_once_while_the_market_is_closed() -> None:
    """The trading day before is the one in doubt; a calendar may be taken away, too."""
    aggregator = trading(AAPL)
    aggregator.advance(at("10:00:02").time)
    aggregator.learn(KO, HKEX, at("10:00:02").time)
    (regrouped,) = aggregator.regrouped()
    wednesday = THANKSGIVING_FRIDAY - 2 * DAY
    assert (wednesday + 14 * HOUR + 30 * MINUTE, at("10:00:00").time) == regrouped.gap
    aggregator.learn(KO, None, at("10:00:02").time)
    assert None is aggregator.calendar(KO)


def test_a_calendar_of_a_symbol_that_was_never_seen_changes_nothing() -> None:
    """It waits for the symbol."""
    aggregator = BarAggregator()
    aggregator.learn(KO, HKEX, NOON)
    aggregator.learn(KO, AAPL, NOON)
    aggregator.see(KO, NOON)
    assert (AAPL, []) == (aggregator.calendar(KO), aggregator.regrouped())


def test_a_calendar_that_comes_while_the_stream_is_lost() -> None:
    """No bar is marked: all bars of that time are partial already."""
    aggregator = BarAggregator()
    aggregator.see(KO, NOON)
    aggregator.lose(NOON + 90)
    aggregator.learn(KO, ALWAYS, NOON + 120)
    assert (ALWAYS, []) == (aggregator.calendar(KO), aggregator.regrouped())


def quoted(total: float, time: str, price: float = 10.0, **fields: object) -> Quote:
    """A quote of the day with the early close."""
    named = {"open_time": float(THANKSGIVING_FRIDAY), "current_session": "market", **fields}
    return Quote(
        KO,
        time=at(time).time,
        last_price=price,
        day_volume=total,
        open_price=9.0,
        high_price=12.0,
        low_price=8.0,
        **named,  # type: ignore[arg-type]  # numbers and texts
    )


CLOSING = THANKSGIVING_FRIDAY + 18 * HOUR + 15 * MINUTE + 2  # with the auction, and grace
NEXT_OPEN = THANKSGIVING_FRIDAY + 3 * DAY


def days_of(bars: Iterable[LiveBar]) -> list[tuple[int, float, float | None, bool]]:
    """Open, close and volume of each day, and whether it is partial."""
    return [
        (bar.start - THANKSGIVING_FRIDAY, bar.close, bar.volume, bar.is_partial)
        for bar in bars
        if bar.interval is Interval.D1
    ]


HALF_PAST_TWO = 14 * HOUR + 30 * MINUTE


def test_a_day_is_reported_by_its_quote() -> None:
    """It closes after the auction of its last session, once, whatever minutes there are."""
    aggregator = trading(AAPL)
    aggregator.take([at("14:31:00", 500.0)])
    aggregator.report(quoted(1000, "14:31:00"), is_whole=True)
    aggregator.report(quoted(5000, "18:00:05", 11.0), is_whole=True)
    assert [] == days_of(aggregator.advance(CLOSING - 1))
    assert [(HALF_PAST_TWO, 11.0, 5000.0, False)] == days_of(aggregator.advance(CLOSING))
    aggregator.report(quoted(6000, "18:00:05"), is_whole=True)
    assert [] == days_of(aggregator.advance(LONG_AFTER))


def test_the_first_quote_of_a_day_ends_the_one_before() -> None:
    """Quotes of the ended day change nothing."""
    aggregator = trading(parse_calendar(texts.FX))
    monday = replace(quoted(10, "22:00:01"), time=NEXT_OPEN - HOUR, open_time=float(NEXT_OPEN))
    for quote in (quoted(5000, "21:59:59"), monday, quoted(6000, "21:59:59")):
        aggregator.report(quote, is_whole=True)
    assert [(-2 * HOUR, 10.0, 5000.0, False)] == days_of(aggregator.advance(at("21:59:59").time))
    assert 2 * DAY + 22 * HOUR == aggregator.state(KO).day.start - THANKSGIVING_FRIDAY


@pytest.mark.parametrize("is_found", [True, False])
def test_a_gap_does_no_harm_to_a_day_if_a_quote_follows(is_found: bool) -> None:
    """It is partial if none comes before it closes."""
    aggregator = trading(AAPL)
    aggregator.report(quoted(1000, "14:31:00"), is_whole=True)
    aggregator.lose(at("15:00:00").time)
    aggregator.see(KO, at("16:00:00").time)
    if is_found:
        aggregator.report(quoted(2000, "16:00:00"), is_whole=True)
    (day,) = days_of(aggregator.advance(CLOSING))
    assert (HALF_PAST_TWO, 10.0, 2000.0 if is_found else 1000.0, not is_found) == day


def test_a_day_begins_in_its_session_only() -> None:
    """Neither a quote before the open nor one without a calendar begins it."""
    for calendar, fields in (
        (AAPL, {"current_session": "pre_market"}),
        (AAPL, {"low_price": None}),
        (AAPL, {"open_time": float(THANKSGIVING_FRIDAY - DAY)}),  # Thanksgiving
        (None, {}),
    ):
        aggregator = trading(calendar)
        aggregator.report(replace(quoted(1000, "14:00:00"), **fields), is_whole=True)
        assert None is aggregator.state(KO).day


def test_a_day_of_a_delayed_symbol() -> None:
    """It closes by the delayed clock, also if the delay becomes known later."""
    aggregator = trading(AAPL)
    aggregator.report(quoted(1000, "14:31:00"), is_whole=True)
    aggregator.see(KO, at("15:00:00").time, 900)
    assert [] == days_of(aggregator.advance(CLOSING + 899))
    day = LiveBar.mark(KO, Interval.D1, (at("14:30:00").time, at("18:00:00").time))
    assert CLOSING - 2 + 900 == aggregator.closing_time(day)
    assert at("18:15:00").time == aggregator.closing_time(day._replace(interval=Interval.H1))
    assert 1 == len(days_of(aggregator.advance(CLOSING + 900)))


def test_a_restart_in_a_day() -> None:
    """The day goes on; it is whole again with the next whole quote, also after its close."""
    before = trading(AAPL)
    before.report(quoted(1000, "14:31:00"), is_whole=True)
    now = at("18:05:00").time
    for session in ("out_of_session", "market"):
        after = BarAggregator()
        after.learn(KO, AAPL, now)
        after.resume(before.state(KO), now)
        after.see(KO, now)
        assert after.state(KO).day.is_partial
        after.report(quoted(1000, "14:31:00", current_session=session), is_whole=True)
        assert [(HALF_PAST_TWO, 10.0, 1000.0, False)] == days_of(after.advance(CLOSING))


def test_a_day_whose_calendar_changes() -> None:
    """It stays if the new calendar has it, and gives way to another one."""
    aggregator = BarAggregator((Interval.M1,))
    aggregator.see(KO, THANKSGIVING_FRIDAY)
    now = at("19:00:00").time
    longer = parse_calendar(CalendarTexts("America/New_York", "0930-1700"))
    aggregator.learn(KO, longer, now)
    aggregator.report(quoted(1000, "14:31:00"), is_whole=True)
    same = parse_calendar(CalendarTexts("America/New_York", "0930-1700", "20261225"))
    evening = at("22:05:00").time
    aggregator.learn(KO, same, evening)
    assert aggregator.state(KO).day is not None
    aggregator.learn(KO, AAPL, evening)
    assert aggregator.state(KO).day is None
    aggregator.learn(KO, same, evening)
    aggregator.report(quoted(1000, "14:31:00"), is_whole=True)
    aggregator.forget(KO)
    assert [] == aggregator.advance(LONG_AFTER)


def test_days_that_are_not_wanted() -> None:
    """They close all the same."""
    aggregator = trading(AAPL)
    aggregator.intervals = (Interval.M1,)
    aggregator.report(quoted(1000, "14:31:00"), is_whole=True)
    assert [] == aggregator.advance(CLOSING)
    assert None is aggregator.state(KO).day
