"""The simulator serves clients of other makes on real sockets."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from pocketquant.servers.connections import wait_until
from pocketquant.simulator.server import Simulator, running
from pocketquant.simulator.sockets import SimulatorPace
from pocketquant.tradingview import frames, messages

ORIGIN = "https://data.tradingview.com"
COMPLETE = ["series_loading", "symbol_resolved", "timescale_update", "series_completed"]


@pytest.fixture(scope="module")
def shared_simulator() -> Iterator[Simulator]:
    """One simulator for all tests of this file."""
    with running() as simulator:
        yield simulator


@pytest.fixture
def simulator(shared_simulator: Simulator) -> Iterator[Simulator]:
    """The shared simulator, without faults."""
    yield shared_simulator
    shared_simulator.lift()


def open_socket(simulator: Simulator, origin: str | None = ORIGIN) -> ClientConnection:
    return connect(simulator.url, origin=origin, max_size=None, proxy=None)  # type: ignore[arg-type]


def request_series(
    client: ClientConnection, symbol: str, resolution: str = "1", count: int = 10
) -> None:
    """Send the calls that request one series."""
    client.send(messages.call("set_auth_token", "unauthorized_user_token"))
    client.send(messages.call("chart_create_session", "cs_1", ""))
    client.send(messages.call("resolve_symbol", "cs_1", "sym_1", f'={{"symbol":"{symbol}"}}'))
    client.send(
        messages.call("create_series", "cs_1", "sds_1", "s1", "sym_1", resolution, count, "")
    )


def receive_series(client: ClientConnection) -> list[dict[str, Any]]:
    """Return the messages up to `series_completed`, without the hello."""
    received: list[dict[str, Any]] = []
    decoder = frames.FrameDecoder()
    while not received or received[-1]["m"] != "series_completed":
        payloads = decoder.feed(str(client.recv(timeout=60)))
        received += [json.loads(payload) for payload in payloads if payload.startswith('{"m"')]
    return received


def read_to_the_end(client: ClientConnection) -> None:
    while True:
        client.recv(timeout=60)


def test_the_hello_comes_first(simulator: Simulator) -> None:
    """Before the client's first text, the hello comes as one text of one frame."""
    with open_socket(simulator) as client:
        (payload,) = frames.FrameDecoder().feed(str(client.recv(timeout=60)))
        assert "session_id" in json.loads(payload)


@pytest.mark.parametrize(
    "origin", ["https://www.tradingview.com", "https://s.tradingview.com", ORIGIN]
)
def test_tradingviews_origins_are_accepted(simulator: Simulator, origin: str) -> None:
    """Each of TradingView's origins is accepted."""
    with open_socket(simulator, origin) as client:
        assert client.recv(timeout=60)


@pytest.mark.parametrize("origin", [None, "https://example.com", "http://localhost:1"])
def test_other_origins_are_403(simulator: Simulator, origin: str | None) -> None:
    """Another origin, or none, is answered with 403."""
    refused = simulator.tally.refused_handshakes
    with pytest.raises(InvalidStatus) as error, open_socket(simulator, origin):
        pass
    assert 403 == error.value.response.status_code
    assert refused + 1 == simulator.tally.refused_handshakes


def test_its_own_origin_is_accepted_beside_another(simulator: Simulator) -> None:
    """The URL's host, which websocket-client sends as another Origin, is accepted too."""
    for header in ([], [f"Origin: {ORIGIN}"]):
        client = websocket.create_connection(simulator.url, header=header, timeout=5)
        assert client.recv()
        client.close()


def test_another_path_is_404(simulator: Simulator) -> None:
    """Another path is answered with 404; any query is accepted."""
    with connect(f"{simulator.url}?from=chart%2F&date=x", origin=ORIGIN, proxy=None):  # type: ignore[arg-type]
        pass
    url = simulator.url.replace("socket.io", "elsewhere")
    with (
        pytest.raises(InvalidStatus) as error,
        connect(url, origin=ORIGIN, proxy=None),  # type: ignore[arg-type]
    ):
        pass
    assert 404 == error.value.response.status_code


