"""Of all connections of a process, the one that takes an answer is found and shut."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import pytest
from flask import Flask, Response

from web.guard.hanging_up import hang_up_on_granian

DOCUMENT = b'{"error": "slow_request"}'
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=["127.0.0.1", "::1"])
def pairs(request: pytest.FixtureRequest) -> Iterator[list[Pair]]:
    """Three connections of one address: the caller's end, and ours."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with ExitStack() as ends:
        listener = ends.enter_context(socket.create_server((request.param, 0), family=family))
        callers = [
            ends.enter_context(socket.create_connection(listener.getsockname()[:2], timeout=10))
            for _ in range(3)
        ]
        ours = [ends.enter_context(listener.accept()[0]) for _ in callers]
        yield list(zip(callers, ours, strict=True))


def answer(peer: str, has_ended: Event) -> Response:
    with Flask("web").test_request_context(environ_base={"REMOTE_ADDR": peer}):
        return hang_up_on_granian(Response(DOCUMENT), has_ended)


def is_shut(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False


def test_only_the_one_that_was_answered_is_shut(pairs: list[Pair]) -> None:
    """However much the others get meanwhile; and it can still be written to."""
    (caller, slow), (_, busy), (_, idle) = pairs
    response = answer(caller.getsockname()[0], Event())
    arrived = b""
    for piece in response.response:
        busy.sendall(b"x" * 1000)
        slow.sendall(piece)
        busy.sendall(b"x" * 1000)
        arrived += caller.recv(65_536)
    assert [True, False, False] == [is_shut(one) for one in (slow, busy, idle)]
    assert DOCUMENT == arrived.rstrip()
    assert response.content_length == len(arrived)
    slow.sendall(b"the end")
    assert b"the end" == caller.recv(65_536)


def test_who_is_not_found_is_answered_all_the_same(pairs: list[Pair]) -> None:
    """None of the connections has that address."""
    response = answer("203.0.113.1", Event())
    pieces = b"".join(response.response)
    assert (DOCUMENT, response.content_length) == (pieces.rstrip(), len(pieces))
    assert not any(is_shut(ours) for _, ours in pairs)


def test_nothing_is_sought_when_the_sender_has_left(pairs: list[Pair]) -> None:
    """The reading has ended by itself."""
    has_ended = Event()
    has_ended.set()
    response = answer(pairs[0][0].getsockname()[0], has_ended)
    assert DOCUMENT == b"".join(response.response).rstrip()
    assert not any(is_shut(ours) for _, ours in pairs)


def test_the_request_outlasts_the_reading() -> None:
    """Were it to end sooner, granian would stand still."""
    has_ended = Event()
    response = answer("203.0.113.1", has_ended)
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(response.close)
        with pytest.raises(TimeoutError):
            closing.result(0.2)
        has_ended.set()
        assert closing.result(10) is None
