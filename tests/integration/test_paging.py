"""Ranges of history page by page, on a real socket to the simulator, with all kinds of trouble."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
import redis

from pocketquant.coordination.handshakes import HandshakeRules, Handshakes
from pocketquant.domain.bars import Bars, concatenate
from pocketquant.domain.dates import to_date
from pocketquant.domain.errors import (
    ConnectionLost,
    NoPermission,
    PocketQuantError,
    ProviderFault,
    ProviderTimeout,
    RateLimited,
    UnknownSymbol,
)
from pocketquant.domain.events import Dividend
from pocketquant.domain.intervals import DAY
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import Page, Stop, SyncRequest
from pocketquant.domain.turns import TurnFarOff
from pocketquant.servers.connections import wait_until
from pocketquant.simulator.market.prices import Resolution
from pocketquant.simulator.server import Simulator, running
from pocketquant.simulator.sockets import SimulatorPace
from pocketquant.simulator.wire import tokens
from pocketquant.simulator.wire.recordings import Recording
from pocketquant.tradingview.account import Account
from pocketquant.tradingview.connections import Connections
from pocketquant.tradingview.paging import PagedHistory
from tests.integration.ranges import witness
from tests.simulated import known

NOW = 1_795_016_070  # 2026-11-18T15:34:30Z: New York is open
OPEN = 1_795_012_200
HOURS = "NASDAQ:AAPL|1h"
LONG_AGO = 0
PREMIUM = tokens.issue(1, NOW)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator without faults, with frequent heartbeats and a clock that stands still."""
    with running(pace=SimulatorPace(heartbeat_seconds=0.05), clock=lambda: float(NOW)) as simulator:
        yield simulator


@pytest.fixture
def paged(simulator: Simulator, cache: redis.Redis) -> PagedHistory:
    """Pages for an account with the plan that allows 20,000 bars."""
    return provider(simulator, cache)


def provider(
    simulator: Simulator, cache: redis.Redis, timeout_seconds: float = 60.0, token: str = PREMIUM
) -> PagedHistory:
    account = Account(simulator.http_url, "", "", token, cache)
    return PagedHistory(Connections(simulator.url, idle_seconds=0.1), account, timeout_seconds)


def pages_of(
    paged: PagedHistory,
    series: str,
    start: int = LONG_AGO,
    end: int | None = None,
    oldest: int | None = None,
) -> list[Page]:
    """Return all pages of a range, the newest first."""
    request = SyncRequest(Series.parse(series), start=start, end=end)
    with closing(paged.pages(request, oldest)) as pages:
        return list(pages)


def joined(pages: list[Page]) -> Bars:
    """Return the bars of all pages; those of different pages do not overlap."""
    return concatenate([page.history.closed for page in reversed(pages)])


@pytest.mark.parametrize(
    ("interval", "resolution", "limit", "stop"),
    [("1h", "60", None, Stop.LIMIT), ("2h", "120", 0, Stop.END)],
    ids=["premium", "no limit"],
)
def test_all_that_there_is(
    simulator: Simulator,
    paged: PagedHistory,
    interval: str,
    resolution: str,
    limit: int | None,
    stop: Stop,
) -> None:
    """All pages are the bars of an independent reader, up to the plan's limit or the beginning."""
    if limit is not None:
        simulator.order("bar_limit", value=limit)
    pages = pages_of(paged, f"NASDAQ:AAPL|{interval}")
    expected = witness(simulator.url, PREMIUM, "NASDAQ:AAPL", resolution)
    assert expected[:-1] == joined(pages).columns.T.tolist()
    assert pages[0].history.forming is not None
    assert expected[-1][0] == pages[0].history.forming.time
    assert [*[None] * (len(pages) - 1), stop] == [page.stop for page in pages]
    assert [True, *[False] * (len(pages) - 1)] == [page.is_newest for page in pages]
    if stop is Stop.LIMIT:
        assert 20_000 == len(expected)
    else:
        listed = simulator.market.first_time(known("NASDAQ:AAPL"), Resolution(1, "m"))
        assert listed == expected[0][0] == pages[-1].begins_at
        assert 20_000 < len(expected)


