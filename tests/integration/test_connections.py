"""Kept connections to a real server: when fetches share one, and what happens when one breaks."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from typing import Any

import pytest
import redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from pocketquant.coordination.handshakes import HandshakeRules, Handshakes
from pocketquant.domain.errors import (
    ConnectionLost,
    PocketQuantError,
    ProviderFault,
    RateLimited,
    UnknownSymbol,
)
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncRequest, UnitState
from pocketquant.domain.turns import TurnFarOff
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import wait_until
from pocketquant.simulator.server import Simulator, running
from pocketquant.simulator.wire import tokens
from pocketquant.tradingview import frames, messages, socket
from pocketquant.tradingview.account import Account
from pocketquant.tradingview.connections import Connection, Connections, Need
from pocketquant.tradingview.paging import PagedHistory
from pocketquant.tradingview.tvdatafeed import TvDatafeedHistory
from pocketquant.wiring import Platform, wire_syncer
from tests.integration.test_tradingview_socket import websocket_server

NOW = 1_795_016_070  # 2026-11-18T15:34:30Z
DAYS = "NASDAQ:AAPL|1d"
NO_TURN = HandshakeRules(rate=0.001, burst=1)  # one handshake, and no other while a test runs


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator whose clock stands still."""
    with running(clock=lambda: float(NOW)) as simulator:
        yield simulator


@pytest.fixture
def keep(simulator: Simulator) -> Iterator[Callable[..., Connections]]:
    """Makes connections that stay open until the end of the test."""
    with ExitStack() as ends:

        def make(pace: Handshakes | None = None, **options: Any) -> Connections:
            kept = Connections(simulator.url, pace, **{"idle_seconds": 3600.0, **options})
            ends.callback(kept.hang_up)
            return kept

        yield make


@pytest.fixture
def connections(keep: Callable[..., Connections]) -> Connections:
    """Connections without a pace of handshakes."""
    return keep()


@pytest.fixture
def history_of(
    simulator: Simulator, keep: Callable[..., Connections], cache: redis.Redis
) -> Callable[..., TvDatafeedHistory]:
    """Makes sources of the newest bars, each over connections of its own with these options."""

    def make(*pace: Handshakes, **options: Any) -> TvDatafeedHistory:
        account = Account(simulator.http_url, "", "", "", cache)
        return TvDatafeedHistory(keep(*pace, **options), account, 60.0)

    return make


@pytest.fixture
def history(
    simulator: Simulator, connections: Connections, cache: redis.Redis
) -> TvDatafeedHistory:
    """The newest bars, over the connections."""
    account = Account(simulator.http_url, "", "", "", cache)
    return TvDatafeedHistory(connections, account, 60.0)


def request(series: str = DAYS) -> SyncRequest:
    return SyncRequest(Series.parse(series), 50)


def fetch(history: TvDatafeedHistory, times: int = 1) -> None:
    """Fetch a series so often, each time all bars."""
    assert [50] * times == [history.fetch(request()).fetched for _ in range(times)]


def test_fetches_share_a_connection(
    simulator: Simulator, history_of: Callable[..., TvDatafeedHistory]
) -> None:
    """A connection has as many sessions as allowed; then there is a new one."""
    history = history_of(most_sessions=3)
    fetch(history, 7)
    assert 3 == simulator.tally.connections


def test_fetches_at_the_same_time(simulator: Simulator, history: TvDatafeedHistory) -> None:
    """Each fetch has a connection of its own while it lasts."""
    simulator.order("latency", value=0.2)
    together = threading.Barrier(3)

    def fetch_together(_: int) -> None:
        together.wait(30)
        fetch(history)

    for _ in range(2):
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(fetch_together, range(3)))
    assert (3, 3) == (simulator.tally.connections, simulator.tally.most_connections)


