"""Who sends slowly holds up nobody, and does not stay, on both servers."""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest
import requests

from pocketquant.connections import wait_until

POST = b"POST /api/v1/market-data/sync HTTP/1.1\r\nHost: localhost\r\n"
BODY = b"Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
SYNC = "/api/v1/market-data/sync"
THREADS = 8
SENDERS = THREADS // 2 - 1

Start = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(scope="module")
def impatient(start_platform: Start) -> Iterator[Any]:
    """A platform that waits a second for a body, with few threads."""
    without = frozenset({"flower", "interactive", "streamer", "worker", "beat"})
    with start_platform(without=without, api_body_seconds=1.0, api_threads=THREADS) as platform:
        yield platform


@pytest.fixture(params=["url", "push_url"])
def url(impatient: Any, request: pytest.FixtureRequest) -> str:
    return str(getattr(impatient, request.param))


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def received(connection: socket.socket) -> bytes:
    """All there is until the server closes."""
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def test_slow_bodies_leave_others_alone(url: str) -> None:
    """Those who have a body as well as those who have none."""
    with ExitStack() as stack:
        for sender in [stack.enter_context(connect(url)) for _ in range(SENDERS)]:
            sender.sendall(POST + BODY)
        assert 200 == requests.get(f"{url}/health/live", timeout=10).status_code
        assert 422 == requests.post(f"{url}{SYNC}", json={}, timeout=10).status_code


def test_many_slow_bodies_do_not_hold_all_of_web(impatient: Any) -> None:
    """As many as there are threads: half of them are refused, and who sends no body is served."""
    url = impatient.url
    with ExitStack() as stack:
        for sender in [stack.enter_context(connect(url)) for _ in range(THREADS)]:
            sender.sendall(POST + BODY)
        assert 200 == requests.get(f"{url}/health/live", timeout=20).status_code
        refused = requests.post(f"{url}{SYNC}", json={}, timeout=20)
        assert (503, "too_many_streams") == (refused.status_code, refused.json()["error"])
    wait_until(
        "all are gone",
        lambda: requests.post(f"{url}{SYNC}", json={}, timeout=20).status_code == 422,
        (),
        20,
    )


def test_push_hangs_up_on_slow_bodies(impatient: Any) -> None:
    """After its answer."""
    with connect(impatient.push_url) as sender:
        sender.sendall(POST + BODY)
        assert b'"slow_request"' in received(sender)


def test_slow_headers_are_given_up(url: str) -> None:
    """The server closes, with or without a word."""
    with connect(url) as sender:
        sender.sendall(POST)
        received(sender)
