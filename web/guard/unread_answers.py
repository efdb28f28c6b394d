"""Answers that are not read: the connection ends when nothing could be sent on it for a while.

Neither server has such a limit of its own. Linux does, for each connection, and each one takes it
over from the listening socket, which is there once the first request is. Elsewhere an answer that
nobody reads stays until the reader leaves.
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

from flask import Flask

_DESCRIPTORS = Path("/proc/self/fd")
_TCP_USER_TIMEOUT = 18  # linux/tcp.h


def install(app: Flask, most_seconds: float) -> None:
    """Limit all connections that this process has accepted, or will accept."""
    is_done = Event()

    @app.before_request
    def limit_once() -> None:
        if sys.platform == "linux" and not is_done.is_set():
            is_done.set()
            _limit_connections(int(1000 * most_seconds))


def _limit_connections(milliseconds: int) -> None:
    """The listening sockets first: what they have accepted before is found after that."""
    with _tcp_sockets() as found:
        listening = [one for one in found if _is_listening(one)]
        for one in listening:
            one.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, milliseconds)
        ports = {one.getsockname()[1] for one in listening}
    with _tcp_sockets() as found:
        for one in found:
            with suppress(OSError):  # it has ended
                if one.getsockname()[1] in ports:
                    one.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, milliseconds)


@contextmanager
def _tcp_sockets() -> Iterator[list[socket.socket]]:
    """Those of this process; their descriptors stay the server's."""
    opened = []
    try:
        for descriptor in [int(entry.name) for entry in _DESCRIPTORS.iterdir()]:
            with suppress(OSError):  # no socket
                opened.append(socket.socket(fileno=descriptor))
        families = (socket.AF_INET, socket.AF_INET6)
        yield [one for one in opened if one.family in families and one.type == socket.SOCK_STREAM]
    finally:
        for one in opened:
            one.detach()


def _is_listening(one: socket.socket) -> bool:
    with suppress(OSError):
        return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    return False
