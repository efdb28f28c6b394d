"""`pocketquant watch` and the client's live quotes, as users run them."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from pocketquant.cache.board_records import RefusedSymbol, StreamerStatus
from pocketquant.cache.board_writer import BoardWriter, Entry, Flush
from pocketquant.client import Client
from pocketquant.coordination.leases import Leases
from pocketquant.domain.aggregation import BarAggregator
from pocketquant.domain.errors import NotFound, UnknownSymbol
from pocketquant.domain.quotes import Quote, Tick
from pocketquant.domain.symbols import Symbol
from pocketquant.servers.connections import wait_until
from pocketquant.storage.calendars import CalendarStore
from tests.forming import ALWAYS

POCKETQUANT = str(Path(sys.executable).parent / "pocketquant")
AAPL, MSFT, NONE = "NASDAQ:AAPL", "NASDAQ:MSFT", "NASDAQ:NONE"
REFUSED = RefusedSymbol(NONE, "unknown_symbol", f"{NONE} is unknown to the provider")

Json = dict[str, Any]
Watches = Callable[..., "subprocess.Popen[str]"]
Flushes = Callable[..., None]


@pytest.fixture
def flush(platform: Any) -> Iterator[Flushes]:
    """Puts a price on the board, like a streamer with one refused symbol."""
    leases = Leases(platform.broker, seconds=300.0)
    lease = leases.acquire("streamer:watch")
    assert lease is not None
    writer = BoardWriter(platform.broker, "watch", lease.key, lease.token)
    bars = BarAggregator()
    calendars = CalendarStore(platform.mongo)

    def put(symbol: str, price: float) -> None:
        now = time.time()
        calendars.keep(Symbol.parse(symbol), ALWAYS.texts, None, 0)
        bars.learn(symbol, ALWAYS, now)
        bars.see(symbol, now - 3600.0)
        bars.take([Tick(symbol, int(now), price, 5)])
        quote = Quote(symbol, time=int(now), last_price=price, change=-1.5)
        status = StreamerStatus(
            "watch", "here", 7, now, now, connected_at=now, symbols=1, refused=(REFUSED,)
        )
        writer.write(Flush(now, now, [Entry(quote, bars.state(symbol), True, True)], status=status))

    yield put
    leases.release(lease)
    Client(platform.url).quotes.unsubscribe([AAPL, MSFT, NONE])  # and nothing of them is shown


@pytest.fixture
def watch(platform: Any) -> Iterator[Watches]:
    """Starts `pocketquant watch`; it ends with the test."""
    with ExitStack() as ends:

        def start(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
            command = [POCKETQUANT, "watch", *arguments]
            urls = ["--url", platform.url, "--push-url", platform.push_url]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            process = subprocess.Popen(
                [*command, *urls],
                text=True,
                preexec_fn=_accept_interrupts,  # the test run may ignore SIGINT
                **{**pipes, **options},
            )
            ends.enter_context(process)
            ends.callback(process.kill)
            return process

        yield start


def _accept_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_changes_are_lines_of_json(watch: Watches, flush: Flushes) -> None:
    """Each changed quote is the API's JSON; Ctrl-C ends the command with exit code 0."""
    flush(AAPL, 1.0)
    watching = watch("--json", "nasdaq:aapl", NONE)
    assert watching.stdout
    seen = [json.loads(watching.stdout.readline())]
    flush(MSFT, 7.0)
    flush(AAPL, 2.0)
    seen.append(json.loads(watching.stdout.readline()))
    assert [("AAPL", 1.0), ("AAPL", 2.0)] == [
        (quote["symbol"], quote["last_price"]) for quote in seen
    ]
    assert watching.stderr
    lines = {watching.stderr.readline().strip() for _ in range(2)}
    assert {
        "2 more symbols are subscribed, and stay subscribed after this; 2 in all",
        f"{REFUSED.message} [unknown_symbol]",
    } == lines
    watching.send_signal(signal.SIGINT)
    rest = watching.communicate(timeout=60)
    assert (0, ("", "")) == (watching.returncode, rest)


def test_a_closed_pipe_ends_it(watch: Watches, flush: Flushes) -> None:
    """`pocketquant watch … | head -1` exits with 0."""
    flush(AAPL, 1.0)
    watching = watch("--json", "--no-subscribe", AAPL)
    assert watching.stdout
    assert watching.stdout.readline()
    watching.stdout.close()
    prices = iter(range(2, 10_000))

    def has_ended() -> bool:
        flush(AAPL, float(next(prices)))
        return watching.poll() is not None

    wait_until("it has ended", has_ended, (), 60)
    assert watching.stderr
    lines = [line for line in watching.stderr.read().splitlines() if "unknown_symbol" not in line]
    assert (0, []) == (watching.returncode, lines)


