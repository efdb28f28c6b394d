"""Clients that draw charts and stream take the simulator for TradingView.

npm's @mathieuc/tradingview and PyPI's tvkit and tradingview-scraper request ranges, bars before and
after a time, studies and quotes. `make setup` puts each in a folder of its own in `.venv`.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketquant.simulator.clocks import market_clock
from pocketquant.simulator.market.prices import Resolution
from pocketquant.simulator.market.world import find
from pocketquant.simulator.server import Simulator, running
from pocketquant.simulator.sockets import SimulatorPace
from tests.integration.published_clients import SCRIPTS, need_node, run_client

TUESDAY_AFTERNOON = 1_763_480_420  # 2025-11-18 15:40:20 UTC
SPEED = 30.0
HOUR, DAY = 3600, 86_400

Rows = list[list[float]]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A simulator whose time stands still."""
    with running(clock=lambda: TUESDAY_AFTERNOON) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def market() -> Iterator[Simulator]:
    """A simulator whose time passes: a minute in two seconds."""
    clock = market_clock(SPEED, TUESDAY_AFTERNOON)
    with running(clock=clock, pace=SimulatorPace(speed=SPEED)) as simulator:
        yield simulator


def bars(
    simulator: Simulator, name: str, resolution: str, start: float, end: float, count: int = 5000
) -> Rows:
    """Return the market's bars between two open times, both included."""
    instrument, parsed = find(name), Resolution.parse(resolution)
    assert instrument is not None
    assert parsed is not None
    newest = simulator.market.newest(instrument, parsed, int(end) + 2 * DAY, 20_000).bars
    rows: Rows = np.nan_to_num(
        newest.between(int(start), int(end) + 1).last(count).columns.T
    ).tolist()
    return rows


def newest(simulator: Simulator, name: str, resolution: str, count: int) -> Rows:
    """Return the newest bars at the time when the clock stands still."""
    instrument, parsed = find(name), Resolution.parse(resolution)
    assert instrument is not None
    assert parsed is not None
    stretch = simulator.market.newest(instrument, parsed, TUESDAY_AFTERNOON, count)
    rows: Rows = np.nan_to_num(stretch.bars.columns.T).tolist()
    return rows


def run_api(home: Path, simulator: Simulator, *requests: object) -> list[Any]:
    """Return the answers of @mathieuc/tradingview."""
    need_node("peers-npm")
    script = str(SCRIPTS / "read_with_tradingview_api.js")
    return run_client(home, "peers-npm", ["node", script, simulator.url], *requests)


def run_tvkit(home: Path, simulator: Simulator, *requests: object) -> list[Any]:
    """Return the answers of tvkit."""
    urls = [simulator.url, simulator.http_url]
    return run_client(
        home, "peers-tvkit", [sys.executable, str(SCRIPTS / "read_with_tvkit.py"), *urls], *requests
    )


def run_scraper(home: Path, simulator: Simulator, *requests: object) -> list[Any]:
    """Return the answers of tradingview-scraper."""
    urls = [simulator.url, simulator.http_url]
    script = str(SCRIPTS / "read_with_scraper.py")
    return run_client(home, "peers-scraper", [sys.executable, script, *urls], *requests)


def rounded(rows: Rows) -> Rows:
    """Round as @mathieuc/tradingview does: volumes to the hundredth, a half upwards."""
    return [[*row[:5], float(np.floor(row[5] * 100 + 0.5)) / 100] for row in rows]


def test_tradingview_api_reads_bars(tmp_path: Path, simulator: Simulator) -> None:
    """The client reads the newest bars, and older ones page by page."""
    plain, paged = run_api(
        tmp_path,
        simulator,
        ["bars", "NASDAQ:AAPL", "60", 300, None, [], {}],
        ["bars", "SIM:S0001", "1", 100, None, [50, 30], {}],
    )
    assert rounded(newest(simulator, "NASDAQ:AAPL", "60", 300)) == plain["rows"]
    assert rounded(newest(simulator, "SIM:S0001", "1", 180)) == paged["rows"]
    assert ("NASDAQ:AAPL", "America/New_York") == (
        plain["infos"]["full_name"],
        plain["infos"]["timezone"],
    )


def test_tradingview_api_reads_around_a_time(tmp_path: Path, simulator: Simulator) -> None:
    """The client reads bars up to a time, after it by a negative count, and then more."""
    moment = TUESDAY_AFTERNOON // 60 * 60 - HOUR
    up_to, after = run_api(
        tmp_path,
        simulator,
        ["bars", "SIM:S0001", "1", 10, moment, [5, -3], {}],
        ["bars", "SIM:S0001", "1", -10, moment, [-5], {}],
    )
    expected = bars(simulator, "SIM:S0001", "1", moment - 14 * 60, moment + 3 * 60)
    assert rounded(expected) == up_to["rows"]
    expected = bars(simulator, "SIM:S0001", "1", moment + 60, moment + 15 * 60)
    assert rounded(expected) == after["rows"]