def test_an_idle_connection_is_closed(
    simulator: Simulator, history_of: Callable[..., TvDatafeedHistory]
) -> None:
    """A connection that nobody needs is closed after a while, and a later fetch opens another."""
    history = history_of(idle_seconds=0.2)
    for handshakes in (1, 2):
        fetch(history)
        assert handshakes == simulator.tally.connections
        wait_until("it is closed", lambda: not simulator.tally.open_connections, (), 60)


def test_at_the_end_of_the_process(
    simulator: Simulator, connections: Connections, history: TvDatafeedHistory
) -> None:
    """Kept connections are closed, and no fetch begins any more."""
    fetch(history)
    connections.hang_up()
    wait_until("it is closed", lambda: not simulator.tally.open_connections, (), 60)
    with pytest.raises(ConnectionLost, match="process ends"):
        fetch(history)


def test_a_range_and_the_newest_bars(
    simulator: Simulator, connections: Connections, history: TvDatafeedHistory, cache: redis.Redis
) -> None:
    """A range shares the connection; another account's token is sent, and its plan holds."""
    fetch(history)
    account = Account(simulator.http_url, "", "", tokens.issue(1, NOW), cache)
    paged = PagedHistory(connections, account, 60.0)
    start = NOW - 2600 * 86400
    with closing(paged.pages(SyncRequest(Series.parse("NASDAQ:AAPL|1h"), start=start), None)) as it:
        assert 3 == len(list(it))
    fetch(history)
    assert 1 == simulator.tally.connections


def test_a_range_that_is_given_up(
    simulator: Simulator, connections: Connections, history: TvDatafeedHistory, cache: redis.Redis
) -> None:
    """After a range of which only some pages are wanted, the connection serves others."""
    account = Account(simulator.http_url, "", "", tokens.issue(1, NOW), cache)
    paged = PagedHistory(connections, account, 60.0)
    with closing(paged.pages(SyncRequest(Series.parse("NASDAQ:AAPL|1h"), start=0), None)) as it:
        next(it)
    fetch(history)
    assert 1 == simulator.tally.connections


@pytest.mark.parametrize(
    ("fault", "value", "expected", "handshakes"),
    [
        ("symbol_error", None, UnknownSymbol, 1),
        ("series_error", "internal error", ProviderFault, 2),
        ("critical_error", "invalid parameters", ProviderFault, 2),
    ],
)
def test_an_error_of_a_series(
    simulator: Simulator,
    history: TvDatafeedHistory,
    fault: str,
    value: str | None,
    expected: type[PocketQuantError],
    handshakes: int,
) -> None:
    """An answer is not asked for again; after a refusal of the symbol the connection is kept."""
    simulator.order(fault, value=value, times=1)
    with pytest.raises(expected):
        fetch(history)
    fetch(history)
    assert handshakes == simulator.tally.connections


@pytest.mark.parametrize(
    ("fault", "value"),
    [
        ("drop", None),
        ("drop_bundle", None),
        ("bad_frame", None),
        ("protocol_error", "{unknown_session_id}"),
    ],
)
@pytest.mark.parametrize("is_kept", [True, False])
def test_a_connection_that_breaks(
    simulator: Simulator, history: TvDatafeedHistory, fault: str, value: str | None, is_kept: bool
) -> None:
    """The fetch is repeated on a new connection, and notices nothing."""
    if is_kept:
        fetch(history)
    before = simulator.tally.connections
    simulator.order(fault, value=value, times=1)
    fetch(history)
    assert before + (1 if is_kept else 2) == simulator.tally.connections


def test_one_that_breaks_twice(simulator: Simulator, history: TvDatafeedHistory) -> None:
    """A fetch is repeated once."""
    simulator.order("drop")
    with pytest.raises(ConnectionLost):
        fetch(history)
    assert 2 == simulator.tally.requested["NASDAQ:AAPL"]


def test_a_limit_that_the_server_names(simulator: Simulator, history: TvDatafeedHistory) -> None:
    """A connection that ends because of a limit is not replaced at once."""
    simulator.order("protocol_error", value="user connections limit reached", times=1)
    with pytest.raises(RateLimited):
        fetch(history)
    assert 1 == simulator.tally.connections


