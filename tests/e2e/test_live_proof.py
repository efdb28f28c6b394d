"""The demo's comparison of live bars, on bars like a streamer's."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pocketquant.cache.board import QuoteBoard
from pocketquant.cache.board_writer import BoardWriter, Entry, Flush
from pocketquant.client import Client
from pocketquant.coordination.leases import Leases
from pocketquant.demo.live_proof import Compared, LiveProof
from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.errors import PocketQuantError
from pocketquant.domain.intervals import MINUTE, Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.open_bars import BarsState, OpenBars
from pocketquant.domain.quotes import Quote
from pocketquant.domain.symbols import Symbol
from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.market.world import find
from pocketquant.storage.calendars import CalendarStore
from pocketquant.storage.live_bars import LiveBarStore
from tests.resolutions import resolution_of

SYMBOLS = [f"SIM:S900{number}" for number in range(1, 5)]

Changes = Callable[[list[LiveBar]], list[LiveBar]]
Streams = Callable[..., tuple[int, int]]


@pytest.fixture
def stream(platform: Any) -> Iterator[Streams]:
    """Puts a symbol on the board, and its live bars of the last minutes into the store."""
    calendars = CalendarStore(platform.mongo)
    for symbol in SYMBOLS:
        calendars.keep(Symbol.parse(symbol), CalendarTexts("Etc/UTC", "24x7"), None, 0)
    leases = Leases(platform.broker, seconds=300.0)
    lease = leases.acquire("streamer:proof")
    assert lease is not None
    writer = BoardWriter(platform.broker, "proof", lease.key, lease.token)

    def begun(symbol: str, change: Changes = list) -> tuple[int, int]:
        """Stream a symbol; return from when until when."""
        now = int(time.time())
        since = now - 8 * MINUTE
        bars = [bar for interval in Interval for bar in complete_bars(symbol, interval, since, now)]
        LiveBarStore(platform.mongo).upsert(change(bars))
        entry = Entry(Quote(symbol, time=now, last_price=1.0), nothing_open(symbol))
        writer.write(Flush(now, now, [entry]))
        return since, now

    yield begun
    leases.release(lease)
    QuoteBoard(platform.broker).forget(SYMBOLS)


def test_live_bars_that_equal_the_exchanges(stream: Streams, platform: Any) -> None:
    """Equal bars are counted once, at every interval with a complete bar."""
    since, now = stream("SIM:S9001")
    proof = LiveProof(Client(platform.url), ("SIM:S9001",))
    compared = proof.compare(since, now)
    assert {Interval.M1, Interval.M3} <= {one.window.interval for one in compared}
    for one in compared:
        length = one.window.interval.seconds
        assert ((one.window.end - one.window.start) // length, (), 0) == found(one)
    assert [] == proof.compare(since, now)


@pytest.mark.parametrize("symbol", ["SIM:S9002", "SIM:S9003", "SIM:S9004"])
def test_live_bars_that_differ(stream: Streams, platform: Any, symbol: str) -> None:
    """A bar that differs in a digit or is missing is found; a partial bar does not count."""
    changes: dict[str, Changes] = {
        "SIM:S9002": lambda bars: [bars[0], bars[1]._replace(volume=0.5), *bars[2:]],
        "SIM:S9003": lambda bars: [bars[0], *bars[2:]],
        "SIM:S9004": lambda bars: [
            bars[0],
            bars[1]._replace(close=7.0, is_partial=True),
            *bars[2:],
        ],
    }
    since, now = stream(symbol, changes[symbol])
    minutes, *longer = LiveProof(Client(platform.url), (symbol,)).compare(since, now)
    assert Interval.M1 is minutes.window.interval
    bars = (minutes.window.end - minutes.window.start) // MINUTE
    wrong = 0 if symbol == "SIM:S9004" else 1
    assert (bars - 1, wrong, 0) == (minutes.equal, len(minutes.differing), minutes.left)
    assert [()] * len(longer) == [one.differing for one in longer]


def test_a_symbol_without_a_live_quote(platform: Any) -> None:
    """A symbol without a live quote raises an error."""
    proof = LiveProof(Client(platform.url), ("SIM:S9005",))
    with pytest.raises(PocketQuantError, match="SIM:S9005"):
        proof.compare(time.time() - 100, time.time())


def found(one: Compared) -> tuple[int, tuple[str, ...], int]:
    return one.equal, one.differing, one.left


def complete_bars(symbol: str, interval: Interval, since: int, now: int) -> Iterator[LiveBar]:
    """Return the market's bars that began after `since` and have ended."""
    instrument, resolution = find(symbol), resolution_of(interval)
    assert instrument
    newest = Market({}).newest(instrument, resolution, now, 20).bars
    whole: Bars = newest.between(interval.period_end(since), interval.period_start(now))
    for bar_time, *values in whole.columns.T.tolist():
        start = int(bar_time)
        end = interval.period_end(start)
        yield LiveBar(symbol, interval, start, end, *values, 1, False, start, start)


def nothing_open(symbol: str) -> BarsState:
    return OpenBars(symbol).state(0)