def test_tradingview_api_selects_hours_and_currencies(tmp_path: Path, simulator: Simulator) -> None:
    """A day has more bars in extended hours; a price in rupees is higher than in dollars."""
    extended, rupees = run_api(
        tmp_path,
        simulator,
        ["bars", "NASDAQ:AAPL", "30", 60, None, [], {"session": "extended"}],
        ["bars", "NASDAQ:AAPL", "30", 60, None, [], {"currency": "INR"}],
    )
    regular = {row[0]: row for row in rounded(newest(simulator, "NASDAQ:AAPL", "30", 60))}
    shared = [row for row in extended["rows"] if row[0] in regular]
    assert 0 < len(shared) < 60
    assert all(row == regular[row[0]] for row in shared[:-1])
    assert "extended" == extended["infos"]["subsession_id"]
    assert "INR" == rupees["infos"]["currency_code"]
    assert all(row[1] > 50 * regular[row[0]][1] for row in rupees["rows"])


def test_tradingview_api_follows_a_chart_with_a_study(tmp_path: Path, market: Simulator) -> None:
    """The study completes, and later bars equal the exchange's own."""
    (followed,) = run_api(tmp_path, market, ["live", "SIM:S0001", 3])
    *closed, _ = followed["rows"]
    assert 1 <= followed["completed"]
    assert 7 <= len(closed)
    assert rounded(bars(market, "SIM:S0001", "1", closed[0][0], closed[-1][0])) == closed


def test_tradingview_api_follows_quotes(tmp_path: Path, market: Simulator) -> None:
    """Each quote is the last state with its changes."""
    (received,) = run_api(tmp_path, market, ["quotes", "SIM:S0001", 30])
    assert 30 == len(received)
    assert all(quote["lp"] > 0 and quote["current_session"] == "market" for quote in received)
    assert received[0]["volume"] < received[-1]["volume"]


def test_tvkit_reads_bars_and_ranges(tmp_path: Path, simulator: Simulator) -> None:
    """The client reads the newest bars, a loaded range, an overlapping one and an older one."""
    midnight = TUESDAY_AFTERNOON // DAY * DAY
    ranges = [
        (midnight - 400 * DAY, midnight - 100 * DAY),
        (midnight - 5100 * DAY, midnight - 4900 * DAY),
        (midnight - 6000 * DAY, midnight - 5500 * DAY),
    ]
    first, *others = run_tvkit(
        tmp_path,
        simulator,
        ["newest", "NASDAQ:AAPL", "1", 500],
        *(["range", "SIM:S0001", "1D", *span] for span in ranges),
    )
    assert newest(simulator, "NASDAQ:AAPL", "1", 500) == first
    assert [301, 201, 501] == [len(rows) for rows in others]
    assert [bars(simulator, "SIM:S0001", "1D", *span) for span in ranges] == others


def test_tvkit_follows_a_chart_beside_a_study(tmp_path: Path, market: Simulator) -> None:
    """The client adds a study of volumes itself; later bars equal the exchange's own."""
    followed, price = run_tvkit(tmp_path, market, ["live", "SIM:S0002", 3], ["price", "SIM:S0002"])
    *closed, _ = followed
    assert 7 == len(closed)
    assert bars(market, "SIM:S0002", "1", closed[0][0], closed[-1][0]) == closed
    assert price[0][0] == pytest.approx(closed[-1][4], rel=0.2)


def test_scraper_reads_bars(tmp_path: Path, simulator: Simulator) -> None:
    """The client reads bars of a symbol with volume and of one without."""
    daily, hourly = run_scraper(
        tmp_path,
        simulator,
        ["export", "SIM", "S0001", "1d", 300],
        ["export", "TVC", "RUT", "1h", 50],
    )
    assert newest(simulator, "SIM:S0001", "1D", 300) == daily
    assert [row[:5] for row in newest(simulator, "TVC:RUT", "60", 50)] == hourly


def test_scraper_follows_a_chart_beside_a_study(tmp_path: Path, market: Simulator) -> None:
    """The study is answered before the chart is updated."""
    (received,) = run_scraper(
        tmp_path, market, ["live", "SIM:S0003", ["study_completed", "du", "timescale_update", "du"]]
    )
    assert "critical_error" not in [message.get("m") for message in received]
    updates = [message["p"][1] for message in received if message.get("m") == "du"]
    assert "sds_1" in updates[-1]


def test_scraper_follows_quotes(tmp_path: Path, market: Simulator) -> None:
    """The client reads quotes of several symbols, one of them in a chosen currency."""
    (received,) = run_scraper(tmp_path, market, ["quotes", ["SIM:S0004", "NASDAQ:AAPL"], 40])
    names = {quote["n"] for quote in received}
    assert {"SIM:S0004", "NASDAQ:AAPL"} < names
    (text,) = (name for name in names if name.startswith("="))
    assert {"currency-id": "USD"}.items() <= json.loads(text[1:]).items()
    assert all(quote["s"] == "ok" for quote in received)
