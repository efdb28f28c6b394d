"""Clients that draw charts and stream take the simulator for TradingView.

npm's @mathieuc/tradingview and PyPI's tvkit and tradingview-scraper ask for ranges, for bars before
and after a moment, for studies and for quotes. They lie in folders of their own in `.venv`, put
there by `make setup`.
"""

import json
import os
import shutil
import subprocess
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

TUESDAY_AFTERNOON = 1_763_480_420  # 2025-11-18 15:40:20 UTC
ENVIRONMENT = Path(sys.prefix)
SCRIPTS = Path(__file__).parent / "peers"
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
    """A simulator whose time runs: a minute in two seconds."""
    clock = market_clock(SPEED, TUESDAY_AFTERNOON)
    with running(clock=clock, pace=SimulatorPace(speed=SPEED)) as simulator:
        yield simulator


def bars(
    simulator: Simulator, name: str, resolution: str, start: float, end: float, count: int = 5000
) -> Rows:
    """What the market has from one open time to another, both included."""
    instrument, parsed = find(name), Resolution.parse(resolution)
    assert instrument is not None
    assert parsed is not None
    newest = simulator.market.newest(instrument, parsed, int(end) + 2 * DAY, 20_000).bars
    rows: Rows = np.nan_to_num(
        newest.between(int(start), int(end) + 1).last(count).columns.T
    ).tolist()
    return rows


def newest(simulator: Simulator, name: str, resolution: str, count: int) -> Rows:
    """The newest bars as of the moment at which time stands still."""
    instrument, parsed = find(name), Resolution.parse(resolution)
    assert instrument is not None
    assert parsed is not None
    stretch = simulator.market.newest(instrument, parsed, TUESDAY_AFTERNOON, count)
    rows: Rows = np.nan_to_num(stretch.bars.columns.T).tolist()
    return rows