def test_a_series_is_what_the_market_has(simulator: Simulator) -> None:
    """A series has the market's values in the captured order of messages."""
    with open_socket(simulator) as client:
        request_series(client, "SP:SPX", "1D", 5000)
        texts = [str(client.recv(timeout=60)) for _ in range(3)]
        received = [
            json.loads(payload) for payload in frames.FrameDecoder().feed("".join(texts[1:]))
        ]
    assert COMPLETE == [message["m"] for message in received]
    rows = [bar["v"] for bar in received[2]["p"][1]["sds_1"]["s"]]
    captured = Path(__file__).parents[1] / "wire" / "timescale_update_daily_index_with_volume.txt"
    expected = json.loads(captured.read_text().split("~m~", 2)[2])["p"][1]["sds_7"]["s"]
    assert [bar["v"] for bar in expected] == rows


def test_heartbeats_come_until_nobody_echoes_them() -> None:
    """A client that echoes heartbeats stays connected; the server closes one that does not."""
    limit_seconds = 4.0
    pace = SimulatorPace(heartbeat_seconds=0.05, echo_seconds=limit_seconds)
    with running(pace=pace) as simulator, open_socket(simulator) as client:
        client.recv(timeout=60)
        number, began = 0, time.monotonic()
        while number < 11 or time.monotonic() - began < limit_seconds + 1:
            number, text = number + 1, client.recv(timeout=60)
            assert frames.encode(f"~h~{number}") == text
            client.send(text)
        with pytest.raises(ConnectionClosed):
            read_to_the_end(client)
        assert 1 == simulator.tally.unanswered_heartbeats


def test_heartbeats_go_on_while_an_answer_is_awaited() -> None:
    """Heartbeats come on time while an answer is late."""
    with (
        running(pace=SimulatorPace(latency_seconds=4.0, heartbeat_seconds=0.05)) as simulator,
        open_socket(simulator) as client,
    ):
        client.recv(timeout=60)
        request_series(client, "SIM:S0001")
        texts = [str(client.recv(timeout=60))]
        while "series_completed" not in texts[-1]:
            texts.append(str(client.recv(timeout=60)))
    beats = [text for text in texts if "~h~" in text]
    assert len(beats) >= 4


def test_a_dropped_connection_just_ends(simulator: Simulator) -> None:
    """A dropped connection ends without a closing handshake, as often as ordered."""
    simulator.order("drop", "SIM:S0002", times=1)
    with open_socket(simulator) as client:
        request_series(client, "SIM:S0002")
        with pytest.raises(ConnectionClosedError):
            receive_series(client)
    with open_socket(simulator) as client:
        request_series(client, "SIM:S0002")
        assert COMPLETE == [message["m"] for message in receive_series(client)]


def test_a_protocol_error_closes_in_good_order(simulator: Simulator) -> None:
    """A protocol error is sent before the connection closes."""
    with open_socket(simulator) as client:
        client.recv(timeout=60)
        client.send(messages.call("set_auth_token", "rubbish"))
        assert "bad auth token" in str(client.recv(timeout=60))
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=60)


@pytest.mark.parametrize(("kind", "status"), [("rate_limit", 429), ("refuse", 403)])
def test_handshakes_are_refused_on_order(simulator: Simulator, kind: str, status: int) -> None:
    """Ordered faults refuse handshakes with TradingView's statuses."""
    simulator.order(kind)
    with pytest.raises(InvalidStatus) as error, open_socket(simulator):
        pass
    assert status == error.value.response.status_code


def test_split_texts_reach_the_client_in_order(simulator: Simulator) -> None:
    """A buffering decoder joins split texts to one answer."""
    simulator.order("split")
    with open_socket(simulator) as client:
        request_series(client, "SIM:S0003", "1", 5000)
        assert COMPLETE == [message["m"] for message in receive_series(client)]


def test_two_hundred_clients_at_once_are_served(simulator: Simulator) -> None:
    """Two hundred clients connect, then call, then receive their answers."""
    with ExitStack() as stack:
        clients = [stack.enter_context(open_socket(simulator)) for _ in range(200)]
        tally = simulator.tally
        wait_until("all are counted", lambda: tally.open_connections >= 200, (), 60)
        for number, client in enumerate(clients, 1):
            request_series(client, f"SIM:S{number:04}", "1D", 50)
        for client in clients:
            assert 50 == len(receive_series(client)[2]["p"][1]["sds_1"]["s"])


