"""The Python client against misbehaving servers: repeated requests, and errors."""

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
    """A server that responds by its script, then repeats the last line; it records requests."""

    daemon_threads = True

    def __init__(self, *script: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), ScriptedHandler)
        self.script = deque(script)
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.requested_at: list[float] = []
        self.ends = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class ScriptedHandler(BaseHTTPRequestHandler):
    """Sends the next response of the script."""

    def respond(self) -> None:
        server: Any = self.server
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server.requests.append((self.command, self.path, dict(self.headers)))
        server.requested_at.append(time.monotonic())
        line = server.script.popleft() if len(server.script) > 1 else server.script[0]
        self.close_connection = True
        if line.get("hangs"):
            server.ends.wait()  # the client has given up by then
            return
        if line.get("breaks"):
            return
        body = line.get("body", FLEET)
        self.send_response(line.get("status", 200))
        lengths = {"Content-Length": str(len(body) + line.get("missing", 0))}
        given = {"Content-Type": "application/json", **lengths, **line.get("headers", {})}
        for name, value in given.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = respond  # noqa: N815  # the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Log nothing: the test reads the recorded requests."""


Serve = Callable[..., Scripted]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start scripted servers, which end with the test."""
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
    """Return an error response of PocketQuant."""
    body = {"code": status, "status": "", "error": code, "message": "it is so", "errors": {}}
    return {"status": status, "body": json.dumps(body).encode(), "headers": headers}


GATEWAY = {"status": 502, "body": PAGE, "headers": {"Content-Type": "text/html"}}


@pytest.mark.parametrize("trouble", [GATEWAY, {"breaks": True}, {"missing": 5}])
def test_a_read_is_repeated(serve: Serve, trouble: dict[str, Any]) -> None:
    """After a 502 of a proxy, a broken connection, or a response that is cut off."""
    server = serve(trouble, trouble, {})
    assert {"workers": []} == Client(server.url).fleet()
    assert 3 == len(server.requests)


@pytest.mark.parametrize("trouble", [GATEWAY, {"breaks": True}])
def test_a_sync_is_repeated_with_the_same_key(serve: Serve, trouble: dict[str, Any]) -> None:
    """The key makes the sync run once; the next sync has another key."""
    server = serve(trouble, {"body": b'{"status": "completed"}'})
    client = Client(server.url)
    for _ in range(2):
        assert {"status": "completed"} == client.sync("NASDAQ:AAPL", "1d", 5)
    first, second, third = (headers["Idempotency-Key"] for _, _, headers in server.requests)
    assert first == second != third


@pytest.mark.parametrize("trouble", [GATEWAY, {"breaks": True}])
def test_a_request_that_is_unsafe_to_repeat_is_sent_once(
    serve: Serve, trouble: dict[str, Any]
) -> None:
    """The server may have carried it out before the connection broke."""
    server = serve(trouble)
    with pytest.raises(Unavailable):
        Client(server.url).quotes.stop()
    assert 1 == len(server.requests)


def test_a_lasting_error_of_pocketquant_is_raised_at_once(serve: Serve) -> None:
    """A missing quote does not appear within seconds, even if the response has a Retry-After."""
    server = serve(ours("no_live_quote", **{"Retry-After": "5"}))
    with pytest.raises(NoLiveQuote, match="it is so"):
        Client(server.url).quotes.latest("NASDAQ:AAPL")
    assert 1 == len(server.requests)


@pytest.mark.parametrize("code", ["too_many_exports", "too_many_streams", "storage_unavailable"])
def test_a_request_to_a_busy_server_is_repeated_after_its_retry_after(
    serve: Serve, code: str
) -> None:
    """This holds for a read; a request that is unsafe to repeat raises at once."""
    busy = ours(code, **{"Retry-After": "1"})
    server = serve(busy, {})
    Client(server.url).fleet()
    refused_at, served_at = server.requested_at
    assert served_at - refused_at >= 1
    other = serve(busy)
    with pytest.raises(Unavailable, match="it is so"):
        Client(other.url).quotes.stop()
    assert 1 == len(other.requests)


def test_a_server_that_stays_busy_raises_its_error(serve: Serve) -> None:
    """The error is raised after four requests, or at once if the Retry-After is long."""
    server = serve(ours("too_many_exports", **{"Retry-After": "1"}))
    with pytest.raises(TooManyExports, match="it is so"):
        Client(server.url).bars("NASDAQ:AAPL")
    assert 4 == len(server.requests)
    for_long = serve(ours("too_many_exports", **{"Retry-After": "60"}))
    with pytest.raises(TooManyExports):
        Client(for_long.url).bars("NASDAQ:AAPL")
    assert 1 == len(for_long.requests)


def test_a_rate_limited_request_is_repeated_after_its_retry_after(serve: Serve) -> None:
    """Also a write, since the server carried nothing out."""
    server = serve(ours("too_many_requests", 429, **{"Retry-After": "1"}), {})
    Client(server.url).quotes.stop()
    refused_at, served_at = server.requested_at
    assert served_at - refused_at >= 1


def test_a_long_rate_limit_is_raised_with_its_seconds(serve: Serve) -> None:
    """The client does not wait for it."""
    server = serve(ours("too_many_requests", 429, **{"Retry-After": "3600"}))
    with pytest.raises(TooManyRequests, match="ask again in 3600 s"):
        Client(server.url).fleet()
    assert 1 == len(server.requests)


@pytest.mark.parametrize("body", [PAGE, b"", b"[]", b'"well"', b'{"workers"'])
def test_a_response_of_another_server_is_named(serve: Serve, body: bytes) -> None:
    """Also with status 200."""
    server = serve({"body": body, "headers": {"Content-Type": "text/html"}})
    with pytest.raises(Unavailable, match="200 OK with text/html, not as a PocketQuant"):
        Client(server.url).fleet()


def test_a_redirection_is_not_followed(serve: Serve) -> None:
    """The other server would receive the key, and a GET in place of a POST."""
    elsewhere = serve({})
    server = serve({"status": 302, "body": b"", "headers": {"Location": elsewhere.url}})
    with pytest.raises(Misconfigured, match=f"redirects to {elsewhere.url}"):
        Client(server.url, "pq_secret").fleet()
    assert [] == elsewhere.requests


def test_each_failure_has_its_own_message(serve: Serve) -> None:
    """No server, no response in time, a response that breaks off, an impossible port."""
    with pytest.raises(Unavailable, match=r"no PocketQuant answers at .*pocketquant up"):
        Client("http://127.0.0.1:9").fleet()
    with pytest.raises(Unavailable, match=r"did not answer within 0\.2 s"):
        Client(serve({"hangs": True}).url, timeout=0.2).fleet()
    with pytest.raises(Unavailable, match="broke off"):
        Client(serve({"missing": 5}).url).fleet()
    with pytest.raises(InvalidRequest, match="no request can be sent"):
        Client("http://127.0.0.1:99999").fleet()


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "localhost", "file:///etc", "http://", "x"])
def test_an_invalid_url_raises_when_the_client_is_made(url: str) -> None:
    """The message has a valid example."""
    with pytest.raises(InvalidRequest, match=r"is no URL such as http://"):
        Client(url)


@pytest.mark.parametrize("ending", ["", "/", "/api/v1", "/api/v1/", " "])
def test_the_url_may_be_that_of_the_server_or_of_its_api(serve: Serve, ending: str) -> None:
    """Also behind a path of a proxy."""
    server = serve({}, {})
    for before in ("", "/quant"):
        Client(server.url + before + ending).fleet()
    assert ["/api/v1/fleet", "/quant/api/v1/fleet"] == [path for _, path, *_ in server.requests]


def test_a_key_is_sent_without_its_line_end_and_never_shown(serve: Serve) -> None:
    """A key may come from a file; the error about an invalid key does not contain it."""
    server = serve({})
    Client(server.url, "pq_key\n").fleet()
    assert "pq_key" in str(server.requests)
    for key in ("a\nsecret", "sécret", "\0secret"):
        with pytest.raises(InvalidRequest, match="the API key has") as raised:
            Client(server.url, key)
        assert "cret" not in str(raised.value)


def test_an_unknown_certificate_is_named(serve: Serve) -> None:
    """The error is not that no server responds."""
    server = serve({})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with pytest.raises(Misconfigured, match=r"no secure connection .*certificate"):
        Client(server.url.replace("http:", "https:")).fleet()


def raw(*counts: int) -> list[bytes]:
    """Return the pieces of a raw response: blocks with these numbers of bars, then the end."""
    blocks = [count.to_bytes(8, "little") + bytes(6 * 8 * count) for count in counts]
    return [*blocks, bytes(8)]


RAW = {"Content-Type": "application/vnd.pocketquant.bars"}


@pytest.mark.parametrize("missing", [1, 8, 9, 3 * 48 + 8, 3 * 48 + 16, 5 * 48 + 24])
def test_a_raw_response_that_breaks_off_is_an_error(serve: Serve, missing: int) -> None:
    """Wherever it breaks off: inside a block, between two blocks, or before the end."""
    unknown = {**RAW, "Content-Length": ""}
    whole = b"".join(raw(2, 3))
    assert 5 == len(Client(serve({"body": whole, "headers": unknown}).url).bars("A:B"))
    server = serve({"body": whole[:-missing], "headers": unknown})
    with pytest.raises(Unavailable, match="broke off"):
        Client(server.url).bars("A:B")


def test_a_page_in_place_of_bars_is_an_error(serve: Serve) -> None:
    """A proxy may respond with 200 and a page of its own."""
    server = serve({"body": PAGE, "headers": {"Content-Type": "text/html"}})
    with pytest.raises(Unavailable, match="not as a PocketQuant"):
        Client(server.url).bars("NASDAQ:AAPL")


@pytest.mark.parametrize("length", [{"missing": 7}, {"headers": {"Content-Length": ""}}])
def test_an_export_that_breaks_off_leaves_no_file(
    serve: Serve, tmp_path: Path, length: dict[str, Any]
) -> None:
    """An existing file stays unchanged, and no incomplete file is left."""
    headers = {"Content-Type": "text/csv", **length.get("headers", {})}
    server = serve({"body": b"datetime,open\r\n", **length, "headers": headers})
    before = tmp_path / "bars.csv"
    before.write_text("before")
    for path in (before, tmp_path / "new.csv"):
        with pytest.raises(Unavailable):
            Client(server.url).export("NASDAQ:AAPL", "1d", path, format="csv")
    assert [before] == list(tmp_path.iterdir())
    assert "before" == before.read_text()