def test_a_server_that_hung_up_meanwhile(simulator: Simulator, history: TvDatafeedHistory) -> None:
    """A connection that the server closed between two fetches is replaced unnoticed."""
    fetch(history)
    simulator.hang_up()
    fetch(history)
    assert (2, 2) == (simulator.tally.connections, simulator.tally.requested["NASDAQ:AAPL"])


def test_a_half_open_connection() -> None:
    """If a kept connection says nothing at all for half the time, a new one serves the fetch."""
    served = []

    def converse(server: ServerConnection) -> None:
        served.append(server)
        server.recv()
        server.send("answer")
        with suppress(ConnectionClosed):
            server.recv()
            server.recv()

    def ask(connection: Connection) -> str | None:
        connection.send("question")
        connection.is_reusable = True
        return connection.receive()

    with websocket_server(converse) as url:
        connections = Connections(url, idle_seconds=3600)
        assert "answer" == connections.use(ask, Need(time.monotonic() + 60))
        began = time.monotonic()
        assert "answer" == connections.use(ask, Need(began + 4))
        assert (2, True) == (len(served), time.monotonic() - began >= 2)
        connections.hang_up()


def test_what_arrived_meanwhile() -> None:
    """Heartbeats to an unused connection are answered and late messages dropped."""
    echoed: list[str | bytes] = []
    ended = threading.Event()

    def converse(server: ServerConnection) -> None:
        server.send(frames.encode("~h~1") + messages.event("du", ["cs_gone", {}], None))
        echoed.append(server.recv())
        ended.wait(60)
        server.send(frames.encode('{"m":"protocol_error","p":["wrong data"]}'))
        with suppress(ConnectionClosed):
            server.recv()

    with websocket_server(converse) as url:
        connection = Connection("it", socket.dial(url, time.monotonic() + 60))
        wait_until("it is answered", lambda: connection.is_healthy() and bool(echoed), (), 60)
        assert [frames.encode("~h~1")] == echoed
        ended.set()
        wait_until("it is refused", lambda: not connection.is_healthy(), (), 60)
        connection.hang_up()


@pytest.mark.parametrize("rest", ["~m~99~m~{", "nothing"])
def test_what_arrived_and_makes_no_sense(rest: str) -> None:
    """A connection is not used again amid a frame, or after what is no frame."""
    sent = threading.Event()

    def converse(server: ServerConnection) -> None:
        server.send(rest)
        sent.set()
        with suppress(ConnectionClosed):
            server.recv()

    with websocket_server(converse) as url:
        connection = Connection("it", socket.dial(url, time.monotonic() + 60))
        sent.wait(60)
        wait_until("it is refused", lambda: not connection.is_healthy(), (), 60)
        connection.hang_up()


def test_waiting_for_a_connection(
    simulator: Simulator, cache: redis.Redis, history_of: Callable[..., TvDatafeedHistory]
) -> None:
    """Without a turn for a handshake, fetches wait for the connection of another."""
    simulator.order("latency", value=0.05)
    pace = Handshakes(cache, NO_TURN)
    history = history_of(pace, patience_seconds=60)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: fetch(history), range(8)))
    assert 1 == simulator.tally.connections


def test_an_account_with_one_connection(
    simulator: Simulator, cache: redis.Redis, keep: Callable[..., Connections]
) -> None:
    """No process opens a second connection; another one has its turn when the first is closed."""
    simulator.order("connection_limit", value=1)
    pace = Handshakes(cache, HandshakeRules(rate=1000, burst=1000))
    here, elsewhere = keep(pace), keep(pace)
    need = Need(time.monotonic() + 60, most_connections=1)

    def free(connection: Connection) -> None:
        connection.free([])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: here.use(free, need), range(8)))
    with pytest.raises(TurnFarOff):
        elsewhere.use(free, replace(need, deadline=time.monotonic() + 0.1))
    here.hang_up()
    wait_until("it is closed", lambda: not simulator.tally.open_connections, (), 60)
    elsewhere.use(free, need)
    assert (2, 0) == (simulator.tally.connections, simulator.tally.refused_handshakes)