def test_an_account_signs_in_and_its_token_is_accepted(simulator: Simulator) -> None:
    """A signed-in account gets more than the 5000 minutes of the anonymous."""
    form = {"username": "trader", "password": "secret", "remember": "on"}
    signed_in = requests.post(f"{simulator.http_url}/accounts/signin/", data=form, timeout=60)
    user = signed_in.json()["user"]
    assert ("", "trader") == (signed_in.json()["error"], user["username"])
    assert {"sessionid", "sessionid_sign", "device_t"} == set(signed_in.cookies.keys())
    with open_socket(simulator) as client:
        request_series(client, "SIM:S0004")
        receive_series(client)
        client.send(messages.call("set_auth_token", user["auth_token"]))
        client.send(messages.call("chart_create_session", "cs_2"))
        client.send(messages.call("resolve_symbol", "cs_2", "sym_1", "SIM:S0004"))
        client.send(messages.call("create_series", "cs_2", "sds_1", "s1", "sym_1", "1", 6000))
        assert 6000 == len(receive_series(client)[2]["p"][1]["sds_1"]["s"])


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("captcha", "recaptcha_required"),
        ("two_factor", "2FA_required"),
        ("wrong_password", "invalid_credentials"),
    ],
)
def test_signing_in_fails_on_order(simulator: Simulator, kind: str, code: str) -> None:
    """An ordered fault fails the sign-in with the code that clients look for."""
    simulator.order(kind)
    form = {"username": "trader", "password": "secret"}
    answered = requests.post(f"{simulator.http_url}/accounts/signin/", data=form, timeout=60)
    assert code == answered.json()["code"]


def test_the_captcha_is_asked_for_as_captured(simulator: Simulator, wire: Path) -> None:
    """The request for a captcha equals the captured one."""
    simulator.order("captcha")
    answered = requests.post(f"{simulator.http_url}/accounts/signin/", timeout=60)
    assert json.loads((wire / "http_signin_captcha.txt").read_text()) == answered.json()


def test_a_sign_in_needs_name_and_password(simulator: Simulator) -> None:
    """A sign-in without a name or a password fails."""
    form = {"username": "trader"}
    answered = requests.post(f"{simulator.http_url}/accounts/signin/", data=form, timeout=60)
    assert "invalid_credentials" == answered.json()["code"]


def test_a_token_may_be_ordered_to_expire(simulator: Simulator) -> None:
    """A token ordered to expire at once is refused."""
    simulator.order("token_expiry", value=0)
    form = {"username": "trader", "password": "secret"}
    signed_in = requests.post(f"{simulator.http_url}/accounts/signin/", data=form, timeout=60)
    with open_socket(simulator) as client:
        client.recv(timeout=60)
        client.send(messages.call("set_auth_token", signed_in.json()["user"]["auth_token"]))
        assert "bad auth token" in str(client.recv(timeout=60))


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("text=AAPL", ("NASDAQ", "AAPL")),
        ("text=aapl&exchange=NASDAQ", ("NASDAQ", "AAPL")),
        ("text=bitcoin&search_type=crypto", ("BINANCE", "BTCUSDT")),
        ("text=gold&search_type=futures", ("COMEX", "GC")),
        ("text=S4711&exchange=SIM", ("SIM", "S4711")),
        ("text=SIM:S4711", ("SIM", "S4711")),
    ],
)
def test_symbols_are_searched(simulator: Simulator, query: str, first: tuple[str, str]) -> None:
    """Symbols are found by ticker or description, within one exchange or kind, in both lists."""
    newer = requests.get(f"{simulator.http_url}/symbol_search/v3/?{query}", timeout=60).json()
    older = requests.get(f"{simulator.http_url}/symbol_search/?{query}", timeout=60).json()
    assert first == (newer["symbols"][0]["exchange"], newer["symbols"][0]["symbol"])
    assert older[:50] == newer["symbols"]


def test_matches_are_highlighted_on_request(simulator: Simulator) -> None:
    """`hl=1` highlights matches; entries have the captured keys, but for real markets' own."""
    url = f"{simulator.http_url}/symbol_search/v3/?text=AAPL&hl=1"
    (entry,) = requests.get(url, timeout=60).json()["symbols"]
    assert "<em>AAPL</em>" == entry["symbol"]
    assert {"symbol", "description", "type", "exchange", "source_id", "country"} <= set(entry)