def test_the_captured_pages_of_a_browser(wire: Path, cache: redis.Redis) -> None:
    """Replayed over a socket, each page holds what was sent; the bars of both do not overlap."""
    lines = (wire / "nse_browser_pages_2025-12-18.jsonl").read_text().splitlines()
    texts = [entry["frame"] for entry in map(json.loads, lines) if entry["dir"] == "S"]
    sent = [json.loads(text.split("~m~", 2)[2]) for text in texts]
    updates = [each["p"][1] for each in sent if each.get("m") == "timescale_update"]
    newest, older = ([bar["v"] for bar in each["sds_2"]["s"]] for each in updates if each)
    pace = SimulatorPace(recording=Recording.parse(lines))
    with running(pace=pace, clock=lambda: sent[0]["timestamp"]) as simulator:
        start = int(older[0][0])
        pages = pages_of(provider(simulator, cache, token=""), "NSE:JUNIPER|3h", start)
    assert [newest[:-1], older] == [page.history.closed.columns.T.tolist() for page in pages]
    assert [None, Stop.REACHED] == [page.stop for page in pages]
    assert pages[0].history.forming is not None
    assert newest[-1][0] == pages[0].history.forming.time
    assert (len(newest) - 1 + len(older), 532) == (len(joined(pages)), len(newest) + len(older))


def test_a_start(paged: PagedHistory) -> None:
    """The pages reach back to the start, and there are no more of them than needed."""
    everything = joined(pages_of(paged, HOURS))
    start = int(everything.time[-8000])
    pages = pages_of(paged, HOURS, start)
    assert Stop.REACHED is pages[-1].stop
    assert everything.between(joined(pages).first_time, None) == joined(pages)
    assert 2 == len(pages)
    assert (joined(pages).first_time or 0) <= start


def test_an_end(paged: PagedHistory) -> None:
    """A range with an end begins there, and its bars are all closed."""
    everything = joined(pages_of(paged, HOURS))
    start, end = (int(everything.time[-index]) for index in (15_000, 8000))
    (newest, *_) = pages = pages_of(paged, HOURS, start, end)
    assert everything.between(joined(pages).first_time, end) == joined(pages)
    assert (False, None) == (newest.is_newest, newest.history.forming)
    assert Stop.REACHED is pages[-1].stop


def test_an_attempt_goes_on_where_another_has_ended(paged: PagedHistory) -> None:
    """With the oldest bar of another attempt, the pages begin with that bar."""
    everything = joined(pages_of(paged, HOURS))
    oldest = int(everything.time[-9000])
    pages = pages_of(paged, HOURS, oldest=oldest)
    assert everything.between(None, oldest + 1) == joined(pages)
    assert Stop.LIMIT is pages[-1].stop


def test_a_page_is_fetched_when_it_is_asked_for(simulator: Simulator, paged: PagedHistory) -> None:
    """No page is requested while one is being stored, and closing ends the connection."""
    request = SyncRequest(Series.parse(HOURS), start=LONG_AGO)
    with closing(paged.pages(request, None)) as pages:
        next(pages)
        assert 1 == simulator.tally.served["NASDAQ:AAPL"]
        next(pages)
        assert 2 == simulator.tally.served["NASDAQ:AAPL"]
        assert 1 == simulator.tally.open_connections
    wait_until("it is closed", lambda: not simulator.tally.open_connections, (), 60)


@pytest.mark.parametrize(
    ("fault", "value"),
    [
        ("page_newer", None),
        ("completed_twice", None),
        ("cleared", None),
        ("stale_turnaround", None),
        ("unknown_message", None),
        ("unordered_clock", None),
        ("glue", None),
        ("split", None),
        ("each_alone", None),
        ("latency", 0.05),
    ],
)
def test_disturbed_pages(
    simulator: Simulator, paged: PagedHistory, fault: str, value: float | None
) -> None:
    """The bars are right, whatever comes between them."""
    start = NOW - 2600 * 86400
    undisturbed = joined(pages_of(paged, HOURS, start))
    simulator.order(fault, value=value)
    pages = pages_of(paged, HOURS, start)
    assert undisturbed == joined(pages)
    assert (3, Stop.REACHED) == (len(pages), pages[-1].stop)