def test_a_file_gets_plain_lines(watch: Watches, flush: Flushes) -> None:
    """A file gets a line for each changed quote; `--no-subscribe` subscribes nothing."""
    flush(AAPL, 184.4)
    watching = watch(AAPL, "--no-subscribe")
    assert watching.stdout
    line = watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=60)
    assert "Z NASDAQ:AAPL 184.40 -1.50 - bid - ask - volume - -\n" == line[19:]
    assert 0 == watching.returncode


def test_a_terminal_shows_a_table(watch: Watches, flush: Flushes, platform: Any) -> None:
    """The table changes in place, and says why a symbol has no quotes."""
    flush(AAPL, 184.4)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    watching = watch(AAPL, NONE, stdout=theirs, env=environment)
    os.close(theirs)
    os.set_blocking(ours, False)
    screen = b""

    def shows(pattern: bytes) -> bool:
        nonlocal screen
        screen += os.read(ours, 65_536)
        return re.search(pattern, screen, re.DOTALL) is not None

    def wait_for(pattern: bytes) -> None:
        wait_until(f"{pattern!r} is shown", lambda: shows(pattern), BlockingIOError, 60)

    with os.fdopen(ours, "rb"):
        wait_for(rb"184\.40")
        wait_for(rb"refused")
        wait_for(re.escape(f"{REFUSED.message} [unknown_symbol]".encode()))
        flush(AAPL, 185.5)
        wait_for(rb"\x1b\[1A.*\x1b\[32m *185\.50")
        watching.send_signal(signal.SIGINT)
        assert 0 == watching.wait(60)


def test_there_is_no_api() -> None:
    """Without an API, the command prints one line and exits with 1."""
    nowhere = "http://127.0.0.1:9"
    command = [POCKETQUANT, "watch", AAPL, "--no-subscribe", "--url", nowhere]
    ended = subprocess.run(
        [*command, "--push-url", nowhere], capture_output=True, text=True, timeout=60, check=False
    )
    assert 1 == ended.returncode
    assert ended.stderr.splitlines()[-1].startswith(f"Error: no PocketQuant answers at {nowhere}")


def test_the_api_may_be_named_in_the_environment() -> None:
    """The environment may name the API; its streams come from there unless another URL is given."""
    nowhere, elsewhere = "http://127.0.0.1:9", "http://127.0.0.1:11"
    for arguments, url in (
        (["bars", AAPL], nowhere),
        (["bars", AAPL, "--url", elsewhere], elsewhere),
        (["watch", AAPL, "--no-subscribe"], nowhere),
        (["watch", AAPL, "--push-url", elsewhere], nowhere),
    ):
        ended = subprocess.run(
            [POCKETQUANT, *arguments],
            env={**os.environ, "API_URL": nowhere},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert 1 == ended.returncode
        last_line = ended.stderr.splitlines()[-1]
        assert last_line.startswith(f"Error: no PocketQuant answers at {url}")


def test_the_client_subscribes_and_reads(platform: Any, flush: Flushes) -> None:
    """The client returns the API's answers, and raises the error that the API names."""
    client = Client(platform.url)
    assert (2, 2) == counts(client.quotes.subscribe([AAPL, "nasdaq:none"]))
    flush(AAPL, 12.5)
    assert 12.5 == client.quotes.latest(AAPL)["last_price"]
    assert client.quotes.latest(AAPL) in client.quotes.all()
    assert ("1h", 12.5) == bar(client.quotes.current_bar(AAPL, "1h"))
    assert "NONE" in {each["symbol"] for each in client.quotes.status()["refused"]}
    for symbol, error in ((NONE, UnknownSymbol), (MSFT, NotFound)):
        with pytest.raises(error):
            client.quotes.latest(symbol)
    assert (1, 1) == counts(client.quotes.unsubscribe([NONE]))
    assert not client.quotes.stop()["streaming"]
    with pytest.raises(NotFound):
        client.quotes.latest(NONE)
    assert client.quotes.start()["streaming"]


def counts(watched: Json) -> tuple[int, int]:
    return watched["subscribed"], watched["changed"]


def bar(current: Json) -> tuple[str, float]:
    return current["interval"], current["close"]


@pytest.mark.fault
def test_a_broken_stream_is_resumed(platform: Any, flush: Flushes, kill: Any) -> None:
    """A broken stream reconnects by itself, as often as needed."""
    flush(AAPL, 1.0)
    with closing(Client(platform.push_url).quotes.stream([AAPL])) as quotes:
        assert 1.0 == next(quotes)["last_price"]
        for process in platform.processes("gunicorn"):
            kill(process)
        flush(AAPL, 2.0)
        assert 2.0 == next(quotes)["last_price"]
