"""The browser's page in Chromium, beside the limits that a person notices.

First candles: from the request to 1000 bars drawn, median. Scrolling: frames a second while 20,000
bars move; the browser draws on the processor here. The size is that of all scripts, compressed.
Then long lists, many quotes, and views at rest.
"""

import shutil
import tempfile
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, sync_playwright

from tests.benchmarks import page_lists, page_quotes, page_rest
from tests.benchmarks.frames import frames_a_second
from tests.benchmarks.report import Row
from tests.benchmarks.rest_servers import running
from tests.benchmarks.size import sized
from web.page.files import page_files

ROUNDS = sized(5, 1)
BARS = sized(20_000, 6_000)  # its servers compare answers of 5000
MILLISECONDS = sized(2000, 200)  # of scrolling
MOST_FIRST_MS, LEAST_FRAMES, MOST_KILOBYTES = 500.0, 50.0, 200.0

_FLAGS = ["--no-sandbox", "--disable-gpu"]
_PATH = "/chart/NASDAQ:AAPL?interval=1m"
_DRAWN = """() => new Promise((resolve) => {
  const look = () => window.pocketquantChart?.bars.value.length
    ? requestAnimationFrame(() => resolve(performance.now())) : setTimeout(look, 1);
  look();
})"""
_LOAD = """async (count) => {
  const chart = window.pocketquantChart;
  const scale = chart.drawing.chart.timeScale();
  while (chart.bars.value.length < count && chart.pages.hasOlder) {
    scale.scrollToPosition(-chart.bars.value.length, false);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return chart.bars.value.length;
}"""
_SCROLL = """(frame) =>
  window.pocketquantChart.drawing.chart.timeScale().scrollToPosition(-20 * frame, false)"""


def run() -> list[Row]:
    """Measure a page that has been open before, in a browser that is new."""
    with (
        tempfile.TemporaryDirectory() as name,
        running(Path(name), BARS, API_THREADS="256") as servers,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
        page = browser.new_page(
            viewport={"width": 1440, "height": 900}, extra_http_headers={"X-API-Key": servers.key}
        )
        url = f"{servers.api_url}{_PATH}"
        _first_candles(page, url)  # fills the caches, as a first visit does
        first = median(_first_candles(page, url) for _ in range(ROUNDS))
        loaded = page.evaluate(_LOAD, BARS)
        if loaded < BARS:
            raise SystemExit(f"the chart has {loaded} bars of {BARS}")
        frames = frames_a_second(page, _SCROLL, MILLISECONDS)
        page.close()
        lists = page_lists.measure(browser, servers)
        quotes = page_quotes.measure(browser, servers)
        rest = page_rest.measure(browser, servers)
        browser.close()
    scripts = [one for path, one in page_files().others.items() if path.endswith(".js")]
    kilobytes = sum(len(one.gzipped) for one in scripts) / 1000
    return [
        Row("first candles of 1000 bars", first, MOST_FIRST_MS, "ms", "≤ 1"),
        Row(f"scrolling {BARS:,} bars", frames, LEAST_FRAMES, "frames/s", "≥ 1"),
        Row("all scripts, compressed", kilobytes, MOST_KILOBYTES, "kB", "≤ 1"),
        *lists,
        *quotes,
        *rest,
    ]


def _first_candles(page: Page, url: str) -> float:
    page.goto("about:blank")
    page.goto(url, wait_until="commit")
    milliseconds: float = page.evaluate(_DRAWN)
    return milliseconds
