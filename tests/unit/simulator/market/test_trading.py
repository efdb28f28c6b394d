"""Trades, phase changes and days follow each other."""

from datetime import UTC, datetime
from itertools import islice, pairwise, takewhile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketquant.simulator.market import paths, world
from pocketquant.simulator.market.calendars import sessions
from pocketquant.simulator.market.prices import Market, Resolution
from pocketquant.simulator.market.trading import (
    Book,
    Day,
    MarketEvent,
    OutsideTrade,
    Phase,
    PhaseChange,
    Trade,
    day_so_far,
    market_events,
    outside_so_far,
    trades_between,
)
from tests.simulated import known
from tests.unit.simulator.market.instruments import INSTRUMENTS

instruments = st.sampled_from(INSTRUMENTS)
moments = st.integers(947_600_000, 2_208_000_000)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def between(name: str, start: str, end: str) -> list[MarketEvent]:
    """Return the events of a symbol between two times of the server."""
    to_come = market_events(known(name), at(start) - 1 - known(name).delay_seconds)
    return list(takewhile(lambda market_event: market_event.due_ms < at(end) * 1000, to_come))


@settings(deadline=None, max_examples=60)
@given(instruments, moments, st.integers(1, 7200), st.integers(1, 7200))
def test_trades_do_not_depend_on_the_range_requested(
    instrument: world.Instrument, start: int, first: int, second: int
) -> None:
    """Trades of any ranges are the ticks of the minutes."""
    middle, end = start + first, start + first + second
    pieces = [
        trades_between(instrument, start, middle),
        trades_between(instrument, middle, end),
    ]
    whole = np.concatenate(pieces, axis=1)
    assert np.array_equal(trades_between(instrument, start, end), whole)
    calendar = sessions(instrument.calendar)
    days = (calendar.begun_by(start) - 1, calendar.begun_by(end))
    minutes = paths.minutes(instrument, *days)
    near = minutes[:, (minutes[0] > start - 60) & (minutes[0] < end)]
    ticks = np.concatenate(
        [np.empty((3, 0), dtype=np.int64), *(paths.ticks(instrument, row) for row in near.T)],
        axis=1,
    )
    assert np.array_equal(ticks[:, (ticks[0] >= start) & (ticks[0] < end)], whole)


@settings(deadline=None, max_examples=100)
@given(instruments, moments)
def test_the_day_so_far_is_the_daily_bar(instrument: world.Instrument, now: int) -> None:
    """The day so far equals the forming daily bar, or the last one when the market is closed."""
    day = day_so_far(instrument, now)
    assert day is not None
    moment = now + instrument.delay_seconds
    bars = Market({}).newest(instrument, Resolution(1, "D"), moment, 2).bars
    scale, lots = instrument.pricescale, instrument.lots_per_unit
    prices = [
        price / scale for price in (day.previous_close, day.open, day.high, day.low, day.last)
    ]
    newest = bars.columns[:, -1].tolist()
    assert [float(bars.close[0]), *newest[1:5]] == prices
    assert not instrument.has_volume or newest[5] == day.total / lots
    assert trades_between(instrument, day.traded_at, now + 1)[0].tolist() == [day.traded_at]


def test_before_the_first_trade_there_is_no_day() -> None:
    """There is no day before the first trade, whose previous close is its open."""
    assert day_so_far(known("NASDAQ:AAPL"), at("2000-01-03T14:00")) is None
    day = day_so_far(known("NASDAQ:AAPL"), at("2000-01-03T15:00"))
    assert day is not None
    assert (0, day.open) == (day.session, day.previous_close)


def test_a_new_day_begins_with_its_first_trade() -> None:
    """The old day stays until the first trade of the new session."""
    aapl = known("NASDAQ:AAPL")
    opens = at("2025-11-18T14:30")
    first = int(trades_between(aapl, opens, opens + 60)[0, 0])
    evening = day_so_far(aapl, opens - 3600)
    assert evening == day_so_far(aapl, first - 1)
    today = day_so_far(aapl, first)
    assert evening is not None
    assert today is not None
    assert evening.last == today.previous_close
    trade = next(one for one in market_events(aapl, opens - 1) if isinstance(one, Trade))
    evening.add(trade)
    assert today == evening


def test_a_day_adds_trades() -> None:
    """A trade widens the range and adds to the total; one of another session starts a new day."""
    day = Day(
        session=7, previous_close=90, open=100, high=105, low=95, last=101, total=50, traded_at=1
    )
    day.add(Trade(0, 7, 2, 107, 3))
    assert Day(7, 90, 100, 107, 95, 107, 53, 2) == day
    day.add(Trade(0, 7, 3, 94, 3))
    assert Day(7, 90, 100, 107, 94, 94, 56, 3) == day
    day.add(Trade(0, 8, 9, 99, 4))
    assert Day(8, 94, 99, 99, 99, 99, 4, 9) == day


