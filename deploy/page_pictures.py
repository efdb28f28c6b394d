"""Takes the pictures of the page for README and docs, on a platform that it starts itself."""

import shutil
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from pocketquant.client import Client
from pocketquant.demo import machine
from pocketquant.servers.connections import wait_until

_DOCS = Path(__file__).parents[1] / "docs"
_LIVE = "BINANCE:BTCUSDT"
_STORED = ("NASDAQ:AAPL", "NASDAQ:MSFT", "NSE:RELIANCE", "OANDA:EURUSD", "TVC:RUT", _LIVE)
_INTERVALS = ("1m", "15m", "1h", "1d")
_MANY = [f"SIM:S{number:04d}" for number in range(1, 300)]
_SPEED = 1.0  # of the market's clock
_SIZE = {"width": 1280, "height": 760}


def main() -> None:
    with machine.running(_SPEED, None) as started, sync_playwright() as playwright:
        client = Client(started.api_url)
        client.bulk(_STORED, _INTERVALS, 2000, wait=True)
        client.quotes.subscribe([*_STORED, *_MANY[:4]])
        wait_until("quotes arrive", lambda: len(client.quotes.all()) > len(_STORED), (), 60)
        running = client.bulk([*_MANY, "NASDAQ:NOSUCH"], ["1d"], 500)["job_id"]
        program = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        url = started.api_url
        _take(browser, f"{url}/jobs/{running}", "page-job")
        wait_until("the job has ended", lambda: _has_ended(client, running), (), 120)
        _take(browser, f"{url}/", "page-overview")
        _take(browser, f"{url}/markets", "page-markets")
        _take(browser, f"{url}/chart/{_LIVE}?interval=15m", "page-chart")
        _take(browser, f"{url}/chart/NASDAQ:AAPL?interval=1h", "page-chart-dark", "dark")
        browser.close()


def _has_ended(client: Client, job: str) -> bool:
    return client.jobs.get(job)["finished_at"] is not None


def _take(browser: Browser, url: str, name: str, theme: str = "light") -> None:
    page: Page = browser.new_page(viewport=_SIZE, color_scheme=theme)
    page.goto(url)
    page.wait_for_selector("h1")
    page.wait_for_timeout(2000)  # for what comes after the first answer
    page.screenshot(path=_DOCS / f"{name}.png")
    page.close()


if __name__ == "__main__":
    main()
