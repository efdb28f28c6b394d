"""Quotes and ticks: partial updates merged, and what of them is a trade, when, and of what size."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.intervals import HOUR
from pocketquant.domain.quotes import LiveQuote, Quote, QuoteChanges, Tick, delay_seconds, exact

NOW = 1_700_000_000
SYMBOL = "NASDAQ:AAPL"

totals = st.lists(st.integers(0, 10**14), min_size=1).map(sorted)
scales = st.sampled_from([1, 100, 100_000, 100_000_000])


@pytest.fixture
def live() -> LiveQuote:
    """A symbol with a last trade at 10.0, a hundred seconds ago."""
    live = LiveQuote(SYMBOL)
    live.update({"last_price": 10.0, "time": NOW - 100, "day_volume": 1000.0}, NOW)
    return live


def test_the_first_quote() -> None:
    """The first price is a tick at its time; its size is 0, as the total is from earlier."""
    first = LiveQuote(SYMBOL)
    fields: QuoteChanges = {"last_price": 10.0, "time": NOW - 3, "day_volume": 1000.0}
    assert Tick(SYMBOL, NOW - 3, 10.0, 0) == first.update(fields, NOW)


def test_a_quote_is_merged() -> None:
    """Absent fields keep their values, and None removes one."""
    live = LiveQuote(SYMBOL)
    live.update(
        {
            "last_price": 10.0,
            "time": NOW,
            "day_volume": 500.0,
            "bid": 9.9,
            "ask": 10.1,
            "change": 0.5,
            "change_percent": 5.0,
            "open_price": 9.0,
            "high_price": 11.0,
            "low_price": 8.0,
            "prev_close": 9.5,
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
        ({"last_price": 11.0, "time": NOW, "day_volume": 1007.0}, Tick(SYMBOL, NOW, 11.0, 7)),
        ({"time": NOW}, None),
        ({"day_volume": 1000.5}, Tick(SYMBOL, NOW, 10.0, Decimal("0.5"))),
        ({"last_price": 11.0}, Tick(SYMBOL, NOW, 11.0, 0)),
        ({"day_volume": 30.0}, Tick(SYMBOL, NOW, 10.0, 30)),
        ({"last_price": 11.0, "day_volume": None}, Tick(SYMBOL, NOW, 11.0, None)),
        ({"last_price": 11.0, "time": None}, Tick(SYMBOL, NOW, 11.0, 0)),
        ({"bid": 9.9, "ask": 10.1}, None),
        ({"update_mode": "streaming", "current_session": "market", "change": 1.0}, None),
        ({"last_price": 10.0, "time": NOW - 100, "day_volume": 1000.0}, None),
        ({"last_price": None, "time": NOW}, None),
        ({"day_volume": None}, None),
        ({}, None),
    ],
)
def test_a_new_price_or_total_is_a_tick(
    live: LiveQuote, changes: QuoteChanges, expected: Tick | None
) -> None:
    """A total that falls to nearly none begins a new day."""
    assert expected == live.update(changes, NOW)


def test_there_is_no_tick_before_a_price() -> None:
    """The total is counted from the first price on."""
    live = LiveQuote(SYMBOL)
    ticks = [
        live.update({"day_volume": 100.0}, NOW),
        live.update({"day_volume": 110.0, "time": NOW}, NOW),
        live.update({"last_price": 10.0}, NOW),
        live.update({"day_volume": 111.0}, NOW),
    ]
    assert [None, None, Tick(SYMBOL, NOW, 10.0, 0), Tick(SYMBOL, NOW, 10.0, 1)] == ticks


def test_volume_that_comes_back(live: LiveQuote) -> None:
    """A total that was missing for a while is counted from its last value."""
    ticks = [
        live.update({"day_volume": None, "last_price": 11.0}, NOW),
        live.update({"day_volume": 1003.0}, NOW),
    ]
    assert [None, 3] == [tick.size for tick in ticks if tick]


@pytest.mark.parametrize(
    ("now", "expected"),
    [(NOW + 2.9, NOW), (NOW + 3, NOW + 3), (NOW - 5, NOW), (NOW + 60.7, NOW + 60)],
)
def test_a_tick_without_a_time(live: LiveQuote, now: float, expected: int) -> None:
    """Its time is the arrival, or the last time if that came just before."""
    live.update({"time": NOW}, NOW)
    assert Tick(SYMBOL, expected, 12.0, 0) == live.update({"last_price": 12.0}, now)


def test_a_delayed_tick_without_a_time() -> None:
    """Its time is the arrival less the delay."""
    live = LiveQuote(SYMBOL)
    fields: QuoteChanges = {"last_price": 12.0, "update_mode": "delayed_streaming_900"}
    assert Tick(SYMBOL, NOW - 900, 12.0, None) == live.update(fields, NOW)


def test_a_time_far_ahead_is_ignored() -> None:
    """A time of more than an hour ahead never counts."""
    live = LiveQuote(SYMBOL)
    ticks = [
        live.update({"last_price": 12.0, "time": 1e300}, NOW),
        live.update({"last_price": 13.0}, NOW),
        live.update({"last_price": 14.0, "time": NOW + HOUR}, NOW),
        live.update({"last_price": 15.0, "time": NOW + HOUR + 1}, NOW),
        live.update({"last_price": 16.0}, NOW),
    ]
    assert [NOW, NOW, NOW + HOUR, NOW, NOW] == [tick.time for tick in ticks if tick]


def test_a_known_quote_continues_after_a_reconnect(live: LiveQuote) -> None:
    """Repeated values are no tick; the volume meanwhile is the size of the first one."""
    again = LiveQuote(SYMBOL, live.quote())
    assert live.quote() == again.quote()
    assert again.update({"last_price": 10.0, "time": NOW - 100, "day_volume": 1000.0}, NOW) is None
    assert Tick(SYMBOL, NOW, 10.0, 40) == again.update({"time": NOW, "day_volume": 1040.0}, NOW)


def test_a_known_quote_without_a_trade_or_total_gives_no_size() -> None:
    """There is no total to count from."""
    fields: QuoteChanges = {"last_price": 10.0, "time": NOW, "day_volume": 1000.0}
    for known in (Quote(SYMBOL, day_volume=7.0), Quote(SYMBOL, time=NOW - 9, last_price=1.0)):
        assert Tick(SYMBOL, NOW, 10.0, 0) == LiveQuote(SYMBOL, known).update(fields, NOW)


@given(totals, scales)
def test_sizes_add_up_to_the_total(steps: list[int], scale: int) -> None:
    """The sizes of a day add up to its last total exactly, with any decimals."""
    live = LiveQuote(SYMBOL)
    ticks = [live.update({"last_price": 1.0, "day_volume": 0.0}, NOW)]
    ticks += [live.update({"day_volume": step / scale}, NOW) for step in steps]
    sizes = [tick.size for tick in ticks if tick and tick.size is not None]
    assert Decimal(steps[-1]) / scale == sum(sizes)
    assert all(size >= 0 for size in sizes)


@given(st.floats(0, 1e99))
def test_exact_decimals_are_the_float(volume: float) -> None:
    """A decimal equals its float, and a whole number is an int."""
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
    """The update mode contains the delay."""
    assert expected == delay_seconds(mode)


@pytest.mark.parametrize("session", ["out_of_session", "pre_market", "post_market", "holiday"])
def test_no_trade_outside_the_session(live: LiveQuote, session: str) -> None:
    """The quote is kept up to date; growth of the total meanwhile is in no trade's size."""
    ticks = [
        live.update({"current_session": session}, NOW),
        live.update({"time": NOW, "day_volume": 1500.0}, NOW),
        live.update({"time": NOW + 10, "last_price": 11.0, "day_volume": 1600.0}, NOW + 10),
    ]
    assert [None, None, None] == ticks
    quote = live.quote()
    assert (NOW + 10, 11.0, 1600.0) == (quote.time, quote.last_price, quote.day_volume)
    live.update({"current_session": "market"}, NOW + 100)
    assert Tick(SYMBOL, NOW + 101, 11.0, 7) == live.update(
        {"time": NOW + 101, "day_volume": 1607.0}, NOW + 101
    )
    assert () == live.doubts


