"""The simulator's limits of connections and handshakes, and its distance from clients."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from pocketquant.servers.connections import wait_until
from pocketquant.simulator.server import Simulator, running
from pocketquant.simulator.sockets import SimulatorPace
from pocketquant.tradingview import messages

ORIGIN = "https://data.tradingview.com"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator without limits."""
    with running() as simulator:
        yield simulator


def connected(simulator: Simulator) -> ClientConnection:
    return connect(simulator.url, origin=ORIGIN, proxy=None)  # type: ignore[arg-type]


def _refuse_another(simulator: Simulator) -> None:
    with pytest.raises(InvalidStatus) as error, connected(simulator):
        pass
    assert 429 == error.value.response.status_code


def _read_to_the_end(client: ClientConnection) -> None:
    while True:
        client.recv(timeout=60)


def test_a_limit_of_connections(simulator: Simulator) -> None:
    """A connection beyond the limit gets 429, until another one has ended."""
    simulator.order("connection_limit", value=2)
    with connected(simulator):
        with connected(simulator):
            _refuse_another(simulator)
        wait_until("one is closed", lambda: simulator.tally.open_connections == 1, (), 60)
        with connected(simulator):
            _refuse_another(simulator)
    wait_until("all are closed", lambda: not simulator.tally.open_connections, (), 60)
    counts = simulator.tally.connections, simulator.tally.refused_handshakes
    assert (3, 2, 2) == (*counts, simulator.tally.most_connections)


def test_a_limit_of_handshakes(simulator: Simulator) -> None:
    """More handshakes within a second than the limit get 429, open connections or not."""
    simulator.order("handshake_limit", value=5)
    with ExitStack() as stack:
        began = time.monotonic()
        refused = 0
        for _ in range(200):
            try:
                stack.enter_context(connected(simulator)).close()
            except InvalidStatus:
                refused += 1
        seconds = time.monotonic() - began
    assert refused == simulator.tally.refused_handshakes
    assert simulator.tally.connections <= 5 * (int(seconds) + 1)
    assert 200 == simulator.tally.connections + refused


def test_a_server_that_hangs_up(simulator: Simulator) -> None:
    """On request, all connections are closed; new ones are accepted."""
    with connected(simulator) as client:
        simulator.hang_up()
        with pytest.raises(ConnectionClosed):
            _read_to_the_end(client)
    with connected(simulator) as client:
        assert client.recv(timeout=60)


def test_a_round_trip() -> None:
    """A handshake takes three round trips, TCP and TLS included, and each answer one."""
    round_trip = 0.1
    with running(pace=SimulatorPace(round_trip_seconds=round_trip)) as simulator:
        began = time.monotonic()
        with connected(simulator) as client:
            assert 3 * round_trip <= time.monotonic() - began
            client.recv(timeout=60)
            began = time.monotonic()
            client.send(messages.call("quote_create_session"))
            assert "protocol_error" in str(client.recv(timeout=60))
            assert round_trip <= time.monotonic() - began
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=60)
        wait_until("it is closed", lambda: not simulator.tally.open_connections, (), 60)


def test_a_long_answer_from_afar() -> None:
    """The pieces of an answer keep their order over the distance."""
    with running(pace=SimulatorPace(round_trip_seconds=0.01)) as simulator:
        simulator.order("split")
        with connected(simulator) as client:
            client.send(messages.call("set_auth_token", "unauthorized_user_token"))
            client.send(messages.call("chart_create_session", "cs_1", ""))
            client.send(messages.call("resolve_symbol", "cs_1", "s", "SIM:S0001"))
            client.send(messages.call("create_series", "cs_1", "s1", "t1", "s", "1", 3000))
            text = ""
            while "series_completed" not in text:
                text += str(client.recv(timeout=60))
    assert 3000 == text.count('"v":[')
