"""A system socket that waits no longer than it is allowed to, under websocket-client."""

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
    """What is read is not there by the time given; what has come of it is kept."""


@dataclass(slots=True)
class Limits:
    """When waiting ends, by `time.monotonic`: any at all; to read something; to send a message."""

    deadline: float
    read_until: float = math.inf
    send_until: float = math.inf


class TimedSocket:
    """A system socket whose every read and write gets no more than the time that is left.

    It reads ahead: websocket-client asks for each header's two bytes alone.
    """

    def __init__(self, opened: socket.socket, limits: Limits) -> None:
        self._opened = opened
        self._limits = limits
        self._ahead = b""
        self._place = 0
        self.message_bytes = 0

    def recv(self, size: int) -> bytes:
        if self._place == len(self._ahead):
            self._ahead, self._place = self._read(), 0
        received = self._ahead[self._place : self._place + size]
        self._place += len(received)
        self.message_bytes += len(received)
        if self.message_bytes > MAX_MESSAGE_BYTES:
            raise ProtocolViolation(f"TradingView sent over {MAX_MESSAGE_BYTES} bytes at once")
        return received

    def send(self, content: bytes) -> int:
        self._wait_until(self._limits.send_until)
        try:
            return self._opened.send(content)
        except _WOULD_WAIT as error:
            raise too_late() from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened, name)

    def _read(self) -> bytes:
        self._wait_until(self._limits.read_until)
        try:
            return self._opened.recv(_READ_BYTES)
        except _WOULD_WAIT as error:
            raise NotComplete from error

    def _wait_until(self, until: float) -> None:
        """Give the next call the time until then; where that is over, none at all."""
        remaining = remaining_seconds(self._limits.deadline)
        self._opened.settimeout(max(min(remaining, until - time.monotonic()), 0.0))


def remaining_seconds(deadline: float) -> float:
    """How long it is until then; ProviderTimeout where it is over."""
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise too_late()
    return remaining


def too_late() -> ProviderTimeout:
    """The error of all that was not there in time."""
    return ProviderTimeout("TradingView did not answer completely in time")
