"""The browser's page, used by a person in Chromium against the whole platform."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from pocketquant.servers.connections import wait_until

BTC, AAPL = "BINANCE:BTCUSDT", "NASDAQ:AAPL"
PLANTED = '<img src="x" onerror="document.title=\'planted\'">'
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
# What lightweight-charts itself says that it draws, in the form of the API's columns.
DRAWN = """() => {
  const {candles, volume} = window.pocketquantChart.drawing;
  const volumes = new Map(volume.data().map((bar) => [bar.time, bar.value]));
  return candles.data().map((bar) =>
    [bar.time, bar.open, bar.high, bar.low, bar.close, volumes.get(bar.time)]);
}"""

Json = dict[str, Any]
Opens = Callable[..., Page]


@dataclass(frozen=True, slots=True)
class Visit:
    """A page, and what the browser has complained about meanwhile."""

    page: Page
    complaints: list[str]


@pytest.fixture(scope="module")
def market(start_platform: Callable[..., Any]) -> Iterator[Any]:
    """A platform with streamers, some stored series, and one live symbol."""
    with start_platform(without=frozenset({"flower", "interactive"})) as platform:
        for symbol, interval, count in ((BTC, "1m", 2500), (AAPL, "1h", 1500), (AAPL, "1d", 300)):
            assert 200 == platform.sync(symbol, interval, count).status
        exchange, ticker = BTC.split(":")
        wanted = {"symbols": [{"exchange": exchange, "symbol": ticker}]}
        assert 200 == platform.post("/api/v1/quotes/subscribe", wanted).status
        platform.mongo["symbols"].update_one(
            {"_id": AAPL}, {"$set": {"description": f"Apple {PLANTED}"}}
        )
        yield platform


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    program = shutil.which("chromium")
    if not program and "CI" not in os.environ:
        pytest.skip("chromium is not installed")
    assert program, "chromium is not installed"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, market: Any) -> Iterator[Callable[..., Page]]:
    """Opens a path as a new person; afterwards the browser must have complained about nothing."""
    with visiting(chromium, market.url) as found:

        def go(path: str) -> Page:
            found.page.goto(path)
            return found.page

        yield go
        assert [] == found.complaints


@pytest.fixture(scope="module", autouse=True)
def live(chromium: Browser, market: Any) -> Iterator[Visit]:
    """A chart of minutes that is open from the start, so that a minute ends meanwhile."""
    with visiting(chromium, market.url) as found:
        found.page.goto(f"/chart/{BTC}?interval=1m")
        yield found


@contextmanager
def visiting(chromium: Browser, url: str, **options: Any) -> Iterator[Visit]:
    with chromium.new_context(
        base_url=url, viewport={"width": 1440, "height": 900}, **options
    ) as context:
        page, complaints = context.new_page(), list[str]()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.extend(complaint(said)))
        yield Visit(page, complaints)


def complaint(said: ConsoleMessage) -> list[str]:
    """Return the text of an error, unless it only repeats an answer of the API."""
    is_answer = "/api/v1/" in said.location["url"] and said.text.startswith("Failed to load")
    return [said.text] if said.type == "error" and not is_answer else []


def bars(platform: Any, symbol: str, interval: str, limit: int) -> list[list[float]]:
    """Return the newest closed bars of the API, the oldest first, in epoch seconds."""
    exchange, ticker = symbol.split(":")
    path = f"/api/v1/market-data/ohlcv/{exchange}/{ticker}"
    answer = platform.get(path, interval=interval, limit=limit)
    assert 200 == answer.status
    return [
        [
            epoch(bar["datetime"]),
            *(bar[name] for name in ("open", "high", "low", "close", "volume")),
        ]
        for bar in reversed(answer.body["data"])
    ]


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def until(page: Page, condition: str, argument: object = None) -> None:
    """Wait until a function of JavaScript holds; Playwright's own wait needs eval in the page."""
    wait_until(condition, lambda: page.evaluate(condition, argument), (), 75.0)


def drawn(page: Page) -> list[list[float]]:
    """Return the bars that the chart draws, the forming one too."""
    until(page, "() => window.pocketquantChart?.bars.value.length > 0")
    found: list[list[float]] = page.evaluate(DRAWN)
    return found


