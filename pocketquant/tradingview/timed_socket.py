"""`TimedSocket`: a system socket with time limits, for websocket-client to read and write."""

import math
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

from pocketquant.domain.errors import ProtocolViolation, ProviderTimeout

MAX_MESSAGE_BYTES = 64 * 1024 * 1024

_READ_BYTES = 64 * 1024
_WOULD_WAIT = (TimeoutError, BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class NotComplete(Exception):
    """The requested bytes did not arrive in time; what arrived stays buffered."""


@dataclass(slots=True)
class Limits:
    """Times of `time.monotonic` at which waiting ends: all of it, for a read, for a send."""

    deadline: float
    read_until: float = math.inf
    send_until: float = math.inf


class TimedSocket:
    """A system socket whose reads and writes end at their `Limits`.

    Reads are buffered, because websocket-client reads the two bytes of each header separately.
    """

    def __init__(self, opened: socket.socket, limits: Limits) -> None:
        self._opened = opened
        self._limits = limits
        self._buffer = b""
        self._offset = 0
        self.message_bytes = 0

    def recv(self, size: int) -> bytes:
        if self._offset == len(self._buffer):
            self._buffer, self._offset = self._read(), 0
        received = self._buffer[self._offset : self._offset + size]
        self._offset += len(received)
        self.message_bytes += len(received)
        if self.message_bytes > MAX_MESSAGE_BYTES:
            raise ProtocolViolation(f"TradingView sent over {MAX_MESSAGE_BYTES} bytes at once")
        return received

    def send(self, content: bytes) -> int:
        self._set_timeout(self._limits.send_until)
        try:
            return self._opened.send(content)
        except _WOULD_WAIT as error:
            raise too_late() from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened, name)

    def _read(self) -> bytes:
        self._set_timeout(self._limits.read_until)
        try:
            return self._opened.recv(_READ_BYTES)
        except _WOULD_WAIT as error:
            raise NotComplete from error

    def _set_timeout(self, until: float) -> None:
        """Let the next call wait until then; not at all if that time is past."""
        remaining = remaining_seconds(self._limits.deadline)
        self._opened.settimeout(max(min(remaining, until - time.monotonic()), 0.0))


def remaining_seconds(deadline: float) -> float:
    """Return the seconds until the deadline; ProviderTimeout if it is past."""
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise too_late()
    return remaining


def too_late() -> ProviderTimeout:
    """Return the error for anything that did not arrive in time."""
    return ProviderTimeout("TradingView did not answer completely in time")
