"""The quote board on a real Redis: writes of streamers, reads, and the lease that guards writes."""

from collections.abc import Callable
from dataclasses import replace

import orjson
import pytest
import redis

from pocketquant.cache.board import CurrentBar, QuoteBoard, Resumable
from pocketquant.cache.board_records import RefusedSymbol, StreamerStatus
from pocketquant.cache.board_writer import BoardWriter, Entry, Flush
from pocketquant.coordination.leases import Leases
from pocketquant.domain.aggregation import BarAggregator
from pocketquant.domain.errors import LeaseLost
from pocketquant.domain.intervals import DAY, Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.quotes import Quote, Tick
from tests.forming import ALWAYS, aggregator_of, forming

NOON = 1_700_049_600  # 2023-11-15T12:00:00Z
AAPL, MSFT = "NASDAQ:AAPL", "NASDAQ:MSFT"
STATUS = StreamerStatus(
    shard="0",
    host="here",
    pid=7,
    started_at=NOON - 5.0,
    as_of=NOON + 0.5,
    symbols=2,
    refused=(RefusedSymbol("A:B", "unknown_symbol", "no such symbol"),),
)

INTRADAY = [each for each in Interval if each.is_intraday]

Write = Callable[..., list[str]]


def quote(symbol: str, price: float = 10.0) -> Quote:
    return Quote(symbol, time=NOON + 30, last_price=price, bid=9.5, day_volume=1000.0)


def seconds_left(cache: redis.Redis, key: str) -> int:
    left = cache.ttl(key)
    assert isinstance(left, int)
    return left


@pytest.fixture
def writer(cache: redis.Redis) -> BoardWriter:
    """The writer of shard 0, which holds its lease."""
    lease = Leases(cache, seconds=60.0).acquire("streamer:0")
    assert lease is not None
    return BoardWriter(cache, "0", lease.key, lease.token)


@pytest.fixture
def write(writer: BoardWriter) -> Write:
    """Writes a flush."""

    def flush(*entries: Entry, **more: object) -> list[str]:
        times = {"as_of": NOON + 90.0, "seen_until": NOON + 90.0}
        return writer.write(Flush(**{**times, "entries": entries, **more}))  # type: ignore[arg-type]

    return flush


@pytest.fixture
def aggregator() -> BarAggregator:
    """AAPL since midnight: a closed minute of two trades, and one trade in the next minute."""
    bars = aggregator_of([AAPL])
    bars.see(AAPL, NOON - DAY / 2)
    bars.take([Tick(AAPL, NOON + 1, 5.0, 10), Tick(AAPL, NOON + 59, 7.0, 20)])
    bars.advance(NOON + 63.0)
    bars.take([Tick(AAPL, NOON + 70, 6.0, 30)])
    return bars


def test_a_quote_is_read_as_the_api_answers_it(
    cache: redis.Redis, write: Write, aggregator: BarAggregator
) -> None:
    """It has all fields, null for unknown ones, and lives for a minute."""
    write(Entry(quote(AAPL), aggregator.state(AAPL)))
    found = QuoteBoard(cache).latest(AAPL)
    assert found is not None
    expected = {
        "symbol": "AAPL",
        "exchange": "NASDAQ",
        "timestamp": "2023-11-15T12:00:30Z",
        "last_price": 10.0,
        "bid": 9.5,
        "ask": None,
        "volume": 1000.0,
        "change": None,
        "change_percent": None,
        "open_price": None,
        "high_price": None,
        "low_price": None,
        "prev_close": None,
        "update_mode": None,
    }
    assert expected == orjson.loads(found)
    assert 50 < seconds_left(cache, "quote:latest:NASDAQ:AAPL") <= 60