def test_no_connection_comes(
    simulator: Simulator, cache: redis.Redis, history_of: Callable[..., TvDatafeedHistory]
) -> None:
    """Without a turn and a connection, the fetch learns when to come again."""
    pace = Handshakes(cache, NO_TURN)
    pace.take("other", is_urgent=False)
    with pytest.raises(TurnFarOff) as turn:
        fetch(history_of(pace))
    assert (None, True) == (turn.value.error, 900 < turn.value.delay_seconds <= 1000)
    assert 0 == simulator.tally.connections


@pytest.mark.parametrize(("is_kept", "expected"), [(True, TurnFarOff), (False, ConnectionLost)])
def test_one_that_breaks_without_a_turn_for_another(
    simulator: Simulator,
    cache: redis.Redis,
    history_of: Callable[..., TvDatafeedHistory],
    is_kept: bool,
    expected: type[Exception],
) -> None:
    """That a kept connection breaks is no failure of the provider; that a new one breaks is."""
    history = history_of(Handshakes(cache, NO_TURN))
    if is_kept:
        fetch(history)
    simulator.order("drop", times=1)
    with pytest.raises(expected):
        fetch(history)


def test_a_handshake_that_is_refused_by_429(
    simulator: Simulator, cache: redis.Redis, history_of: Callable[..., TvDatafeedHistory]
) -> None:
    """All handshakes pause; kept connections go on."""
    pace = Handshakes(cache, HandshakeRules(rate=1000, burst=100, first_pause_seconds=50))
    history, other = (history_of(pace) for _ in range(2))
    fetch(history)
    simulator.order("rate_limit")
    with pytest.raises(TurnFarOff) as turn:
        fetch(other)
    assert (50, RateLimited) == (turn.value.delay_seconds, type(turn.value.error))
    simulator.lift()
    with pytest.raises(TurnFarOff) as turn:
        fetch(other)
    assert turn.value.error is None
    fetch(history)


def test_a_unit_is_put_back_after_a_429(
    simulator: Simulator, wire_with: Callable[..., Platform]
) -> None:
    """A unit whose handshake is refused costs no attempt; its waiting caller gets the error."""
    platform = wire_with(tradingview_url=simulator.url, tradingview_http_url=simulator.http_url)
    unit_id = platform.intake.submit(request(), QueueName.INTERACTIVE).unit.id
    simulator.order("rate_limit")
    wire_syncer(platform).do(unit_id)
    unit = platform.ledger.get_unit(unit_id)
    assert unit is not None
    assert (UnitState.QUEUED, 0) == (unit.state, unit.tries)
    assert unit.error is not None
    assert RateLimited.code == unit.error.code
    rate = platform.settings.provider_start_rate
    assert rate / 2 == platform.governor.pace().rate


def test_a_handshake_is_reserved_for_waiting_callers(
    simulator: Simulator, wire_with: Callable[..., Platform]
) -> None:
    """When other units have used up the handshakes, that of a waiting caller has one more."""
    platform = wire_with(
        tradingview_url=simulator.url,
        tradingview_http_url=simulator.http_url,
        provider_connection_sessions=1,
        provider_handshake_rate=0.001,
        provider_handshake_burst=2,
    )
    syncer = wire_syncer(platform)
    states = []
    for number, queue in enumerate((QueueName.BULK, QueueName.BULK, QueueName.INTERACTIVE), 1):
        wanted = request(f"SIM:S000{number}|1d")
        unit_id = platform.intake.submit(wanted, queue).unit.id
        syncer.do(unit_id)
        unit = platform.ledger.get_unit(unit_id)
        assert unit is not None
        states.append((unit.state, unit.error, unit.tries))
    done, put_back = (UnitState.COMPLETED, None, 1), (UnitState.QUEUED, None, 0)
    assert [done, put_back, done] == states