@settings(deadline=None, max_examples=60)
@given(instruments, moments, st.integers(1, 20_000))
def test_events_do_not_depend_on_their_start(
    instrument: world.Instrument, now: int, later: int
) -> None:
    """Events requested later are the same without those past, and always in order."""
    after = now + later
    early = [
        one
        for one in islice(market_events(instrument, now), 4000)
        if isinstance(one, Trade | PhaseChange)
    ]
    assert all(one.due_ms <= other.due_ms for one, other in pairwise(early))
    shift_ms = instrument.delay_seconds * 1000
    remaining = [one for one in early if (one.due_ms - shift_ms) // 1000 > after]
    late = [
        one
        for one in islice(market_events(instrument, after), 4000)
        if isinstance(one, Trade | PhaseChange)
    ]
    assert remaining == late[: len(remaining)]


def test_phases_change_at_the_opening_and_the_close() -> None:
    """All trades lie between the phase changes; events of delayed symbols come later."""
    for name, opens, closes in (
        ("TVC:RUT", "2025-11-18T14:30", "2025-11-18T21:00"),
        ("NSE:RELIANCE", "2025-11-18T04:00", "2025-11-18T10:15"),
    ):
        first, *middle, last = between(name, "2025-11-17T22:00", "2025-11-19T01:00")
        assert PhaseChange(at(opens) * 1000, Phase.MARKET) == first
        assert PhaseChange(at(closes) * 1000, Phase.OUT) == last
        assert all(isinstance(one, Trade | Book) for one in middle)
        delay = known(name).delay_seconds
        trades = [one for one in middle if isinstance(one, Trade)]
        assert all(0 <= one.due_ms - (one.time + delay) * 1000 < 500 for one in trades)
        minutes = len({one.time // 60 for one in trades})
        assert (at(closes) - at(opens)) // 60 == minutes


@pytest.mark.parametrize(
    ("name", "expected"), [("BINANCE:BTCUSDT", []), ("OANDA:EURUSD", [False, True])]
)
def test_no_phase_changes_between_adjacent_sessions(name: str, expected: list[bool]) -> None:
    """A session that follows another without a gap makes no phase change."""
    week = between(name, "2025-11-17T00:00", "2025-11-24T00:00")
    assert expected == [one.phase is Phase.MARKET for one in week if isinstance(one, PhaseChange)]


def test_a_us_stock_is_traded_before_and_after_its_session() -> None:
    """Trades outside the session come in order but for swapped pairs, and none is lost."""
    day = between("NASDAQ:AAPL", "2025-11-18T02:00", "2025-11-19T04:00")
    outside = [one for one in day if isinstance(one, OutsideTrade)]
    assert all(one.due_ms <= other.due_ms for one, other in pairwise(outside))
    times = [one.time for one in outside]
    assert len(times) == len(set(times))
    assert sorted(times) != times
    hours = [("09:00", "14:30", Phase.PRE_MARKET), ("21:00", "01:00", Phase.POST_MARKET)]
    for opens, closes, phase in hours:
        last_day = 19 if closes < opens else 18
        start, end = at(f"2025-11-18T{opens}"), at(f"2025-11-{last_day}T{closes}")
        sent = [one for one in outside if one.phase is phase]
        assert all(start <= one.time < end for one in sent)
        traded = [one for one in sent if one.price is not None]
        (part,) = (
            each
            for each in world.pre_and_post_market(known("NASDAQ:AAPL"))
            if trades_between(each, start, end).shape[1]
        )
        expected = trades_between(part, start, end)
        assert sorted(one.time for one in sent) == expected[0].tolist()
        assert max(one.total for one in traded) <= expected[2].sum()


def test_the_last_trade_outside_the_session() -> None:
    """The last trade after the close counts until the next one, but not in the session."""
    stock = known("NASDAQ:AAPL")
    before, _ = world.pre_and_post_market(stock)
    opened = next(
        moment
        for day in range(30)
        if (moment := at("2025-11-03T09:00") + day * 86_400) in sessions(before.calendar).opens
        and not trades_between(before, moment, moment + 1).shape[1]
    )
    night = outside_so_far(stock, opened - 3600)
    assert night is not None
    assert Phase.POST_MARKET is night.phase
    assert night == outside_so_far(stock, opened)
    early = outside_so_far(stock, opened + 60)
    assert early is not None
    assert Phase.PRE_MARKET is early.phase
    assert outside_so_far(stock, opened + 6 * 3600) is None
    assert outside_so_far(known("TVC:RUT"), opened) is None


def test_some_trades_move_the_book_only_afterwards() -> None:
    """A book change follows some trades half a second later, with offers around the price."""
    hour = between("SIM:S0007", "2025-11-18T15:00", "2025-11-18T16:00")
    moved = [(one, other) for one, other in pairwise(hour) if isinstance(other, Book)]
    assert 0.3 < len(moved) / sum(isinstance(one, Trade) for one in hour) < 0.7
    for trade, book in moved:
        assert isinstance(trade, Trade)
        assert trade.due_ms + 500 == book.due_ms
        assert book.bid < trade.price < book.ask
        assert min(book.bid_size, book.ask_size) > 0


def test_events_end() -> None:
    """The events of a symbol end in 2040."""
    assert [] == list(market_events(known("SIM:S0007"), at("2040-01-02T00:00")))
