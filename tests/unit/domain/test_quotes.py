"""Quotes and ticks: partial updates merged, and what of them is a trade, when, and of what size."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.intervals import DAY
from pocketquant.domain.quotes import LiveQuote, Quote, QuoteFields, Tick, delay_seconds, exact

NOW = 1_700_000_000
SYMBOL = "NASDAQ:AAPL"

totals = st.lists(st.integers(0, 10**14), min_size=1).map(sorted)
scales = st.sampled_from([1, 100, 100_000, 100_000_000])


@pytest.fixture
def live() -> LiveQuote:
    """A symbol that traded last at 10.0, a hundred seconds ago."""
    live = LiveQuote(SYMBOL)
    live.update({"lp": 10.0, "lp_time": NOW - 100, "volume": 1000.0}, NOW)
    return live


def test_the_first_quote() -> None:
    """The first price is a tick at its time; of the day's total nothing was traded just then."""
    first = LiveQuote(SYMBOL)
    fields: QuoteFields = {"lp": 10.0, "lp_time": NOW - 3, "volume": 1000.0}
    assert Tick(SYMBOL, NOW - 3, 10.0, 0) == first.update(fields, NOW)


def test_a_quote_is_merged() -> None:
    """Fields that are absent keep their values, null takes one away."""
    live = LiveQuote(SYMBOL)
    live.update(
        {
            "lp": 10.0,
            "lp_time": NOW,
            "volume": 500.0,
            "bid": 9.9,
            "ask": 10.1,
            "ch": 0.5,
            "chp": 5.0,
            "open_price": 9.0,
            "high_price": 11.0,
            "low_price": 8.0,
            "prev_close_price": 9.5,
            "update_mode": "delayed_streaming_900",
            "current_session": "market",
        },
        NOW + 900,
    )
    live.update({"bid": None, "ask": 10.2}, NOW + 901)
    expected = Quote(
        symbol=SYMBOL,
        time=NOW,
        last_price=10.0,
        bid=None,
        ask=10.2,
        day_volume=500.0,
        change=0.5,
        change_percent=5.0,
        open_price=9.0,
        high_price=11.0,
        low_price=8.0,
        prev_close=9.5,
        update_mode="delayed_streaming_900",
        current_session="market",
    )
    assert expected == live.quote()
    assert (900, True) == (live.delay_seconds, live.is_market_open)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"lp": 11.0, "lp_time": NOW, "volume": 1007.0}, Tick(SYMBOL, NOW, 11.0, 7)),
        ({"lp_time": NOW}, Tick(SYMBOL, NOW, 10.0, 0)),
        ({"volume": 1000.5}, Tick(SYMBOL, NOW, 10.0, Decimal("0.5"))),
        ({"lp": 11.0}, Tick(SYMBOL, NOW, 11.0, 0)),
        ({"volume": 30.0}, Tick(SYMBOL, NOW, 10.0, 30)),
        ({"lp": 11.0, "volume": 1e100}, Tick(SYMBOL, NOW, 11.0, None)),
        ({"lp": 11.0, "volume": None}, Tick(SYMBOL, NOW, 11.0, None)),
        ({"lp": 11.0, "volume": -1.0}, Tick(SYMBOL, NOW, 11.0, None)),
        ({"lp": 11.0, "lp_time": None}, Tick(SYMBOL, NOW, 11.0, 0)),
        ({"bid": 9.9, "ask": 10.1}, None),
        ({"update_mode": "streaming", "current_session": "market", "ch": 1.0}, None),
        ({"lp": 10.0, "lp_time": NOW - 100, "volume": 1000.0}, None),
        ({"lp": None, "lp_time": NOW}, None),
        ({"volume": 1e100}, None),
        ({}, None),
    ],
)
def test_what_is_a_tick(live: LiveQuote, changes: QuoteFields, expected: Tick | None) -> None:
    """What moves price, time or volume is a trade; a total that falls is a new day's."""
    assert expected == live.update(changes, NOW)


