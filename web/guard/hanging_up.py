"""The connection of a late body: it ends with its answer, whatever else would come.

gunicorn tells its socket. granian tells nobody which socket is whose, and keeps a connection whose
body is being read. Were the request to end meanwhile, it would wait for the reader with Python's
lock held and serve nobody. So the request's thread answers and stays: behind the document it sends
white space, of lengths that nobody can foresee, looks which connection takes just these, and shuts
that one, which ends the reading. Linux tells what was written to a connection; where nothing does,
the answer is the same, and the thread stays until the sender leaves.
"""

import secrets
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock

from flask import Response, request

_ROUNDS = 6
_NEEDED_FITS = 4  # by chance: one in 2**36, for each connection that writes all the while
_MOST_SPACES = 512
_ROUND_SECONDS = 1.0
_LOOK_SECONDS = 0.001

_DESCRIPTORS = Path("/proc/self/fd")
_SO_COOKIE = 57
_TCP_INFO_BYTES = 216
_NOT_SENT_OFFSET = 144
_SENT_OFFSET = 200  # then those of them that were sent again

_looking = Lock()  # for one connection at a time, whoever else is late


def hang_up_on_gunicorn(response: Response, has_ended: Event) -> Response:
    """Before the answer, which is still written."""
    with suppress(OSError):  # the sender has left
        request.environ["gunicorn.socket"].shutdown(socket.SHUT_RD)
    has_ended.wait()
    return response


def hang_up_on_granian(response: Response, has_ended: Event) -> Response:
    """After the answer; the request is not over before the reading `has_ended`."""
    response.call_on_close(has_ended.wait)
    if sys.platform != "linux":
        return response
    document = response.get_data()
    lengths = [1 + secrets.randbelow(_MOST_SPACES) for _ in range(_ROUNDS)]
    peer = request.environ["REMOTE_ADDR"]
    response.response = _pieces(document, lengths, peer, has_ended)
    response.content_length = len(document) + sum(lengths)
    return response


def _pieces(document: bytes, lengths: list[int], peer: str, has_ended: Event) -> Iterator[bytes]:
    fits = Counter[socket.socket]()
    with _looking, _connections(peer) as connections:
        before = _written(connections)
        yield document
        _await_growth(before, has_ended, lambda more: more >= len(document))
        for length in lengths:
            before = _written(connections)
            yield b" " * length
            fits.update(_await_growth(before, has_ended, length.__eq__))
        found = [connection for connection, count in fits.items() if count >= _NEEDED_FITS]
        if len(found) == 1 and not has_ended.is_set():
            _shut(found[0], connections[found[0]])


def _await_growth(
    before: Mapping[socket.socket, int], has_ended: Event, fits: Callable[[int], bool]
) -> list[socket.socket]:
    """The connections that took as much since as `fits`; none after a while."""
    until = time.monotonic() + _ROUND_SECONDS
    while before and time.monotonic() < until and not has_ended.wait(_LOOK_SECONDS):
        if found := [one for one, now in _written(before).items() if fits(now - before[one])]:
            return found
    return []


@contextmanager
def _connections(peer: str) -> Iterator[dict[socket.socket, bytes]]:
    """Those of this process with that address, and what makes each of them itself.

    Their descriptors stay granian's, which may close them, and open others of the same number.
    """
    opened = []
    try:
        for descriptor in [int(entry.name) for entry in _DESCRIPTORS.iterdir()]:
            with suppress(OSError):  # no socket
                opened.append(socket.socket(fileno=descriptor))
        yield {one: cookie for one in opened if (cookie := _cookie_of(one, peer))}
    finally:
        for connection in opened:
            connection.detach()


def _cookie_of(connection: socket.socket, peer: str) -> bytes:
    """Nothing, where it is not with that address."""
    with suppress(OSError):
        address = connection.getpeername()  # text, for a socket that has a path
        if address and str(address[0]).partition("%")[0] == peer:
            return _cookie(connection)
    return b""


def _written(connections: Iterable[socket.socket]) -> dict[socket.socket, int]:
    """To each that is one still: so many bytes, sent yet or not (linux/tcp.h)."""
    found = {}
    for connection in connections:
        with suppress(OSError, struct.error):
            told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
            (not_sent,) = struct.unpack_from("=I", told, _NOT_SENT_OFFSET)
            sent, sent_again = struct.unpack_from("=QQ", told, _SENT_OFFSET)
            found[connection] = int(sent - sent_again + not_sent)
    return found


def _shut(connection: socket.socket, cookie: bytes) -> None:
    """Through a descriptor of our own, whose number no other can take meanwhile."""
    family, kind = connection.family, connection.type
    with suppress(OSError), socket.fromfd(connection.fileno(), family, kind) as own:
        if _cookie(own) == cookie:
            own.shutdown(socket.SHUT_RD)


def _cookie(connection: socket.socket) -> bytes:
    """A number that no other socket of this machine ever had."""
    return connection.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8)