def test_a_search_comes_in_pages(simulator: Simulator) -> None:
    """A page has fifty matches and the number that remain."""
    url = f"{simulator.http_url}/symbol_search/v3/"
    first = requests.get(url, timeout=60).json()
    rest = requests.get(url, params={"start": 50}, timeout=60).json()
    assert (50, 0) == (len(first["symbols"]), rest["symbols_remaining"])
    assert first["symbols_remaining"] == len(rest["symbols"])


def test_nothing_found_is_an_empty_list(simulator: Simulator) -> None:
    """A search without matches returns an empty list."""
    url = f"{simulator.http_url}/symbol_search/v3/?text=NOSUCHTHING"
    assert {"symbols": [], "symbols_remaining": 0} == requests.get(url, timeout=60).json()


def test_faults_are_ordered_listed_and_lifted_by_http(simulator: Simulator) -> None:
    """A fault for one symbol, with a value and a number of times, is ordered and lifted."""
    url = f"{simulator.http_url}/control/faults"
    fault = {"kind": "latency", "symbol": "SIM:S0005", "value": 0.1, "times": 3}
    assert [fault] == requests.post(url, json=fault, timeout=60).json()
    requests.post(url, json={"kind": "stall"}, timeout=60)
    stall = {"kind": "stall", "symbol": None, "value": None, "times": None}
    assert [fault, stall] == requests.get(url, timeout=60).json()
    assert [fault] == requests.delete(url, json={"kind": "stall"}, timeout=60).json()
    assert [] == requests.delete(url, timeout=60).json()


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "dance"},
        {},
        ["stall"],
        {"kind": "stall", "times": 0},
        {"kind": "stall", "symbol": 7},
        {"kind": "latency", "value": "soon"},
    ],
)
def test_an_invalid_order_is_400(simulator: Simulator, body: object) -> None:
    """An invalid order is answered with 400 and changes nothing."""
    url = f"{simulator.http_url}/control/faults"
    assert 400 == requests.post(url, json=body, timeout=60).status_code


def test_statistics_count_requests(simulator: Simulator) -> None:
    """The statistics count requested series by symbol."""
    for _ in range(2):
        with open_socket(simulator) as client:
            request_series(client, "SIM:S0906")
            receive_series(client)
    counts = requests.get(f"{simulator.http_url}/control/statistics", timeout=60).json()
    assert (2, 2) == (counts["requested"]["SIM:S0906"], counts["served"]["SIM:S0906"])


def run_program(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pocketquant.simulator", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program_runs_until_a_signal(number: signal.Signals) -> None:
    """The program prints its settings, serves, and exits with 0 at once, even with clients."""
    with run_program("--latency", "0.1", "--fault", "stall:SIM:S0007") as program:
        assert program.stdout is not None
        printed = dict(program.stdout.readline().strip().split("=", 1) for _ in range(3))
        names = {"TRADINGVIEW_URL", "TRADINGVIEW_HTTP_URL", "TRADINGVIEW_SEARCH_URL"}
        assert names == set(printed)
        with connect(printed["TRADINGVIEW_URL"], origin=ORIGIN, proxy=None) as client:  # type: ignore[arg-type]
            request_series(client, "SIM:S0008")
            assert COMPLETE == [message["m"] for message in receive_series(client)]
            program.send_signal(number)
            assert 0 == program.wait(timeout=60)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [(["--help"], 0, "--http-port"), (["--fault", "dance"], 2, "")],
)
def test_the_program_explains_itself(arguments: list[str], code: int, words: str) -> None:
    """The program lists its options, and explains invalid ones."""
    with run_program(*arguments) as program:
        assert program.stdout is not None
        assert words in program.stdout.read()
        assert code == program.wait(timeout=60)


def test_a_simulator_leaves_nothing_behind() -> None:
    """After its end, a simulator's ports are free, with or without connected clients."""
    with ExitStack() as stack:
        with running() as simulator:
            client = stack.enter_context(open_socket(simulator))
            wait_until("it is seen", lambda: simulator.tally.open_connections == 1, (), 60)
        with pytest.raises(ConnectionClosed):
            read_to_the_end(client)
    port = int(simulator.url.split(":")[2].split("/")[0])
    http_port = int(simulator.http_url.rpartition(":")[2])
    with running(port, http_port) as again:
        assert (simulator.url, simulator.http_url) == (again.url, again.http_url)