def test_a_page_that_is_repeated(simulator: Simulator, paged: PagedHistory) -> None:
    """A page that comes again is harmless, and after the second time it is no use to go on."""
    simulator.order("page_repeated", times=1)
    pages = pages_of(paged, HOURS)
    times = sorted({time for page in pages for time in page.history.closed.time.tolist()})
    assert (19_999, Stop.LIMIT) == (len(times), pages[-1].stop)
    simulator.order("page_repeated")
    first, *others = pages_of(paged, HOURS)
    assert [None, Stop.NO_PROGRESS] == [page.stop for page in others]
    assert [first.history.closed] * 2 == [page.history.closed for page in others]


def test_silence_after_some_pages(simulator: Simulator, cache: redis.Redis) -> None:
    """A page that does not come is an error at its own deadline; those before it were returned."""
    simulator.order("page_silent", value=2)
    request = SyncRequest(Series.parse(HOURS), start=LONG_AGO)
    got = []
    with (
        closing(provider(simulator, cache, timeout_seconds=2.0).pages(request, None)) as pages,
        pytest.raises(ProviderTimeout, match="NASDAQ:AAPL"),
    ):
        got.extend(pages)
    assert 3 == len(got)


@pytest.mark.parametrize(
    ("fault", "value"),
    [
        ("drop", None),
        ("drop_bundle", None),
        ("bad_frame", None),
        ("protocol_error", "{unknown_session_id}"),
    ],
)
def test_a_connection_that_breaks_between_pages(
    simulator: Simulator, paged: PagedHistory, fault: str, value: str | None
) -> None:
    """Each page is fetched once more on a new connection, from the oldest bar on that came."""
    start = NOW - 2600 * 86400
    undisturbed = joined(pages_of(paged, HOURS, start))
    before, bars = simulator.tally.connections, Bars.empty()
    request = SyncRequest(Series.parse(HOURS), start=start)
    with closing(paged.pages(request, None)) as pages:
        for page in pages:
            bars = bars.merge(page.history.closed).bars
            simulator.order(fault, value=value, times=1)
    assert undisturbed.between(bars.first_time, None) == bars
    assert (Stop.REACHED, False) == (page.stop, page.is_newest)
    assert 2 == simulator.tally.connections - before


@pytest.mark.parametrize(
    ("fault", "value", "expected", "connections"),
    [
        ("drop", None, ConnectionLost, 2),
        ("protocol_error", "user connections limit reached", RateLimited, 1),
        ("critical_error", "busy", ProviderFault, 1),
    ],
)
def test_a_page_that_fails(
    simulator: Simulator,
    paged: PagedHistory,
    fault: str,
    value: str | None,
    expected: type[PocketQuantError],
    connections: int,
) -> None:
    """One new connection is tried; none after a limit, nor if the connection is not at fault."""
    request = SyncRequest(Series.parse(HOURS), start=LONG_AGO)
    with closing(paged.pages(request, None)) as pages:
        next(pages)
        simulator.order(fault, value=value)
        with pytest.raises(expected):
            next(pages)
    assert connections == simulator.tally.connections


def test_a_page_whose_new_connection_is_refused(simulator: Simulator, cache: redis.Redis) -> None:
    """A 429 puts the range back for the pause of all handshakes, and is no other failure."""
    pace = Handshakes(cache, HandshakeRules(rate=1000, burst=100, first_pause_seconds=50))
    account = Account(simulator.http_url, "", "", PREMIUM, cache)
    paged = PagedHistory(Connections(simulator.url, pace), account, 60.0)
    with closing(paged.pages(SyncRequest(Series.parse(HOURS), start=LONG_AGO), None)) as pages:
        next(pages)
        simulator.order("drop", times=1)
        simulator.order("rate_limit")
        with pytest.raises(TurnFarOff) as turn:
            next(pages)
    assert (50, RateLimited) == (turn.value.delay_seconds, type(turn.value.error))


