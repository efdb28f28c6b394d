"""The live state of one symbol."""

import pytest

from pocketquant.simulator.market import world
from pocketquant.simulator.market.trading import Book, Day, Phase, PhaseChange, Trade
from pocketquant.simulator.wire.feeds import Feed

NOW = 1_763_480_420  # 2025-11-18 15:40:20 UTC
SESSION = 6510


@pytest.fixture
def stock() -> world.Instrument:
    instrument = world.find("NASDAQ:AAPL")
    assert instrument is not None
    return instrument


def feed_of(stock: world.Instrument, *to_come: Trade | Book | PhaseChange) -> Feed:
    day = Day(
        session=SESSION,
        previous_close=10_000,
        open=10_100,
        high=10_300,
        low=10_050,
        last=10_200,
        total=5_000,
        traded_at=NOW - 5,
    )
    return Feed(stock, day, iter(to_come), NOW)


def test_the_first_state_is_complete(stock: world.Instrument) -> None:
    """A new feed has all fields and no changes."""
    feed = feed_of(stock)
    expected = {"lp": 102.0, "volume": 5000.0, "ch": 2.0, "chp": 2.0, "prev_close_price": 100.0}
    assert expected.items() <= feed.values.items()
    assert ({}, None) == (feed.take(), feed.due_ms)


def test_a_trade_changes_its_fields(stock: world.Instrument) -> None:
    """A trade at an equal price changes neither price nor change; a new high changes the high."""
    feed = feed_of(stock, Trade(1, SESSION, NOW, 10_200, 7), Trade(2, SESSION, NOW + 1, 10_400, 1))
    feed.play()
    assert {"volume": 5007.0, "lp_time": NOW} == feed.take()
    feed.play()
    assert {
        "volume": 5008.0,
        "lp_time": NOW + 1,
        "lp": 104.0,
        "high_price": 104.0,
        "ch": 4.0,
        "chp": 4.0,
    } == feed.take()


def test_the_first_trade_of_a_session_begins_the_day(stock: world.Instrument) -> None:
    """The first trade of a session sets the volume, the open and the previous close."""
    feed = feed_of(stock, Trade(1, SESSION + 1, NOW + 60, 10_300, 9))
    open_time = feed.values["open_time"]
    feed.play()
    changes = feed.take()
    assert {
        "volume": 9.0,
        "open_price": 103.0,
        "low_price": 103.0,
        "prev_close_price": 102.0,
        "ch": 1.0,
    }.items() <= changes.items()
    assert 0 < changes["open_time"] - open_time < 5 * 86_400


def test_book_and_phase_changes_are_no_trades(stock: world.Instrument) -> None:
    """Changes of the book or the phase change only their own fields."""
    feed = feed_of(stock, Book(1, 10_100, 10_300, 4, 5), PhaseChange(2, Phase.OUT))
    feed.play()
    assert {"bid": 101.0, "ask": 103.0, "bid_size": 4.0, "ask_size": 5.0} == feed.take()
    feed.play()
    assert {"current_session": "out_of_session"} == feed.take()


def test_changes_gather_until_they_are_taken(stock: world.Instrument) -> None:
    """All events due by a time can be applied at once, and their changes are taken together."""
    trades = [Trade(due, SESSION, NOW + due, 10_200 + due, 10) for due in range(1, 5)]
    feed = feed_of(stock, *trades)
    feed.play(until_ms=3)
    assert (4, 5030.0, 102.03) == (feed.due_ms, feed.values["volume"], feed.values["lp"])
    feed.play(until_ms=9)
    feed.play()
    assert (None, NOW + 4, 5040.0) == (
        feed.due_ms,
        (changes := feed.take())["lp_time"],
        changes["volume"],
    )
    assert {} == feed.take()


def test_the_volume_of_the_day_can_restart(stock: world.Instrument) -> None:
    """After a restart, the volume counts from zero with the next trade."""
    feed = feed_of(stock, Trade(1, SESSION, NOW, 10_200, 7))
    feed.restart_day()
    feed.play()
    assert {"volume": 7.0, "lp_time": NOW} == feed.take()
