"""The simulator's WebSocket server."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from pocketquant.simulator.distance import DistantConnection
from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.wire.faults import FaultKind, Faults
from pocketquant.simulator.wire.outgoing import Action, Pause, Send
from pocketquant.simulator.wire.recordings import Recording
from pocketquant.simulator.wire.session import ECHO_SECONDS, Conversation
from pocketquant.simulator.wire.tally import Tally
from pocketquant.simulator.wire.tapes import Tape

PATH = "/socket.io/websocket"

_ORIGINS = frozenset(f"https://{site}.tradingview.com" for site in ("www", "data", "s"))
_MAX_RECEIVED_BYTES = 16 * 1024 * 1024
_STOP_SECONDS = 10.0
_CLOSE_SECONDS = 1.0
_CHART_SECONDS = 0.5
_COUNTED_SECONDS = 1.0  # in which a limit counts handshakes
_QUIET_SECONDS = 0.5  # a client silent for so long is assumed to have added all its symbols


@dataclass(frozen=True, slots=True)
class SimulatorPace:
    """The simulator's delays, heartbeats and push interval.

    Each flight of data takes half of `round_trip_seconds`, those of TCP and TLS included.
    `speed` is the speed of its clock. With a `tape`, quote sessions receive its texts; with a
    `recording`, chart sessions are answered as the captured server did.
    """

    latency_seconds: float = 0.0
    round_trip_seconds: float = 0.0
    heartbeat_seconds: float = 10.0
    echo_seconds: float = ECHO_SECONDS
    push_seconds: float = 0.05
    speed: float = 1.0
    tape: Tape | None = None
    recording: Recording | None = None


class Sockets:
    """The WebSocket server, on an event loop in a thread of its own."""

    def __init__(
        self,
        market: Market,
        faults: Faults,
        tally: Tally,
        pace: SimulatorPace,
        clock: Callable[[], float],
    ) -> None:
        self._market = market
        self._faults = faults
        self._tally = tally
        self._pace = pace
        self._clock = clock
        self._open: set[ServerConnection] = set()
        self._handshakes: deque[float] = deque()

    def hang_up(self) -> None:
        """Close all connections, and wait until they are closed."""
        closing = asyncio.run_coroutine_threadsafe(self._close_all(), self._loop)
        closing.result(_STOP_SECONDS)

    @contextmanager
    def serving(self, host: str, port: int) -> Iterator[str]:
        """Serve for a `with` block; yields the URL."""
        self._loop = loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="simulator", daemon=True)
        thread.start()
        try:
            server = asyncio.run_coroutine_threadsafe(self._serve(host, port), loop).result()
            try:
                bound = next(iter(server.sockets)).getsockname()[1]
                yield f"ws://{host}:{bound}{PATH}"
            finally:
                asyncio.run_coroutine_threadsafe(_stop(server), loop).result(_STOP_SECONDS)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_STOP_SECONDS)
            loop.close()

    async def _serve(self, host: str, port: int) -> Server:
        return await serve(
            self._converse,
            host,
            port,
            process_request=self._admit,
            create_connection=self._connection_type(),
            compression=None,
            max_size=_MAX_RECEIVED_BYTES,
            ping_interval=None,
            close_timeout=_CLOSE_SECONDS,
            server_header="tv",
        )

    def _connection_type(self) -> type[ServerConnection] | None:
        """Return the constructor of connections; None for the usual one."""
        if not self._pace.round_trip_seconds:
            return None
        distant = partial(DistantConnection, self._pace.round_trip_seconds)
        return cast(type[ServerConnection], distant)

    async def _close_all(self) -> None:
        await asyncio.gather(*(connection.close() for connection in self._open))

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return the refusal of a handshake, as TradingView would; None accepts it."""
        if urlsplit(request.path).path != PATH:
            return connection.respond(HTTPStatus.NOT_FOUND, "not found\n")
        refusal = self._refusal(request)
        if refusal:
            self._tally.refused_handshakes += 1
            return connection.respond(refusal, f"{refusal.phrase}\n")
        self._open.add(connection)
        connection.connection_lost_waiter.add_done_callback(
            lambda _: self._open.discard(connection)
        )
        # TradingView accepts several Origin headers; the library does not.
        origin = request.headers.get_all("Origin")[0]
        del request.headers["Origin"]
        request.headers["Origin"] = origin
        return None

    def _refusal(self, request: Request) -> HTTPStatus | None:
        """Return the status of a refusal. Like TradingView's, the simulator's origin is allowed."""
        if self._faults.trigger(FaultKind.RATE_LIMIT) or self._is_over_limit():
            return HTTPStatus.TOO_MANY_REQUESTS
        origins = set(request.headers.get_all("Origin"))
        own = {f"http://{host}" for host in request.headers.get_all("Host")}
        is_known = origins and origins <= _ORIGINS | own
        is_refused = self._faults.trigger(FaultKind.REFUSE) or not is_known
        return HTTPStatus.FORBIDDEN if is_refused else None

    def _is_over_limit(self) -> bool:
        """Whether the connection that is requested, or its handshake, is one too many."""
        now = self._loop.time()
        while self._handshakes and now - self._handshakes[0] >= _COUNTED_SECONDS:
            self._handshakes.popleft()
        open_ = self._faults.trigger(FaultKind.CONNECTION_LIMIT)
        recent = self._faults.trigger(FaultKind.HANDSHAKE_LIMIT)
        is_over = (open_ is not None and len(self._open) >= open_.number(0)) or (
            recent is not None and len(self._handshakes) >= recent.number(0)
        )
        if not is_over:
            self._handshakes.append(now)
        return is_over

    async def _converse(self, connection: ServerConnection) -> None:
        conversation = Conversation(
            self._market,
            self._faults,
            self._tally,
            self._pace.latency_seconds,
            self._pace.echo_seconds * self._pace.speed,
            self._pace.recording,
        )
        self._tally.connections += 1
        self._tally.open_connections += 1
        self._tally.most_connections = max(
            self._tally.most_connections, self._tally.open_connections
        )
        peer = _Peer(connection, conversation, self._pace, self._clock, self._tally)
        try:
            await _while_connected(peer.converse)
        finally:
            self._tally.open_connections -= 1


