"""Puts the simulator on loopback: a WebSocket server, and the website beside it."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from urllib.parse import urlsplit

import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from pocketquant.domain.bars import Bars
from pocketquant.simulator.faults import Fault, FaultKind, Faults
from pocketquant.simulator.market import Market
from pocketquant.simulator.outgoing import Action, Send
from pocketquant.simulator.session import ECHO_SECONDS, Conversation
from pocketquant.simulator.tally import Tally
from pocketquant.simulator.website import serving_website

HOST = "127.0.0.1"
PATH = "/socket.io/websocket"
HEARTBEAT_SECONDS = 10.0

_ORIGINS = frozenset({"https://www.tradingview.com", "https://data.tradingview.com"})
_MOST_RECEIVED_BYTES = 16 * 1024 * 1024
_CAPTURED = "captured_spx_daily.json"
_STOP_SECONDS = 10.0
_CLOSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the simulator answers, and how it keeps an eye on its clients."""

    latency_seconds: float = 0.0
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    echo_seconds: float = ECHO_SECONDS


@dataclass(frozen=True, slots=True)
class Simulator:
    """A simulator that runs: where it is, what it was ordered to do wrong, what it has done."""

    url: str
    http_url: str
    faults: Faults
    tally: Tally

    def order(
        self,
        kind: str,
        symbol: str | None = None,
        value: str | float | None = None,
        times: int | None = None,
    ) -> None:
        """Have a fault from now on, for one symbol or all, `times` times or until it is lifted."""
        self.faults.order(Fault(FaultKind(kind), symbol, value, times))

    def lift(self, kind: str | None = None, symbol: str | None = None) -> None:
        """Take faults back."""
        self.faults.lift(FaultKind(kind) if kind else None, symbol)


@contextmanager
def running(
    port: int = 0,
    http_port: int = 0,
    faults: Iterable[Fault] = (),
    pace: Pace = Pace(),
    clock: Callable[[], float] = time.time,
) -> Iterator[Simulator]:
    """A simulator in threads of this process; port 0 chooses a free one."""
    ordered, tally = Faults(), Tally()
    for fault in faults:
        ordered.order(fault)
    market = Market({"SP:SPX": _captured()})
    sockets = _Sockets(market, ordered, tally, pace, clock)
    with (
        serving_website(HOST, http_port, ordered, tally, clock) as http_url,
        sockets.serving(port) as bound,
    ):
        yield Simulator(f"ws://{HOST}:{bound}{PATH}", http_url, ordered, tally)


class _Sockets:
    """The WebSocket server, on an event loop in a thread of its own."""

    def __init__(
        self,
        market: Market,
        faults: Faults,
        tally: Tally,
        pace: Pace,
        clock: Callable[[], float],
    ) -> None:
        self._market = market
        self._faults = faults
        self._tally = tally
        self._pace = pace
        self._clock = clock

    @contextmanager
    def serving(self, port: int) -> Iterator[int]:
        """Serve until the end of the block; gives the port."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="simulator", daemon=True)
        thread.start()
        try:
            server = asyncio.run_coroutine_threadsafe(self._serve(port), loop).result()
            try:
                yield next(iter(server.sockets)).getsockname()[1]
            finally:
                asyncio.run_coroutine_threadsafe(_stop(server), loop).result(_STOP_SECONDS)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_STOP_SECONDS)
            loop.close()

    async def _serve(self, port: int) -> Server:
        return await serve(
            self._converse,
            HOST,
            port,
            process_request=self._admit,
            compression=None,
            max_size=_MOST_RECEIVED_BYTES,
            ping_interval=None,
            close_timeout=_CLOSE_SECONDS,
            server_header="tv",
        )

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse a handshake as TradingView does; None lets it through."""
        origins = request.headers.get_all("Origin")
        if urlsplit(request.path).path != PATH:
            return connection.respond(HTTPStatus.NOT_FOUND, "not found\n")
        own = f"http://{request.headers['Host']}"
        refused = None
        if self._faults.strike(FaultKind.RATE_LIMIT):
            refused = HTTPStatus.TOO_MANY_REQUESTS
        elif (
            self._faults.strike(FaultKind.REFUSE) or not origins or set(origins) - _ORIGINS - {own}
        ):
            refused = HTTPStatus.FORBIDDEN
        if refused:
            self._tally.refused_handshakes += 1
            return connection.respond(refused, f"{refused.phrase}\n")
        # Two equal Origin headers are one to TradingView, and an error to the library.
        del request.headers["Origin"]
        request.headers["Origin"] = origins[0]
        return None

    async def _converse(self, connection: ServerConnection) -> None:
        """One conversation, from the hello to its end."""
        pace = self._pace
        conversation = Conversation(
            self._market, self._faults, self._tally, pace.latency_seconds, pace.echo_seconds
        )
        tasks = {asyncio.create_task(self._beat(connection, conversation))}
        self._tally.connections += 1
        self._tally.open_connections += 1
        try:
            await _act(connection, conversation.open(self._now_ms()))
            async for text in connection:
                actions = conversation.receive(str(text), self._now_ms())
                if _takes_time(actions):
                    tasks.add(asyncio.create_task(_act(connection, actions)))
                else:
                    await _act(connection, actions)
        except ConnectionClosed:
            pass  # the client left, or a heartbeat found it gone
        finally:
            self._tally.open_connections -= 1
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _beat(self, connection: ServerConnection, conversation: Conversation) -> None:
        while True:
            await asyncio.sleep(self._pace.heartbeat_seconds)
            await _act(connection, conversation.beat(self._now_ms()))

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _takes_time(actions: list[Action]) -> bool:
    return any(isinstance(action, Send) and action.after_seconds for action in actions)


async def _act(connection: ServerConnection, actions: list[Action]) -> None:
    for action in actions:
        if isinstance(action, Send):
            await asyncio.sleep(action.after_seconds)
            await connection.send(action.text)
        elif action.is_abrupt:
            connection.transport.abort()
        else:
            await connection.close()


async def _stop(server: Server) -> None:
    server.close()
    await server.wait_closed()


def _captured() -> Bars:
    rows = json.loads(resources.files(__package__).joinpath(_CAPTURED).read_text())
    return Bars(np.array(rows, dtype=np.float64).T)
