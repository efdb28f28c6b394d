"""The Python client before servers that misbehave: what it asks again, and what it says."""

import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from pocketquant import Client
from pocketquant.domain.errors import (
    InvalidRequest,
    Misconfigured,
    NoLiveQuote,
    TooManyExports,
    TooManyRequests,
    Unavailable,
)

FLEET = b'{"workers": []}'
PAGE = b"<html>Bad gateway</html>"


class Scripted(ThreadingHTTPServer):
    """A server that answers by its script, its last line for ever; it notes what it is asked."""

    daemon_threads = True

    def __init__(self, *script: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.script = deque(script)
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.asked_at: list[float] = []
        self.ends = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    """One answer as the script says."""

    def answer(self) -> None:
        server: Any = self.server
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server.asked.append((self.command, self.path, dict(self.headers)))
        server.asked_at.append(time.monotonic())
        told = server.script.popleft() if len(server.script) > 1 else server.script[0]
        self.close_connection = True
        if told.get("hangs"):
            server.ends.wait()  # who asked has given up by then
            return
        if told.get("breaks"):
            return
        body = told.get("body", FLEET)
        self.send_response(told.get("status", 200))
        lengths = {"Content-Length": str(len(body) + told.get("missing", 0))}
        given = {"Content-Type": "application/json", **lengths, **told.get("headers", {})}
        for name, value in given.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer  # noqa: N815  # the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Nothing: the test knows what was asked."""


Serve = Callable[..., Scripted]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts scripted servers, which end with the test."""
    with ExitStack() as ends:

        def start(*script: dict[str, Any]) -> Scripted:
            server = ends.enter_context(Scripted(*script))
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            ends.callback(thread.join)
            ends.callback(server.shutdown)
            ends.callback(server.ends.set)
            return server

        yield start


def ours(code: str, status: int = 503, **headers: str) -> dict[str, Any]:
    """An error as a PocketQuant tells it."""
    body = {"code": status, "status": "", "error": code, "message": "it is so", "errors": {}}
    return {"status": status, "body": json.dumps(body).encode(), "headers": headers}


GATEWAY = {"status": 502, "body": PAGE, "headers": {"Content-Type": "text/html"}}


@pytest.mark.parametrize("trouble", [GATEWAY, {"breaks": True}, {"missing": 5}])
def test_a_read_is_asked_again(serve: Serve, trouble: dict[str, Any]) -> None:
    """Where a proxy has no server for it, where the connection or the answer breaks."""
    server = serve(trouble, trouble, {})
    assert {"workers": []} == Client(server.url).fleet()
    assert 3 == len(server.asked)


@pytest.mark.parametrize("trouble", [GATEWAY, {"breaks": True}])
def test_a_sync_is_asked_again_under_the_same_key(serve: Serve, trouble: dict[str, Any]) -> None:
    """So that it is done once; the next sync has another key."""
    server = serve(trouble, {"body": b'{"status": "completed"}'})
    client = Client(server.url)
    for _ in range(2):
        assert {"status": "completed"} == client.sync("NASDAQ:AAPL", "1d", 5)
    first, second, third = (headers["Idempotency-Key"] for _, _, headers in server.asked)
    assert first == second != third


@pytest.mark.parametrize("trouble", [GATEWAY, {"breaks": True}])
def test_what_may_not_be_done_twice_is_asked_once(serve: Serve, trouble: dict[str, Any]) -> None:
    """Nobody knows whether it was done."""
    server = serve(trouble)
    with pytest.raises(Unavailable):
        Client(server.url).quotes.stop()
    assert 1 == len(server.asked)


def test_an_error_of_pocketquant_is_told_at_once(serve: Serve) -> None:
    """Though it says when to come again: it is not the moment that is wrong."""
    server = serve(ours("no_live_quote", **{"Retry-After": "5"}))
    with pytest.raises(NoLiveQuote, match="it is so"):
        Client(server.url).quotes.latest("NASDAQ:AAPL")
    assert 1 == len(server.asked)


@pytest.mark.parametrize("code", ["too_many_exports", "too_many_streams", "storage_unavailable"])
def test_a_busy_server_is_asked_again_when_it_says(serve: Serve, code: str) -> None:
    """A read is; and what may not be done twice is told at once."""
    busy = ours(code, **{"Retry-After": "1"})
    server = serve(busy, {})
    Client(server.url).fleet()
    refused_at, served_at = server.asked_at
    assert served_at - refused_at >= 1
    other = serve(busy)
    with pytest.raises(Unavailable, match="it is so"):
        Client(other.url).quotes.stop()
    assert 1 == len(other.asked)


def test_a_server_that_stays_busy_is_said_so(serve: Serve) -> None:
    """After some tries, and at once where it would be busy for long."""
    server = serve(ours("too_many_exports", **{"Retry-After": "1"}))
    with pytest.raises(TooManyExports, match="it is so"):
        Client(server.url).bars("NASDAQ:AAPL")
    assert 4 == len(server.asked)
    for_long = serve(ours("too_many_exports", **{"Retry-After": "60"}))
    with pytest.raises(TooManyExports):
        Client(for_long.url).bars("NASDAQ:AAPL")
    assert 1 == len(for_long.asked)


def test_who_asks_too_soon_waits_as_long_as_told(serve: Serve) -> None:
    """A write too: nothing of it was done."""
    server = serve(ours("too_many_requests", 429, **{"Retry-After": "1"}), {})
    Client(server.url).quotes.stop()
    refused_at, served_at = server.asked_at
    assert served_at - refused_at >= 1


def test_who_would_wait_for_long_is_told_how_long(serve: Serve) -> None:
    """And is not kept waiting."""
    server = serve(ours("too_many_requests", 429, **{"Retry-After": "3600"}))
    with pytest.raises(TooManyRequests, match="ask again in 3600 s"):
        Client(server.url).fleet()
    assert 1 == len(server.asked)


@pytest.mark.parametrize("body", [PAGE, b"", b"[]", b'"well"', b'{"workers"'])
def test_what_is_not_json_of_pocketquant_is_said_so(serve: Serve, body: bytes) -> None:
    """Though it comes with 200."""
    server = serve({"body": body, "headers": {"Content-Type": "text/html"}})
    with pytest.raises(Unavailable, match="200 OK with text/html, not as a PocketQuant"):
        Client(server.url).fleet()


def test_a_redirection_is_not_followed(serve: Serve) -> None:
    """It would take the key along, and make a POST a GET."""
    elsewhere = serve({})
    server = serve({"status": 302, "body": b"", "headers": {"Location": elsewhere.url}})
    with pytest.raises(Misconfigured, match=f"leads to {elsewhere.url}"):
        Client(server.url, "pq_secret").fleet()
    assert [] == elsewhere.asked


def test_each_failure_says_what_it_is(serve: Serve) -> None:
    """No server, no answer in time, an answer that breaks off, a port that can't be."""
    with pytest.raises(Unavailable, match=r"no PocketQuant answers at .*pocketquant up"):
        Client("http://127.0.0.1:9").fleet()
    with pytest.raises(Unavailable, match=r"did not answer within 0\.2 s"):
        Client(serve({"hangs": True}).url, timeout=0.2).fleet()
    with pytest.raises(Unavailable, match="broke off"):
        Client(serve({"missing": 5}).url).fleet()
    with pytest.raises(InvalidRequest, match="cannot be asked"):
        Client("http://127.0.0.1:99999").fleet()


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "localhost", "file:///etc", "http://", "x"])
def test_what_is_no_url_is_told_at_once(url: str) -> None:
    """With one that is."""
    with pytest.raises(InvalidRequest, match=r"is no URL such as http://"):
        Client(url)


