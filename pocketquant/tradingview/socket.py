"""The only file that opens a TradingView socket.

Nothing that the server does can make a wait longer than its caller allows. Every failure of
websocket-client or of the system is raised as one of our own errors.
"""

import math
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from threading import Lock
from typing import Any

from websocket import (
    ABNF,
    WebSocket,
    WebSocketAddressException,
    WebSocketBadStatusException,
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketProxyException,
    WebSocketTimeoutException,
)

from pocketquant.domain.errors import (
    ConnectionLost,
    HandshakeRefused,
    InvalidSettings,
    ProtocolViolation,
    RateLimited,
    Unavailable,
)
from pocketquant.tradingview.timed_socket import (
    Limits,
    NotComplete,
    TimedSocket,
    remaining_seconds,
    too_late,
)

ORIGIN = "https://www.tradingview.com"  # most others are answered with 403
SEND_SECONDS = 5.0

_TOO_MANY_REQUESTS = 429
_LOST = (
    WebSocketConnectionClosedException,
    WebSocketAddressException,
    WebSocketProxyException,
    OSError,
)


@contextmanager
def open_socket(url: str, deadline: float) -> Iterator["DeadlineSocket"]:
    """A connection for the time of a `with`, usable until `deadline` (of `time.monotonic`)."""
    opened = DeadlineSocket(_open(url, deadline), deadline)
    try:
        yield opened
    finally:
        opened.hang_up()


def dial(url: str, deadline: float) -> "Socket":
    """A connection to stay, open by `deadline`. Whoever dials hangs up."""
    connection = _open(url, deadline)
    connection.limits.deadline = math.inf
    return Socket(connection)


class OpenSockets:
    """Opens sockets for many threads, and can cut all of them off."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: set[Socket] = set()
        self._is_cut = False

    @contextmanager
    def open_socket(self, url: str, deadline: float) -> Iterator["DeadlineSocket"]:
        """As the function of this name; ConnectionLost from the moment of `hang_up` on."""
        with open_socket(url, deadline) as opened:
            with self._lock:
                self._open.add(opened)
            try:
                if self._is_cut:
                    raise ConnectionLost("this process ends")
                yield opened
            finally:
                with self._lock:
                    self._open.discard(opened)

    def hang_up(self) -> None:
        """Wake whoever waits for an answer with ConnectionLost; open no more."""
        with self._lock:
            self._is_cut = True
            for opened in self._open:
                opened.cut()


class Socket:
    """Texts out, texts in. After an error it is only fit to be hung up."""

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection

    def send(self, text: str) -> None:
        """Send one text message, which the server has to take within 5 s."""
        with _named_failures(ProtocolViolation):
            self._connection.send(text)

    def receive_within(self, seconds: float) -> str | None:
        """The next text message; None where all that came by then completes none.

        With 0 it is one that has come already, or None. A part of a message is kept until the rest
        comes. Pings are answered meanwhile.
        """
        return self._text(time.monotonic() + seconds)

    def cut(self) -> None:
        """End the connection under whoever uses it in another thread."""
        self._connection.cut()

    def hang_up(self) -> None:
        """Close the connection, without waiting for the server at all."""
        self._connection.hang_up()

    def _text(self, until: float) -> str | None:
        with _named_failures(ProtocolViolation):
            try:
                opcode, content = self._connection.next_message(until)
            except NotComplete:
                return None
        if opcode == ABNF.OPCODE_CLOSE:
            raise ConnectionLost(f"TradingView closed the connection{_close_code(content)}")
        if opcode != ABNF.OPCODE_TEXT:
            raise ProtocolViolation(f"TradingView sent a message of opcode {opcode}, not text")
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise ProtocolViolation("TradingView sent a text that is not UTF-8") from error


class DeadlineSocket(Socket):
    """A socket whose every wait, together, ends at the deadline: for one fetch."""

    def __init__(self, connection: "_Connection", deadline: float) -> None:
        super().__init__(connection)
        self._deadline = deadline

    def receive(self) -> str:
        """The next text message."""
        text = self._text(self._deadline)
        if text is None:
            raise too_late()
        return text


def _open(url: str, deadline: float) -> "_Connection":
    connection = _Connection(deadline)
    with _named_failures(HandshakeRefused):
        connection.open(url)
    return connection


class _Connection(WebSocket):
    """websocket-client's connection, on a system socket that keeps the limits."""

    def __init__(self, deadline: float) -> None:
        self.limits = Limits(deadline)
        self._send_seconds = SEND_SECONDS
        super().__init__(
            sslopt={"context": _tls()}, enable_multithread=False, skip_utf8_validation=True
        )

    def open(self, url: str) -> None:
        try:
            self.connect(  # type: ignore[no-untyped-call]
                url,
                timeout=remaining_seconds(self.limits.deadline),
                origin=ORIGIN,
                redirect_limit=0,
            )
        except ssl.SSLCertVerificationError:
            raise  # a ValueError too, but none of the URL's
        except ValueError as error:
            raise InvalidSettings(f"TRADINGVIEW_URL is no WebSocket URL: {error}") from error

    def next_message(self, until: float) -> tuple[int, bytes]:
        """The next one's opcode and content. `NotComplete` if it takes longer; then call again."""
        self.limits.read_until = until
        opcode, content = self.recv_data()
        if self.sock is not None:
            self.sock.message_bytes = 0
        return opcode, content

    def send_frame(self, frame: ABNF) -> int:
        """Send a message or, as websocket-client does while it receives, a pong."""
        self.limits.send_until = time.monotonic() + self._send_seconds
        return super().send_frame(frame)

    def cut(self) -> None:
        if self.sock is not None:
            with suppress(OSError):  # it has ended by itself
                self.sock.shutdown(socket.SHUT_RDWR)

    def hang_up(self) -> None:
        """Close without waiting for the server to agree, or even to listen."""
        self._send_seconds = 0.0
        self.close(timeout=0)
        self.shutdown()  # type: ignore[no-untyped-call]

    @property
    def sock(self) -> Any:
        """What websocket-client reads and writes, from the first byte of the handshake on."""
        return self._sock

    @sock.setter
    def sock(self, opened: socket.socket | None) -> None:
        self._sock = None if opened is None else TimedSocket(opened, self.limits)


@contextmanager
def _named_failures(otherwise: type[Unavailable]) -> Iterator[None]:
    try:
        yield
    except WebSocketBadStatusException as error:
        refused = RateLimited if error.status_code == _TOO_MANY_REQUESTS else HandshakeRefused
        raise refused(f"TradingView refused the handshake: HTTP {error.status_code}") from error
    except (NotComplete, WebSocketTimeoutException, TimeoutError) as error:
        raise too_late() from error
    except _LOST as error:
        raise ConnectionLost(f"the connection to TradingView failed: {error}") from error
    except WebSocketException as error:
        raise otherwise(f"TradingView does not speak WebSocket as it should: {error}") from error


def _close_code(content: bytes) -> str:
    code = content[:2]
    return f", code {int.from_bytes(code, 'big')}" if len(code) == 2 else ", giving no code"


@cache
def _tls() -> ssl.SSLContext:
    """One for all connections: reading the system's certificates takes longer than a fetch."""
    return ssl.create_default_context()