def test_all_quotes_in_order(cache: redis.Redis, write: Write) -> None:
    """Expired ones are left out."""
    bars = BarAggregator()
    for symbol in (MSFT, AAPL, "A:GONE"):
        bars.see(symbol, NOON)
        write(Entry(quote(symbol), bars.state(symbol)))
    cache.delete("quote:latest:A:GONE")
    board = QuoteBoard(cache)
    assert ["AAPL", "MSFT"] == [orjson.loads(each)["symbol"] for each in board.all_latest()]
    assert {MSFT} == set(board.latest_of([MSFT, "A:GONE"]))
    assert {} == board.latest_of([])


def test_an_empty_board_has_no_quote(cache: redis.Redis) -> None:
    """Reads return None or an empty list."""
    board = QuoteBoard(cache)
    assert (None, None) == (board.latest(AAPL), board.current_bar(AAPL, Interval.M1, NOON, None))
    assert ([], []) == (board.all_latest(), board.statuses())
    assert [] == board.resumable("0", [AAPL])


@pytest.mark.parametrize("interval", INTRADAY)
def test_the_current_bar_of_any_interval(
    cache: redis.Redis, write: Write, aggregator: BarAggregator, interval: Interval
) -> None:
    """It joins closed minutes and the open minute, as the aggregator does."""
    write(Entry(quote(AAPL), aggregator.state(AAPL), has_closed=True))
    expected = forming(aggregator, AAPL, interval)
    assert expected is not None
    found = QuoteBoard(cache).current_bar(AAPL, interval, NOON + 90.0, ALWAYS)
    assert CurrentBar(expected, NOON + 90, expected.end) == found
    assert 290 < seconds_left(cache, f"bar:current:NASDAQ:AAPL:{interval.value}") <= 300


def test_the_day_of_the_quote(cache: redis.Redis, write: Write, aggregator: BarAggregator) -> None:
    """It is there until it closes, with each write; weeks and months are not."""
    reported = replace(quote(AAPL), open_price=9.0, high_price=11.0, low_price=8.0)
    board, midnight = QuoteBoard(cache), NOON + DAY // 2
    write(Entry(quote(AAPL), aggregator.state(AAPL), has_closed=True))
    assert None is board.current_bar(AAPL, Interval.D1, NOON + 90.0, ALWAYS)
    aggregator.report(reported, is_whole=True)
    write(Entry(reported, aggregator.state(AAPL)))
    day = aggregator.state(AAPL).day
    assert day is not None
    for interval, expected in (
        (Interval.D1, CurrentBar(day, NOON + 90, midnight)),
        (Interval.W1, None),
        (Interval.MONTH, None),
    ):
        assert expected == board.current_bar(AAPL, interval, NOON + 90.0, ALWAYS)
    assert None is board.current_bar(AAPL, Interval.D1, midnight + 61.0, ALWAYS)
    (resumable,) = board.resumable("0", [AAPL])
    assert day == resumable.bars.day


def test_a_trade_changes_the_minute_only(
    cache: redis.Redis, write: Write, aggregator: BarAggregator
) -> None:
    """The record of a longer bar is written when a minute closes; the reader adds the open one."""
    write(Entry(quote(AAPL), aggregator.state(AAPL), has_closed=True))
    before = cache.get("bar:current:NASDAQ:AAPL:1h")
    aggregator.take([Tick(AAPL, NOON + 80, 99.0, 1)])
    write(Entry(quote(AAPL), aggregator.state(AAPL)))
    found = QuoteBoard(cache).current_bar(AAPL, Interval.H1, NOON + 90.0, ALWAYS)
    assert before == cache.get("bar:current:NASDAQ:AAPL:1h")
    assert found is not None
    assert (5.0, 99.0, 5.0, 99.0, 61.0) == found.bar[4:9]


