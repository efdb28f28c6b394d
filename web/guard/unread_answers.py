"""Connections to peers that read nothing of an answer, or that are gone, end after a while.

Neither server has such limits. Linux has them for each connection, and a connection inherits them
from the listening socket, which exists by the first request. Elsewhere an unread answer stays until
its reader leaves. A peer that is gone without a word answers no keep-alive probe.
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
_PROBE_SECONDS = 30  # of silence, before and between the probes


def install(app: Flask, most_seconds: float) -> None:
    """Limit all connections that this process has accepted or will accept."""
    is_done = Event()

    @app.before_request
    def limit_once() -> None:
        if sys.platform == "linux" and not is_done.is_set():
            is_done.set()
            _limit_connections(int(1000 * most_seconds))


def _limit_connections(milliseconds: int) -> None:
    """Limit the listening sockets first, then those that they have accepted before."""
    with _tcp_sockets() as found:
        listening = [one for one in found if _is_listening(one)]
        for one in listening:
            _limit(one, milliseconds)
        ports = {one.getsockname()[1] for one in listening}
    with _tcp_sockets() as found:
        for one in found:
            with suppress(OSError):  # it has ended
                if one.getsockname()[1] in ports:
                    _limit(one, milliseconds)


def _limit(one: socket.socket, milliseconds: int) -> None:
    one.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, milliseconds)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PROBE_SECONDS)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_SECONDS)


@contextmanager
def _tcp_sockets() -> Iterator[list[socket.socket]]:
    """Yield the TCP sockets of this process; their descriptors stay the server's."""
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
