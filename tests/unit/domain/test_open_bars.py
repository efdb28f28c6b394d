"""OpenBars: minutes of ticks, longer bars of closed minutes, and their state."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.intervals import Interval
from pocketquant.domain.open_bars import (
    LONGER,
    NO_HOURS,
    BarsState,
    Hours,
    Longer,
    Minute,
    OpenBars,
)
from pocketquant.domain.quotes import Tick, Volume
from tests.forming import ALWAYS

NOON = 1_700_049_600  # 12:00 UTC
SYMBOL = "NYSE:KO"
HOURS = Hours(ALWAYS)

offsets = st.integers(0, 59)
prices = st.integers(1, 10_000).map(float)
sizes = st.none() | st.integers(0, 1000) | st.integers(0, 1000).map(lambda n: Decimal(n) / 8)
trades = st.lists(st.tuples(offsets, prices, sizes), min_size=1)


def tick(offset: int, price: float, size: Volume | None = 1) -> Tick:
    """A tick `offset` seconds after noon."""
    return Tick(SYMBOL, NOON + offset, price, size)


def minute_of(*ticks: Tick) -> Minute:
    """The minute that the ticks make."""
    minute = Minute(NOON, ticks[0])
    for each in ticks[1:]:
        minute.add(each)
    return minute


def open_bars() -> OpenBars:
    """Bars of a symbol that trades always."""
    bars = OpenBars(SYMBOL)
    bars.use(HOURS)
    return bars


@given(trades)
def test_a_minute_in_any_order(trades: list[tuple[int, float, Volume | None]]) -> None:
    """Open and close go by time, and by arrival within a second; only they depend on order."""
    ticks = [tick(*trade) for trade in trades]
    bar = OpenBars(SYMBOL).minute_bar(minute_of(*ticks))
    ordered = sorted(ticks, key=lambda each: each.time)
    volumes = [each.size for each in ticks if each.size is not None]
    assert (
        ordered[0].price,
        max(each.price for each in ticks),
        min(each.price for each in ticks),
        ordered[-1].price,
        float(sum(volumes)) if volumes else None,
        len(ticks),
        ordered[0].time,
        ordered[-1].time,
    ) == (
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        bar.volume,
        bar.tick_count,
        bar.first_tick_at,
        bar.last_tick_at,
    )


def test_minutes_are_kept_in_order() -> None:
    """A minute that opens late is sorted in."""
    bars = OpenBars(SYMBOL)
    for number in (1, 0, 2):
        bars.open_minute(NOON + 60 * number, tick(60 * number, 1.0))
    assert [0, 60, 120] == [each.start - NOON for each in bars.minutes]
    assert bars.minutes[1] is bars.minute_at(NOON + 60)
    assert bars.minute_at(NOON + 180) is None


def test_minutes_make_longer_bars() -> None:
    """The first closed minute opens all longer bars; the next one is merged into them."""
    bars = open_bars()
    first = bars.open_minute(NOON, tick(5, 10.0, Decimal("0.1")))
    begun = bars.merge(first)
    assert list(range(len(LONGER))) == [slot for slot, _ in begun]
    second = bars.open_minute(NOON + 60, tick(70, 12.0, Decimal("0.2")))
    second.add(tick(71, 9.0, None))
    assert [] == bars.merge(second)
    third = bars.open_minute(NOON + 120, tick(120, 11.0, 0))
    bars.merge(third)
    bar = bars.longer_bar(*begun[1])
    assert (Interval.M5, NOON, NOON + 300) == (bar.interval, bar.start, bar.end)
    assert (10.0, 12.0, 9.0, 11.0, 0.3, 4) == (
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        bar.volume,
        bar.tick_count,
    )
    assert (NOON + 5, NOON + 120, NOON + 180) == (
        bar.first_tick_at,
        bar.last_tick_at,
        bars.closed_until,
    )


def test_longer_bars_without_volume() -> None:
    """A longer bar has no volume if none of its minutes has, even if earlier minutes had."""
    bars = open_bars()
    bars.merge(bars.open_minute(NOON, tick(0, 1.0, 7)))
    bars.longer[0] = None
    ((slot, bar),) = bars.merge(bars.open_minute(NOON + 180, tick(180, 1.0, None)))
    assert (None, 1) == (
        bars.longer_bar(slot, bar).volume,
        bars.longer_bar(slot, bar).tick_count,
    )


def test_a_state_reads_back() -> None:
    """Bars restored from a state have that state, and continue from it."""
    bars = open_bars()
    bars.delay_seconds = 900
    bars.unseen = bars.unseen.found(NOON)
    bars.merge(bars.open_minute(NOON, tick(5, 10.0, Decimal("0.1"))))
    bars.longer[0] = None
    bars.open_minute(NOON + 180, tick(185, 9.0, None)).add(tick(181, 7.0, 3))
    bars.open_minute(NOON + 240, tick(240, 9.5, None))
    state = bars.state(NOON + 120)
    again = OpenBars.of(state)
    again.use(HOURS)
    assert state == again.state(NOON + 120)
    assert isinstance(state, BarsState)
    for each in (bars, again):
        each.merge(each.minutes[0])
    assert bars.state(0) == again.state(0)


def test_a_state_without_volume_reads_back() -> None:
    """Bars of a symbol without volume have none after a restart either."""
    bars = open_bars()
    bars.merge(bars.open_minute(NOON, tick(5, 10.0, None)))
    again = OpenBars.of(bars.state(0))
    again.use(HOURS)
    assert {None} == {bar.volume for bar in again.state(0).longer}
    again.merge(again.open_minute(NOON + 60, tick(65, 10.0, 3)))
    assert {3.0} == {bar.volume for bar in again.state(0).longer}


def test_each_longer_bar_has_its_period() -> None:
    """Each opens when its own period does."""
    bar = Longer((NOON, NOON + 300), minute_of(tick(3, 1.0)), OpenBars(SYMBOL))
    assert (NOON, NOON + 300, None) == (bar.start, bar.end, bar.due)


def test_without_a_calendar_there_are_minutes_alone() -> None:
    """A longer bar that is open already still gets them."""
    bars = open_bars()
    bars.merge(bars.open_minute(NOON, tick(5, 10.0)))
    bars.use(NO_HOURS)
    assert bars.enter_session(0)
    bars.longer[0] = None
    assert [] == bars.merge(bars.open_minute(NOON + 180, tick(185, 30.0)))
    assert [False] + [True] * 8 == [bar is not None for bar in bars.longer]
    assert {30.0} == {bar.high for bar in bars.state(0).longer}


def test_a_period_is_found_once() -> None:
    """It serves all minutes that it contains, of all symbols with this calendar."""
    hours, five = Hours(ALWAYS), LONGER.index(Interval.M5)
    first = hours.period_at(five, NOON)
    assert (NOON, NOON + 300) == first
    assert first is hours.period_at(five, NOON + 240)
    assert (NOON + 300, NOON + 600) == hours.period_at(five, NOON + 300)
    assert first == hours.period_at(five, NOON)
    assert None is NO_HOURS.period_at(five, NOON)