def test_a_longer_bar_that_has_closed_is_gone(
    cache: redis.Redis, write: Write, aggregator: BarAggregator
) -> None:
    """Three minutes later only the longer bars are left."""
    write(Entry(quote(AAPL), aggregator.state(AAPL), has_closed=True))
    aggregator.advance(NOON + 183.0)
    write(Entry(quote(AAPL), aggregator.state(AAPL), is_news=False, has_closed=True))
    board = QuoteBoard(cache)
    found = {
        interval
        for interval in INTRADAY
        if board.current_bar(AAPL, interval, NOON + 183.0, ALWAYS) is not None
    }
    assert set(INTRADAY) - {Interval.M1, Interval.M3} == found


def test_an_overdue_bar_is_not_current(
    cache: redis.Redis, write: Write, aggregator: BarAggregator
) -> None:
    """Its streamer is dead; a longer bar of the same trades still counts."""
    write(Entry(quote(AAPL), aggregator.state(AAPL), has_closed=True))
    board, late = QuoteBoard(cache), NOON + 120 + 61.0
    assert board.current_bar(AAPL, Interval.M1, late - 2, ALWAYS) is not None
    assert board.current_bar(AAPL, Interval.M1, late, ALWAYS) is None
    assert board.current_bar(AAPL, Interval.H1, late, ALWAYS) is not None


def test_a_changed_quote_is_published_and_no_other(
    cache: redis.Redis, write: Write, aggregator: BarAggregator
) -> None:
    """The channel has the symbol's name, and the message is the stored quote."""
    with cache.pubsub() as ear:  # type: ignore[no-untyped-call]
        ear.psubscribe("quotes:*")
        ear.get_message(timeout=60)
        write(Entry(quote(AAPL, 1.0), aggregator.state(AAPL)))
        write(Entry(quote(AAPL, 2.0), aggregator.state(AAPL), is_news=False))
        write(Entry(quote(AAPL, 3.0), aggregator.state(AAPL)))
        heard = [ear.get_message(timeout=60) for _ in range(2)]
    assert [(b"quotes:NASDAQ:AAPL", 1.0), (b"quotes:NASDAQ:AAPL", 3.0)] == [
        (each["channel"], orjson.loads(each["data"])["last_price"]) for each in heard
    ]


def test_a_restarted_streamer_resumes(
    cache: redis.Redis, write: Write, aggregator: BarAggregator
) -> None:
    """State and quote are complete, and contain all ticks until the last flush of the shard."""
    state = aggregator.state(AAPL)
    write(Entry(quote(AAPL), state, has_closed=True))
    write(as_of=NOON + 95.0, seen_until=NOON + 95.0)
    assert [Resumable(state, quote(AAPL), NOON + 95.0)] == QuoteBoard(cache).resumable(
        "0", [AAPL, MSFT]
    )
    resumed = aggregator_of([AAPL])
    resumed.resume(state, NOON + 95.0)
    resumed.see(AAPL, NOON + 95.0)
    assert {each: forming(aggregator, AAPL, each) for each in INTRADAY} == {
        each: forming(resumed, AAPL, each) for each in INTRADAY
    }


@pytest.mark.parametrize("volume", [None, 0.1 + 0.2, 1e17])
def test_numbers_come_back_exactly(
    cache: redis.Redis, write: Write, aggregator: BarAggregator, volume: float | None
) -> None:
    """Long decimals and a missing volume do, too."""
    minute = LiveBar(
        AAPL, Interval.M1, NOON, NOON + 60, 0.1, 1 / 3, 1e-8, 0.1, volume, 3, True, NOON, NOON + 9
    )
    state = replace(aggregator.state(AAPL), minutes=(minute,))
    write(Entry(quote(AAPL), state, has_closed=True))
    (found,) = QuoteBoard(cache).resumable("0", [AAPL])
    assert state == found.bars