class _Peer:
    """One client: its connection and the server's side of the protocol."""

    def __init__(
        self,
        connection: ServerConnection,
        conversation: Conversation,
        pace: SimulatorPace,
        clock: Callable[[], float],
        tally: Tally,
    ) -> None:
        self._connection = connection
        self._conversation = conversation
        self._tally = tally
        self._pace = pace
        self._clock = clock
        self._sending = asyncio.Lock()  # keeps heartbeats from splitting the pieces of a frame
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_pushing = False
        self._received_at = 0.0

    async def converse(self) -> None:
        """Serve the client from the hello to the end of the connection."""
        self._start(self._beat)
        try:
            await self._act(self._conversation.open(self._now_ms()))
            async for text in self._connection:
                self._received_at = asyncio.get_running_loop().time()
                await self._act(self._conversation.receive(str(text), self._now_ms()))
                if self._conversation.is_live and not self._is_pushing:
                    self._is_pushing = True
                    self._start(self._push)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)  # all end as cancelled

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._pace.heartbeat_seconds)
            await self._act(self._conversation.beat(self._now_ms()))

    async def _push(self) -> None:
        """Send updates of quotes and bars until the end of the connection."""
        will_replay = self._pace.tape is not None
        while True:
            await asyncio.sleep(self._seconds_to_next_push())
            await self._act(self._conversation.push(self._now_ms()))
            is_quiet = asyncio.get_running_loop().time() - self._received_at > _QUIET_SECONDS
            if will_replay and is_quiet and (name := self._conversation.hand_over()):
                will_replay = False
                self._start(partial(self._replay, name))

    def _seconds_to_next_push(self) -> float:
        """Return how long to wait for updates; charts have at most one a second."""
        if not self._conversation.has_quotes:
            return _CHART_SECONDS
        return 0 if self._conversation.is_behind(self._now_ms()) else self._pace.push_seconds

    async def _replay(self, name: str) -> None:
        """Send the tape to this session, at the tape's pace or as fast as the client reads."""
        tape, started_at = self._pace.tape, asyncio.get_running_loop().time()
        self._tally.replay_began_at = time.time()
        for due_after, text in tape.timed(name) if tape else ():
            wait_seconds = started_at + due_after - asyncio.get_running_loop().time()
            if wait_seconds > 0:
                await asyncio.sleep(wait_seconds)
            await self._act([Send(text)])

    async def _act(self, actions: list[Action]) -> None:
        async with self._sending:
            for index, action in enumerate(actions):
                if isinstance(action, Send):
                    await self._connection.send(action.text)
                elif isinstance(action, Pause):
                    self._start(partial(self._act_later, action.seconds, actions[index + 1 :]))
                    return
                elif action.is_abrupt:
                    self._connection.transport.abort()
                else:
                    await self._connection.close()

    async def _act_later(self, seconds: float, actions: list[Action]) -> None:
        await asyncio.sleep(seconds)
        await self._act(actions)

    def _start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a task until the connection ends, even if it ends before the task starts."""
        task = asyncio.create_task(_while_connected(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


async def _while_connected(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with suppress(ConnectionClosed):
        await work()


async def _stop(server: Server) -> None:
    """Close the server and its connections, those whose handshake is not over too."""
    server.close()
    await server.wait_closed()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
