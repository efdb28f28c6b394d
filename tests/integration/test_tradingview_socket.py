"""The TradingView socket on real servers: each failure has its error, all waits one deadline."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from pocketquant.domain.errors import (
    ConnectionLost,
    HandshakeRefused,
    InvalidSettings,
    PocketQuantError,
    ProtocolViolation,
    ProviderTimeout,
    RateLimited,
)
from pocketquant.tradingview.socket import ORIGIN, open_socket
from pocketquant.tradingview.timed_socket import MAX_MESSAGE_BYTES

# Of no authority, for 127.0.0.1, until 2126.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgr5I1PhiJpGlkX7N+
/xZ4Hn7cbwop89xcG+um8B09UV6hRANCAARib1iefv8LMHhlm9d5ZP2P0wqqHrUI
Xn8dbGvypikEnAZmtqEJcuYNpP/3L6Dd0BSxGuDBv3UI2FVD+VU1z2Qk
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIUFhYtViivyL9q1W/NtfSgi3Tg38wwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjE5MzE1NloYDzIxMjYxMDI5
MTkzMTU2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARib1iefv8LMHhlm9d5ZP2P0wqqHrUIXn8dbGvypikEnAZmtqEJcuYN
pP/3L6Dd0BSxGuDBv3UI2FVD+VU1z2Qko2QwYjAdBgNVHQ4EFgQU08Y4MTJ8f4R4
UvLt3IVpvgmCH1owHwYDVR0jBBgwFoAU08Y4MTJ8f4R4UvLt3IVpvgmCH1owDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUC
IGOGVU+ri8KcqeI73C3hc85P0qgnpj7PRh5aOl33THzFAiEAuknshkT2rz1+qYdX
YAGDN2l/r2fbBcJQ3KhSXqZLMhk=
-----END CERTIFICATE-----
"""


