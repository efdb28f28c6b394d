"""History through tvdatafeed, on a real socket to the simulator, with all kinds of failures."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import redis

from pocketquant.domain.bars import Refusal
from pocketquant.domain.errors import (
    BadToken,
    ConnectionLost,
    HandshakeRefused,
    NoPermission,
    PocketQuantError,
    ProtocolViolation,
    ProviderFault,
    ProviderTimeout,
    RateLimited,
    UnknownSymbol,
    UnsupportedInterval,
)
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import History, SyncRequest
from pocketquant.servers.connections import wait_until
from pocketquant.simulator.server import Simulator, running
from pocketquant.simulator.sockets import SimulatorPace
from pocketquant.tradingview import messages
from pocketquant.tradingview.account import Account
from pocketquant.tradingview.connections import Connections
from pocketquant.tradingview.frames import FrameDecoder
from pocketquant.tradingview.messages import TimescaleUpdate
from pocketquant.tradingview.tvdatafeed import TvDatafeedHistory

BITCOIN = "BINANCE:BTCUSDT"
APPLE = "NASDAQ:AAPL"
MID_MINUTE = 1_795_005_270.0  # 2026-11-18T12:34:30Z: every period has begun, and none is over


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator without faults, with frequent heartbeats and a clock that stands still."""
    with running(pace=SimulatorPace(heartbeat_seconds=0.05), clock=lambda: MID_MINUTE) as simulator:
        yield simulator


@pytest.fixture
def history(simulator: Simulator, cache: redis.Redis) -> TvDatafeedHistory:
    """Return the history of an anonymous client."""
    return provider(simulator, cache)


def provider(
    simulator: Simulator, cache: redis.Redis, timeout_seconds: float = 20.0, **account: str
) -> TvDatafeedHistory:
    """Return the provider with an account."""
    given = {"username": "", "password": "", "token": "", **account}
    return TvDatafeedHistory(
        Connections(simulator.url, idle_seconds=0.1),
        Account(simulator.http_url, redis=cache, **given),
        timeout_seconds,
    )


def request(symbol: str, interval: str = "1m", n_bars: int = 100) -> SyncRequest:
    """Return the request for the newest bars of a symbol."""
    return SyncRequest(Series(Symbol.parse(symbol), Interval.parse(interval)), n_bars)


@pytest.mark.parametrize("interval", list(Interval))
def test_each_interval(history: TvDatafeedHistory, interval: Interval) -> None:
    """Each interval returns bars of its length, which open where its periods begin."""
    got = history.fetch(request(BITCOIN, interval.value, 60))
    times = got.closed.time.tolist()
    assert (60, Counter()) == (got.fetched, got.refused)
    assert [interval.period_start(time) for time in times] == times
    assert [interval.period_end(time) for time in times[:-1]] == times[1:]
    assert got.forming is not None
    assert interval.period_end(times[-1]) == got.forming.time
    assert interval.period_end(got.forming.time) == got.forming.close_time


def test_real_bars(history: TvDatafeedHistory, wire: Path) -> None:
    """The 368 captured bars of a real index arrive unchanged."""
    captured = (wire / "timescale_update_daily_index_with_volume.txt").read_text()
    update = messages.read(FrameDecoder().feed(captured)[0])
    assert isinstance(update, TimescaleUpdate)
    closed = history.fetch(request("SP:SPX", "1d", 5000)).closed
    assert np.array_equal(update.blocks["sds_7"].columns(), closed.columns)


def test_the_listing_of_a_symbol(history: TvDatafeedHistory) -> None:
    """The history includes the symbol's listing; an index has no volume."""
    got = history.fetch(request("TVC:VIX", "1d"))
    assert got.listing is not None
    assert (Symbol("TVC", "VIX"), "index", "USD", "America/New_York", False) == (
        got.listing.symbol,
        got.listing.type,
        got.listing.currency,
        got.listing.timezone,
        got.listing.has_volume,
    )
    assert np.isnan(got.closed.volume).all()


