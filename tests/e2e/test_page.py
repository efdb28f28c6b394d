"""The browser's page, used by a person in Chromium against the whole platform."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect
from prometheus_client.parser import text_string_to_metric_families

from pocketquant.domain.events import Dividend
from pocketquant.domain.reports import Report
from pocketquant.domain.symbols import Symbol
from pocketquant.machine.embedded import reserve_port
from pocketquant.servers.connections import wait_until
from pocketquant.storage.access import KeyText, Scope
from pocketquant.storage.api_keys import ApiKeys
from pocketquant.storage.reports import ReportStore
from tests import amounts
from tests.e2e.browsing import Visit, browsing, drawn, take_picture, until, violations, visiting
from tests.e2e.proxying import Proxy, caddy, nginx
from tests.e2e.suspending import suspended

BTC, ETH, AAPL = "BINANCE:BTCUSDT", "BINANCE:ETHUSDT", "NASDAQ:AAPL"
LEFT = "window.pocketquantChart.drawing.chart.priceScale('left')"  # it throws until it is drawn
FUTURE, CHICAGO = "CME_MINI:ES1!", ZoneInfo("America/Chicago")
# What a person may press or tick in a view, and the link to the keys.
CONTROLS = """() => [...document.querySelectorAll("nav a[href='/keys'], main button, main input")]
  .map((each) => each.getAttribute("aria-label") ?? each.innerText.trim())"""
# The key that the browser keeps for the tab, and the one for all.
KEPT = "[sessionStorage, localStorage].map((kept) => kept.getItem('pocketquant.key'))"
COUNT = "pocketquant_http_request_duration_seconds_count"
PLANTED = '<img src="x" onerror="document.title=\'planted\'">'

# Kinds of marks on the time axis.
MONTH, CLOCK = 1, 3
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MARKS = """() => new Promise((resolve) => {
  const marks = [], {chart} = window.pocketquantChart.drawing;
  const {tickMarkFormatter} = chart.options().timeScale;
  chart.applyOptions({timeScale: {tickMarkFormatter: (time, mark) => {
    marks.push([time, mark, tickMarkFormatter(time, mark)]);
    return marks.at(-1)[2];
  }}});
  requestAnimationFrame(() => requestAnimationFrame(() => {
    chart.applyOptions({timeScale: {tickMarkFormatter}});
    resolve(marks);
  }));
})"""
LINE = """() => window.pocketquantChart.drawing.compared.data()
  .map((point) => [point.time, point.value])"""

Opens = Callable[..., Page]


@pytest.fixture(scope="module")
def market(start_platform: Callable[..., Any]) -> Iterator[Any]:
    """A platform with streamers, some stored series, and one live symbol."""
    # Streams of closed pages hold their threads until the server writes to them again.
    without = frozenset({"flower", "interactive"})
    with start_platform(without=without, api_threads=512) as platform:
        for symbol, interval, count in (
            (BTC, "1m", 2500),
            (ETH, "1m", 2500),
            (AAPL, "1h", 1500),
            (AAPL, "1d", 300),
        ):
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
    with browsing() as browser:
        yield browser


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


def bars(platform: Any, symbol: str, interval: str, limit: int) -> list[list[float]]:
    """Return the newest closed bars of the API, the oldest first, in epoch seconds."""
    exchange, ticker = symbol.split(":")
    path = f"/api/v1/market-data/ohlcv/{exchange}/{ticker}"
    answer = platform.get(path, interval=interval, limit=limit)
    assert 200 == answer.status
    return [values(bar) for bar in reversed(answer.body["data"])]


def values(bar: Any) -> list[float]:
    prices = (bar[name] for name in ("open", "high", "low", "close", "volume"))
    return [epoch(bar.get("datetime") or bar["bar_start"]), *prices]


def drawn_like(page: Page, closed: list[list[float]]) -> list[list[float]]:
    """Return as many drawn bars as these, without the one that forms while the market is open."""
    last = closed[-1][0]
    return [bar for bar in drawn(page) if bar[0] <= last][-len(closed) :]


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/markets",
        "/watch",
        "/schedules",
        "/quality",
        "/keys?show=all",
        f"/chart/{AAPL}?interval=1h",
        f"/chart/{BTC}?interval=1m&compare={ETH}",
        f"/chart/{BTC}?interval=1m&compare=NASDAQ:NOSUCH",
        "/jobs",
        "/jobs/",  # of a job that fails
        "/chart/NASDAQ:NOSUCH",
    ],
)
def test_no_view_has_serious_faults_of_accessibility(visit: Opens, market: Any, path: str) -> None:
    """axe-core looks at each view, in light and dark."""
    if path == "/jobs/":
        path += market.sync_in_background("SIM:NOSUCH")
    page = visit(path)
    expect(page.locator("h1, h2").first).to_be_visible()
    expect(page.locator(".starting")).to_have_count(0)
    assert [] == violations(page)
    take_picture(page)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert [] == violations(page)


def test_the_chart_draws_the_bars_of_the_api(visit: Opens, market: Any) -> None:
    """Every closed bar has the values of the API; so has each older one that scrolling loads."""
    expected = bars(market, AAPL, "1h", 1500)
    page = visit(f"/chart/{AAPL}?interval=1h")
    assert expected[-1000:] == drawn_like(page, expected[-1000:])
    page.evaluate("window.pocketquantChart.drawing.chart.timeScale().scrollToPosition(-950, false)")
    until(page, "() => window.pocketquantChart.bars.value.length >= 1500")
    assert expected == drawn_like(page, expected)


def test_the_legend_has_all_values_and_both_times(visit: Opens, market: Any) -> None:
    """It describes the newest bar; a description of the provider is text, whatever it holds."""
    answer = market.get("/api/v1/market-data/ohlcv/NASDAQ/AAPL", interval="1h", limit=1).body
    newest = values(answer["forming"] or answer["data"][0])
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
    until(page, "(symbol) => window.pocketquantChart?.symbol === symbol", AAPL)
    page.keyboard.type("1d")
    expect(page).to_have_url(f"{market.url}/chart/{AAPL}?interval=1d")
    expected = bars(market, AAPL, "1d", 300)
    assert expected == drawn_like(page, expected)
    page.keyboard.type("2d")
    expect(page).to_have_url(f"{market.url}/chart/{AAPL}?interval=2d")
    expected = bars(market, AAPL, "2d", 300)
    assert expected == drawn_like(page, expected)
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
    expected = bars(market, AAPL, "45m", 1000)
    assert expected == drawn_like(page, expected)


def test_a_variant_is_chosen_fetched_and_drawn(visit: Opens, market: Any) -> None:
    """It is a chart of its own with an address of its own, and says in words what it is."""
    page = visit(f"/chart/{AAPL}?interval=1h")
    drawn(page)
    page.get_by_role("button", name="Variant").click()
    page.get_by_label("Hours").select_option("extended")
    page.get_by_label("Currency").fill("eur")
    take_picture(page)
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("session%3Dextended%3Bcurrency%3DEUR"))
    page.get_by_role("button", name="Fetch them").click()
    expect(page.locator(".legend-title")).to_contain_text("extended hours, in EUR")
    symbol = f"{AAPL};session=extended;currency=EUR"
    expected = bars(market, symbol, "1h", 1000)
    assert expected == drawn_like(page, expected)
    assert expected != bars(market, AAPL, "1h", 1000)
    take_picture(page)
    expect(page.get_by_role("button", name="Watch")).to_have_count(0)


@pytest.mark.parametrize(
    ("path", "symbol"),
    [("NSE:M%26M", "NSE:M&M"), ("nyse:brk/b", "NYSE:BRK/B"), ("%E0%A4", "%E0%A4")],
)
def test_an_address_may_hold_any_symbol(visit: Opens, path: str, symbol: str) -> None:
    """Tickers have signs that mean something in addresses; nonsense is explained."""
    page = visit(f"/chart/{path}?interval=1d")
    expect(page.get_by_role("heading", level=2)).to_be_visible()
    expect(page.get_by_role("toolbar")).to_be_visible()
    assert f"{symbol} 1d · PocketQuant" == page.title()


def test_a_second_symbol_is_compared(visit: Opens, market: Any) -> None:
    """Chosen by keyboard, it is drawn as the API has it, older and live bars too; × removes it."""
    page = visit(f"/chart/{BTC}?interval=1m")
    drawn(page)
    page.keyboard.press("+")
    page.get_by_role("combobox").fill("ethusdt")
    expect(page.get_by_role("option").first).to_contain_text(ETH)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{market.url}/chart/{BTC}?interval=1m&compare={ETH}")
    row = page.locator(".legend-compared")
    expect(row).to_contain_text("in view")
    expect(page.get_by_role("button", name="%")).to_have_attribute("aria-pressed", "true")
    page.evaluate("window.pocketquantChart.drawing.chart.timeScale().scrollToPosition(-950, false)")
    until(page, "() => window.pocketquantChart.bars.value.length >= 2000")
    closes = {bar[0]: bar[4] for bar in bars(market, ETH, "1m", 2500)}
    first, last = (compute(closes) for compute in (min, max))

    def is_equal() -> bool:
        line = [point for point in page.evaluate(LINE) if first <= point[0] <= last]
        times = [bar[0] for bar in drawn(page) if first <= bar[0] <= last]
        return [[time, closes[time]] for time in times if time in closes] == line

    wait_until("older bars of it are drawn", is_equal, (), 30)
    wanted = {"symbols": [dict(zip(("exchange", "symbol"), ETH.split(":"), strict=True))]}
    market.post("/api/v1/quotes/subscribe", wanted)
    seen = page.evaluate("window.pocketquantChart.compared.value.bars.value.at(-1).close")
    until(
        page,
        "(seen) => window.pocketquantChart.compared.value.bars.value.at(-1).close !== seen",
        seen,
    )
    market.post("/api/v1/quotes/unsubscribe", wanted)
    page.get_by_role("button", name="Log").click()
    until(page, f"() => {{ try {{ return {LEFT}.width() > 0 }} catch {{ return false }} }}")
    row.get_by_role("button", name=f"Stop comparing with {ETH}").click()
    expect(row).to_have_count(0)
    expect(page).not_to_have_url(re.compile("compare"))


def test_a_wrong_symbol_to_compare_leaves_the_chart_as_it_is(visit: Opens, market: Any) -> None:
    """A wrong symbol is explained; bars that were never fetched are fetched on request."""
    page = visit(f"/chart/{AAPL}?interval=1d&compare=ethereum")
    row = page.locator(".legend-compared")
    expect(row).to_contain_text("ETHEREUM is no symbol: write EXCHANGE:TICKER.")
    expected = bars(market, AAPL, "1d", 300)
    assert expected == drawn_like(page, expected)
    page.goto(f"/chart/{AAPL}?interval=1d&compare=nasdaq:msft")
    expect(row).to_contain_text("has no bars of 1d here")
    row.get_by_role("button", name="Fetch them").click()
    expect(row).to_contain_text("in view")


def test_holes_are_seen(visit: Opens, market: Any) -> None:
    """Where the market was open and no bar is stored there is a mark, and the legend tells when."""
    market.sync("NASDAQ:TSLA", "1w", 5)  # its hours
    path = f"/api/v1/market-data/ohlcv/{AAPL.replace(':', '/')}"
    given = market.get(path, interval="1h", limit=100).body["data"][::-1]
    left_out = given[50:53]
    market.post(
        "/api/v1/market-data/ohlcv/NASDAQ/TSLA",
        {"interval": "1h", "bars": [*given[:50], *given[53:]]},
    )
    page = visit("/chart/NASDAQ:TSLA?interval=1h")
    drawn(page)
    until(page, "() => window.pocketquantChart.holes.value.length > 0")
    opens = [epoch(bar["datetime"]) for bar in left_out]
    (hole,) = page.evaluate("window.pocketquantChart.holes.value")
    assert [49, opens[0], opens[-1], 3] == [hole[n] for n in ("after", "first", "last", "count")]
    for index in (49, 50):
        point_at(page, index)
        expect(page.locator(".legend")).to_contain_text(
            re.compile(
                rf"no bars from {left_out[0]['datetime'][:10]} .* UTC \(3\), not fetched yet"
            )
        )
    point_at(page, 51)
    expect(page.locator(".legend")).not_to_contain_text("no bars")


def test_bars_that_changed_are_seen(visit: Opens, market: Any) -> None:
    """A line marks the bar that changed, and the legend tells what changed, and when."""
    path = f"/api/v1/market-data/ohlcv/{AAPL.replace(':', '/')}"
    bars = market.get(path, interval="1h", limit=60).body["data"][::-1]
    for bar in (bars[50], bars[50] | {"volume": bars[50]["volume"] + 7}):
        body = {"interval": "1h", "bars": [*bars[:50], bar, *bars[51:]]}
        market.post("/api/v1/market-data/ohlcv/MINE/CHANGED", body)
    page = visit("/chart/MINE:CHANGED?interval=1h")
    drawn(page)
    until(page, "() => window.pocketquantChart.changed.value.length > 0")
    marked = page.evaluate("window.pocketquantChart.drawing.changes.times")
    assert [epoch(bars[50]["datetime"])] == marked
    point_at(page, 50)
    expect(page.locator(".legend")).to_contain_text(re.compile(r"changed: volume .* at .* UTC"))
    point_at(page, 49)
    expect(page.locator(".legend")).not_to_contain_text("changed")


def test_dividends_are_seen(visit: Opens, market: Any) -> None:
    """A line marks the bar of an ex-date, and the legend tells of what; one to come has no bar."""
    opens = [datetime.fromtimestamp(bar[0], UTC) for bar in bars(market, AAPL, "1d", 40)]
    paid, ahead = opens[20].date(), opens[-1].date() + timedelta(days=80)
    report = Report((Dividend(paid, 0.26), Dividend(ahead)))
    ReportStore(market.mongo).note(Symbol.parse(AAPL), report, int(time.time()))
    for interval in ("1h", "1d"):
        page = visit(f"/chart/{AAPL}?interval={interval}")
        drawn(page)
        until(page, "() => window.pocketquantChart.events.value.length > 0")
        (marked,) = page.evaluate("window.pocketquantChart.drawing.events.times")
        assert opens[20].timestamp() == marked
    shown = page.evaluate("window.pocketquantChart.bars.value.map(({time}) => time)")
    point_at(page, shown.index(marked))
    expect(page.locator(".legend")).to_contain_text("dividend 0.26")


def point_at(page: Page, index: int) -> None:
    """Move the mouse to a bar of the chart."""
    box = page.locator(".chart").bounding_box()
    x = page.evaluate(
        "(index) => window.pocketquantChart.drawing.chart.timeScale().logicalToCoordinate(index)",
        index,
    )
    assert box
    page.mouse.move(box["x"] + x, box["y"] + box["height"] / 2)


def test_the_axis_is_divided_by_trading_days(visit: Opens, market: Any) -> None:
    """A month is named at its first trading day, which opens on the evening before it."""
    market.sync(FUTURE, "1d", 300)
    page = visit(f"/chart/{FUTURE}?interval=1d")
    drawn(page)
    days = [bar["tradingDay"] for bar in page.evaluate("window.pocketquantChart.bars.value")]
    begins = {day for before, day in pairwise(days) if before[:7] != day[:7]}
    times = [bar[0] for bar in drawn(page)]
    found = marks(page)
    assert found
    for moment, mark, text in found:
        day = days[times.index(moment)]
        assert (mark <= MONTH) == (day in begins)
        assert text in {MONTHS[int(day[5:7]) - 1], day[:4]} or text == str(int(day[8:]))


def test_times_are_right_around_a_clock_change(chromium: Browser, market: Any) -> None:
    """They are the exchange's, named, in a browser of another zone; dates begin at its midnight."""
    market.sync(FUTURE, "1h", 5000)
    opens = [datetime.fromtimestamp(bar[0], CHICAGO) for bar in bars(market, FUTURE, "1h", 5000)]
    changed = max(at for at in range(1, 4900) if is_clock_changed(opens[at - 1], opens[at]))
    first, last = (int(opens[at].timestamp()) for at in (changed - 60, changed + 60))
    with visiting(chromium, market.url, timezone_id="Asia/Kolkata", locale="de-DE") as found:
        page = found.page
        page.goto(f"/chart/{FUTURE}?interval=1h&tz=exchange&from={first}&to={last}")
        drawn(page)
        until(page, "(wanted) => window.pocketquantChart.drawing.visible()?.from === wanted", first)
        expect(page.get_by_role("button", name="Chicago")).to_be_visible()
        for opened in opens[changed - 1 : changed + 1]:
            point_at(page, indexes(page)[int(opened.timestamp())])
            legend = page.locator(".legend")
            expect(legend).to_contain_text(f"{opened.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
            expect(legend).to_contain_text(f"{opened:%H:%M} Chicago")
            trading_day = (opened + timedelta(hours=7)).date()  # from 17:00 on it is the next one
            expect(legend).to_contain_text(f"Trading day {trading_day}")
        begins = {now for before, now in pairwise(opens) if before.date() != now.date()}
        seen = marks(page)
        assert seen
        for moment, mark, text in seen:
            opened = datetime.fromtimestamp(moment, CHICAGO)
            assert (mark < CLOCK) == (opened in begins)
            assert text in {f"{opened:%H:%M}", f"{opened.day}", MONTHS[opened.month - 1]}
        assert [] == found.complaints


def is_clock_changed(before: datetime, after: datetime) -> bool:
    return before.utcoffset() != after.utcoffset()


def indexes(page: Page) -> dict[float, int]:
    """Return the place of each drawn bar by its open time."""
    return {bar[0]: index for index, bar in enumerate(drawn(page))}


def marks(page: Page) -> list[tuple[int, int, str]]:
    """Return time, kind and text of the marks that are drawn on the time axis."""
    found: list[tuple[int, int, str]] = page.evaluate(MARKS)
    return found


def test_an_interval_that_cannot_be_made_is_explained(visit: Opens) -> None:
    """The chart links to intervals that can be."""
    page = visit(f"/chart/{AAPL}?interval=7q")
    expect(page.get_by_role("alert")).to_contain_text("7q is no interval")
    page.get_by_role("alert").get_by_role("link", name="1h").click()
    assert drawn(page)


def test_what_is_in_view_is_saved(visit: Opens, market: Any) -> None:
    """CSV has the bars as the API's own export has them; PNG is a picture."""
    path = f"/api/v1/market-data/ohlcv/{AAPL.replace(':', '/')}"
    old = bars(market, AAPL, "1d", 300)
    first, last = old[50][0], old[90][0]
    page = visit(f"/chart/{AAPL}?interval=1d&from={first}&to={last}")
    drawn(page)
    until(page, "(wanted) => window.pocketquantChart.drawing.visible()?.from === wanted", first)
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    query = {"interval": "1d", "order": "asc", "format": "csv"}
    exported = requests.get(f"{market.url}{path}", params=query, timeout=30).text.splitlines()
    assert [exported[0], *exported[51:92]] == saved.value.path().read_text().splitlines()
    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG").click()
    assert "NASDAQ_AAPL_1d.png" == saved.value.suggested_filename
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")


def test_a_chart_takes_over_what_has_changed(chromium: Browser, market: Any) -> None:
    """After an hour of sleep it has missed bars and a repaired old one; the view stays."""
    market.sync("NASDAQ:TSLA", "1w", 5)  # its hours
    path = "/api/v1/market-data/ohlcv/NASDAQ/"
    given = market.get(f"{path}AAPL", interval="2h", limit=300).body["data"][::-1]
    market.post(f"{path}TSLA", {"interval": "2h", "bars": given[:150]})
    with visiting(chromium, market.url) as found:
        page = found.page
        page.clock.install()
        page.goto("/chart/NASDAQ:TSLA?interval=2h")
        assert [values(bar) for bar in given[:150]] == drawn(page)
        page.evaluate(
            "window.pocketquantChart.drawing.chart.timeScale()"
            ".setVisibleLogicalRange({from: 10, to: 60})"
        )
        repaired = {**given[20], "high": given[20]["high"] + 1}
        market.post(f"{path}TSLA", {"interval": "2h", "bars": [repaired, *given[150:]]})
        page.clock.fast_forward("01:00:00")
        expected = [values(bar) for bar in [*given[:20], repaired, *given[21:]]]
        until(page, "(count) => window.pocketquantChart.bars.value.length >= count", len(expected))
        assert expected == drawn(page)
        assert [given[10], given[60]] == [
            given[indexes(page)[page.evaluate(f"window.pocketquantChart.drawing.visible().{end}")]]
            for end in ("from", "to")
        ]
        assert [] == found.complaints


def test_a_chart_says_that_it_is_offline_and_comes_back(visit: Opens, market: Any) -> None:
    """A chart that could not even begin is drawn once there is a network again."""
    page = visit(f"/chart/{BTC}?interval=1m")
    expect(page.locator(".state.is-live")).to_be_visible()
    page.context.set_offline(True)
    expect(page.locator(".legend .is-bad")).to_contain_text("does not answer")
    page.keyboard.type("15m")
    expect(page.get_by_role("alert")).to_contain_text("can't be loaded")
    page.context.set_offline(False)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator(".state.is-live")).to_be_visible()
    assert drawn(page)


