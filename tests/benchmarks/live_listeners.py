"""Many listeners to streams of quotes, each with its own connection, in one loop."""

import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

_READ_BYTES = 65_536
_EVENT = b"data: "


class Listeners:
    """One listener a symbol."""

    def __init__(self, host: str, port: int, symbols: Sequence[str]) -> None:
        self._selector = selectors.DefaultSelector()
        self._unfinished: dict[str, bytes] = {}
        for symbol in symbols:
            self._listen(host, port, symbol)

    def hear(self, seconds: float, handle: Callable[[bytes, float], None]) -> None:
        """Call `handle` with each quote of the next seconds, as JSON, and its epoch second."""
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                for quote in self._quotes(key.fileobj, key.data):  # type: ignore[arg-type]
                    handle(quote, time.time())

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # a socket
        self._selector.close()

    def _listen(self, host: str, port: int, symbol: str) -> None:
        connection = socket.create_connection((host, port))
        path = f"/api/v1/quotes/stream?symbols={symbol}"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        connection.setblocking(False)
        self._selector.register(connection, selectors.EVENT_READ, symbol)

    def _quotes(self, connection: socket.socket, symbol: str) -> Iterator[bytes]:
        received = connection.recv(_READ_BYTES)
        if not received:
            raise AssertionError(f"the stream of {symbol} has ended")
        *lines, self._unfinished[symbol] = (self._unfinished.get(symbol, b"") + received).split(
            b"\n"
        )
        for line in lines:
            if line.startswith(_EVENT):
                yield line.removeprefix(_EVENT)


@contextmanager
def listening(host: str, port: int, symbols: Sequence[str]) -> Iterator[Listeners]:
    """Listeners until the end of the block."""
    listeners = Listeners(host, port, symbols)
    try:
        yield listeners
    finally:
        listeners.close()