def test_a_range_before_history(simulator: Simulator, paged: PagedHistory) -> None:
    """The server is silent about times before its history; the quote says when that begins."""
    simulator.order("bar_limit", value=0)
    (page,) = pages_of(paged, HOURS, start=900_000_000, end=910_000_000)
    assert (0, Stop.END) == (page.history.fetched, page.stop)
    assert page.begins_at is not None
    assert 910_000_000 < page.begins_at


def test_a_range_that_the_plan_keeps_out(simulator: Simulator, cache: redis.Redis) -> None:
    """Bars that exist and never come are kept out by the plan; there is no error."""
    anonymous = provider(simulator, cache, token="")
    pages = pages_of(anonymous, HOURS, start=1_000_000_000, end=1_100_000_000)
    assert [0, 0] == [page.history.fetched for page in pages]
    assert Stop.LIMIT is pages[-1].stop


def test_a_listing_that_never_traded(paged: PagedHistory) -> None:
    """A listing without trades has one empty page, which is the end."""
    (page,) = pages_of(paged, "NYSE:UNBORN|1h")
    assert (0, Stop.END, None) == (page.history.fetched, page.stop, page.begins_at)


def test_the_dividends_of_a_symbol(simulator: Simulator, paged: PagedHistory) -> None:
    """The quote that says when history begins names them too."""
    simulator.pay("NASDAQ:AAPL", OPEN, 0.26)
    simulator.pay("NASDAQ:AAPL", OPEN + 91 * DAY, 0.27)
    *_, last = pages_of(paged, "NASDAQ:AAPL|1d")
    named = (Dividend(date(2026, 11, 18), 0.26), Dividend(date(2027, 2, 17)))
    assert named == last.report.dividends


@pytest.mark.parametrize("interval", ["1d", "1w", "1M"])
def test_days_and_longer(paged: PagedHistory, interval: str) -> None:
    """Longer intervals end at the beginning of history, whatever the plan."""
    pages = pages_of(paged, f"NASDAQ:AAPL|{interval}")
    assert Stop.END is pages[-1].stop
    assert 2000 == to_date(joined(pages).first_time or 0).year


@pytest.mark.parametrize(
    ("symbol", "expected"), [("NASDAQ:NOSUCH", UnknownSymbol), ("ECONOMICS:USM2", NoPermission)]
)
def test_wrong_requests(paged: PagedHistory, symbol: str, expected: type[PocketQuantError]) -> None:
    """A request that TradingView refuses is rejected at once."""
    with pytest.raises(expected, match=symbol):
        pages_of(paged, f"{symbol}|1d")


def test_a_refused_token(simulator: Simulator, cache: redis.Redis) -> None:
    """A token that expired meanwhile is renewed once, before the first page."""
    account = Account(simulator.http_url, "user", "password", "", cache)
    simulator.order("token_expiry", value=1000, times=1)
    account.token()
    simulator.order("bad_token", times=1)
    paged = PagedHistory(Connections(simulator.url, idle_seconds=0.1), account, 60.0)
    pages = pages_of(paged, "NASDAQ:AAPL|1w")
    assert Stop.END is pages[-1].stop
    assert 2 == simulator.tally.sign_ins


def test_hang_up(simulator: Simulator, cache: redis.Redis) -> None:
    """The end of the process ends the pages in progress."""
    connections = Connections(simulator.url)
    account = Account(simulator.http_url, "", "", PREMIUM, cache)
    paged = PagedHistory(connections, account, 60.0)
    simulator.order("page_silent")
    request = SyncRequest(Series.parse(HOURS), start=LONG_AGO)
    with closing(paged.pages(request, None)) as pages:
        next(pages)
        connections.hang_up()
        with pytest.raises(ConnectionLost):
            next(pages)
