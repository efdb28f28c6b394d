"""`DistantConnection`: a server's connection to a client that is a round trip away.

The loopback device is instant and takes no delay, so each piece of data waits here for half a round
trip, in both directions. TCP and TLS have exchanged their flights before the first byte of the
upgrade; as the kernel opens a connection at once, and the simulator has no TLS, that byte waits
for those two round trips as well.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from websockets.asyncio.server import ServerConnection

_ROUND_TRIPS_BEFORE_UPGRADE = 2  # one of TCP, one of TLS 1.3


class DistantConnection(ServerConnection):
    """A connection on which all data arrives late, in its order."""

    def __init__(self, round_trip_seconds: float, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._round_trip_seconds = round_trip_seconds
        self._coming = _Way(round_trip_seconds / 2)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        before_upgrade = _ROUND_TRIPS_BEFORE_UPGRADE * self._round_trip_seconds
        self._coming.opens_at = asyncio.get_running_loop().time() + before_upgrade
        distant = _DistantTransport(cast(asyncio.Transport, transport), self._round_trip_seconds)
        super().connection_made(cast(asyncio.Transport, distant))

    def data_received(self, data: bytes) -> None:
        self._coming.carry(partial(super().data_received, data))

    def connection_lost(self, exc: Exception | None) -> None:
        self._coming.end()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        self._coming.carry(super().eof_received)
        self._coming.carry(self.transport.close)


class _DistantTransport:
    """A transport whose data leaves half a round trip late; all else is the transport's."""

    def __init__(self, transport: asyncio.Transport, round_trip_seconds: float) -> None:
        self._transport = transport
        self._going = _Way(round_trip_seconds / 2)

    def write(self, data: bytes) -> None:
        self._going.carry(partial(self._transport.write, bytes(data)))

    def write_eof(self) -> None:
        self._going.carry(self._transport.write_eof)

    def close(self) -> None:
        self._going.carry(self._transport.close)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Way:
    """Does what it is given after a delay, in the order given."""

    def __init__(self, seconds: float) -> None:
        self.opens_at = 0.0
        self._seconds = seconds
        self._waiting: deque[Callable[[], object]] = deque()

    def carry(self, deliver: Callable[[], object]) -> None:
        self._waiting.append(deliver)
        loop = asyncio.get_running_loop()
        loop.call_at(max(loop.time(), self.opens_at) + self._seconds, self._deliver_next)

    def end(self) -> None:
        """Deliver nothing any more."""
        self._waiting.clear()

    def _deliver_next(self) -> None:
        if self._waiting:
            self._waiting.popleft()()
