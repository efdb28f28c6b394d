"""Callers that read nothing of a response delay others only briefly, on both servers."""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import numpy as np
import pytest
import requests

from pocketquant.domain.bars import Bars
from pocketquant.domain.symbols import Series
from pocketquant.servers.connections import wait_until
from pocketquant.storage.bars import BarStore

SERIES = Series.parse("NASDAQ:AAPL|1m")
EXPORT = "/api/v1/market-data/ohlcv/NASDAQ/AAPL?interval=1m&format=csv"
MANY = 200_000  # bars: a file of a dozen megabytes, more than the buffers of a connection
THREADS = 16
SLOTS = THREADS // 4

Start = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(scope="module")
def impatient(start_platform: Start) -> Iterator[Any]:
    """A platform with few threads that waits two seconds for a reader, and a long series."""
    without = frozenset({"flower", "interactive", "streamer", "worker", "beat"})
    with start_platform(without=without, api_write_seconds=2.0, api_threads=THREADS) as platform:
        numbers = np.arange(MANY, dtype=np.float64)
        prices = [numbers + 1 / 3] * 5
        BarStore(platform.mongo).upsert({SERIES: Bars(np.array([60 * numbers, *prices]))})
        yield platform


@pytest.fixture(params=["url", "push_url"])
def url(impatient: Any, request: pytest.FixtureRequest) -> str:
    return str(getattr(impatient, request.param))


def request_without_reading(url: str) -> socket.socket:
    """Return a connection on which an export has begun to arrive."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.sendall(f"GET {EXPORT} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


def test_unread_exports_are_given_up(impatient: Any, url: str) -> None:
    """The server closes these connections, which the callers keep open, and serves others."""
    with ExitStack() as stack:
        unread = [stack.enter_context(request_without_reading(url)) for _ in range(SLOTS)]
        ours = {connection.getsockname() for connection in unread}
        wait_until("the server has given them up", lambda: not ours & peers(impatient), (), 60)
        with requests.get(url + EXPORT, timeout=60, stream=True) as answer:
            assert 200 == answer.status_code


def peers(platform: Any) -> set[tuple[str, int]]:
    """Return the peers of all connections of the platform's processes."""
    servers = [*platform.processes("granian"), *platform.processes("gunicorn")]
    held = [one for server in servers for one in server.net_connections("tcp") if one.raddr]
    return {(one.raddr.ip, one.raddr.port) for one in held}


def test_an_export_that_is_read_slowly_is_whole(url: str) -> None:
    """A slow reader is not given up."""
    with requests.get(url + EXPORT, timeout=60, stream=True) as answer:
        size = sum(len(piece) for piece in answer.iter_content(4096))
    assert int(answer.headers["Content-Length"]) == size