def test_a_chart_comes_back_after_the_death_of_web(
    visit: Opens, market: Any, kill: Callable[..., None]
) -> None:
    """It says that it tries again, and is live again without a reload."""
    page = visit(f"/chart/{BTC}?interval=1m")
    expect(page.locator(".state.is-live")).to_be_visible()
    (server,) = (each for each in market.processes("granian") if each.ppid() == market.supervisord)
    for process in (server, *server.children()):
        kill(process)
    market.control("stop", "pocketquant:web-0")  # else it is back before anyone can see it
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    market.control("start", "pocketquant:web-0")
    expect(page.locator(".state.is-live")).to_be_visible(timeout=60_000)
    expect(page.locator(".legend .is-bad")).to_have_count(0)


def test_the_overview_says_how_all_is(visit: Opens, market: Any) -> None:
    """Each server and program is shown; a failed sync has its reason, and is tried again."""
    unit = market.sync_in_background("NASDAQ:NOSUCH")
    market.wait_for_job(unit)
    market.mongo["units"].update_one(
        {"jobs": unit}, {"$set": {"error.message": f"invalid {PLANTED}"}}
    )
    page = visit("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("All is well")
    for name in ("mongodb", "redis", "broker", "workers", "beat", "streamers", "schedules"):
        check = page.locator(".checks li").filter(has_text=re.compile(name, re.IGNORECASE))
        expect(check).to_contain_text("ok")
    failures = page.locator(".panel").filter(has_text="Failed syncs")
    expect(failures).to_contain_text(f"invalid {PLANTED}")
    expect(page.locator(".panel").filter(has_text="Live quotes")).to_contain_text("1 of 1 symbols")
    failures.get_by_role("button", name="Retry NASDAQ:NOSUCH 1d").first.click()
    expect(page.locator(".notices")).to_contain_text("1 tried again")
    assert "planted" != page.title()
    assert 0 == page.locator("main img").count()


def test_a_symbol_is_found_synced_watched_and_forgotten(visit: Opens, market: Any) -> None:
    """By keyboard alone: add, choose, sync, follow the job; then watch and forget it."""
    page = visit("/markets")
    row = page.get_by_role("row").filter(has_text="TVC:RUT")
    page.get_by_role("button", name="Add a symbol").press("Enter")
    page.get_by_role("combobox").fill("TVC:RUT")
    expect(page.get_by_role("option").first).to_contain_text("TVC:RUT")
    page.keyboard.press("Enter")
    wait_until(
        "its bars are stored", lambda: market.status_of("TVC:RUT")["bar_count"], KeyError, 30
    )
    page.get_by_role("button", name="Reload").click()
    expect(row).to_contain_text("completed")
    page.get_by_label("Filter").fill("rut")
    expect(page.get_by_role("row")).to_have_count(2)
    page.keyboard.press("Tab")
    page.locator("body").press("j")
    page.locator("body").press("x")
    chosen = page.get_by_role("toolbar", name="Chosen symbols")
    expect(chosen).to_contain_text("TVC:RUT")
    chosen.get_by_role("button", name="Watch", exact=True).click()
    expect(page.locator(".notices")).to_contain_text("TVC:RUT: watched")
    assert 2 == market.get("/api/v1/quotes/status").body["subscribed"]
    chosen.get_by_role("button", name="Stop watching").click()
    expect(page.locator(".notices")).to_contain_text("no longer watched")
    chosen.get_by_role("button", name="Sync").click()
    page.locator(".notices").get_by_role("link", name="Job").last.click()
    expect(page.locator(".view-head")).to_contain_text("completed")
    page.go_back()

    def is_forgotten() -> bool:
        page.get_by_label("Choose TVC:RUT").check()
        page.get_by_role("button", name="Forget").click()
        page.get_by_role("dialog").get_by_role("button", name="Forget").click()
        try:
            expect(row).to_have_count(0, timeout=5000)
        except AssertionError:  # the streamer, which has just seen it, has it synced
            return False
        return True

    wait_until("it is forgotten", is_forgotten, (), 60)
    assert 404 == market.get("/api/v1/market-data/symbols/TVC/RUT").status


@pytest.fixture(scope="module")
def many(market: Any) -> Iterator[str]:
    """3000 more symbols, 1000 jobs and 5000 failed syncs; the id of the job that they are of."""
    yield amounts.fill(market.mongo, 3000, 1000, 5000, int(time.time()))
    amounts.remove(market.mongo)


def test_thousands_of_markets_are_drawn_as_they_come_into_view(
    chromium: Browser, market: Any, many: str
) -> None:
    """The list has all rows, the document only those near the view; the last one can be found."""
    stored = [str(each["_id"]) for each in market.mongo["symbols"].find({}, {"_id": True})]
    with visiting(chromium, market.url) as found:
        page = found.page
        page.goto("/markets")
        table = page.get_by_role("table", name="Markets")
        expect(page.get_by_text(f"{len(stored):,}", exact=True)).to_be_visible()
        assert page.get_by_role("row").count() < 60
        page.get_by_role("button", name=re.compile("^Symbol")).click()
        expect(page.get_by_role("row").nth(1)).not_to_contain_text("BINANCE")
        page.get_by_role("button", name=re.compile("^Symbol")).click()
        table.evaluate("(list) => list.scrollTo(0, list.scrollHeight)")
        expect(page.get_by_role("row").last).to_contain_text(max(stored))
        page.get_by_label("Filter").fill("m02999")
        expect(page.get_by_role("row")).to_have_count(2)
        assert [] == found.complaints


def test_the_first_markets_are_complete_before_the_others_are_known(
    chromium: Browser, market: Any, many: str
) -> None:
    """One page of each list suffices to draw them, with the state of their series."""
    held: list[Route] = []
    with visiting(chromium, market.url) as found:
        page = found.page
        page.route(re.compile("[?&]page=2(&|$)"), lambda route: held.append(route))
        page.goto("/markets")
        expect(page.get_by_role("row").nth(1)).to_contain_text(BTC)
        expect(page.get_by_role("row").nth(20)).to_contain_text("completed")
        wait_until("both second pages are requested", lambda: len(held) == 2, (), 30)
        expect(page.get_by_text("never synced")).to_have_count(0)
        for route in held:
            route.continue_()
        expect(page.get_by_role("status").filter(has_text=re.compile(r"^3,0\d\d$"))).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/jobs", "/jobs/job-0", "/jobs/job-0?state=failed"])
def test_thousands_of_failed_syncs_are_read_in_pages(
    chromium: Browser, market: Any, many: str, path: str
) -> None:
    """No view draws more than a page of them, or requests more than it draws."""
    sizes: list[int] = []
    with visiting(chromium, market.url) as found:
        page = found.page
        page.on("requestfinished", lambda done: sizes.append(transferred(done)))
        page.goto(path)
        expect(page.get_by_text(re.compile("5,000|1,667")).first).to_be_visible()
        expect(page.get_by_role("row").first).to_be_visible()
        assert page.get_by_role("row").count() <= 60
        assert sum(sizes) < 60_000


def transferred(request: Request) -> int:
    """Return the size of an answer of the API on the wire, 0 for a file of the page."""
    return request.sizes()["responseBodySize"] if "/api/v1/" in request.url else 0


def test_quotes_are_watched_as_they_change(visit: Opens, market: Any) -> None:
    """Prices change on the screen; a symbol is added by searching, and removed again."""
    page = visit("/watch")
    price = page.get_by_role("row").filter(has_text=BTC).locator(".is-last")
    expect(price).to_contain_text(".")
    seen = price.inner_text()
    expect(price).not_to_have_text(seen, timeout=60_000)
    page.get_by_role("button", name="Watch a symbol").click()
    page.get_by_role("combobox").fill("ethusdt")
    page.keyboard.press("Enter")  # before there are matches
    added = page.get_by_role("row").filter(has_text="BINANCE:ETHUSDT")
    expect(added.locator(".is-last")).to_contain_text(".")
    page.get_by_role("button", name="Stop watching BINANCE:ETHUSDT").click()
    expect(added).to_have_count(0)
    assert 1 == market.get("/api/v1/quotes/status").body["subscribed"]


def test_a_schedule_is_made_run_and_removed(visit: Opens, market: Any) -> None:
    """The dialog names a wrong value where it was typed, and keeps all that was typed."""
    page = visit("/schedules")
    page.get_by_role("button", name="New schedule").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("apple-days")
    dialog.get_by_label(re.compile("^Symbols")).fill(AAPL)
    dialog.get_by_label("Intervals").fill("1d")
    dialog.get_by_label("Cron").fill("61 * * * *")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_role("alert")).to_contain_text("cron")
    dialog.get_by_label("Cron").fill("0 6 * * *")
    dialog.get_by_role("button", name="Create").click()
    row = page.get_by_role("row").filter(has_text="apple-days")
    expect(row).to_contain_text("0 6 * * *")
    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("paused")
    row.get_by_role("button", name="Run now: apple-days").click()
    expect(row.get_by_role("link")).to_contain_text("completed", timeout=30_000)
    row.get_by_role("button", name="Change").click()
    dialog.get_by_label("Bars to fetch").fill("77")
    dialog.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("77 bars")
    row.get_by_role("button", name="Remove").click()
    dialog.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)
    assert 404 == market.get("/api/v1/schedules/apple-days").status