def test_no_trade_outside_the_session_of_a_symbol_without_volume() -> None:
    """There is no total to follow."""
    live = LiveQuote(SYMBOL)
    live.update({"last_price": 10.0, "time": NOW, "current_session": "out_of_session"}, NOW)
    assert live.update({"time": NOW + 1}, NOW + 1) is None
    live.update({"current_session": "market"}, NOW + 2)
    assert Tick(SYMBOL, NOW + 3, 10.0, None) == live.update({"time": NOW + 3}, NOW + 3)


def test_a_correction_has_no_size(live: LiveQuote) -> None:
    """Its minute and the one before are doubtful, and so is the next growth."""
    live.update({"time": NOW, "day_volume": 50_000_090.0}, NOW)
    live.doubts = ()
    assert Tick(SYMBOL, NOW + 60, 10.0, 0) == live.update(
        {"time": NOW + 60, "day_volume": 50_000_080.0}, NOW + 60
    )
    assert (NOW, NOW + 60) == live.doubts
    live.doubts = ()
    grown = live.update({"time": NOW + 130, "day_volume": 50_000_100.0}, NOW + 130)
    assert (Tick(SYMBOL, NOW + 130, 10.0, 20), (NOW + 130,)) == (grown, live.doubts)
    live.doubts = ()
    live.update({"time": NOW + 140, "day_volume": 50_000_101.0}, NOW + 140)
    assert () == live.doubts


def test_swapped_updates_are_a_correction(live: LiveQuote) -> None:
    """The older total comes second."""
    ticks = [
        live.update({"last_price": 12.0, "time": NOW, "day_volume": 1020.0}, NOW),
        live.update({"last_price": 11.0, "time": NOW - 1, "day_volume": 1010.0}, NOW),
    ]
    assert [20, 0] == [tick.size for tick in ticks if tick]
    assert (NOW, NOW - 1) == live.doubts