@pytest.mark.parametrize("ending", ["", "/", "/api/v1", "/api/v1/", " "])
def test_the_url_is_that_of_the_server_or_of_its_api(serve: Serve, ending: str) -> None:
    """A proxy may put a path before both."""
    server = serve({}, {})
    for before in ("", "/quant"):
        Client(server.url + before + ending).fleet()
    assert ["/api/v1/fleet", "/quant/api/v1/fleet"] == [path for _, path, *_ in server.asked]


def test_a_key_is_as_it_was_made_or_is_not_told(serve: Serve) -> None:
    """It may have been read with the end of its line; an error says nothing of it."""
    server = serve({})
    Client(server.url, "pq_key\n").fleet()
    assert "pq_key" in str(server.asked)
    for key in ("a\nsecret", "sécret", "\0secret"):
        with pytest.raises(InvalidRequest, match="the API key has") as raised:
            Client(server.url, key)
        assert "cret" not in str(raised.value)


def test_a_certificate_that_nobody_knows_is_said_so(serve: Serve) -> None:
    """It is not that no server answers."""
    server = serve({})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with pytest.raises(Misconfigured, match=r"no secure connection .*certificate"):
        Client(server.url.replace("http:", "https:")).fleet()


def raw(*counts: int) -> list[bytes]:
    """The pieces of a raw answer: its blocks of bars, its end."""
    blocks = [count.to_bytes(8, "little") + bytes(6 * 8 * count) for count in counts]
    return [*blocks, bytes(8)]


RAW = {"Content-Type": "application/vnd.pocketquant.bars"}


@pytest.mark.parametrize("missing", [1, 8, 9, 3 * 48 + 8, 3 * 48 + 16, 5 * 48 + 24])
def test_bars_that_break_off_are_no_bars(serve: Serve, missing: int) -> None:
    """Inside a block, between two of them, just before the end, or before anything came."""
    unknown = {**RAW, "Content-Length": ""}
    whole = b"".join(raw(2, 3))
    assert 5 == len(Client(serve({"body": whole, "headers": unknown}).url).bars("A:B"))
    server = serve({"body": whole[:-missing], "headers": unknown})
    with pytest.raises(Unavailable, match="broke off"):
        Client(server.url).bars("A:B")


def test_bars_that_are_a_page_are_said_so(serve: Serve) -> None:
    """A proxy may answer 200 with a page of its own."""
    server = serve({"body": PAGE, "headers": {"Content-Type": "text/html"}})
    with pytest.raises(Unavailable, match="not as a PocketQuant"):
        Client(server.url).bars("NASDAQ:AAPL")


@pytest.mark.parametrize("length", [{"missing": 7}, {"headers": {"Content-Length": ""}}])
def test_an_export_that_breaks_off_leaves_no_file(
    serve: Serve, tmp_path: Path, length: dict[str, Any]
) -> None:
    """What was there stays as it was; nor is one left whose end nobody knows."""
    headers = {"Content-Type": "text/csv", **length.get("headers", {})}
    server = serve({"body": b"datetime,open\r\n", **length, "headers": headers})
    before = tmp_path / "bars.csv"
    before.write_text("before")
    for path in (before, tmp_path / "new.csv"):
        with pytest.raises(Unavailable):
            Client(server.url).export("NASDAQ:AAPL", "1d", path, format="csv")
    assert [before] == list(tmp_path.iterdir())
    assert "before" == before.read_text()
