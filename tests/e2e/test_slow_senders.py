"""Who sends slowly holds up nobody, and does not stay, on both servers."""

import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any

import psutil
import pytest
import requests

from pocketquant.servers.connections import wait_until

HEAD = (
    b" /api/v1/market-data/sync HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
)
POST = b"POST" + HEAD
LENGTH = b"Content-Length: 100000\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
SYNC = "/api/v1/market-data/sync"
THREADS = 16
SENDERS = THREADS // 2 - 1

# What is sent at once, and what is sent again and again after that.
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SLOW_BODIES = {
    "nothing of it": (LENGTH, b""),
    "its first bytes": (LENGTH + b"{", b""),
    "a byte now and then": (LENGTH + b"{", b" "),
    "no chunk": (CHUNKED, b""),
    "half a chunk": (CHUNKED + b"64\r\n{", b""),
    "chunk after chunk": (CHUNKED + b"1\r\n{\r\n", b"1\r\n \r\n"),
    "when it is told to": (b"Expect: 100-continue\r\n" + LENGTH, b" "),
}

Start = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(scope="module")
def impatient(start_platform: Start) -> Iterator[Any]:
    """A platform that waits four seconds for a body, with few threads."""
    without = frozenset({"flower", "interactive", "streamer", "worker", "beat"})
    with start_platform(without=without, api_body_seconds=4.0, api_threads=THREADS) as platform:
        yield platform


@pytest.fixture(params=["url", "push_url"])
def url(impatient: Any, request: pytest.FixtureRequest) -> str:
    return str(getattr(impatient, request.param))


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def port_of(session: requests.Session, url: str) -> int:
    """Of our end of the one connection it keeps."""
    answer = session.get(f"{url}/health/live", timeout=60, stream=True)
    port = answer.raw.connection.sock.getsockname()[1]
    assert answer.content
    return int(port)


def connections(process: psutil.Process, url: str) -> list[Any]:
    """Those that callers opened."""
    port = int(url.rpartition(":")[2])
    return [one for one in process.net_connections("tcp") if one.laddr.port == port and one.raddr]


def received(connection: socket.socket, drop: bytes = b"") -> bytes:
    """All there is until the server closes; meanwhile drop after drop is sent."""
    parts = []
    connection.settimeout(0.2 if drop else 30)
    while True:
        try:
            part = connection.recv(65_536)
            parts.append(part)
            if not part:
                return b"".join(parts)
        except TimeoutError:
            with suppress(ConnectionError):
                connection.sendall(drop)
            assert drop
        except ConnectionResetError:  # for what was sent after the end
            return b"".join(parts)


def burst(url: str) -> list[bytes]:
    """The answers to as many slow bodies as there are threads; others are served meanwhile."""
    with ExitStack() as stack:
        senders = [stack.enter_context(connect(url)) for _ in range(THREADS)]
        for sender in senders:
            sender.sendall(POST + LENGTH)
        assert 200 == requests.get(f"{url}/health/live", timeout=60).status_code
        return [received(sender) for sender in senders]


def test_slow_bodies_are_answered_and_given_up(url: str) -> None:
    """The whole of the usual document comes, nothing behind it, and the connection ends."""
    with ExitStack() as stack:
        arrived = {}
        for name, (first, drop) in SLOW_BODIES.items():
            sender = stack.enter_context(connect(url))
            sender.sendall(POST + first)
            pool = stack.enter_context(ThreadPoolExecutor(1))
            arrived[name] = pool.submit(received, sender, drop)
        answers = {name: found.result().removeprefix(CONTINUE) for name, found in arrived.items()}
    heads, _, documents = zip(
        *(one.partition(b"\r\n\r\n") for one in answers.values()), strict=True
    )
    assert dict.fromkeys(answers, b"408") == {
        name: head[9:12] for name, head in zip(answers, heads, strict=True)
    }
    assert {"slow_request"} == {json.loads(document)["error"] for document in documents}
    for head, document in zip(heads, documents, strict=True):
        assert f"\r\ncontent-length: {len(document)}\r\n".encode() in head.lower() + b"\r\n"


def test_slow_bodies_of_other_methods_end_too(url: str) -> None:
    """Whatever is said of them: nobody asked for a body there."""
    with ExitStack() as stack:
        senders = [stack.enter_context(connect(url)) for _ in (b"GET", b"DELETE", b"HEAD")]
        for sender, method in zip(senders, (b"GET", b"DELETE", b"HEAD"), strict=True):
            sender.sendall(method + HEAD.replace(b"sync", b"symbols") + LENGTH)
        assert [b"408", b"405", b"200"] == [received(sender)[9:12] for sender in senders]


def test_others_keep_their_connections(url: str) -> None:
    """Those of the same address too, whatever is sent on them meanwhile."""
    with ExitStack() as stack:
        others = [stack.enter_context(requests.Session()) for _ in range(4)]
        for other in others:
            other.get(f"{url}/health/live", timeout=60)
        used = [port_of(other, url) for other in others]
        senders = [stack.enter_context(connect(url)) for _ in range(SENDERS)]
        for sender in senders:
            sender.sendall(POST + LENGTH)
        slow = [stack.enter_context(ThreadPoolExecutor(1)).submit(received, one) for one in senders]
        while not all(one.done() for one in slow):
            for other in others:
                assert 200 == other.get(f"{url}/health/live", timeout=60).status_code
        assert used == [port_of(other, url) for other in others]


def test_slow_bodies_leave_others_alone(url: str) -> None:
    """Those who have a body as well as those who have none."""
    with ExitStack() as stack:
        for sender in [stack.enter_context(connect(url)) for _ in range(SENDERS)]:
            sender.sendall(POST + LENGTH)
        assert 200 == requests.get(f"{url}/health/live", timeout=60).status_code
        assert 422 == requests.post(f"{url}{SYNC}", json={}, timeout=60).status_code


def test_more_slow_bodies_than_half_of_the_threads(impatient: Any) -> None:
    """The others are refused, and who sends no body is served."""
    answers = burst(impatient.url)
    assert {b"408": THREADS // 2, b"503": THREADS // 2} == Counter(one[9:12] for one in answers)
    assert all(b"retry-after" in one.lower() for one in answers if one[9:12] == b"503")
    assert 422 == requests.post(f"{impatient.url}{SYNC}", json={}, timeout=60).status_code


def test_nothing_is_left_of_slow_bodies(impatient: Any) -> None:
    """Neither a thread nor a descriptor: the server's own threads were made by the first."""
    web = impatient.processes("granian")[-1]
    burst(impatient.url)
    wait_until("all are gone", lambda: not connections(web, impatient.url), (), 60)
    threads, descriptors = web.num_threads(), web.num_fds()
    burst(impatient.url)
    wait_until("no thread is left", lambda: web.num_threads() <= threads, (), 60)
    wait_until("no descriptor is left", lambda: web.num_fds() <= descriptors, (), 60)


def test_slow_headers_are_given_up(url: str) -> None:
    """The server closes, with or without a word, and were there nothing at all."""
    with connect(url) as silent, connect(url) as sender:
        sender.sendall(POST)
        received(sender)
        received(silent)
