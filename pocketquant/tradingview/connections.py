"""`Connections`: keeps the connections of a process open, and lends each to one fetch at a time.

TradingView counts handshakes, and each takes as long as three answers. A fetch makes a chart
session of its own on the connection and deletes it, so that the next fetch can have the connection.

A fetch takes a kept connection if one is free. Otherwise it waits for one, or for the turn of a
handshake, whichever comes first; if neither comes soon, it raises TurnFarOff. A connection breaks
if it ends, sends an unreadable text, or stays silent during a fetch. That fetch is repeated once
on a new connection; no other fetch notices.
"""

import math
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Condition, Event, Thread
from typing import Protocol, TypeVar

from pocketquant import metrics
from pocketquant.domain.errors import (
    ConnectionLost,
    PocketQuantError,
    ProtocolViolation,
    RateLimited,
    Unavailable,
)
from pocketquant.domain.turns import TurnFarOff
from pocketquant.tradingview import frames, messages, socket

MOST_SESSIONS = 40  # the server refuses sessions of a connection that has had many more
IDLE_SECONDS = 8.0  # then it is closed, before the heartbeats to an unused one matter

_LONGEST_SECONDS = 120.0  # a connection is kept; the count of all of them forgets it soon after
_PATIENCE_SECONDS = 5.0
_SHORTEST_DELAY_SECONDS = 1.0
_MOST_TEXTS_MEANWHILE = 100  # a connection that received more while unused is not used again

Result = TypeVar("Result")


class HandshakePace(Protocol):
    """The pace of the handshakes of all processes, and the count of their connections."""

    def take(self, connection: str, is_urgent: bool, most_connections: int | None) -> float:
        """Return 0 if a handshake may begin now; else the seconds until it may be asked again."""

    def refused(self) -> float:
        """Note that the provider refused a handshake; return the seconds until the next."""

    def closed(self, *connections: str) -> None:
        """Note that connections are closed, or that their handshakes failed."""


@dataclass(frozen=True, slots=True)
class Need:
    """The needs of a fetch: a connection for so many sessions, up to a deadline.

    `most_connections` is the account's limit, over all processes, if it is known.
    """

    deadline: float
    is_urgent: bool = False
    sessions: int = 1
    most_connections: int | None = None


class Connection:
    """An open connection; one fetch at a time uses it.

    `token` is the auth token that it was last sent. A fetch sets `is_broken` if what it received
    shows that the connection is at fault, and calls `free` if another fetch can have it.
    """

    def __init__(self, name: str, opened: socket.Socket) -> None:
        self.name = name
        self.token: str | None = None
        self.sessions = 0
        self.is_reusable = False
        self.is_broken = False
        self.idle_since = self.opened_at = time.monotonic()
        self._socket = opened
        self._deadline = math.inf
        self._silent_until = math.inf

    def lend(self, deadline: float, sessions: int) -> None:
        """Begin a fetch of so many sessions; a kept connection must say something by half time."""
        now = time.monotonic()
        is_kept = self.sessions > 0
        self.sessions += sessions
        self.is_reusable = False
        self.wait_until(deadline)
        self._silent_until = (now + deadline) / 2 if is_kept else math.inf

    def wait_until(self, deadline: float) -> None:
        """Let all later waiting end at this deadline."""
        self._deadline = deadline
        self._socket.end_at(deadline)

    def send(self, text: str) -> None:
        """Send one text, even if the server has hung up: its reason may wait to be received."""
        try:
            self._socket.send(text)
        except ConnectionLost:
            self.is_broken = True

    def receive(self) -> str | None:
        """Return the next text; None at the deadline."""
        end = min(self._deadline, self._silent_until)
        try:
            text = self._socket.receive_within(end - time.monotonic())
            if text is None and end < self._deadline:
                raise ConnectionLost("a kept connection to TradingView is silent")
        except (ConnectionLost, ProtocolViolation):
            self.is_broken = True
            raise
        self._silent_until = math.inf
        return text

    def free(self, deletions: Iterable[str]) -> None:
        """Send the calls that delete the fetch's sessions; then another fetch can follow."""
        self.wait_until(math.inf)
        try:
            for text in deletions:
                self._socket.send(text)
        except Unavailable:
            self.is_broken = True
        self.is_reusable = True

    def is_healthy(self) -> bool:
        """Process what arrived meanwhile; return whether the connection can be used again.

        Heartbeats are answered. Late messages about deleted sessions are dropped.
        """
        self.wait_until(math.inf)
        decoder = frames.FrameDecoder()
        try:
            for _ in range(_MOST_TEXTS_MEANWHILE):
                text = self._socket.receive_within(0)
                if text is None:
                    return not decoder.is_amid_frame
                for payload in decoder.feed(text):
                    self._process(messages.read(payload))
        except Unavailable:
            return False
        return False

    def cut(self) -> None:
        """End the connection while another thread uses it; that thread gets ConnectionLost."""
        self._socket.cut()

    def hang_up(self) -> None:
        """Close the connection without waiting for the server."""
        self._socket.hang_up()

    def _process(self, message: messages.Message) -> None:
        match message:
            case messages.Heartbeat():
                self._socket.send(frames.encode(message.payload))
            case messages.ProtocolError():
                raise ConnectionLost(f"TradingView ends the connection: {message.reason}")