def test_nothing_is_a_tick_before_a_price() -> None:
    """Volume without a price is no tick, and counts from the first price on."""
    live = LiveQuote(SYMBOL)
    ticks = [
        live.update({"volume": 100.0}, NOW),
        live.update({"volume": 110.0, "lp_time": NOW}, NOW),
        live.update({"lp": 10.0}, NOW),
        live.update({"volume": 111.0}, NOW),
    ]
    assert [None, None, Tick(SYMBOL, NOW, 10.0, 0), Tick(SYMBOL, NOW, 10.0, 1)] == ticks


def test_volume_that_comes_back(live: LiveQuote) -> None:
    """A total that was away for a while is counted from where it was."""
    ticks = [
        live.update({"volume": None, "lp": 11.0}, NOW),
        live.update({"volume": 1003.0}, NOW),
    ]
    assert [None, 3] == [tick.size for tick in ticks if tick]


@pytest.mark.parametrize(
    ("now", "expected"),
    [(NOW + 2.9, NOW), (NOW + 3, NOW + 3), (NOW - 5, NOW), (NOW + 60.7, NOW + 60)],
)
def test_a_tick_without_a_time(live: LiveQuote, now: float, expected: int) -> None:
    """Without a time it is arrival, unless the last time was told just before."""
    live.update({"lp_time": NOW}, NOW)
    assert Tick(SYMBOL, expected, 12.0, 0) == live.update({"lp": 12.0}, now)


def test_a_delayed_tick_without_a_time() -> None:
    """Arrival at a delayed symbol is that much later than the trade."""
    live = LiveQuote(SYMBOL)
    fields: QuoteFields = {"lp": 12.0, "update_mode": "delayed_streaming_900"}
    assert Tick(SYMBOL, NOW - 900, 12.0, None) == live.update(fields, NOW)


def test_a_time_far_ahead_is_none() -> None:
    """A time of more than a day ahead is not believed, now or later."""
    live = LiveQuote(SYMBOL)
    ticks = [
        live.update({"lp": 12.0, "lp_time": 1e300}, NOW),
        live.update({"lp": 13.0}, NOW),
        live.update({"lp": 14.0, "lp_time": NOW + DAY}, NOW),
    ]
    assert [NOW, NOW, NOW + DAY] == [tick.time for tick in ticks if tick]


def test_going_on_after_a_reconnect(live: LiveQuote) -> None:
    """What is told again is no tick; what was traded meanwhile is the first one's size."""
    again = LiveQuote(SYMBOL, live.quote())
    assert live.quote() == again.quote()
    assert again.update({"lp": 10.0, "lp_time": NOW - 100, "volume": 1000.0}, NOW) is None
    assert Tick(SYMBOL, NOW, 10.0, 40) == again.update({"lp_time": NOW, "volume": 1040.0}, NOW)


def test_going_on_from_what_never_traded() -> None:
    """A quote without a tick, or without a volume, is nothing to count from."""
    fields: QuoteFields = {"lp": 10.0, "lp_time": NOW, "volume": 1000.0}
    for known in (Quote(SYMBOL, day_volume=7.0), Quote(SYMBOL, time=NOW - 9, last_price=1.0)):
        assert Tick(SYMBOL, NOW, 10.0, 0) == LiveQuote(SYMBOL, known).update(fields, NOW)


@given(totals, scales)
def test_sizes_add_up_to_the_total(steps: list[int], scale: int) -> None:
    """The sizes of a day add up to exactly its last total, whatever decimals it has."""
    live = LiveQuote(SYMBOL)
    ticks = [live.update({"lp": 1.0, "volume": 0.0}, NOW)]
    ticks += [live.update({"volume": step / scale}, NOW) for step in steps]
    sizes = [tick.size for tick in ticks if tick and tick.size is not None]
    assert Decimal(steps[-1]) / scale == sum(sizes)
    assert all(size >= 0 for size in sizes)


@given(st.floats(0, 1e99))
def test_exact_decimals_are_the_float(volume: float) -> None:
    """A decimal stands for its float, and a whole one is an int."""
    assert volume == float(exact(volume))
    assert volume.is_integer() == isinstance(exact(volume), int)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("streaming", 0),
        ("delayed_streaming_900", 900),
        ("delayed_streaming_x", 0),
        ("endofday", 0),
        (None, 0),
    ],
)
def test_delays(mode: str | None, expected: int) -> None:
    """The update mode names the delay."""
    assert expected == delay_seconds(mode)
