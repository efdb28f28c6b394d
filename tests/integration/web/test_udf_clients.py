"""Published clients of UDF read from a running server.

npm's @orderly.network/trading-view has TradingView's own client, which requests bars by a count;
PyPI's investiny is a client of Investing.com, which requests ranges of time.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from flask.testing import FlaskClient
from numpy.typing import NDArray
from werkzeug.serving import make_server

from pocketquant.cache.board_writer import BoardWriter, Entry, Flush
from pocketquant.coordination.leases import Leases
from pocketquant.domain.aggregation import BarAggregator
from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts, parse_calendar
from pocketquant.domain.intervals import DAY, HOUR, Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.quotes import Quote, Tick
from pocketquant.domain.symbols import Symbol
from pocketquant.machine.embedded import HOST
from pocketquant.wiring import Platform
from tests.forming import ALWAYS
from tests.integration.published_clients import SCRIPTS, need_node, run_client

GOLD = Symbol("SIM", "GOLD")
HOURS = CalendarTexts("Etc/UTC", "0900-1700")
Json = Any
Rows = list[list[float]]


def flat(opens: list[int]) -> NDArray[np.float64]:
    """Return the columns of bars that open at these times; the close numbers them."""
    close = np.arange(len(opens)) + 0.5
    return np.array([opens, close, close + 1, close - 1, close, close])


MIDNIGHT = int(time.time()) // DAY * DAY
SATURDAY = MIDNIGHT - ((MIDNIGHT // DAY + 5) % 7 + 7) * DAY  # of a week that has ended
FRIDAY, MONDAY = SATURDAY - DAY, SATURDAY + 2 * DAY
DATE, MINUTE = "%m/%d/%Y", "%m/%d/%Y %H:%M"  # as investiny writes times
# As many days as investiny divides into two requests, from Monday to Friday.
DAYS = [
    day for day in range(MIDNIGHT - 1200 * DAY, MIDNIGHT, DAY) if (day // DAY + 3) % 7 in range(5)
]
HOURLY = flat([day + hour * HOUR for day in DAYS for hour in range(9, 17)])
DAILY = flat([day + 9 * HOUR for day in DAYS])
BY_DAY = np.vstack([DAYS, DAILY[1:]]).T.tolist()


@pytest.fixture
def url(
    client: FlaskClient, platform: Platform, cache: redis.Redis, store: Callable[..., None]
) -> Iterator[str]:
    """A server that has hours and days of one symbol, and its quote."""
    listing = Listing(
        GOLD, "Gold", "commodity", "USD", HOURS.timezone, HOURS.session, True, price_scale=100
    )
    platform.symbols.register(listing, Interval.H1, now=1)
    platform.calendars.keep(GOLD, HOURS, None, now=1)
    store(f"{GOLD}|1h", Bars(HOURLY))
    store(f"{GOLD}|1d", Bars(DAILY))
    lease = Leases(cache, seconds=60.0).acquire("streamer:0")
    assert lease is not None
    now = time.time()
    quote = Quote(str(GOLD), time=int(now), last_price=7.5, change=0.5, bid=7.0, ask=8.0)
    bars = BarAggregator()
    bars.learn(str(GOLD), parse_calendar(ALWAYS.texts), 0)
    bars.see(str(GOLD), now - HOUR)
    bars.take([Tick(str(GOLD), int(now), 7.5, 5)])
    entry = Entry(quote, bars.state(str(GOLD)))
    BoardWriter(cache, "0", lease.key, lease.token).write(Flush(now, now, [entry]))
    with make_server(HOST, 0, client.application, threaded=True) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{HOST}:{server.port}/udf"
        server.shutdown()
        thread.join()


def run_orderly(home: Path, url: str, *requests: object) -> list[Json]:
    """Return the answers of TradingView's own client."""
    need_node("peers-orderly")
    script = str(SCRIPTS / "read_with_orderly.js")
    return run_client(home, "peers-orderly", ["node", script, url], *requests)


def run_investiny(home: Path, url: str, *requests: object) -> list[Json]:
    """Return the answers of investiny."""
    script = str(SCRIPTS / "read_with_investiny.py")
    return run_client(home, "peers-investiny", [sys.executable, script, url], *requests)


def test_tradingviews_client_scrolls_back_to_the_beginning(tmp_path: Path, url: str) -> None:
    """It gets every bar once; only the last page is not full, and then there is nothing older."""
    config, hours, days = run_orderly(
        tmp_path,
        url,
        ["config"],
        ["scroll", str(GOLD), "60", MIDNIGHT, 1500],
        ["scroll", str(GOLD), "1D", MIDNIGHT, 329],
    )
    assert {"60", "1D"} <= set(config["supported_resolutions"])
    for scrolled, expected, count in (
        (hours, HOURLY.T.tolist(), 1500),
        (days, BY_DAY, 329),
    ):
        *full, last = [len(page) for page in scrolled["pages"]]
        assert {count} == set(full)
        assert 0 < last <= count
        assert expected == [row for page in reversed(scrolled["pages"]) for row in page]
        assert {"noData": True} == scrolled["meta"]


def test_tradingviews_client_reads_ranges_and_errors(tmp_path: Path, url: str) -> None:
    """A range ends before its end; an empty one names the bar before it; an error is a text."""
    week, weekend, unknown = run_orderly(
        tmp_path,
        url,
        ["range", str(GOLD), "1D", FRIDAY - 4 * DAY, MONDAY],
        ["range", str(GOLD), "1D", SATURDAY, MONDAY],
        ["error", "SIM:NONE", "1D"],
    )
    assert last_week() == week["rows"]
    assert {"noData": True, "nextTime": FRIDAY} == weekend["meta"]
    assert "SIM:NONE" in unknown


def test_investiny_finds_symbols_and_reads_quotes(tmp_path: Path, url: str) -> None:
    """A search finds by name and type; a quote has the requested name."""
    found, others, quotes = run_investiny(
        tmp_path,
        url,
        ["search", "gold", 5, "commodity"],
        ["search", "gold", 5, "Stock"],
        ["quotes", ["sim:gold"]],
    )
    assert [str(GOLD)] == [each["ticker"] for each in found]
    assert [] == others
    assert (7.5, 0.5, 1.0) == tuple(quotes["sim:gold"][name] for name in ("lp", "ch", "spread"))


def test_investiny_reads_ranges(tmp_path: Path, url: str) -> None:
    """It requests years of hours in two ranges; the answer without bars names the bar before."""
    hours, week, weekend = run_investiny(
        tmp_path,
        url,
        ["history", str(GOLD), text(DAYS[0], MINUTE), text(MIDNIGHT - 60, MINUTE), 60],
        ["history", str(GOLD), text(FRIDAY - 4 * DAY), text(FRIDAY), "D"],
        ["history", str(GOLD), text(SATURDAY), text(SATURDAY + DAY), "D"],
    )
    assert table(HOURLY.T.tolist(), MINUTE) == hours
    assert table(last_week()) == week
    assert f"from_date={text(FRIDAY)}" in weekend


def last_week() -> Rows:
    """Return the daily bars of the last whole week."""
    return [row for row in BY_DAY if FRIDAY - 4 * DAY <= row[0] <= FRIDAY]


def table(rows: Rows, form: str = DATE) -> Json:
    """Return rows as investiny does: as columns, the times as texts."""
    names = ("date", "open", "high", "low", "close", "volume")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return columns | {"date": [text(moment, form) for moment in columns["date"]]}


def text(moment: float, form: str = DATE) -> str:
    return time.strftime(form, time.gmtime(moment))
