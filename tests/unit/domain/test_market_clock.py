"""MarketClock: the provider's time, by a steady clock of ours."""

import pytest

from pocketquant.domain.market_clock import MarketClock

NOON = 1_700_049_600.0
KO, IBM, DIS, VZ = "NYSE:KO", "NYSE:IBM", "NYSE:DIS", "NYSE:VZ"


@pytest.fixture
def clock() -> MarketClock:
    """A clock that was right at noon, when the steady clock was at 0."""
    return MarketClock(NOON, 0.0, tolerance_seconds=2.0)


def trades(clock: MarketClock, lead: float, *symbols: str, times: int = 1) -> None:
    """Notes a trade of each symbol, this many seconds ahead of the clock."""
    for symbol in symbols * times:
        clock.trade(symbol, NOON + 30 + lead, NOON + 30)


def test_it_counts_seconds_from_our_own_time(clock: MarketClock) -> None:
    """This holds until the provider sends its time."""
    assert [NOON, NOON + 90] == [clock.time(0), clock.time(90)]


@pytest.mark.parametrize("off", [-3600.0, -5.0, 0.0, 5.0, 3600.0])
def test_the_greeting_sets_the_clock(off: float) -> None:
    """Our own clock may be wrong by any amount."""
    clock = MarketClock(NOON + off, 0.0, tolerance_seconds=2.0)
    clock.greet(NOON + 1, clock.time(1))
    assert NOON + 61 == clock.time(61)


def test_a_step_of_the_machine_s_clock_is_returned_once(clock: MarketClock) -> None:
    """The market clock does not change."""
    steps = [
        clock.step(wall, steady)
        for wall, steady in ((NOON + 1, 1.0), (NOON + 3602, 2.0), (NOON + 3603, 3.0), (NOON, 4.0))
    ]
    assert [0, 3600, 0, -3604] == steps
    assert NOON + 4 == clock.time(4)


def test_a_sleep_of_the_machine_is_a_step(clock: MarketClock) -> None:
    """Its steady clock stood still meanwhile."""
    assert 600 == clock.step(NOON + 601, 1.0)


def test_trades_from_the_future_put_the_clock_forward(clock: MarketClock) -> None:
    """The third of the leading symbols counts."""
    trades(clock, 4.0, KO)
    trades(clock, 5.0, IBM)
    trades(clock, 3.0, DIS, VZ)
    trades(clock, -1.0, DIS)
    clock.judge(NOON + 59, watched=4)
    assert NOON + 59 == clock.time(59)
    clock.judge(NOON + 60, watched=4)
    assert NOON + 63 == clock.time(60)


@pytest.mark.parametrize(
    ("symbols", "watched", "expected"),
    [((KO, IBM), 3, 0), ((KO, IBM), 2, 5), ((KO,), 1, 5), ((KO,), 2, 0), ((), 0, 0)],
)
def test_too_few_symbols_change_nothing(
    clock: MarketClock, symbols: tuple[str, ...], watched: int, expected: float
) -> None:
    """Three must agree, or all if fewer are watched."""
    trades(clock, 5.0, *symbols)
    clock.judge(NOON + 60, watched)
    assert NOON + 60 + expected == clock.time(60)


@pytest.mark.parametrize(
    ("lead", "times", "expected"), [(-4.0, 20, -4), (-4.0, 19, 0), (-2.0, 20, 0), (0.0, 20, 0)]
)
def test_many_late_trades_put_the_clock_back(
    clock: MarketClock, lead: float, times: int, expected: float
) -> None:
    """The newest of many trades was made just now."""
    trades(clock, lead, KO, IBM, DIS, times=times)
    trades(clock, lead - 50, KO, times=3 if times == 20 else 0)
    clock.judge(NOON + 60, watched=3)
    assert NOON + 60 + expected == clock.time(60)


def test_each_window_is_judged_by_itself(clock: MarketClock) -> None:
    """Trades from before the last correction do not count."""
    trades(clock, 5.0, KO, IBM, DIS)
    clock.judge(NOON + 60, watched=3)
    clock.judge(NOON + 130, watched=3)
    assert NOON + 65 == clock.time(60)
    trades(clock, 5.0, KO, IBM, DIS)
    clock.greet(NOON + 200, NOON + 140)
    clock.judge(NOON + 300, watched=3)
    assert NOON + 200 == clock.time(135)
