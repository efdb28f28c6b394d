"""The cost of 200 quotes a second on the screen, beside a page of silent quotes.

The quotes are written to Redis as a streamer writes them, five times a second.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import redis
from playwright.sync_api import Browser

from pocketquant.cache.board_records import StreamerStatus
from pocketquant.cache.board_writer import BoardWriter, Entry, Flush
from pocketquant.coordination.leases import Leases
from pocketquant.domain.quotes import Quote
from tests.benchmarks.report import Row
from tests.benchmarks.rest_servers import Servers
from tests.benchmarks.size import sized
from tests.forming import aggregator_of

SECONDS = sized(15.0, 1.0)
MOST_PERCENT = 30.0
_SYMBOLS = [f"SIM:S{number:04d}" for number in range(40)]
_PERIOD_SECONDS = 0.2  # 40 symbols make 200 quotes a second
_SETTLED_SECONDS = sized(3.0, 0.1)
_SHARD = "0"


def measure(browser: Browser, servers: Servers) -> list[Row]:
    """Measure the processor time of the page's process while all symbols are on the screen."""
    page = browser.new_page(
        viewport={"width": 1440, "height": 2200}, extra_http_headers={"X-API-Key": servers.key}
    )
    with _board(servers.redis_url) as board:
        board.write()
        page.goto(f"{servers.api_url}/watch")
        page.get_by_role("row").nth(len(_SYMBOLS)).wait_for()
        page.locator(".state.is-live").wait_for()
        silent, _ = _cost(board)
        with board.running():
            live, quotes = _cost(board)
        shown = page.locator(".is-last").filter(has_text=".").count()
        if shown != len(_SYMBOLS):
            raise SystemExit(f"{shown} quotes are on the screen, not {len(_SYMBOLS)}")
    page.close()
    return [
        Row(f"{quotes:.0f} quotes/s on the screen", live, MOST_PERCENT, "% of a core", "≤ 1"),
        Row("the same view without quotes", silent, MOST_PERCENT, "% of a core"),
    ]


class _Board:
    """Writes a new quote of each symbol."""

    def __init__(self, writer: BoardWriter) -> None:
        self._writer = writer
        self._bars = aggregator_of(_SYMBOLS)
        for symbol in _SYMBOLS:
            self._bars.see(symbol, time.time() - 60)
        self.written = 0

    def write(self) -> None:
        now = time.time()
        status = StreamerStatus(_SHARD, "here", 1, now, now, connected_at=now, symbols=1)
        self._writer.write(Flush(now, now, [*self._entries(int(now))], status=status))
        self.written += len(_SYMBOLS)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Write again and again until the end of the block."""
        is_over = threading.Event()

        def run() -> None:
            while not is_over.wait(_PERIOD_SECONDS):
                self.write()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _entries(self, now: int) -> Iterator[Entry]:
        for number, symbol in enumerate(_SYMBOLS):
            price = 100 + (7 * self.written + number) % 500 / 100
            quote = Quote(
                symbol,
                time=now,
                last_price=price,
                bid=price - 0.01,
                ask=price + 0.01,
                day_volume=1000.0 + self.written,
                change=price - 100,
                change_percent=price - 100,
                update_mode="streaming",
                open_price=100.0,
                low_price=99.0,
                high_price=106.0,
            )
            yield Entry(quote, self._bars.state(symbol, has_longer=False))


@contextmanager
def _board(redis_url: str) -> Iterator[_Board]:
    with redis.Redis.from_url(redis_url) as cache:
        lease = Leases(cache, seconds=600.0).acquire(f"streamer:{_SHARD}")
        if lease is None:
            raise SystemExit("a streamer has the shard")
        yield _Board(BoardWriter(cache, _SHARD, lease.key, lease.token))


def _cost(board: _Board) -> tuple[float, float]:
    """Return the processor time of the pages in percent of a core, and the quotes a second."""
    time.sleep(_SETTLED_SECONDS)
    began, before, written = time.monotonic(), _renderer_seconds(), board.written
    time.sleep(SECONDS)
    passed = time.monotonic() - began
    used = 100 * (_renderer_seconds() - before) / passed
    return used, (board.written - written) / passed


def _renderer_seconds() -> float:
    """Return the processor time of this browser's processes that run pages."""
    children = psutil.Process().children(recursive=True)
    renderers = [each for each in children if "--type=renderer" in each.cmdline()]
    times = [each.cpu_times() for each in renderers]
    return float(sum(each.user + each.system for each in times))