def test_never_traded(history: TvDatafeedHistory) -> None:
    """A listing that never traded has no bars and no error."""
    got = history.fetch(request("NYSE:UNBORN"))
    assert (0, None) == (got.fetched, got.forming)


@pytest.mark.parametrize(
    ("symbol", "interval", "expected"),
    [
        ("NASDAQ:NOSUCH", "1d", UnknownSymbol),
        ("ECONOMICS:USM2", "1d", NoPermission),
        ("SP:SPX", "1m", UnsupportedInterval),
    ],
)
def test_wrong_requests(
    history: TvDatafeedHistory, symbol: str, interval: str, expected: type[PocketQuantError]
) -> None:
    """A request that TradingView refuses is rejected at once."""
    with pytest.raises(expected, match=symbol):
        history.fetch(request(symbol, interval))


@pytest.mark.parametrize(
    ("fault", "value", "expected"),
    [
        ("rate_limit", None, RateLimited),
        ("refuse", None, HandshakeRefused),
        ("drop", None, ConnectionLost),
        ("drop_bundle", None, ConnectionLost),
        ("bad_frame", None, ProtocolViolation),
        ("bad_token", None, BadToken),
        ("symbol_error", None, UnknownSymbol),
        ("permission", None, NoPermission),
        ("series_error", "resolve error", ProviderFault),
        ("series_error", "seconds_not_entitled", UnsupportedInterval),
        ("critical_error", "invalid parameters", ProviderFault),
        ("critical_error", "max sessions rate reached", RateLimited),
        ("protocol_error", "user connections limit reached", RateLimited),
        ("protocol_error", "{unknown_session_id}", ProviderFault),
    ],
)
def test_failures(
    simulator: Simulator,
    history: TvDatafeedHistory,
    fault: str,
    value: str | None,
    expected: type[PocketQuantError],
) -> None:
    """Each failure has its error, leaves no connection, and does not affect the next fetch."""
    simulator.order(fault, value=value)
    with pytest.raises(expected) as raised:
        history.fetch(request(APPLE))
    assert expected is type(raised.value)
    simulator.lift()
    assert 100 == history.fetch(request(APPLE)).fetched
    wait_until("all are closed", lambda: not simulator.tally.open_connections, (), 60)


@pytest.mark.parametrize("fault", ["stall", "silence", "no_completed"])
def test_an_answer_that_does_not_end(simulator: Simulator, cache: redis.Redis, fault: str) -> None:
    """At the deadline the wait ends, with or without heartbeats and bars."""
    simulator.order(fault, APPLE)
    began = time.monotonic()
    with pytest.raises(ProviderTimeout):
        provider(simulator, cache, timeout_seconds=0.5).fetch(request(APPLE))
    assert 0.5 <= time.monotonic() - began < 15


def test_heartbeats_while_waiting(cache: redis.Redis) -> None:
    """Heartbeats are answered, so that a strict server keeps the connection open."""
    pace = SimulatorPace(latency_seconds=6.0, heartbeat_seconds=0.05, echo_seconds=5.0)
    with running(pace=pace) as simulator:
        assert 100 == provider(simulator, cache).fetch(request(BITCOIN)).fetched
        assert 0 == simulator.tally.unanswered_heartbeats


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("nan_bar", Refusal.NOT_FINITE),
        ("high_below_low", Refusal.INCONSISTENT),
        ("repeated_time", Refusal.REPEATED_TIME),
        ("unordered_time", Refusal.OUT_OF_ORDER),
        ("negative_volume", Refusal.NEGATIVE_VOLUME),
    ],
)
def test_bad_bars(
    simulator: Simulator, history: TvDatafeedHistory, fault: str, reason: Refusal
) -> None:
    """An invalid bar is refused and counted, the others are returned."""
    good = history.fetch(request(APPLE, "1d"))
    simulator.order(fault, APPLE)
    got = history.fetch(request(APPLE, "1d"))
    assert (Counter({reason: 1}), good.fetched) == (got.refused, got.fetched)
    missing = set(good.closed.time.tolist()) - set(got.closed.time.tolist())
    assert 1 == len(missing)


