"""Symbol search at the simulator and at failing sites, with a real Redis."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import redis

from pocketquant.cache.searches import SearchCache
from pocketquant.domain.errors import (
    ConnectionLost,
    HandshakeRefused,
    PocketQuantError,
    ProtocolViolation,
    ProviderFault,
    ProviderTimeout,
    RateLimited,
    TooManySearches,
)
from pocketquant.domain.searches import SearchPage, SearchRequest, SymbolKind
from pocketquant.history.searching import Searching
from pocketquant.servers.connections import open_redis, wait_until
from pocketquant.simulator import server
from pocketquant.simulator.market import world
from pocketquant.tradingview.search import SymbolSearch

SITE = "https://www.tradingview.com"
APPLE = SearchRequest("AAPL")
FOUND = b'{"symbols_remaining":0,"symbols":[{"symbol":"A","exchange":"X"}]}'


@pytest.fixture
def search() -> Iterator[SymbolSearch]:
    """The search at a simulator."""
    with server.running() as simulator:
        yield SymbolSearch(simulator.http_url, SITE)


class Site:
    """The answer of a site, and the requests it received."""

    def __init__(self) -> None:
        self.status, self.body = 200, FOUND
        self.requests: list[dict[str, str]] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.is_over = False  # the clients have gone


@contextmanager
def serving(site: Site) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.requests.append({"path": self.path, **dict(self.headers)})
            site.may_answer.wait(20)
            if site.is_over:
                return
            self.send_response(site.status)
            self.end_headers()
            self.wfile.write(site.body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{web.server_port}"
        finally:
            site.is_over = True
            site.may_answer.set()
            web.shutdown()
            thread.join()


def names(page: SearchPage) -> list[str]:
    return [f"{each.exchange}:{each.ticker}" for match in page.matches for each in match]


def test_symbols_are_found(search: SymbolSearch) -> None:
    """Symbols are found by ticker, kind and exchange, with the best match first."""
    assert "NASDAQ:AAPL" == names(search.find(APPLE))[0]
    stocks = search.find(SearchRequest("A", SymbolKind.STOCK, "NYSE"))
    assert {"NYSE"} == {name.partition(":")[0] for name in names(stocks)}
    assert [] == names(search.find(SearchRequest("NO SUCH THING")))


def test_pages_cover_all_symbols(search: SymbolSearch) -> None:
    """Each page starts where the last one ended, and all pages cover all symbols."""
    seen: list[str] = []
    while (page := search.find(SearchRequest(":", start=len(seen)))).matches:
        seen += names(page)
        assert len(world.listed()) == len(seen) + page.remaining
    assert {each.name for each in world.listed()} == set(seen)


def test_it_sends_the_headers_of_a_browser() -> None:
    """Origin and Referer are TradingView's, as the site requires."""
    site = Site()
    with serving(site) as url:
        SymbolSearch(url, SITE).find(SearchRequest("S&P", SymbolKind.INDEX, country="US", start=50))
    (request,) = site.requests
    assert (SITE, f"{SITE}/") == (request["Origin"], request["Referer"])
    assert request["path"] == (
        "/symbol_search/v3/?text=S%26P&hl=1&exchange=&lang=en&search_type=index"
        "&domain=production&country=US&start=50"
    )


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, b"<html>", HandshakeRefused),
        (429, b"", RateLimited),
        (500, FOUND, ProviderFault),
        (302, b"", ProviderFault),
        (200, b"<html>captcha</html>", ProtocolViolation),
        (200, b" " * (5 << 20), ProtocolViolation),
    ],
)
def test_each_failure_has_its_error(
    status: int, body: bytes, error: type[PocketQuantError]
) -> None:
    """A refused, throttled, failed, invalid or endless answer has its own error."""
    site = Site()
    site.status, site.body = status, body
    with serving(site) as url, pytest.raises(error):
        SymbolSearch(url, SITE).find(APPLE)


def test_an_unreachable_and_a_slow_site() -> None:
    """An unreachable site and a slow one have their own errors."""
    with pytest.raises(ConnectionLost):
        SymbolSearch("http://127.0.0.1:1", SITE).find(APPLE)
    site = Site()
    site.may_answer.clear()
    with serving(site) as url, pytest.raises(ProviderTimeout):
        SymbolSearch(url, SITE, timeout_seconds=0.2).find(APPLE)


def test_a_page_is_cached(cache: redis.Redis) -> None:
    """A page is requested once; another page, and an unreadable cached one, are requested."""
    site = Site()
    with serving(site) as url:
        searching = Searching(SymbolSearch(url, SITE), SearchCache(cache))
        assert searching.find(APPLE) == searching.find(APPLE)
        assert 1 == len(site.requests)
        searching.find(SearchRequest("AAPL", start=50))
        for key in cache.keys("search:*"):
            assert 0 < cache.ttl(key) <= 600
            cache.set(key, b"of another version")
        searching.find(APPLE)
    assert 3 == len(site.requests)


def test_redis_is_only_a_cache() -> None:
    """Without Redis, every search is requested."""
    site = Site()
    nobody = open_redis("redis://127.0.0.1:1")
    with serving(site) as url:
        searching = Searching(SymbolSearch(url, SITE), SearchCache(nobody))
        assert ["X:A"] == names(searching.find(APPLE)) == names(searching.find(APPLE))
    assert 2 == len(site.requests)


def test_concurrent_searches_are_limited(cache: redis.Redis) -> None:
    """A search over the limit is refused at once; a free slot is used again."""
    site = Site()
    site.may_answer.clear()
    with serving(site) as url, ThreadPoolExecutor(1) as threads:
        slots = threading.BoundedSemaphore(1)
        searching = Searching(SymbolSearch(url, SITE), SearchCache(cache), slots)
        waiting = threads.submit(searching.find, APPLE)
        wait_until("the first is requested", lambda: site.requests, (), 60.0)
        with pytest.raises(TooManySearches):
            searching.find(SearchRequest("MSFT"))
        site.may_answer.set()
        assert ["X:A"] == names(waiting.result())
        assert ["X:A"] == names(searching.find(SearchRequest("MSFT")))
