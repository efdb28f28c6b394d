"""The requests of each view while nothing goes on, and their cost for web."""

import time
from collections import Counter
from contextlib import ExitStack
from functools import partial

import psutil
from playwright.sync_api import Browser, Request

from tests.benchmarks.report import Row
from tests.benchmarks.rest_servers import Servers
from tests.benchmarks.size import sized

SECONDS = sized(60.0, 2.0)
_SETTLED_SECONDS = sized(10.0, 0.5)  # until each has read what changed as it opened
_VIEWS = ("/", "/markets", "/chart/NASDAQ:AAPL?interval=1m", "/watch", "/jobs", "/schedules")
_MOST_REQUESTS, _MOST_PERCENT = 60.0, 1.0


def measure(browser: Browser, servers: Servers) -> list[Row]:
    """Open every view, each in a browser of its own kind, and wait a minute."""
    requests: Counter[str] = Counter()

    def note(view: str, _: Request) -> None:
        requests[view] += 1

    with ExitStack() as stack:
        pages = {}
        for view in _VIEWS:
            context = browser.new_context(extra_http_headers={"X-API-Key": servers.key})
            pages[view] = stack.enter_context(context).new_page()
            pages[view].goto(f"{servers.api_url}{view}")
            pages[view].on("request", partial(note, view))
        wait = pages["/"].wait_for_timeout  # while which requests are noted
        wait(1000 * _SETTLED_SECONDS)
        requests.clear()
        began, before = time.monotonic(), _seconds(servers.web)
        wait(1000 * SECONDS)
        passed = time.monotonic() - began
        used = 100 * (_seconds(servers.web) - before) / passed
    each = [
        Row(f"{view} at rest", 60 * requests[view] / passed, _MOST_REQUESTS, "requests/min")
        for view in _VIEWS
    ]
    return [*each, Row("all of them, in web", used, _MOST_PERCENT, "% of a core")]


def _seconds(server: psutil.Process) -> float:
    """Return the processor time of web's processes."""
    times = [each.cpu_times() for each in (server, *server.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))
