"""Opens WebSockets to TradingView; no other file does.

Every wait ends in the time the caller allows, whatever the server does. Failures of
websocket-client and of the system are raised as PocketQuant's errors.
"""

import math
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
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

ORIGIN = "https://www.tradingview.com"  # the server answers most others with 403
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
    """Open a connection for a `with` block, usable until `deadline` (of `time.monotonic`)."""
    opened = DeadlineSocket(_open(url, deadline), deadline)
    try:
        yield opened
    finally:
        opened.hang_up()


def dial(url: str, deadline: float) -> "Socket":
    """Open a lasting connection, before `deadline`. The caller must `hang_up`."""
    opened = Socket(_open(url, deadline))
    opened.end_at(math.inf)
    return opened


class Socket:
    """A connection that sends and receives texts. After an error, only `hang_up` may follow."""

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection

    def send(self, text: str) -> None:
        """Send one text message; ProviderTimeout if the server does not take it within 5 s."""
        with _translating_failures(ProtocolViolation):
            self._connection.send(text)

    def receive_within(self, seconds: float) -> str | None:
        """Return the next text message; None if none is complete in time.

        With 0 seconds, return only a message that has already arrived. A partial message stays
        buffered. Pings are answered meanwhile.
        """
        return self._text(time.monotonic() + seconds)

    def end_at(self, deadline: float) -> None:
        """Let no later wait last beyond `deadline` (of `time.monotonic`)."""
        self._connection.limits.deadline = deadline

    def cut(self) -> None:
        """End the connection while another thread uses it; that thread gets ConnectionLost."""
        self._connection.cut()

    def hang_up(self) -> None:
        """Close the connection without waiting for the server."""
        self._connection.hang_up()

    def _text(self, until: float) -> str | None:
        with _translating_failures(ProtocolViolation):
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
    """A connection for one fetch: all waiting ends at its deadline."""

    def __init__(self, connection: "_Connection", deadline: float) -> None:
        super().__init__(connection)
        self._deadline = deadline

    def receive(self) -> str:
        """Return the next text message; ProviderTimeout at the deadline."""
        text = self._text(self._deadline)
        if text is None:
            raise too_late()
        return text


def _open(url: str, deadline: float) -> "_Connection":
    connection = _Connection(deadline)
    with _translating_failures(HandshakeRefused):
        connection.open(url)
    return connection


class _Connection(WebSocket):
    """websocket-client's connection on a `TimedSocket`."""

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
            raise  # also a ValueError, but not about the URL
        except ValueError as error:
            raise InvalidSettings(f"TRADINGVIEW_URL is no WebSocket URL: {error}") from error

    def next_message(self, until: float) -> tuple[int, bytes]:
        """Return the next message's opcode and content; `NotComplete` if it has not all arrived."""
        self.limits.read_until = until
        opcode, content = self.recv_data()
        if self.sock is not None:
            self.sock.message_bytes = 0
        return opcode, content

    def send_frame(self, frame: ABNF) -> int:
        """Send a message; websocket-client also sends pongs this way while it receives."""
        self.limits.send_until = time.monotonic() + self._send_seconds
        return super().send_frame(frame)

    def cut(self) -> None:
        if self.sock is not None:
            with suppress(OSError):  # the connection has already ended
                self.sock.shutdown(socket.SHUT_RDWR)

    def hang_up(self) -> None:
        """Close without waiting for the server to answer or to read."""
        self._send_seconds = 0.0
        self.close(timeout=0)
        self.shutdown()  # type: ignore[no-untyped-call]

    @property
    def sock(self) -> Any:
        """The socket that websocket-client reads and writes, including the handshake."""
        return self._sock

    @sock.setter
    def sock(self, opened: socket.socket | None) -> None:
        self._sock = None if opened is None else TimedSocket(opened, self.limits)


@contextmanager
def _translating_failures(otherwise: type[Unavailable]) -> Iterator[None]:
    """Raise failures as PocketQuant's errors; `otherwise` for other ones of websocket-client."""
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
    """Return one shared context: loading the system's certificates takes longer than a fetch."""
    return ssl.create_default_context()