def test_what_is_missing_is_seen_and_repaired(visit: Opens, market: Any) -> None:
    """A series has a strip of its time; its details name each hole, and a repair fills them."""
    name = "NYSE:JPM"
    market.sync(name, "1h", 1500)
    chunk = market.mongo["ohlcv"].find_one({"_id": {"$regex": f"^{name}.1h"}}, {"count": True})
    market.mongo["ohlcv"].delete_one({"_id": chunk["_id"]})
    page = visit("/")
    expect(page.get_by_role("link", name="Quality")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.get_by_label("Exchange or symbol").fill(name)
    page.keyboard.press("Enter")
    row = page.locator(".quality tbody tr", has_text=name)
    expect(row).to_contain_text(f"{chunk['count']:,} bars lost")
    expect(page).to_have_url(re.compile(f"of={name}"))
    details = page.get_by_role("button", name=f"Details of {name} 1h")
    expect(details).to_have_accessible_name(re.compile(": lost, |; lost, |\\. lost, "))
    details.click()
    expect(page.locator(".details li").last).to_contain_text("lost, ")
    assert [] == violations(page)
    page.get_by_role("button", name=f"Repair {name} 1h").click()
    expect(page.locator(".notices")).to_contain_text("holes are filled")
    expect(row).not_to_contain_text("lost", timeout=90_000)
    page.get_by_role("button", name="never synced").click()
    expect(page.locator(".empty")).to_be_visible()
    row.get_by_role("link", name=name).wait_for(state="detached")


def test_bars_that_may_be_bad_prints_are_counted(visit: Opens, market: Any) -> None:
    """A series with some is listed, and its details name each with the bounds."""
    given = market.get(
        f"/api/v1/market-data/ohlcv/{AAPL.replace(':', '/')}", interval="1h", limit=60
    ).body["data"][::-1]
    bad = given[30] | {"high": 9000.0}
    body = {"interval": "1h", "bars": [*given[:30], bad, *given[31:]]}
    assert 200 == market.post("/api/v1/market-data/ohlcv/MINE/PRINTED", body).status
    listed = partial(market.get, "/api/v1/market-data/quality", outliers="true")
    wait_until("a tick has judged it", lambda: "PRINTED" in str(listed().body), (), 60)
    page = visit("/quality")
    page.get_by_role("button", name="outliers").click()
    row = page.locator(".quality tbody tr", has_text="MINE:PRINTED")
    expect(row).to_contain_text("1 bar, perhaps of bad prints")
    page.get_by_role("button", name="Details of MINE:PRINTED 1h").click()
    expect(page.locator(".details li").last).to_contain_text("high 9,000.00, where")
    assert [] == violations(page)


def test_a_job_is_followed_while_it_runs(visit: Opens, market: Any) -> None:
    """Its counts change without a reload; failed syncs are listed by state and tried again."""
    with suspended(market.processes("worker-")):
        job = market.sync_in_bulk([*(f"SIM:S{number:04d}" for number in range(1, 20)), "SIM:NONE"])
        page = visit(f"/jobs/{job}")
        expect(page.locator(".view-head")).to_contain_text("bulk")
        expect(page.locator(".count.is-completed")).to_contain_text("0")
    expect(page.locator(".view-head")).to_contain_text("partly failed")
    expect(page.locator(".count.is-completed")).to_contain_text("19")
    page.locator(".count.is-failed").click()
    expect(page).to_have_url(f"{market.url}/jobs/{job}?state=failed")
    failed = page.get_by_role("row").filter(has_text="SIM:NONE")
    expect(failed).to_contain_text("unknown_symbol")
    failed.get_by_role("button", name="Retry").click()
    wait_until(
        "it was tried again",
        lambda: market.job(job)["finished_at"] and attempts(market, job),
        (),
        30,
    )
    page.get_by_role("link", name="Jobs", exact=True).first.click()
    expect(page.get_by_role("row").filter(has_text=job)).to_contain_text("partly failed")


def attempts(platform: Any, job: str) -> bool:
    """Whether the job's failed unit was claimed a second time."""
    again = {"jobs": job, "state": "failed", "attempt": {"$gt": 1}}
    return bool(platform.mongo["units"].count_documents(again))


def test_a_backfill_is_estimated_confirmed_paused_and_resumed(visit: Opens, market: Any) -> None:
    """The dialog says what can come; the job, how much time was walked back."""
    page = visit(f"/chart/{AAPL}?interval=1h")
    page.get_by_role("button", name="Backfill").click()
    dialog = page.get_by_role("dialog", name=f"Backfill {AAPL}")
    estimate = dialog.get_by_role("status", name="Estimate")
    expect(estimate).to_contain_text("of 1 series")
    expect(estimate).to_contain_text("beginning")
    dialog.get_by_label("Since").fill("2024-01-01")
    expect(estimate).to_contain_text("since 2024-01-01")
    dialog.get_by_label("Intervals").fill("2h, 7h")
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.get_by_label("Intervals").fill("2h")
    expect(estimate).to_contain_text("2h")
    take_picture(page)
    assert [] == violations(page)
    with suspended(market.processes("worker-")):
        dialog.get_by_role("button", name="Backfill").click()
        page.get_by_role("button", name="Pause", exact=True).click()
        expect(page.locator(".view-head .state")).to_have_text("paused")
        take_picture(page)
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(page.locator(".backfill")).to_contain_text("100 % of the wanted time, back to 20")
    expect(page.locator("tbody tr").first).to_contain_text("2h")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_hidden()


def test_what_of_a_job_cannot_be_read_is_read_again(chromium: Browser, market: Any) -> None:
    """Its failed syncs are shown once the server answers, also when the job has ended long ago."""
    job, refused = market.sync_in_bulk(["SIM:NONE"]), set[str]()

    def refuse_once(route: Route) -> None:
        path = route.request.url.partition("?")[0]
        if path in refused:
            route.continue_()
        else:
            refused.add(path)
            route.abort()

    with visiting(chromium, market.url) as found:
        found.page.route(f"**/api/v1/jobs/{job}*", refuse_once)
        found.page.route(f"**/api/v1/jobs/{job}/units*", refuse_once)
        found.page.goto(f"/jobs/{job}")
        row = found.page.get_by_role("row").filter(has_text="SIM:NONE")
        expect(row).to_contain_text("unknown_symbol")
        expect(found.page.get_by_text("Trying again")).to_have_count(0)
    assert 2 == len(refused)


def test_a_view_looks_again_only_after_a_change(visit: Opens, market: Any) -> None:
    """While nothing goes on it requests nothing; another person's job is there at once."""
    requested: list[str] = []
    page = visit("about:blank")
    page.on("request", lambda request: requested.append(request.url))
    page.clock.install()
    with page.expect_response(re.compile("/changes/stream")) as opened:
        page.goto(f"{market.url}/jobs")
    assert opened.value.ok

    def is_quiet() -> bool:
        requested.clear()
        page.clock.run_for(30_000)
        return not requested

    for symbol in ("TVC:RUT", "SP:SPX"):
        job = market.sync_in_background(symbol)
        expect(page.get_by_role("row").filter(has_text=job)).to_contain_text("completed")
        wait_until("half a minute passes without a request", is_quiet, (), 60.0)


def test_a_job_is_cancelled_after_a_question(visit: Opens, market: Any) -> None:
    """Keeping it is the first answer; the other one cancels it."""
    with suspended(market.processes("worker-")):
        job = market.sync_in_bulk(["SIM:S0101", "SIM:S0102"])
        page = visit(f"/jobs/{job}")
        page.get_by_role("button", name="Cancel", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="Keep").click()
        assert "cancelled" != market.job(job)["state"]
        page.get_by_role("button", name="Cancel", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
        expect(page.locator(".view-head")).to_contain_text("cancelled")
    assert "cancelled" == market.job(job)["state"]


def test_a_key_is_made_shown_once_and_revoked(chromium: Browser, market: Any) -> None:
    """Its name is text, whatever it holds; its text is kept nowhere in the page."""
    rights = ["clipboard-read", "clipboard-write"]
    with visiting(chromium, market.url, permissions=rights) as found:
        page, dialog = found.page, found.page.get_by_role("dialog")
        page.goto("/")
        page.locator("body").press("g")
        page.locator("body").press("k")
        page.get_by_role("button", name="New key").press("Enter")
        dialog.get_by_label("Name").fill(PLANTED)
        dialog.get_by_label("sync").check()
        dialog.get_by_label("Expires").select_option("in 7 days")
        assert [] == violations(page)
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        page.get_by_role("button", name="New key").press("Enter")
        dialog.get_by_label("Name").fill(PLANTED)
        dialog.get_by_label("sync").check()
        page.keyboard.press("Enter")
        text = dialog.get_by_label("The key").input_value()
        for _ in range(3):
            page.keyboard.press("Escape")
        dialog.get_by_role("button", name="Copy").click()
        expect(dialog).to_contain_text("Copied")
        assert text == page.evaluate("navigator.clipboard.readText()")
        assert [] == violations(page)
        dialog.get_by_role("button", name="I have saved it").click()
        row = page.get_by_role("row").filter(has_text=PLANTED)
        expect(row).to_contain_text("sync")
        secret = text.split("_", 2)[2]
        assert secret not in page.content()
        assert secret not in page.evaluate(
            "JSON.stringify([location, {...sessionStorage}, {...localStorage}])"
        )
        used = market.call("GET", "/api/v1/keys/current", headers={"X-API-Key": text})
        assert ("sync", PLANTED) == (used.body["scope"], used.body["name"])
        row.get_by_role("button", name="Revoke").click()
        dialog.get_by_role("button", name="Revoke").click()
        expect(row).to_have_count(0)
        page.get_by_role("button", name="all", exact=True).click()
        expect(row).to_contain_text("revoked")
        expect(row).to_contain_text("s ago")
        assert 0 == page.locator("main img").count()
        assert "Keys · PocketQuant" == page.title()
        assert [] == found.complaints


def controls(failed: str, running: str) -> dict[str, tuple[str, dict[str, Scope]]]:
    """Return by path a text of its data, and its controls with the scopes that they need.

    `failed` is a job with a failed sync, `running` one that has not ended.
    """
    sync, admin = Scope.SYNC, Scope.ADMIN
    chosen = dict.fromkeys(("Sync", "Watch", "Stop watching", "Pause"), sync)
    schedule = ("Run now: all-series", "Resume all-series", "Change all-series", "New schedule")
    return {
        "/": ("invalid symbol", {"Retry all": sync, "Retry NASDAQ:NOSUCH 1d": sync, "Keys": admin}),
        "/markets": (
            BTC,
            {"Add a symbol": sync, f"Choose {BTC}": sync, **chosen, "Forget": admin},
        ),
        "/watch": (BTC, {"Watch a symbol": sync, f"Stop watching {BTC}": sync}),
        "/schedules": ("all-series", dict.fromkeys(schedule, admin)),
        f"/chart/{AAPL}?interval=1d": ("Trading day", {"Sync": sync, "Watch": sync}),
        "/chart/NASDAQ:NOSUCH": ("has no bars", {"Fetch them": sync}),
        f"/jobs/{failed}": (
            "unknown_symbol",
            {"Retry all failed": sync, "Retry NASDAQ:NOSUCH 1d": sync},
        ),
        f"/jobs/{running}": ("in all", {"Cancel": sync}),
    }


@pytest.mark.parametrize("scope", [Scope.READ, Scope.SYNC])
def test_a_key_sees_only_the_controls_that_it_may_use(
    chromium: Browser, market: Any, scope: Scope
) -> None:
    """Each view shows its data to every key, and hides what the key's scope does not permit."""
    failed, key = market.sync_in_background("NASDAQ:NOSUCH"), made_key(market, scope)
    market.wait_for_job(failed)
    with suspended(market.processes("worker-")), visiting(chromium, market.url) as found:
        page, running = found.page, market.sync_in_bulk(["SIM:S0103"])
        page.add_init_script(f"sessionStorage.setItem('pocketquant.key', '{key}')")
        for path, (text, needed) in controls(failed, running).items():
            page.goto(path)
            expect(page.locator("header .tag")).to_have_text(scope)
            expect(page.locator("main").get_by_text(text).first).to_be_visible()
            if path == "/markets" and scope.includes(Scope.SYNC):
                page.get_by_label(f"Choose {BTC}").check()
            expected = {name for name, least in needed.items() if scope.includes(least)}
            wait_until(path, partial(shows, page, expected), (), 30)  # some come with late data
            assert expected == needed.keys() & page.evaluate(CONTROLS), path
        page.goto("/keys")
        expect(page.locator("main")).to_contain_text(f"The key in use is of scope {scope}")
        assert [] == found.complaints


def shows(page: Page, names: set[str]) -> bool:
    return names <= set(page.evaluate(CONTROLS))


def test_what_was_typed_outlives_its_key(chromium: Browser, market: Any) -> None:
    """A revoked key and one of too small a scope are asked for again over the open dialog."""
    keys = ApiKeys(market.mongo)
    admin = made_key(market, Scope.ADMIN)
    with visiting(chromium, market.url) as found:
        page = found.page
        page.add_init_script(f"sessionStorage.setItem('pocketquant.key', '{admin}')")
        page.goto("/schedules")
        page.get_by_role("button", name="New schedule").click()
        form, asked = (page.get_by_role("dialog", name=name) for name in ("New", "API key"))
        form.get_by_label("Name").fill("kept")
        form.get_by_label("Cron").fill("0 6 * * *")
        keys.revoke(admin.id, int(time.time()))
        expect(asked).to_contain_text("revoked")
        give(asked, made_key(market, Scope.READ))
        form.get_by_role("button", name="Create").click()
        expect(asked).to_contain_text("needs a key of scope admin; yours is of read")
        asked.get_by_role("button", name="Close").click()
        expect(form.get_by_role("alert")).to_contain_text("needs a key of scope admin")
        expect(form.get_by_label("Name")).to_have_value("kept")
        form.get_by_role("button", name="Create").click()
        give(asked, made_key(market, Scope.ADMIN))
        row = page.get_by_role("row").filter(has_text="kept")
        expect(row).to_contain_text("0 6 * * *")
        row.get_by_role("button", name="Remove").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(row).to_have_count(0)
        assert [] == found.complaints


def made_key(platform: Any, scope: Scope) -> KeyText:
    """Return the text of a new key."""
    return ApiKeys(platform.mongo).create(f"a test's {scope}", scope, int(time.time()))[1]


def give(dialog: Locator, key: object) -> None:
    dialog.get_by_label("Key").fill(str(key))
    dialog.page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)


def test_a_key_is_asked_for_and_kept_for_the_tab(
    chromium: Browser, market: Any, start_program: Callable[..., Any]
) -> None:
    """A wrong key is asked for again, and so is a revoked one; the view then goes on."""
    keys, port = ApiKeys(market.mongo), reserve_port()
    now = int(time.time())
    (first, text), (_, other) = (keys.create(name, Scope.READ, now) for name in ("one", "other"))
    start_program(market, "web", api_host="0.0.0.0", api_port=port)
    url = f"http://127.0.0.1:{port}"
    wait_until("it serves", lambda: requests.get(f"{url}/health/live", timeout=5).ok, OSError, 60)
    with visiting(chromium, url) as found:
        page, dialog = found.page, found.page.get_by_role("dialog")
        page.goto("/jobs")
        dialog.get_by_role("button", name="Close").click()
        page.get_by_role("button", name="Give one").click()
        for given in ("pq_wrong", str(text)):
            expect(dialog).to_be_visible()
            dialog.get_by_label("Key").fill(given)
            page.keyboard.press("Enter")
        expect(page.get_by_role("table")).to_be_visible()
        assert [str(text), None] == page.evaluate(KEPT)
        page.reload()
        expect(page.get_by_role("table")).to_be_visible()
        keys.revoke(first.id, int(time.time()))
        expect(dialog).to_contain_text("revoked")
        dialog.get_by_label("Key").fill(str(other))
        dialog.get_by_label("Keep it").check()
        page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
        assert str(other) == page.evaluate("localStorage.getItem('pocketquant.key')")
        second = page.context.new_page()
        second.goto("/jobs")
        expect(second.get_by_role("table")).to_be_visible()
        second.get_by_role("button", name="API key").click()
        second.get_by_role("button", name="Forget the key").click()
        expect(dialog).to_contain_text("This API wants a key")
        assert [None, None] == page.evaluate(KEPT)
        assert [] == found.complaints


@pytest.mark.parametrize("proxy", [nginx, caddy])
def test_page_and_streams_have_one_address_behind_a_proxy(
    chromium: Browser, market: Any, tmp_path: Path, proxy: Proxy, kill: Callable[..., None]
) -> None:
    """With the guides' configuration a key is asked for, quotes come from push, also anew."""
    _, key = ApiKeys(market.mongo).create("proxied", Scope.READ, int(time.time()))
    with (
        proxy(tmp_path, market.url, market.push_url) as url,
        visiting(chromium, url, ignore_https_errors=True) as found,
    ):
        page, before = found.page, streams(market.push_url, key)
        page.goto(f"/chart/{BTC}?interval=1m")
        page.get_by_role("dialog").get_by_label("Key").fill(str(key))
        page.keyboard.press("Enter")
        expect(page.locator(".state.is-live")).to_be_visible(timeout=30_000)
        assert before + 1 == streams(market.push_url, key)
        for process in reversed(market.processes("create_push_app")):
            kill(process)
        expect(page.get_by_text("Reconnecting…")).to_be_visible()
        expect(page.locator(".state.is-live")).to_be_visible(timeout=60_000)
        assert [] == found.complaints


def streams(url: str, key: object) -> int:
    """Return how many streams of quotes this server has begun to serve."""
    text = requests.get(f"{url}/metrics", headers={"X-API-Key": str(key)}, timeout=30).text
    return sum(
        int(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == COUNT and sample.labels["route"].endswith("/quotes/stream")
    )


def test_the_forming_bar_follows_the_market_and_closes(live: Visit, market: Any) -> None:
    """After a minute's end the closed bars equal the API's, without a reload."""
    page = live.page
    expect(page.locator(".state.is-live")).to_be_visible()
    opened_at = page.evaluate("performance.timeOrigin / 1000")
    until(
        page, "(then) => window.pocketquantChart.pages.closed.at(-1).time >= then - 60", opened_at
    )
    last = page.evaluate("window.pocketquantChart.pages.closed.at(-1).time")

    def differing() -> list[object]:
        closed = {bar[0]: bar for bar in drawn(page)}
        stored = [bar for bar in bars(market, BTC, "1m", 10) if bar[0] <= last]
        return [(bar, closed.get(bar[0])) for bar in stored if bar != closed.get(bar[0])]

    # A repair may have changed a bar of it: the chart looks for that once a minute.
    with suppress(TimeoutError):
        wait_until("the chart draws the closed bars of the API", lambda: not differing(), (), 200.0)
    assert [] == differing()
    assert [] == live.complaints