def ask(home: Path, peers: str, command: list[str], *requests: object) -> list[Any]:
    """The answers that a client in a process of its own gives to these requests."""
    folder = ENVIRONMENT / peers
    assert folder.is_dir(), "`make setup` installs it"
    environment = {"PYTHONPATH": str(folder), "PEERS": str(folder), "HOME": str(home), "TZ": "UTC"}
    answered = subprocess.run(
        command,
        env={**os.environ, **environment},
        cwd=home,
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert 0 == answered.returncode, answered.stderr[-3000:]
    answers: list[Any] = json.loads(answered.stdout)
    return answers


def ask_api(home: Path, simulator: Simulator, *requests: object) -> list[Any]:
    """What @mathieuc/tradingview answers."""
    if not (shutil.which("node") and (ENVIRONMENT / "peers-npm").is_dir()) and (
        "CI" not in os.environ
    ):
        pytest.skip("node is not installed, or was not when `make setup` ran")
    script = str(SCRIPTS / "ask_with_tradingview_api.js")
    return ask(home, "peers-npm", ["node", script, simulator.url], *requests)


def ask_tvkit(home: Path, simulator: Simulator, *requests: object) -> list[Any]:
    """What tvkit answers."""
    urls = [simulator.url, simulator.http_url]
    return ask(
        home, "peers-tvkit", [sys.executable, str(SCRIPTS / "ask_with_tvkit.py"), *urls], *requests
    )


def ask_scraper(home: Path, simulator: Simulator, *requests: object) -> list[Any]:
    """What tradingview-scraper answers."""
    urls = [simulator.url, simulator.http_url]
    script = str(SCRIPTS / "ask_with_scraper.py")
    return ask(home, "peers-scraper", [sys.executable, script, *urls], *requests)


def rounded(rows: Rows) -> Rows:
    """As @mathieuc/tradingview has them: volumes to the hundredth, half of one upwards."""
    return [[*row[:5], float(np.floor(row[5] * 100 + 0.5)) / 100] for row in rows]


def test_tradingview_api_reads_bars(tmp_path: Path, simulator: Simulator) -> None:
    """The newest ones, and older ones page by page."""
    plain, paged = ask_api(
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


def test_tradingview_api_reads_around_a_moment(tmp_path: Path, simulator: Simulator) -> None:
    """Bars up to it and, by negative numbers, after it; then more of them."""
    moment = TUESDAY_AFTERNOON // 60 * 60 - HOUR
    up_to, after = ask_api(
        tmp_path,
        simulator,
        ["bars", "SIM:S0001", "1", 10, moment, [5, -3], {}],
        ["bars", "SIM:S0001", "1", -10, moment, [-5], {}],
    )
    expected = bars(simulator, "SIM:S0001", "1", moment - 14 * 60, moment + 3 * 60)
    assert rounded(expected) == up_to["rows"]
    expected = bars(simulator, "SIM:S0001", "1", moment + 60, moment + 15 * 60)
    assert rounded(expected) == after["rows"]


def test_tradingview_api_wants_other_hours_and_currencies(
    tmp_path: Path, simulator: Simulator
) -> None:
    """Extended hours hold more bars of a day; rupees are more than dollars."""
    extended, rupees = ask_api(
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
    """The study is ready, and the bars go on to be the exchange's own."""
    (followed,) = ask_api(tmp_path, market, ["live", "SIM:S0001", 3])
    *closed, _ = followed["rows"]
    assert 1 <= followed["completed"]
    assert 7 <= len(closed)
    assert rounded(bars(market, "SIM:S0001", "1", closed[0][0], closed[-1][0])) == closed


def test_tradingview_api_follows_quotes(tmp_path: Path, market: Simulator) -> None:
    """Each is the state with what has changed in it."""
    (told,) = ask_api(tmp_path, market, ["quotes", "SIM:S0001", 30])
    assert 30 == len(told)
    assert all(quote["lp"] > 0 and quote["current_session"] == "market" for quote in told)
    assert told[0]["volume"] < told[-1]["volume"]


def test_tvkit_reads_bars_and_ranges(tmp_path: Path, simulator: Simulator) -> None:
    """The newest ones; a range of those it has loaded, one that begins before, an older one."""
    midnight = TUESDAY_AFTERNOON // DAY * DAY
    ranges = [
        (midnight - 400 * DAY, midnight - 100 * DAY),
        (midnight - 5100 * DAY, midnight - 4900 * DAY),
        (midnight - 6000 * DAY, midnight - 5500 * DAY),
    ]
    first, *others = ask_tvkit(
        tmp_path,
        simulator,
        ["newest", "NASDAQ:AAPL", "1", 500],
        *(["range", "SIM:S0001", "1D", *span] for span in ranges),
    )
    assert newest(simulator, "NASDAQ:AAPL", "1", 500) == first
    assert [301, 201, 501] == [len(rows) for rows in others]
    assert [bars(simulator, "SIM:S0001", "1D", *span) for span in ranges] == others


def test_tvkit_follows_a_chart_beside_a_study(tmp_path: Path, market: Simulator) -> None:
    """It asks for a study of volumes by itself; the bars go on to be the exchange's own."""
    followed, price = ask_tvkit(tmp_path, market, ["live", "SIM:S0002", 3], ["price", "SIM:S0002"])
    *closed, _ = followed
    assert 7 == len(closed)
    assert bars(market, "SIM:S0002", "1", closed[0][0], closed[-1][0]) == closed
    assert price[0][0] == pytest.approx(closed[-1][4], rel=0.2)


def test_scraper_reads_bars(tmp_path: Path, simulator: Simulator) -> None:
    """Of a symbol with a volume, and of one without."""
    daily, hourly = ask_scraper(
        tmp_path,
        simulator,
        ["export", "SIM", "S0001", "1d", 300],
        ["export", "TVC", "RUT", "1h", 50],
    )
    assert newest(simulator, "SIM:S0001", "1D", 300) == daily
    assert [row[:5] for row in newest(simulator, "TVC:RUT", "60", 50)] == hourly


def test_scraper_follows_a_chart_beside_a_study(tmp_path: Path, market: Simulator) -> None:
    """The study is answered, and then the chart is updated."""
    (told,) = ask_scraper(
        tmp_path, market, ["live", "SIM:S0003", ["study_completed", "du", "timescale_update", "du"]]
    )
    assert "critical_error" not in [message.get("m") for message in told]
    updates = [message["p"][1] for message in told if message.get("m") == "du"]
    assert "sds_1" in updates[-1]


def test_scraper_follows_quotes(tmp_path: Path, market: Simulator) -> None:
    """Of several symbols, one of them in a currency that it asks for."""
    (told,) = ask_scraper(tmp_path, market, ["quotes", ["SIM:S0004", "NASDAQ:AAPL"], 40])
    names = {quote["n"] for quote in told}
    assert {"SIM:S0004", "NASDAQ:AAPL"} < names
    (text,) = (name for name in names if name.startswith("="))
    assert {"currency-id": "USD"}.items() <= json.loads(text[1:]).items()
    assert all(quote["s"] == "ok" for quote in told)