def test_a_correction_before_the_first_tick() -> None:
    """Only the minute of the correction is doubtful."""
    live = LiveQuote(SYMBOL)
    closed: QuoteChanges = {
        "last_price": 10.0,
        "day_volume": 1000.0,
        "current_session": "pre_market",
    }
    live.update(closed, NOW)
    live.update({"current_session": "market"}, NOW)
    assert Tick(SYMBOL, NOW, 10.0, 0) == live.update({"day_volume": 990.0, "time": NOW}, NOW)
    assert (NOW, NOW) == live.doubts


DAYS = [
    ({"open_time": 86_400}, {"open_time": 172_800}),
    ({"trading_day": "20251218"}, {"trading_day": "20251219"}),
]


@pytest.mark.parametrize(("day", "next_day"), DAYS)
def test_a_named_new_day_counts_its_whole_total(day: QuoteChanges, next_day: QuoteChanges) -> None:
    """The day may be named before the total or with it."""
    for is_told_before in (True, False):
        live = LiveQuote(SYMBOL)
        live.update({"last_price": 10.0, "time": NOW, "day_volume": 1000.0, **day}, NOW)
        live = LiveQuote(SYMBOL, live.quote())
        if is_told_before:
            live.update(next_day, NOW)
        first: QuoteChanges = {"time": NOW + 1, "day_volume": 900.0, **next_day}
        assert Tick(SYMBOL, NOW + 1, 10.0, 900) == live.update(first, NOW + 1)
        assert () == live.doubts


@pytest.mark.parametrize(("day", "next_day"), DAYS)
def test_growth_over_a_new_day_is_doubtful(day: QuoteChanges, next_day: QuoteChanges) -> None:
    """The total may have begun anew or not."""
    live = LiveQuote(SYMBOL)
    live.update({"last_price": 10.0, "time": NOW, "day_volume": 1000.0, **day}, NOW)
    risen = live.update({"time": NOW + 1, "day_volume": 1100.0, **next_day}, NOW + 1)
    assert (Tick(SYMBOL, NOW + 1, 10.0, 100), (NOW + 1,)) == (risen, live.doubts)


@pytest.mark.parametrize(("day", "next_day"), DAYS)
def test_a_fall_within_a_named_day_is_a_correction(
    day: QuoteChanges, next_day: QuoteChanges
) -> None:
    """This holds for a fall to nearly none too."""
    live = LiveQuote(SYMBOL)
    live.update({"last_price": 10.0, "time": NOW, "day_volume": 1000.0, **day}, NOW)
    assert Tick(SYMBOL, NOW, 10.0, 0) == live.update({"day_volume": 5.0, **day}, NOW)


def test_a_fall_to_little_after_the_open_is_a_new_day_once() -> None:
    """The quote still names the old day then."""
    live = LiveQuote(SYMBOL)
    live.update({"last_price": 10.0, "time": NOW, "day_volume": 1000.0, "open_time": 1}, NOW)
    live.update({"current_session": "out_of_session"}, NOW)
    live.update({"current_session": "market"}, NOW)
    sizes = [
        live.update({"day_volume": volume, "time": NOW + second}, NOW + second)
        for second, volume in enumerate((101.0, 10.0, 1.0), start=1)
    ]
    assert [0, 10, 0] == [tick.size for tick in sizes if tick]


def test_a_fall_to_zero_and_back_is_not_a_day_s_volume(live: LiveQuote) -> None:
    """The size is the growth since before the fall."""
    live.update({"day_volume": 0.0}, NOW)
    assert () == live.doubts
    back = live.update({"day_volume": 1004.0, "time": NOW}, NOW)
    assert (Tick(SYMBOL, NOW, 10.0, 4), (NOW,)) == (back, live.doubts)
    live.doubts = ()
    assert Tick(SYMBOL, NOW, 10.0, 2) == live.update({"day_volume": 1006.0}, NOW)
    assert () == live.doubts


@pytest.mark.parametrize(
    "changes",
    [{"current_session": "post_market"}, {"open_time": 86_400.0}, {"trading_day": "20231116"}],
)
def test_the_last_quote_of_a_session_or_day_is_kept(changes: QuoteChanges) -> None:
    """It has the values before the change; one without a price is not kept."""
    live = LiveQuote(SYMBOL)
    live.update({"current_session": "market", "last_price": 10.0, "day_volume": 5.0}, NOW)
    assert None is live.ended
    live.update({"last_price": 11.0, "day_volume": 7.0}, NOW)
    before = live.quote()
    live.update(changes | QuoteChanges(day_volume=9.0), NOW)
    assert before == live.ended
    assert (11.0, 7.0, True) == (before.last_price, before.day_volume, before.is_trading)
    assert (changes.get("current_session") is None) == live.quote().is_trading
