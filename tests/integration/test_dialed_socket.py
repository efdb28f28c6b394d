"""A dialed socket on real servers receives texts, and each wait ends in its time."""

import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue

import pytest
import trustme
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from pocketquant.domain.errors import (
    ConnectionLost,
    PocketQuantError,
    ProtocolViolation,
    ProviderTimeout,
)
from pocketquant.servers.connections import wait_until
from pocketquant.tradingview.socket import Socket, dial
from pocketquant.tradingview.timed_socket import MAX_MESSAGE_BYTES

TEXT, CONTINUATION = 1, 0


@contextmanager
def served(
    converse: Callable[[ServerConnection], object], tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Serve WebSockets with this handler; yields the URL."""
    with serve(converse, "127.0.0.1", 0, compression=None, ssl=tls, close_timeout=1) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"{'wss' if tls else 'ws'}://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def connected() -> Iterator[tuple[Socket, ServerConnection]]:
    """Yield a dialed socket and the server's end of its connection."""
    ends: SimpleQueue[ServerConnection] = SimpleQueue()
    is_over = threading.Event()

    def hand_over(server: ServerConnection) -> None:
        ends.put(server)
        is_over.wait()

    with served(hand_over) as url:
        opened = dial(url, time.monotonic() + 10)
        try:
            yield opened, ends.get(timeout=60)
        finally:
            opened.hang_up()
            is_over.set()


def frame(content: bytes, opcode: int = TEXT, is_last: bool = True, length_bytes: int = 0) -> bytes:
    """Return a server's WebSocket frame, with its length in 7 bits, 2 bytes or 8 bytes."""
    first = bytes([opcode | (0x80 if is_last else 0)])
    length = {
        0: lambda: bytes([len(content)]),
        2: lambda: b"\x7e" + struct.pack("!H", len(content)),
        8: lambda: b"\x7f" + struct.pack("!Q", len(content)),
    }[length_bytes]()
    return first + length + content


@pytest.mark.parametrize(
    "frames",
    [
        [frame("~m~1~m~é".encode())],
        [frame("~m~1~m~é".encode(), length_bytes=2)],
        [frame("~m~1~m~é".encode(), length_bytes=8)],
        [
            frame(b"~m~", is_last=False),
            frame(b"", CONTINUATION, is_last=False),
            frame("1~m~é".encode()[:-1], CONTINUATION, is_last=False, length_bytes=2),
            frame("é".encode()[1:], CONTINUATION),
        ],
    ],
    ids=["7 bits", "2 bytes", "8 bytes", "fragments"],
)
def test_a_text_that_comes_byte_by_byte(frames: list[bytes]) -> None:
    """A text split anywhere stays buffered until complete, and the next text is complete too."""
    whole = b"".join(frames)
    with connected() as (opened, server):
        for byte in whole[:-1]:
            server.socket.sendall(bytes([byte]))
            assert opened.receive_within(0) is None
        server.socket.sendall(whole[-1:] + frame(b"next"))
        assert ["~m~1~m~é", "next"] == [opened.receive_within(10), opened.receive_within(10)]


def test_a_ping_between_fragments() -> None:
    """A ping between the fragments of a text is answered at once, and the text completes."""
    with connected() as (opened, server):
        server.socket.sendall(frame(b"one ", is_last=False))
        ponged = server.ping()
        wait_until("pong", lambda: opened.receive_within(0) is None and ponged.is_set(), (), 60)
        server.socket.sendall(frame(b"two", CONTINUATION))
        assert "one two" == opened.receive_within(10)


def test_received_texts_are_returned_without_waiting() -> None:
    """Texts that arrived together are returned one by one, and then None at once."""
    with connected() as (opened, server):
        server.socket.sendall(frame(b"one") + frame(b"two") + frame(b"three") + frame(b"four")[:-1])
        began = time.monotonic()
        received = [opened.receive_within(10), *(opened.receive_within(0) for _ in range(3))]
        assert ["one", "two", "three", None] == received
        assert time.monotonic() - began < 10


def test_the_end_of_a_wait() -> None:
    """None is returned in time, even while bytes or pings come; the rest follows later."""
    with connected() as (opened, server):
        is_enough = threading.Event()

        def drip() -> None:
            server.socket.sendall(b"\x81\x7f" + struct.pack("!Q", 1_000_000))
            sent = 0
            while not is_enough.wait(0.01):
                sent += server.socket.send(b"x")
            server.socket.sendall(b"x" * (1_000_000 - sent))

        dripping = threading.Thread(target=drip)
        dripping.start()
        began = time.monotonic()
        assert opened.receive_within(0.3) is None
        assert 0.25 <= time.monotonic() - began < 15
        is_enough.set()
        assert "x" * 1_000_000 == opened.receive_within(10)
        dripping.join()


def test_a_dialed_socket_outlives_its_deadline() -> None:
    """The deadline limits the opening alone; each later wait has its own limit."""

    def echo(server: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            server.send(server.recv())

    with served(echo) as url:
        deadline = time.monotonic() + 5
        opened = dial(url, deadline)
        assert opened.receive_within(deadline - time.monotonic() + 0.1) is None
        opened.send("~m~1~m~é")
        assert "~m~1~m~é" == opened.receive_within(10)
        opened.hang_up()


def test_a_message_without_end_over_many_calls() -> None:
    """A message over the limit is refused, however many calls receive it."""
    with connected() as (opened, server):

        def flood() -> None:
            with suppress(OSError):
                server.socket.sendall(b"\x81\x7f" + struct.pack("!Q", 1 << 40))
                server.socket.sendall(b"x" * (MAX_MESSAGE_BYTES + 1))

        flooding = threading.Thread(target=flood)
        flooding.start()
        with pytest.raises(ProtocolViolation, match="at once"):
            wait_until("the limit", lambda: opened.receive_within(0), (), 60)
        opened.hang_up()
        flooding.join()


def test_many_messages_are_not_one() -> None:
    """The limit applies to each message, and not to their sum."""
    most = b"x" * (MAX_MESSAGE_BYTES // 2)
    with connected() as (opened, server):
        for _ in range(3):
            sending = threading.Thread(
                target=server.socket.sendall, args=(frame(most, length_bytes=8),)
            )
            sending.start()
            text = opened.receive_within(60)
            assert text is not None
            assert len(most) == len(text)
            sending.join()


@pytest.mark.parametrize(
    ("act", "expected", "words"),
    [
        (lambda _, server: server.close(4001, "enough"), ConnectionLost, "code 4001"),
        (lambda _, server: server.send(b"\x00"), ProtocolViolation, "opcode 2"),
        (lambda _, server: server.socket.sendall(b"\x81\x01\xff"), ProtocolViolation, "UTF-8"),
        (lambda _, server: server.socket.sendall(b"\xf1\x01x"), ProtocolViolation, "WebSocket"),
        (lambda _, server: server.socket.shutdown(socket.SHUT_RDWR), ConnectionLost, "failed"),
        (lambda opened, _: opened.cut(), ConnectionLost, "failed"),
    ],
)
def test_failures(
    act: Callable[[Socket, ServerConnection], object], expected: type[PocketQuantError], words: str
) -> None:
    """A close, an aborted connection, invalid data and `cut` each have their error."""
    with connected() as (opened, server):
        assert opened.receive_within(0) is None
        closing = threading.Thread(target=act, args=(opened, server))
        closing.start()
        with pytest.raises(expected, match=words):
            opened.receive_within(10)
        opened.hang_up()
        closing.join()


def test_after_its_end() -> None:
    """After `hang_up`, a socket neither sends nor receives, and may hang up again."""
    with connected() as (opened, _):
        opened.hang_up()
        opened.hang_up()
        with pytest.raises(ConnectionLost):
            opened.receive_within(0)
        with pytest.raises(ConnectionLost):
            opened.send("too late")


def test_a_failed_dial() -> None:
    """The reason why a connection fails to open is raised in time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ProviderTimeout):
            dial(url, time.monotonic() + 0.3)
    with pytest.raises(ConnectionLost):
        dial(url, time.monotonic() + 10)


def test_a_server_that_reads_nothing() -> None:
    """Sending fails after 5 s if the server does not read; hanging up does not wait."""
    with connected() as (opened, _):
        began = time.monotonic()
        with pytest.raises(ProviderTimeout):
            wait_until("it is full", lambda: opened.send("x" * 1_000_000), (), 60)
        assert time.monotonic() - began >= 4.5
        hung_up = time.monotonic()
        opened.hang_up()
        assert time.monotonic() - hung_up < 4.5


def test_over_tls(tmp_path: Path) -> None:
    """Texts that share a TLS record, fill several or come byte by byte are all received."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    large = "x" * 100_000

    def converse(server: ServerConnection) -> None:
        server.socket.sendall(frame(b"one") + frame(b"two"))
        for byte in frame(b"three"):
            server.socket.sendall(bytes([byte]))
        server.send(large)
        with suppress(ConnectionClosed):
            server.recv()

    with served(converse, context) as url:
        answer = subprocess.run(
            [sys.executable, Path(__file__).with_name("receive_over_tls.py"), url, "4"],
            env={**os.environ, "SSL_CERT_FILE": str(tmp_path / "authority.pem")},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert ["one", "two", "three", large] == json.loads(answer.stdout)