def test_kept_symbols_live_on(cache: redis.Redis, write: Write, aggregator: BarAggregator) -> None:
    """Their bars live on too; symbols with expired records are returned, to be written again."""
    write(Entry(quote(AAPL), aggregator.state(AAPL), has_closed=True))
    keys = [
        "quote:symbols",
        "quote:latest:NASDAQ:AAPL",
        "bar:current:NASDAQ:AAPL:1m",
        "bar:current:NASDAQ:AAPL:4h",
    ]
    for key in keys:
        cache.expire(key, 10)
    assert [MSFT] == write(kept=[AAPL, MSFT])
    assert all(seconds_left(cache, key) > 50 for key in keys)


def test_after_redis_was_emptied_all_kept_symbols_have_expired(
    cache: redis.Redis, write: Write, aggregator: BarAggregator
) -> None:
    """They are returned once the lease is back."""
    write(Entry(quote(AAPL), aggregator.state(AAPL)))
    lease = cache.get("lease:streamer:0")
    cache.flushall()
    assert isinstance(lease, bytes)
    cache.set("lease:streamer:0", lease)
    assert [AAPL] == write(kept=[AAPL])


def test_forgotten_symbols_are_off_the_board(
    cache: redis.Redis, write: Write, aggregator: BarAggregator
) -> None:
    """All their records are deleted."""
    write(Entry(quote(AAPL), aggregator.state(AAPL), has_closed=True))
    write(forgotten=[AAPL])
    assert [] == [key for key in cache.scan_iter() if b"AAPL" in key]
    assert [] == QuoteBoard(cache).all_latest()


def test_a_quote_can_be_hidden_by_a_reader(
    cache: redis.Redis, write: Write, aggregator: BarAggregator
) -> None:
    """The API hides an unsubscribed symbol before its streamer follows."""
    write(Entry(quote(AAPL), aggregator.state(AAPL)))
    board = QuoteBoard(cache)
    board.forget([])
    board.forget([AAPL, MSFT])
    assert None is board.latest(AAPL)


def test_the_status_of_each_shard(cache: redis.Redis, write: Write) -> None:
    """It expires after its streamer ends."""
    write(status=STATUS)
    assert [STATUS] == QuoteBoard(cache).statuses()
    assert 10 < seconds_left(cache, "streamer:status:0") <= 15


def test_a_writer_that_lost_the_lease_writes_nothing(
    cache: redis.Redis, write: Write, aggregator: BarAggregator
) -> None:
    """LeaseLost is raised for quotes, bars, status and everything else."""
    write(Entry(quote(AAPL, 1.0), aggregator.state(AAPL), has_closed=True), status=STATUS)
    cache.delete("lease:streamer:0")
    assert Leases(cache, seconds=60.0).acquire("streamer:0") is not None

    def kept() -> dict[bytes, object]:
        keys = (key for key in cache.scan_iter() if not key.startswith(b"lease:"))
        return {key: cache.dump(key) for key in keys}

    before = kept()
    aggregator.take([Tick(AAPL, NOON + 75, 50.0, 1)])
    for stale in (
        {"entries": [Entry(quote(AAPL, 2.0), aggregator.state(AAPL), has_closed=True)]},
        {"kept": [AAPL]},
        {"forgotten": [AAPL]},
        {"status": STATUS},
        {},
    ):
        with pytest.raises(LeaseLost):
            write(**stale)
    assert before == kept()


def test_a_large_flush_is_written_whole(cache: redis.Redis, write: Write) -> None:
    """It is written in pieces, and each one is guarded."""
    bars = BarAggregator()
    symbols = [f"SIM:S{number:04}" for number in range(1001)]
    for symbol in symbols:
        bars.see(symbol, NOON)
        bars.take([Tick(symbol, NOON + 1, 5.0, 10)])
    write(*(Entry(quote(symbol), bars.state(symbol), has_closed=True) for symbol in symbols))
    assert symbols == list(QuoteBoard(cache).latest_of(symbols))
    assert [] == write(kept=symbols)
    assert symbols == [each.bars.symbol for each in QuoteBoard(cache).resumable("0", symbols)]
    write(forgotten=symbols)
    assert {} == QuoteBoard(cache).latest_of(symbols)
