"""Views of 10,000 symbols, 1000 jobs and 5000 failed syncs, beside those of ten.

Then the list of markets: all that comes with it, and how it scrolls.
"""

import time
from statistics import median

import pymongo
from playwright.sync_api import Browser, Page, Request

from pocketquant.storage.units import Document
from tests import amounts
from tests.benchmarks.frames import frames_a_second
from tests.benchmarks.report import Row
from tests.benchmarks.rest_servers import Servers
from tests.benchmarks.size import sized

FEW = (10, 10, 10)
MANY = sized((10_000, 1000, 5000), (600, 20, 20))
ROUNDS = sized(3, 1)
MILLISECONDS = sized(2000, 200)  # of scrolling
LEAST_FRAMES, MOST_KILOBYTES = 50.0, 1000.0

_ROWS = {
    "/markets": ".list-body .list-row",
    "/jobs": "tbody tr",
    "/jobs/job-0": "tbody tr",
    "/": ".panels tr",
}
_DRAWN = """(selector) => new Promise((resolve) => {
  const look = () => document.querySelector(selector)
    ? requestAnimationFrame(() => resolve(performance.now())) : setTimeout(look, 1);
  look();
})"""
_WHOLE = """() => new Promise((resolve) => {
  const look = () => document.querySelector(".list")
    && !document.querySelector(".view-head [role=status]").textContent.includes("…")
    ? resolve(performance.now()) : setTimeout(look, 10);
  look();
})"""
_SCROLL = """(frame) => {
  const list = document.querySelector(".list");
  list.scrollTop = (97 * frame) % list.scrollHeight;
}"""


def measure(browser: Browser, servers: Servers) -> list[Row]:
    """Fill the database twice, and look at each view."""
    page = browser.new_page(
        viewport={"width": 1440, "height": 900}, extra_http_headers={"X-API-Key": servers.key}
    )
    with pymongo.MongoClient[Document](servers.mongodb_url, tz_aware=True) as client:
        mongo, first = client["pocketquant"], {}
        for count in (FEW, MANY):
            amounts.fill(mongo, *count, int(time.time()))
            first[count] = {path: _first_rows(page, servers, path) for path in _ROWS}
            if count is FEW:
                amounts.remove(mongo)
        rows = [
            Row(f"{path}, many beside ten", first[MANY][path], first[FEW][path], "ms")
            for path in _ROWS
        ]
        rows += _markets(page, servers)
        amounts.remove(mongo)
    page.close()
    return rows


def _first_rows(page: Page, servers: Servers, path: str) -> float:
    def visit() -> float:
        page.goto("about:blank")
        page.goto(f"{servers.api_url}{path}", wait_until="commit")
        milliseconds: float = page.evaluate(_DRAWN, _ROWS[path])
        return milliseconds

    visit()  # fills the caches
    return median(visit() for _ in range(ROUNDS))


def _markets(page: Page, servers: Servers) -> list[Row]:
    sizes: list[int] = []

    def note(done: Request) -> None:
        if "/api/v1/" in done.url:
            sizes.append(done.sizes()["responseBodySize"])

    page.goto("about:blank")
    page.on("requestfinished", note)
    page.goto(f"{servers.api_url}/markets")
    whole = page.evaluate(_WHOLE)
    page.remove_listener("requestfinished", note)
    frames = frames_a_second(page, _SCROLL, MILLISECONDS)
    name = f"/markets with {MANY[0]:,} symbols"
    return [
        Row(f"{name}, until the last one is known", whole, 10_000, "ms"),
        Row(f"{name}, all that is transferred", sum(sizes) / 1000, MOST_KILOBYTES, "kB", "≤ 1"),
        Row(f"{name}, scrolling", frames, LEAST_FRAMES, "frames/s", "≥ 1"),
    ]
