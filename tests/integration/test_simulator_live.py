"""The simulator sends live quotes and bars to websocket-client on real sockets."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import websocket

from pocketquant.servers.connections import wait_until
from pocketquant.simulator.clocks import market_clock
from pocketquant.simulator.market import world
from pocketquant.simulator.market.prices import Resolution
from pocketquant.simulator.server import Simulator, running
from pocketquant.simulator.sockets import SimulatorPace
from pocketquant.simulator.wire.tapes import record
from pocketquant.tradingview import frames, messages

ORIGIN = "https://data.tradingview.com"
SESSION = "qs_abcdefghijkl"
TUESDAY_AFTERNOON = 1_763_480_420.0  # 2025-11-18 15:40:20 UTC
NAMES = [f"SIM:S{number:04}" for number in range(1, 31)]
SPEED = 60.0

Message = dict[str, Any]


class Watcher:
    """A client with one quote session; it echoes heartbeats and counts them."""

    def __init__(self, url: str) -> None:
        self.socket = websocket.create_connection(
            url, header=[f"Origin: {ORIGIN}"], timeout=20, skip_utf8_validation=True
        )
        self.beats = 0
        self._decoder = frames.FrameDecoder()
        self.call("set_auth_token", "unauthorized_user_token")
        self.call("quote_create_session", SESSION)

    def call(self, method: str, *params: object) -> None:
        self.socket.send(messages.call(method, *params))

    def add(self, *names: str) -> None:
        self.call("quote_add_symbols", SESSION, *names)

    def receive(self) -> list[Message]:
        """Return the messages of the next text, without hello and heartbeats."""
        received = []
        for payload in self._decoder.feed(str(self.socket.recv())):
            if frames.is_heartbeat(payload):
                self.beats += 1
                self.socket.send(frames.encode(payload))
            elif payload.startswith('{"m"'):
                received.append(json.loads(payload))
        return received

    def receive_until(self, is_enough: Callable[[list[Message]], bool]) -> list[Message]:
        """Return all messages until they suffice or the socket times out."""
        received: list[Message] = []
        while not is_enough(received):
            received += self.receive()
        return received

    def receive_quotes(self, count: int) -> list[Message]:
        received: list[Message] = []
        while count > 0:
            text = self.receive()
            received += text
            count -= len(quotes(text))
        return received


@contextmanager
def watching(simulator: Simulator, *names: str) -> Iterator[Watcher]:
    """Connect a watcher with these symbols for a `with` block."""
    watcher = Watcher(simulator.url)
    if names:
        watcher.add(*names)
    yield watcher
    watcher.socket.close()


def quotes(received: list[Message]) -> list[dict[str, Any]]:
    return [message["p"][1] for message in received if message["m"] == "qsd"]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator whose clock runs sixty times as fast as real time."""
    pace = SimulatorPace(heartbeat_seconds=0.1, speed=SPEED, push_seconds=0.01)
    with running(pace=pace, clock=market_clock(SPEED, TUESDAY_AFTERNOON)) as simulator:
        yield simulator


def test_quotes_come_first_complete_and_then_in_parts() -> None:
    """By the real clock, complete quotes come first and then their changes."""
    with running() as simulator, watching(simulator, *NAMES) as watcher:
        received = watcher.receive_quotes(len(NAMES) + 5)
    states = quotes(received)
    assert {"ok"} == {state["s"] for state in states}
    assert NAMES == [state["n"] for state in states if "update_mode" in state["v"]]
    later = states[len(NAMES) :]
    assert all(len(state["v"]) < 10 for state in later)
    times = [state["v"]["lp_time"] for state in later if "lp_time" in state["v"]]
    assert all(abs(time.time() - traded_at) < 120 for traded_at in times)


def test_a_clock_that_is_moved_moves_the_market() -> None:
    """The market follows a clock that the test sets."""
    moments = [TUESDAY_AFTERNOON]
    pace = SimulatorPace(push_seconds=0.01)
    with (
        running(pace=pace, clock=lambda: moments[0]) as simulator,
        watching(simulator, "NASDAQ:AAPL") as watcher,
    ):
        watcher.receive_until(lambda received: len(received) == 2)
        moments[0] += 60
        states = quotes(watcher.receive_quotes(4))
        times = [state["v"]["lp_time"] for state in states if "lp_time" in state["v"]]
    assert times
    assert all(0 < traded_at - TUESDAY_AFTERNOON <= 60 for traded_at in times)