@pytest.mark.parametrize(
    ("fault", "value"),
    [
        ("stale_turnaround", None),
        ("unknown_message", None),
        ("big_message", None),
        ("non_ascii", None),
        ("non_ascii", "bytes"),
        ("unordered_clock", None),
        ("split", None),
        ("glue", None),
        ("each_alone", None),
    ],
)
def test_unusual_but_valid_answers(
    simulator: Simulator, history: TvDatafeedHistory, fault: str, value: str | None
) -> None:
    """Answers in an unusual order or form are read like others."""
    usual = history.fetch(request("TVC:RUT", "1w", 50))
    simulator.order(fault, value=value)
    odd = history.fetch(request("TVC:RUT", "1w", 50))
    assert (usual.closed, usual.refused) == (odd.closed, odd.refused)


def test_sixteen_threads(history: TvDatafeedHistory) -> None:
    """One provider serves sixteen threads, each with its own series."""
    symbols = [f"SIM:S{number:04}" for number in range(1, 49)]
    together = threading.Barrier(16)

    def fetch(symbol: str) -> History:
        together.wait(30)
        return history.fetch(request(symbol, "1d", 300))

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(fetch, symbols))
    assert symbols == [str(got.listing.symbol) for got in found if got.listing is not None]
    assert [300] * 48 == [got.fetched for got in found]
    assert 48 == len({got.closed.close.tobytes() for got in found})


def test_nothing_listens(cache: redis.Redis) -> None:
    """A closed port raises ConnectionLost with its cause."""
    account = Account("http://127.0.0.1:1", "", "", "", cache)
    with pytest.raises(ConnectionLost, match="refused") as raised:
        TvDatafeedHistory(Connections("ws://127.0.0.1:1"), account, 5).fetch(request(APPLE))
    assert isinstance(raised.value.__cause__, ConnectionRefusedError)


def test_a_given_token_that_is_bad(simulator: Simulator, cache: redis.Redis) -> None:
    """The error of a bad configured token names the setting, and not the token."""
    with pytest.raises(BadToken, match="TRADINGVIEW_TOKEN") as raised:
        provider(simulator, cache, token="planted.secret.token").fetch(request(APPLE))
    assert "planted" not in str(raised.value)


def test_a_stored_token_that_was_revoked(simulator: Simulator, cache: redis.Redis) -> None:
    """A stored token that is refused is replaced by a new one for all workers."""
    history = provider(simulator, cache, username="user", password="pass")
    history.fetch(request(APPLE))
    (key,) = cache.keys("tradingview:token:*")
    cache.set(key, "planted.revoked.token")
    assert 100 == history.fetch(request(APPLE)).fetched
    assert 2 == simulator.tally.sign_ins
    assert b"planted.revoked.token" != cache.get(key)


def test_every_token_is_refused(simulator: Simulator, cache: redis.Redis) -> None:
    """If the new token is refused too, the fetch fails."""
    simulator.order("bad_token")
    with pytest.raises(BadToken):
        provider(simulator, cache, username="user", password="pass").fetch(request(APPLE))
    assert 2 == simulator.tally.sign_ins


def test_the_library_has_no_side_effects(
    simulator: Simulator,
    history: TvDatafeedHistory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The library reads and writes no token file, logs nothing and prints nothing."""
    (tmp_path / ".tv_token.json").write_text('{"token": "planted"}')
    monkeypatch.setenv("HOME", str(tmp_path))
    caplog.set_level(logging.DEBUG)
    history.fetch(request(APPLE))
    simulator.order("drop")
    with pytest.raises(ConnectionLost):
        history.fetch(request(APPLE))
    assert ['{"token": "planted"}'] == [path.read_text() for path in tmp_path.iterdir()]
    assert [] == [record for record in caplog.records if record.name.startswith("tvDatafeed")]
    assert ("", "") == capfd.readouterr()