def test_the_chart_draws_the_bars_of_the_api(visit: Opens, market: Any) -> None:
    """Every closed bar has the values of the API; so has each older one that scrolling loads."""
    expected = bars(market, AAPL, "1h", 1500)
    page = visit(f"/chart/{AAPL}?interval=1h")
    assert expected[-1000:] == drawn(page)
    page.evaluate("window.pocketquantChart.drawing.chart.timeScale().scrollToPosition(-950, false)")
    until(page, "() => window.pocketquantChart.bars.value.length === 1500")
    assert expected == drawn(page)


def test_the_legend_has_all_values_and_both_times(visit: Opens, market: Any) -> None:
    """It describes the newest bar; a description of the provider is text, whatever it holds."""
    (newest,) = bars(market, AAPL, "1h", 1)
    opened = datetime.fromtimestamp(newest[0], UTC)
    page = visit(f"/chart/{AAPL}?interval=1h")
    legend = page.locator(".legend")
    expect(legend).to_contain_text(f"Apple {PLANTED}")
    for value in newest[1:5]:
        expect(legend).to_contain_text(f"{value:,.2f}")
    expect(legend).to_contain_text(f"{opened:%Y-%m-%d %H:%M} UTC")
    expect(legend).to_contain_text("New York")
    assert 0 == page.locator(".legend img").count()
    assert "planted" != page.title()


def test_a_trader_works_with_keys_alone(visit: Opens, market: Any) -> None:
    """`/` finds a symbol, digits and a letter choose the interval; the address holds both."""
    page = visit(f"/chart/{BTC}?interval=1m")
    drawn(page)
    page.keyboard.press("/")
    page.get_by_role("combobox").fill("aapl")
    expect(page.get_by_role("option").first).to_contain_text(AAPL)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{market.url}/chart/{AAPL}?interval=1m")
    page.keyboard.type("1d")
    expect(page).to_have_url(f"{market.url}/chart/{AAPL}?interval=1d")
    assert bars(market, AAPL, "1d", 300) == drawn(page)
    page.keyboard.type("2d")
    expect(page).to_have_url(f"{market.url}/chart/{AAPL}?interval=2d")
    assert bars(market, AAPL, "2d", 300) == drawn(page)
    page.go_back()
    expect(page.get_by_role("button", name="1d", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )


def test_a_shared_address_shows_the_same_part_of_the_chart(visit: Opens, market: Any) -> None:
    """A range older than the newest page is loaded; scale and zone are those of the address."""
    old = bars(market, AAPL, "1h", 1500)
    first, last = old[100][0], old[200][0]
    query = f"interval=1h&scale=log&tz=exchange&from={first}&to={last}"
    page = visit(f"/chart/{AAPL}?{query}")
    drawn(page)
    until(page, "(wanted) => window.pocketquantChart.drawing.visible()?.from === wanted", first)
    for name in ("Log", "New York"):
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")


def test_a_series_that_is_not_stored_is_fetched_from_its_chart(visit: Opens, market: Any) -> None:
    """The chart says what is missing, names stored symbols like it, and fetches on request."""
    page = visit("/chart/NASDAQ:AAPX?interval=45m")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("NASDAQ:AAPX has no bars of 45m")
    alert.get_by_role("link", name=AAPL).click()
    expect(alert).to_contain_text("NASDAQ:AAPL has no bars of 45m")
    alert.get_by_role("button", name="Fetch them").click()
    expect(alert).to_have_count(0)
    assert bars(market, AAPL, "45m", 1000) == drawn(page)[-1000:]


def test_an_interval_that_cannot_be_made_is_explained(visit: Opens) -> None:
    """The chart links to intervals that can be."""
    page = visit(f"/chart/{AAPL}?interval=7q")
    expect(page.get_by_role("alert")).to_contain_text("7q is no interval")
    page.get_by_role("alert").get_by_role("link", name="1h").click()
    assert drawn(page)


def test_the_forming_bar_follows_the_market_and_closes(live: Visit, market: Any) -> None:
    """After a minute's end the closed bars equal the API's, without a reload."""
    page = live.page
    expect(page.locator(".state.is-live")).to_be_visible()
    opened_at = page.evaluate("performance.timeOrigin / 1000")
    until(
        page, "(then) => window.pocketquantChart.pages.closed.at(-1).time >= then - 60", opened_at
    )
    last = page.evaluate("window.pocketquantChart.pages.closed.at(-1).time")

    def is_equal() -> bool:
        closed = {bar[0]: bar for bar in drawn(page)}
        return all(
            bar == closed.get(bar[0]) for bar in bars(market, BTC, "1m", 10) if bar[0] <= last
        )

    wait_until("the chart draws the closed bars of the API", is_equal, (), 20.0)
    assert [] == live.complaints