def test_live_minutes_are_those_of_history(simulator: Simulator) -> None:
    """Minutes streamed from their start equal those of history exactly."""
    bars: dict[tuple[str, int], list[float]] = {}
    values: dict[str, dict[str, Any]] = {}

    def take(state: dict[str, Any]) -> None:
        name, known = state["n"], values.get(state["n"])
        values[name] = {**(known or {}), **state["v"]}
        if known is None or "lp_time" not in state["v"]:
            return
        price, traded_at = values[name]["lp"], values[name]["lp_time"]
        size = values[name]["volume"] - known["volume"]
        bar = bars.setdefault((name, traded_at // 60 * 60), [price, price, price, price, 0.0])
        bar[1:] = [max(bar[1], price), min(bar[2], price), price, bar[4] + size]

    with watching(simulator, *NAMES) as watcher:
        while len(bars) < 5 * len(NAMES):
            for state in quotes(watcher.receive()):
                take(state)
    compared = 0
    for name in NAMES:
        instrument = world.find(name)
        assert instrument is not None
        whole = sorted(opens for owner, opens in bars if owner == name)[1:-1]
        history = simulator.market.newest(instrument, Resolution(1, "m"), whole[-1] + 60, 20).bars
        expected = history.between(whole[0], whole[-1] + 1).columns.T.tolist()
        assert expected == [[float(opens), *bars[name, opens]] for opens in whole]
        compared += len(whole)
    assert compared > len(NAMES)


def test_the_newest_bar_of_a_chart_grows(simulator: Simulator) -> None:
    """After `series_completed` come `du` messages and new bars."""
    with watching(simulator) as watcher:
        watcher.call("chart_create_session", "cs_1", "")
        watcher.call("resolve_symbol", "cs_1", "sym_1", "SIM:S0001")
        watcher.call("create_series", "cs_1", "sds_1", "s1", "sym_1", "1", 10, "")
        received = watcher.receive_until(
            lambda received: [one["m"] for one in received].count("timescale_update") == 3
        )
    methods = [message["m"] for message in received]
    assert ["series_loading", "symbol_resolved", "timescale_update", "series_completed"] == (
        methods[:4]
    )
    assert {"du", "timescale_update"} == set(methods[4:])


def test_a_thousand_symbols_are_watched_on_one_connection(simulator: Simulator) -> None:
    """A thousand symbols all get quotes on one connection, and heartbeats go on."""
    names = [f"SIM:S{number:04}" for number in range(1, 1001)]
    with watching(simulator, *names) as watcher:
        complete, moved = set(), set()
        while len(moved) < len(names) or not watcher.beats:
            for state in quotes(watcher.receive()):
                (complete if "update_mode" in state["v"] else moved).add(state["n"])
    assert set(names) == complete == moved


def test_a_dropped_connection_just_ends(simulator: Simulator) -> None:
    """A connection dropped between quotes ends; the next one works."""
    with watching(simulator, *NAMES) as watcher:
        watcher.receive_quotes(len(NAMES))
        simulator.order("quotes_drop", times=1)
        with pytest.raises((websocket.WebSocketConnectionClosedException, ConnectionError)):
            watcher.receive_quotes(10**6)
    with watching(simulator, *NAMES) as watcher:
        assert watcher.receive_quotes(2 * len(NAMES))


def test_a_stalled_connection_stays_open_and_silent(simulator: Simulator) -> None:
    """A stalled connection sends no quote, no heartbeat and no close."""
    with watching(simulator, *NAMES) as watcher:
        watcher.receive_quotes(2 * len(NAMES))
        simulator.order("quotes_stall")
        watcher.socket.settimeout(1)
        with pytest.raises(websocket.WebSocketTimeoutException):
            watcher.receive_quotes(10**6)
        assert simulator.tally.open_connections == 1


def test_a_muted_connection_has_heartbeats(simulator: Simulator) -> None:
    """A muted connection sends ten heartbeats and no quote; then quotes come again."""
    with watching(simulator, *NAMES) as watcher:
        watcher.receive_quotes(2 * len(NAMES))
        simulator.order("quotes_mute")
        beats = watcher.beats + 2  # by then, what was on its way when the order came has arrived
        watcher.receive_until(lambda _: watcher.beats >= beats)
        assert [] == watcher.receive_until(lambda _: watcher.beats >= beats + 10)
        simulator.lift("quotes_mute")
        assert watcher.receive_quotes(len(NAMES))


@pytest.mark.parametrize("kind", ["quotes_split", "quotes_glue", "quotes_each_alone"])
def test_quotes_reach_the_client_in_any_pieces(simulator: Simulator, kind: str) -> None:
    """A buffering decoder joins quotes in any pieces to whole frames."""
    simulator.order(kind)
    with watching(simulator, *NAMES) as watcher:
        assert len(quotes(watcher.receive_quotes(20 * len(NAMES)))) >= 20 * len(NAMES)


def test_faults_of_one_symbol_are_ordered_by_http(simulator: Simulator) -> None:
    """A fault ordered for one symbol leaves the others unchanged."""
    url = f"{simulator.http_url}/control/faults"
    with watching(simulator, *NAMES) as watcher:
        watcher.receive_quotes(len(NAMES))
        order = {"kind": "quotes_permission", "symbol": NAMES[0], "value": "pro_realtime"}
        assert requests.post(url, json=order, timeout=60).ok
        received = watcher.receive_until(
            lambda received: any(state["s"] != "ok" for state in quotes(received))
        )
        (denied,) = [state for state in quotes(received) if state["s"] != "ok"]
        assert (NAMES[0], "permission_denied") == (denied["n"], denied["s"])
        later = quotes(watcher.receive_quotes(10 * len(NAMES)))
    assert set(NAMES[1:]) == {state["n"] for state in later}


def test_handshakes_are_limited_on_order(simulator: Simulator) -> None:
    """An ordered fault refuses a handshake with 429."""
    simulator.order("rate_limit")
    with pytest.raises(websocket.WebSocketBadStatusException) as error:
        Watcher(simulator.url)
    assert 429 == error.value.status_code


def test_a_tape_is_sent_to_a_client_with_its_symbols() -> None:
    """A client that added the tape's symbols receives all its quotes and no others."""
    with running() as maker:
        tape = record(maker.market, NAMES, int(TUESDAY_AFTERNOON), 20_000)
    with (
        running(pace=SimulatorPace(tape=tape), clock=lambda: TUESDAY_AFTERNOON) as simulator,
        watching(simulator, *NAMES) as watcher,
    ):
        first = watcher.receive_until(lambda received: len(received) >= 2 * len(NAMES))
        assert set(NAMES) == {state["n"] for state in quotes(first)}
        played = quotes(watcher.receive_quotes(20_000))
        assert 0 < time.time() - (simulator.tally.replay_began_at or 0) < 300
    recorded = frames.FrameDecoder().feed("".join(text for _, text in tape.timed(SESSION)))
    assert [json.loads(payload)["p"][1] for payload in recorded] == played


def test_the_program_has_a_clock_of_its_own() -> None:
    """The program's clock has the given start and speed, and `/control/clock` returns its time."""
    command = [sys.executable, "-m", "pocketquant.simulator", "--speed", "600"]
    command += ["--start", "2025-11-18T15:40:20Z"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as program:
        assert program.stdout is not None
        printed = dict(program.stdout.readline().strip().split("=", 1) for _ in range(2))

        def now() -> float:
            url = f"{printed['TRADINGVIEW_HTTP_URL']}/control/clock"
            return float(requests.get(url, timeout=60).json()["now"])

        first = now()
        start = datetime(2025, 11, 18, 15, 40, 20, tzinfo=UTC).timestamp()
        assert start <= first < start + 600 * 60
        wait_until("ten minutes have passed", lambda: now() >= first + 600, (), 60)
        watcher = Watcher(printed["TRADINGVIEW_URL"])
        watcher.add("NASDAQ:AAPL")
        (state, *_) = quotes(watcher.receive_quotes(1))
        assert start - 86_400 < state["v"]["lp_time"] <= now()
        program.send_signal(signal.SIGTERM)
        assert 0 == program.wait(timeout=60)
        watcher.socket.close()


def test_an_invalid_start_is_refused() -> None:
    """The program exits with the usual code for an invalid start."""
    command = [sys.executable, "-m", "pocketquant.simulator", "--start", "soon"]
    assert 2 == subprocess.run(command, capture_output=True, check=False).returncode