def dial_counted(url: str, deadline: float) -> socket.Socket:
    """Open a socket and count the handshake by its outcome; raise the errors of `socket.dial`."""
    outcome = "ok"
    try:
        return socket.dial(url, deadline)
    except PocketQuantError as error:
        outcome = error.code
        raise
    finally:
        metrics.HANDSHAKES.labels(outcome=outcome).inc()


class Connections:
    """The kept connections of a process. Safe to share between threads."""

    def __init__(
        self,
        url: str,
        pace: HandshakePace | None = None,
        most_sessions: int = MOST_SESSIONS,
        patience_seconds: float = _PATIENCE_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """Connect to `url`; without a `pace`, handshakes are not limited."""
        self._url = url
        self._pace = pace
        self._most_sessions = most_sessions
        self._patience_seconds = patience_seconds
        self._idle_seconds = idle_seconds
        self._changed = Condition()
        self._ending = Event()
        self._idle: list[Connection] = []
        self._lent: set[Connection] = set()
        self._seekers = 0  # fetches that wait for a connection, or open one
        self._closer: Thread | None = None

    def use(self, work: Callable[[Connection], Result], need: Need) -> Result:
        """Return the result of `work` with a connection, as `begin`; then take it back."""
        connection, result = self.begin(work, need)
        self.give_back(connection)
        return result

    def begin(self, work: Callable[[Connection], Result], need: Need) -> tuple[Connection, Result]:
        """Return the result of `work` with a connection, and the connection, to be given back.

        If the connection breaks, repeat the work once on a new one, within the same deadline.
        """
        first = self._take_idle(need) or self._seek(need)
        is_kept = first.sessions > need.sessions
        try:
            return first, self._do(work, first)
        except Unavailable as error:
            return self.repeat(work, need, first, error, is_kept=is_kept)

    def repeat(
        self,
        work: Callable[[Connection], Result],
        need: Need,
        broken: Connection,
        error: Unavailable,
        *,
        is_kept: bool = False,
    ) -> tuple[Connection, Result]:
        """Return the result of `work` with a new connection, as `begin`, in the place of a broken.

        Raise the error if that connection is not broken, or the server named a limit. So too if the
        turn of a handshake is far off, unless the connection `is_kept` from an earlier fetch, which
        says nothing about the provider, or the handshake is refused: then TurnFarOff.
        """
        if not broken.is_broken:
            raise error
        if isinstance(error, RateLimited):
            raise self._paused(error) from error
        try:
            second = self._dial_in_turn(need)
        except TurnFarOff as turn:
            if is_kept or turn.error is not None:
                raise
            raise error from turn
        return second, self._do(work, second)

    def give_back(self, connection: Connection) -> None:
        """Keep the connection for the next fetch if it is reusable; otherwise close it."""
        is_kept = connection.is_reusable and not connection.is_broken
        with self._changed:
            self._lent.discard(connection)
            if is_kept and connection.sessions < self._most_sessions and not self._ending.is_set():
                connection.idle_since = time.monotonic()
                self._idle.append(connection)
                self._changed.notify()
                self._start_closer()
                return
        self._close(connection)

    def hang_up(self) -> None:
        """End all connections: fetches in progress and later ones get ConnectionLost."""
        self._ending.set()
        with self._changed:
            idle, self._idle = self._idle, []
            for lent in self._lent:
                lent.cut()
            self._changed.notify_all()
        for connection in idle:
            connection.hang_up()
        self._note_closed(*(connection.name for connection in idle))

    def _do(self, work: Callable[[Connection], Result], connection: Connection) -> Result:
        try:
            return work(connection)
        except BaseException:  # an interrupted fetch must not keep it
            self.give_back(connection)
            raise

    def _take_idle(self, need: Need) -> Connection | None:
        """Return the kept connection that was used last, if any is healthy."""
        while (connection := self._pop_idle(need)) is not None:
            if connection.is_healthy():
                return self._lend(connection, need)
            self._discard(connection)
        return None

    def _pop_idle(self, need: Need) -> Connection | None:
        with self._changed:
            connection = self._find_idle(need)
            if connection is not None:
                self._idle.remove(connection)
                self._lent.add(connection)
        return connection

    def _find_idle(self, need: Need) -> Connection | None:
        """Return the usable idle connection that was used last, if any."""
        now = time.monotonic()
        for connection in reversed(self._idle):
            has_room = connection.sessions + need.sessions <= self._most_sessions
            is_old = now - connection.opened_at > _LONGEST_SECONDS
            if has_room and not is_old and now - connection.idle_since < self._idle_seconds:
                return connection
        return None

    def _seek(self, need: Need) -> Connection:
        with self._changed:
            self._seekers += 1
        try:
            return self._wait_for_one(need)
        finally:
            with self._changed:
                self._seekers -= 1

    def _wait_for_one(self, need: Need) -> Connection:
        """Return the next connection that is given back, or a new one if its turn is sooner."""
        name = secrets.token_hex(8)
        until = min(need.deadline, time.monotonic() + self._patience_seconds)
        while (seconds := self._seconds_to_turn(name, need)) > 0:
            remaining = until - time.monotonic()
            with self._changed:
                is_none_idle = self._find_idle(need) is None
                will_none_come = is_none_idle and not self._lent and self._seekers == 1
                if remaining <= 0 or (will_none_come and seconds > remaining):
                    raise TurnFarOff(max(seconds, _SHORTEST_DELAY_SECONDS), None)
                if is_none_idle and not self._ending.is_set():
                    self._changed.wait(min(seconds, remaining))
            connection = self._take_idle(need)
            if connection is not None:
                return connection
        return self._dial(name, need)

    def _dial_in_turn(self, need: Need) -> Connection:
        name = secrets.token_hex(8)
        until = min(need.deadline, time.monotonic() + self._patience_seconds)
        while (seconds := self._seconds_to_turn(name, need)) > 0:
            if seconds > until - time.monotonic():
                raise TurnFarOff(seconds, None)
            self._ending.wait(seconds)
        return self._dial(name, need)

    def _seconds_to_turn(self, name: str, need: Need) -> float:
        if self._ending.is_set():
            raise ConnectionLost("this process ends")
        if self._pace is None:
            return 0
        return self._pace.take(name, need.is_urgent, need.most_connections)

    def _dial(self, name: str, need: Need) -> Connection:
        try:
            connection = Connection(name, dial_counted(self._url, need.deadline))
        except PocketQuantError as error:
            self._note_closed(name)
            if isinstance(error, RateLimited):
                raise self._paused(error) from error
            raise
        with self._changed:
            self._lent.add(connection)
        return self._lend(connection, need)

    def _paused(self, error: RateLimited) -> Exception:
        """Return the error to raise after the provider named a limit: all handshakes pause."""
        return error if self._pace is None else TurnFarOff(self._pace.refused(), error)

    def _lend(self, connection: Connection, need: Need) -> Connection:
        if self._ending.is_set():
            self._discard(connection)
            raise ConnectionLost("this process ends")
        connection.lend(need.deadline, need.sessions)
        return connection

    def _close(self, connection: Connection) -> None:
        connection.hang_up()
        self._note_closed(connection.name)

    def _note_closed(self, *names: str) -> None:
        if self._pace is not None and names:
            self._pace.closed(*names)

    def _discard(self, connection: Connection) -> None:
        connection.is_reusable = False
        self.give_back(connection)

    def _start_closer(self) -> None:
        if self._closer is None:
            self._closer = Thread(target=self._close_idle, name="idle connections", daemon=True)
            self._closer.start()

    def _close_idle(self) -> None:
        """Close connections that were idle for too long, until none is idle."""
        while True:
            with self._changed:
                if not self._idle:
                    self._closer = None
                    return
                ends_at = self._idle[0].idle_since + self._idle_seconds
                is_over = ends_at <= time.monotonic()
                connection = self._idle.pop(0) if is_over else None
            if connection is not None:
                self._close(connection)
            elif self._ending.wait(max(0.0, ends_at - time.monotonic())):
                return
