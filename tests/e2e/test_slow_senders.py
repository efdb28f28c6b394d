"""Slow senders are answered in time and hold up no other request, on both servers."""

import json
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
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

# The first bytes, and those repeated after them.
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SLOW_BODIES = {
    "nothing of it": (LENGTH, b""),
    "its first bytes": (LENGTH + b"{", b""),
    "a byte now and then": (LENGTH + b"{", b" "),
    "no chunk": (CHUNKED, b""),
    "half a chunk": (CHUNKED + b"64\r\n{", b""),
    "chunk after chunk": (CHUNKED + b"1\r\n{\r\n", b"1\r\n \r\n"),
    "after 100 Continue": (b"Expect: 100-continue\r\n" + LENGTH, b" "),
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
    """Return the local port of the session's only connection."""
    answer = session.get(f"{url}/health/live", timeout=60, stream=True)
    port = answer.raw.connection.sock.getsockname()[1]
    assert answer.content
    return int(port)


def connections(process: psutil.Process, url: str) -> list[Any]:
    """The connections of the process that callers opened."""
    port = int(url.rpartition(":")[2])
    return [one for one in process.net_connections("tcp") if one.laddr.port == port and one.raddr]


def parts(connection: socket.socket, drop: bytes) -> Iterator[bytes]:
    """Send byte after byte; return all data that arrives until the server closes."""
    connection.settimeout(0.2 if drop else 30)
    while True:
        try:
            part = connection.recv(65_536)
            yield part
            if not part:
                return
        except TimeoutError:
            with suppress(ConnectionError):
                connection.sendall(drop)
            assert drop
        except ConnectionResetError:  # bytes were sent after the end
            return


def received(connection: socket.socket, drop: bytes = b"") -> bytes:
    """Return all data that arrives until the server closes."""
    return b"".join(parts(connection, drop))


def answered(connection: socket.socket, drop: bytes = b"") -> bytes:
    """Read one response of the announced length."""
    arrived = b""
    for part in parts(connection, drop):
        arrived = (arrived + part).removeprefix(CONTINUE)
        head, end, document = arrived.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", head.lower())
        if end and length and len(document) >= int(length[1]):
            break
    return arrived


@contextmanager
def slow_senders(url: str, count: int) -> Iterator[list[socket.socket]]:
    """Open connections that announce a body and send none."""
    with ExitStack() as stack:
        senders = [stack.enter_context(connect(url)) for _ in range(count)]
        for sender in senders:
            sender.sendall(POST + LENGTH)
        yield senders


def test_slow_bodies_are_answered(url: str) -> None:
    """The usual document arrives whole, with its length."""
    with ExitStack() as stack:
        arriving = {}
        for name, (first, drop) in SLOW_BODIES.items():
            sender = stack.enter_context(connect(url))
            sender.sendall(POST + first)
            pool = stack.enter_context(ThreadPoolExecutor(1))
            arriving[name] = pool.submit(answered, sender, drop)
        answers = {name: found.result() for name, found in arriving.items()}
    heads, _, documents = zip(
        *(one.partition(b"\r\n\r\n") for one in answers.values()), strict=True
    )
    assert dict.fromkeys(answers, b"408") == {
        name: head[9:12] for name, head in zip(answers, heads, strict=True)
    }
    assert {"slow_request"} == {json.loads(document)["error"] for document in documents}
    for head, document in zip(heads, documents, strict=True):
        assert f"\r\ncontent-length: {len(document)}\r\n".encode() in head.lower() + b"\r\n"


def test_push_ends_the_connection_of_a_slow_body(impatient: Any) -> None:
    """The sender may be silent or slow; no byte follows the response."""
    with ExitStack() as stack:
        ended = {}
        for name, (first, drop) in SLOW_BODIES.items():
            sender = stack.enter_context(connect(impatient.push_url))
            sender.sendall(POST + first)
            pool = stack.enter_context(ThreadPoolExecutor(1))
            ended[name] = pool.submit(received, sender, drop)
        answers = [found.result().removeprefix(CONTINUE) for found in ended.values()]
    documents = [answer.partition(b"\r\n\r\n")[2] for answer in answers]
    assert {"slow_request"} == {json.loads(document)["error"] for document in documents}


def test_slow_bodies_of_other_methods_are_answered(url: str) -> None:
    """Methods that need no body are included."""
    with ExitStack() as stack:
        senders = [stack.enter_context(connect(url)) for _ in (b"GET", b"DELETE", b"HEAD")]
        for sender, method in zip(senders, (b"GET", b"DELETE", b"HEAD"), strict=True):
            sender.sendall(method + HEAD.replace(b"sync", b"symbols") + LENGTH)
        assert [b"408", b"405", b"200"] == [sender.recv(65_536)[9:12] for sender in senders]


def test_others_keep_their_connections(url: str) -> None:
    """Connections of the same address stay open and usable."""
    with ExitStack() as stack:
        others = [stack.enter_context(requests.Session()) for _ in range(4)]
        for other in others:
            other.get(f"{url}/health/live", timeout=60)
        used = [port_of(other, url) for other in others]
        senders = stack.enter_context(slow_senders(url, SENDERS))
        slow = [stack.enter_context(ThreadPoolExecutor(1)).submit(answered, one) for one in senders]
        while not all(one.done() for one in slow):
            for other in others:
                assert 200 == other.get(f"{url}/health/live", timeout=60).status_code
        assert used == [port_of(other, url) for other in others]


def test_slow_bodies_leave_other_requests_alone(url: str) -> None:
    """Requests with a body as well as requests without."""
    with slow_senders(url, SENDERS):
        assert 200 == requests.get(f"{url}/health/live", timeout=60).status_code
        assert 422 == requests.post(f"{url}{SYNC}", json={}, timeout=60).status_code


def test_more_slow_bodies_than_half_of_the_threads(impatient: Any) -> None:
    """The others are refused, and requests without a body are served, also while senders stay."""
    with slow_senders(impatient.url, THREADS) as senders:
        assert 200 == requests.get(f"{impatient.url}/health/live", timeout=60).status_code
        answers = [answered(sender) for sender in senders]
        assert {b"408": THREADS // 2, b"503": THREADS // 2} == Counter(one[9:12] for one in answers)
        assert all(b"retry-after" in one.lower() for one in answers if one[9:12] == b"503")
        late = [one.lower() for one in answers if one[9:12] == b"408"]
        assert all(b"\r\nconnection: close" in one for one in late)
        refused = requests.post(f"{impatient.url}{SYNC}", json={}, timeout=60)
        assert (503, "too_many_bodies") == (refused.status_code, refused.json()["error"])
        assert 200 == requests.get(f"{impatient.url}/health/live", timeout=60).status_code
    wait_until(
        "bodies are read again",
        lambda: requests.post(f"{impatient.url}{SYNC}", json={}, timeout=60).status_code == 422,
        (),
        60,
    )


def test_no_resource_is_left_of_slow_bodies(impatient: Any) -> None:
    """The number of threads and descriptors stays as it was after the first slow bodies."""
    web = impatient.processes("granian")[-1]

    def burst() -> None:
        with slow_senders(impatient.url, THREADS) as senders:
            assert all(answered(sender) for sender in senders)

    burst()
    wait_until("all are gone", lambda: not connections(web, impatient.url), (), 60)
    threads, descriptors = web.num_threads(), web.num_fds()
    burst()
    wait_until("no thread is left", lambda: web.num_threads() <= threads, (), 60)
    wait_until("no descriptor is left", lambda: web.num_fds() <= descriptors, (), 60)


def test_the_kernel_probes_silent_connections(url: str) -> None:
    """A peer that vanished holds its thread for about a minute."""
    with connect(url) as silent:
        silent.sendall(POST + LENGTH)
        requests.get(f"{url}/health/live", timeout=60)
        wait_until("a timer of keep-alive runs", lambda: has_keepalive_timer(silent), (), 30)


def has_keepalive_timer(connection: socket.socket) -> bool:
    """Return whether the server's socket has a keep-alive timer (`tr` of /proc/net/tcp is 2)."""
    ours, theirs = (
        f":{end[1]:04X}" for end in (connection.getsockname(), connection.getpeername())
    )
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    found = [row for row in rows if row[1].endswith(theirs) and row[2].endswith(ours)]
    return [row[5][:2] for row in found] == ["02"]


def test_slow_headers_are_given_up(url: str) -> None:
    """The server closes with or without a response, even if no byte was sent."""
    with connect(url) as silent, connect(url) as sender:
        sender.sendall(POST)
        received(sender)
        received(silent)
