"""The only file that opens a TradingView socket.

Connecting, sending and receiving share one deadline, which nothing that the server does can
move. Every failure of websocket-client or of the system is raised as one of our own errors.
"""

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
    ProviderTimeout,
    RateLimited,
    Unavailable,
)

ORIGIN = "https://www.tradingview.com"  # most others are answered with 403
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

_TOO_MANY_REQUESTS = 429
_LOST = (
    WebSocketConnectionClosedException,
    WebSocketAddressException,
    WebSocketProxyException,
    OSError,
)


@contextmanager
def open_socket(url: str, deadline: float) -> Iterator["Socket"]:
    """A connection for the time of a `with`, usable until `deadline` (of `time.monotonic`)."""
    connection = _Connection(deadline)
    try:
        with _named_failures(HandshakeRefused):
            connection.open(url)
        yield Socket(connection)
    finally:
        connection.hang_up()


class Switchboard:
    """Opens sockets for many threads, and can cut all of them off."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: set[Socket] = set()
        self._is_cut = False

    @contextmanager
    def open_socket(self, url: str, deadline: float) -> Iterator["Socket"]:
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
    """Texts out, texts in, until the deadline."""

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection

    def send(self, text: str) -> None:
        """Send one text message."""
        with _named_failures(ProtocolViolation):
            self._connection.send(text)

    def receive(self) -> str:
        """The next text message. Pings are answered while it is waited for."""
        with _named_failures(ProtocolViolation):
            opcode, content = self._connection.next_message()
        if opcode == ABNF.OPCODE_CLOSE:
            raise ConnectionLost(f"TradingView closed the connection{_close_code(content)}")
        if opcode != ABNF.OPCODE_TEXT:
            raise ProtocolViolation(f"TradingView sent a message of opcode {opcode}, not text")
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise ProtocolViolation("TradingView sent a text that is not UTF-8") from error

    def cut(self) -> None:
        """End the connection under whoever uses it in another thread."""
        self._connection.cut()


class _Connection(WebSocket):
    """websocket-client's connection, on a system socket that keeps the deadline."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        super().__init__(
            sslopt={"context": _tls()}, enable_multithread=False, skip_utf8_validation=True
        )

    def open(self, url: str) -> None:
        try:
            self.connect(  # type: ignore[no-untyped-call]
                url,
                timeout=_remaining_seconds(self._deadline),
                origin=ORIGIN,
                redirect_limit=0,
            )
        except ssl.SSLCertVerificationError:
            raise  # a ValueError too, but none of the URL's
        except ValueError as error:
            raise InvalidSettings(f"TRADINGVIEW_URL is no WebSocket URL: {error}") from error

    def next_message(self) -> tuple[int, bytes]:
        if self.sock is not None:
            self.sock.received_bytes = 0
        opcode, content = self.recv_data()
        return opcode, content

    def cut(self) -> None:
        if self.sock is not None:
            with suppress(OSError):  # it has ended by itself
                self.sock.shutdown(socket.SHUT_RDWR)

    def hang_up(self) -> None:
        """Close without waiting for the server to agree."""
        self.close(timeout=0)
        self.shutdown()  # type: ignore[no-untyped-call]

    @property
    def sock(self) -> Any:
        """What websocket-client reads and writes, from the first byte of the handshake on."""
        return self._sock

    @sock.setter
    def sock(self, opened: socket.socket | None) -> None:
        self._sock = None if opened is None else _PunctualSocket(opened, self._deadline)


class _PunctualSocket:
    """A system socket whose every read and write gets no more than the time that is left."""

    def __init__(self, opened: socket.socket, deadline: float) -> None:
        self._opened = opened
        self._deadline = deadline
        self.received_bytes = 0

    def recv(self, size: int) -> bytes:
        self._opened.settimeout(_remaining_seconds(self._deadline))
        received = self._opened.recv(size)
        self.received_bytes += len(received)
        if self.received_bytes > MAX_MESSAGE_BYTES:
            raise ProtocolViolation(f"TradingView sent over {MAX_MESSAGE_BYTES} bytes at once")
        return received

    def send(self, content: bytes) -> int:
        self._opened.settimeout(_remaining_seconds(self._deadline))
        return self._opened.send(content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened, name)


@contextmanager
def _named_failures(otherwise: type[Unavailable]) -> Iterator[None]:
    try:
        yield
    except WebSocketBadStatusException as error:
        refused = RateLimited if error.status_code == _TOO_MANY_REQUESTS else HandshakeRefused
        raise refused(f"TradingView refused the handshake: HTTP {error.status_code}") from error
    except (WebSocketTimeoutException, TimeoutError) as error:
        raise _too_late() from error
    except _LOST as error:
        raise ConnectionLost(f"the connection to TradingView failed: {error}") from error
    except WebSocketException as error:
        raise otherwise(f"TradingView does not speak WebSocket as it should: {error}") from error


def _remaining_seconds(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise _too_late()
    return remaining


def _too_late() -> ProviderTimeout:
    return ProviderTimeout("TradingView did not answer completely in time")


def _close_code(content: bytes) -> str:
    code = content[:2]
    return f", code {int.from_bytes(code, 'big')}" if len(code) == 2 else ", giving no code"


@cache
def _tls() -> ssl.SSLContext:
    """One for all connections: reading the system's certificates takes longer than a fetch."""
    return ssl.create_default_context()