@contextmanager
def websocket_server(converse: Callable[[ServerConnection], object]) -> Iterator[str]:
    """Serve WebSockets with this handler; yields the URL."""
    with serve(converse, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def tcp_server(
    answer: Callable[[socket.socket], object], listens_first: bool = True
) -> Iterator[str]:
    """Serve one client: receive once, then run this handler; yields the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(
            target=_take_one, args=(listener, answer, listens_first), daemon=True
        )
        thread.start()
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
    thread.join()


def _take_one(
    listener: socket.socket, answer: Callable[[socket.socket], object], listens_first: bool
) -> None:
    connection, _ = listener.accept()
    with connection, suppress(OSError):
        if listens_first:
            connection.recv(65536)
        answer(connection)


def soon(seconds: float = 10.0) -> float:
    """Return a near deadline."""
    return time.monotonic() + seconds


def test_texts_go_both_ways() -> None:
    """Texts are sent and received, and the Origin header is sent once."""
    origins = []

    def echo(connection: ServerConnection) -> None:
        assert connection.request is not None
        origins.extend(connection.request.headers.get_all("Origin"))
        connection.send(connection.recv())

    with websocket_server(echo) as url, open_socket(url, soon()) as opened:
        opened.send("~m~1~m~é")
        assert "~m~1~m~é" == opened.receive()
    assert [ORIGIN] == origins


def test_the_end_of_the_block_closes() -> None:
    """At the end of the block, the connection closes without waiting for the server."""
    closed = threading.Event()

    def converse(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            connection.recv()
        closed.set()

    with websocket_server(converse) as url:
        with open_socket(url, soon()):
            pass
        assert closed.wait(60)


def test_pings_are_answered() -> None:
    """A WebSocket ping is answered while the socket waits for a text."""

    def converse(connection: ServerConnection) -> None:
        connection.send("ponged" if connection.ping().wait(60) else "nothing")

    with websocket_server(converse) as url, open_socket(url, soon()) as opened:
        assert "ponged" == opened.receive()


@pytest.mark.parametrize(
    ("converse", "expected", "words"),
    [
        (lambda server: server.close(4001, "enough"), ConnectionLost, "code 4001"),
        (lambda server: server.send(b"\x00"), ProtocolViolation, "opcode 2"),
        (lambda server: server.socket.sendall(b"\x81\x01\xff"), ProtocolViolation, "UTF-8"),
        (lambda server: server.socket.sendall(b"\xf1\x01x"), ProtocolViolation, "WebSocket"),
        (lambda server: server.socket.sendall(b"\x88\x00"), ConnectionLost, "no code"),
        (lambda server: server.socket.shutdown(socket.SHUT_RDWR), ConnectionLost, "failed"),
    ],
)
def test_failures_of_the_server(
    converse: Callable[[ServerConnection], object], expected: type[PocketQuantError], words: str
) -> None:
    """A close, an aborted connection and invalid data each have their error."""
    with (
        websocket_server(converse) as url,
        open_socket(url, soon()) as opened,
        pytest.raises(expected, match=words),
    ):
        opened.receive()


def test_a_message_without_end() -> None:
    """A message over the limit is refused, however long it claims to be."""

    def flood(server: ServerConnection) -> None:
        with suppress(OSError):
            server.socket.sendall(b"\x81\x7f" + struct.pack("!Q", 1 << 40))
            server.socket.sendall(b"x" * (MAX_MESSAGE_BYTES + 1))

    with (
        websocket_server(flood) as url,
        open_socket(url, soon(60)) as opened,
        pytest.raises(ProtocolViolation, match="at once"),
    ):
        opened.receive()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("429 Too Many Requests", RateLimited),
        ("403 Forbidden", HandshakeRefused),
        ("302 Found\r\nLocation: ws://127.0.0.1:1/", HandshakeRefused),
        ("500 Internal Server Error", HandshakeRefused),
        ("200 OK", HandshakeRefused),
        ("101 Switching Protocols", HandshakeRefused),
        ("nonsense", HandshakeRefused),
    ],
)
def test_refused_handshakes(status: str, expected: type[PocketQuantError]) -> None:
    """Another answer to the handshake raises HandshakeRefused, and 429 RateLimited."""
    with (
        tcp_server(lambda server: server.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())) as url,
        pytest.raises(expected) as raised,
        open_socket(url, soon()),
    ):
        pass
    assert expected is type(raised.value)
    assert raised.value.__cause__ is not None


def test_an_untrusted_certificate(tmp_path: Path) -> None:
    """A server with an untrusted certificate receives no data."""
    (tmp_path / "server.pem").write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")

    def greet(server: socket.socket) -> None:
        context.wrap_socket(server, server_side=True).close()

    with (
        tcp_server(greet, listens_first=False) as url,
        pytest.raises(ConnectionLost, match="certificate verify failed"),
        open_socket(url.replace("ws:", "wss:"), soon()),
    ):
        pass


def test_unreachable_servers() -> None:
    """A closed port, a host without an address and a server without TLS raise ConnectionLost."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url in (f"ws://127.0.0.1:{port}", "ws://no-such-host.invalid"):
        with pytest.raises(ConnectionLost), open_socket(url, soon()):
            pass
    with (
        tcp_server(lambda server: server.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as url,
        pytest.raises(ConnectionLost, match="SSL"),
        open_socket(url.replace("ws:", "wss:"), soon()),
    ):
        pass


@pytest.mark.parametrize("url", ["", "127.0.0.1", "http://127.0.0.1", "ws://", "ws://a:b"])
def test_no_websocket_url(url: str) -> None:
    """A URL that is no WebSocket URL raises an error that names the setting."""
    with pytest.raises(InvalidSettings, match="TRADINGVIEW_URL"), open_socket(url, soon()):
        pass


def _drip(server: socket.socket, content: bytes) -> None:
    for index in range(len(content)):
        server.sendall(content[index : index + 1])
        time.sleep(0.02)  # the pace of the server, nothing that is waited for


@pytest.mark.parametrize(
    "answer",
    [
        lambda server: server.recv(1),
        lambda server: _drip(server, b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 500),
    ],
    ids=["silence", "bytes that drip"],
)
def test_the_deadline_of_the_handshake(answer: Callable[[socket.socket], object]) -> None:
    """The handshake ends at the deadline, even while bytes keep coming."""
    began = time.monotonic()
    with tcp_server(answer) as url, pytest.raises(ProviderTimeout), open_socket(url, soon(0.3)):
        pass
    assert 0.3 <= time.monotonic() - began < 15


@pytest.mark.parametrize(
    "converse",
    [
        lambda server: server.recv(),
        lambda server: _drip(server.socket, b"\x81\x7e\x10\x00" + b"x" * 4096),
        lambda server: _drip(server.socket, b"\x89\x00" * 2048),
    ],
    ids=["silence", "bytes that drip", "pings"],
)
def test_the_deadline_of_a_message(converse: Callable[[ServerConnection], object]) -> None:
    """The wait for a text ends at the deadline, even while bytes or pings keep coming."""

    def until_gone(server: ServerConnection) -> None:
        with suppress(ConnectionClosed, OSError):
            converse(server)

    with websocket_server(until_gone) as url:
        began = time.monotonic()
        with open_socket(url, soon(0.3)) as opened:
            with pytest.raises(ProviderTimeout):
                opened.receive()
            assert 0.25 <= time.monotonic() - began < 15
            with pytest.raises(ProviderTimeout):
                opened.send("too late")


def test_a_deadline_that_has_passed() -> None:
    """After the deadline, no connection is tried."""
    with pytest.raises(ProviderTimeout), open_socket("ws://127.0.0.1:1", time.monotonic()):
        pass
