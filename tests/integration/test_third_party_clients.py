"""Clients that know nothing of PocketQuant take the simulator for TradingView.

Two packages have a module `tvDatafeed`: tvdatafeed-enhanced is installed with PocketQuant;
`make setup` puts tradingview-datafeed into the folder `peers`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pocketquant.simulator.market.prices import Resolution
from pocketquant.simulator.market.world import find
from pocketquant.simulator.server import Simulator, running

TUESDAY_AFTERNOON = 1_763_480_420  # 2025-11-18 15:40:20 UTC
PEERS = Path(sys.prefix) / "peers"
SCRIPT = Path(__file__).parent / "fetch_with_tvdatafeed.py"

SERIES = [
    ("BINANCE:BTCUSDT", "in_1_minute", "1", 5000),
    ("NASDAQ:AAPL", "in_1_hour", "60", 5000),
    ("NSE:RELIANCE", "in_15_minute", "15", 300),
    ("OANDA:EURUSD", "in_4_hour", "240", 300),
    ("CME_MINI:ES1!", "in_weekly", "1W", 300),
    ("OTC:QUIET", "in_5_minute", "5", 300),
    ("TVC:RUT", "in_daily", "1D", 300),
    ("SP:SPX", "in_daily", "1D", 5000),
    ("SIM:S0001", "in_monthly", "1M", 5000),
]


Rows = list[list[float]]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A simulator whose time stands still, so that forming bars can be compared too."""
    with running(clock=lambda: TUESDAY_AFTERNOON) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def read_by_enhanced(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> list[Rows]:
    """Return all series as tvdatafeed-enhanced reads them."""
    return fetched(simulator, tmp_path_factory.mktemp("home"), "get_hist")


@pytest.fixture(scope="module")
def read_at_once(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> list[Rows]:
    """Return all series as tvdatafeed-enhanced reads them with asyncio and `websockets`."""
    return fetched(simulator, tmp_path_factory.mktemp("home"), "get_hist_multi")


@pytest.fixture(scope="module")
def read_by_the_other(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> list[Rows]:
    """Return all series as tradingview-datafeed reads them."""
    assert (PEERS / "tvDatafeed").is_dir(), "`make setup` installs it"
    return fetched(simulator, tmp_path_factory.mktemp("home"), "get_hist", PEERS)


def fetched(simulator: Simulator, home: Path, method: str, *path: Path) -> list[Rows]:
    """Return all series, fetched in a process that finds modules in `path` first."""
    requests = [
        (method, *reversed(name.split(":")), interval, count) for name, interval, _, count in SERIES
    ]
    read: list[Rows] = json.loads(run(home, path, str(SCRIPT), simulator.url, given=requests))
    return read


def run(home: Path, path: tuple[Path, ...], *arguments: str, given: object = None) -> str:
    environment = {"PYTHONPATH": os.pathsep.join(map(str, path)), "HOME": str(home), "TZ": "UTC"}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        input=json.dumps(given),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def expected(simulator: Simulator, index: int) -> Rows:
    """Return the market's bars; both clients write 0 for a missing volume."""
    name, _, text, count = SERIES[index]
    instrument, resolution = find(name), Resolution.parse(text)
    assert instrument is not None
    assert resolution is not None
    bars = simulator.market.newest(instrument, resolution, TUESDAY_AFTERNOON, count).bars
    rows: Rows = np.nan_to_num(bars.columns.T).tolist()
    return rows


@pytest.mark.parametrize("index", range(len(SERIES)))
def test_tvdatafeed_enhanced_reads_the_bars(
    simulator: Simulator, read_by_enhanced: list[Rows], index: int
) -> None:
    """tvdatafeed-enhanced reads all bars with the market's values."""
    assert expected(simulator, index) == read_by_enhanced[index]


@pytest.mark.parametrize("index", range(len(SERIES)))
def test_tvdatafeed_enhanced_reads_the_bars_with_asyncio(
    simulator: Simulator, read_at_once: list[Rows], index: int
) -> None:
    """tvdatafeed-enhanced reads the same bars with the `websockets` library."""
    assert expected(simulator, index) == read_at_once[index]


@pytest.mark.parametrize("index", range(len(SERIES)))
def test_tradingview_datafeed_reads_the_bars(
    simulator: Simulator, read_by_the_other: list[Rows], index: int
) -> None:
    """tradingview-datafeed reads all bars with the market's values."""
    assert expected(simulator, index) == read_by_the_other[index]


def test_the_two_clients_are_two(tmp_path: Path) -> None:
    """The client in `peers` differs from the one installed with PocketQuant."""
    where = "import tvDatafeed; print(tvDatafeed.__file__)"
    ours, others = run(tmp_path, (), "-c", where), run(tmp_path, (PEERS,), "-c", where)
    assert (False, True) == (str(PEERS) in ours, str(PEERS) in others)
