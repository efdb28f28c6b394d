"""`GET /market-data/ohlcv` and `current-bar` of days, weeks and months that quotes report."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
import redis
from flask.testing import FlaskClient

from pocketquant.cache.board_writer import BoardWriter, Entry, Flush
from pocketquant.coordination.leases import Leases
from pocketquant.domain.aggregation import BarAggregator
from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts, parse_calendar
from pocketquant.domain.errors import NotFound
from pocketquant.domain.intervals import DAY, Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.quotes import Quote
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.wiring import Platform

AAPL = Symbol.parse("NASDAQ:AAPL")
DAYS = Series(AAPL, Interval.D1)
WEEKS = Series(AAPL, Interval.W1)
OHLCV = "/api/v1/market-data/ohlcv/NASDAQ/AAPL?order=asc"
NEW_YORK = CalendarTexts("America/New_York", "0930-1600", "20991126,20991225")

Store = Callable[..., None]


def opened(date: str) -> int:
    """Half past nine in New York on a date in winter."""
    return int(pd.Timestamp(f"{date}T14:30", tz="UTC").timestamp())


def rows(*dates: str) -> Bars:
    """Bars whose close is the day of their month."""
    closes = [float(date[-2:]) for date in dates]
    flat = [closes, [each + 1 for each in closes], [each - 1 for each in closes], closes]
    return Bars(np.array([[opened(each) for each in dates], *flat, [100.0] * len(dates)]))


@pytest.fixture(autouse=True)
def hours(platform: Platform) -> None:
    """The symbol's calendar is known."""
    platform.calendars.keep(AAPL, NEW_YORK, None, 0)


@pytest.fixture
def live(platform: Platform) -> Store:
    """Stores live days of these dates, as a streamer does."""

    def put(*dates: str, is_partial: bool = False) -> None:
        found = [
            LiveBar(
                str(AAPL),
                Interval.D1,
                *(int(time), int(time) + 23_400),
                *values[:4],
                values[4],
                1,
                is_partial,
                *(int(time), int(time)),
            )
            for time, *values in rows(*dates).columns.T.tolist()
        ]
        platform.responses.drop(*platform.live_bars.upsert(found))

    return put


@pytest.fixture
def report(platform: Platform, cache: redis.Redis) -> Callable[[str, float], None]:
    """Writes the open day of a date to the board, as a streamer does."""
    lease = Leases(cache, seconds=60.0).acquire("streamer:0")
    assert lease is not None
    writer = BoardWriter(cache, "0", lease.key, lease.token)

    def put(date: str, price: float) -> None:
        bars, time = BarAggregator(), opened(date)
        bars.learn(str(AAPL), parse_calendar(NEW_YORK), time)
        bars.see(str(AAPL), time)
        quote = Quote(str(AAPL), time + 60, price, day_volume=50.0, open_time=time - time % DAY)
        day = Quote(**{**asdict(quote), "open_price": 2.0, "high_price": 99.0, "low_price": 1.0})
        bars.report(day, is_whole=True)
        entry = Entry(day, bars.state(str(AAPL)), has_closed=True)
        writer.write(Flush(time + 61.0, time + 61.0, [entry]))

    return put


def answered(client: FlaskClient, interval: str, query: str = "") -> Any:
    return client.get(f"{OHLCV}&interval={interval}{query}").get_json()


def closes(answer: Any) -> list[tuple[str, float]]:
    return [(bar["datetime"][:10], bar["close"]) for bar in answer["data"]]


THANKSGIVING = ("2099-11-23", "2099-11-24", "2099-11-25", "2099-11-27")
NEXT = ("2099-11-30", "2099-12-01", "2099-12-02", "2099-12-03", "2099-12-04")


def test_a_live_day_opens_as_history_does(
    client: FlaskClient, platform: Platform, store: Store, live: Store
) -> None:
    """A sync gives none another open time, and leaves none twice."""
    live(*THANKSGIVING)
    before = closes(answered(client, "1d"))
    assert [(date, float(date[-2:])) for date in THANKSGIVING] == before
    store(str(DAYS), rows(*THANKSGIVING[:2]))
    assert before == closes(answered(client, "1d"))
    assert 2 == answered(client, "1d")["live"]["count"]
    platform.live_bars.prune(DAYS, 0, opened(THANKSGIVING[1]) + 1)
    platform.responses.drop(DAYS)
    assert before == closes(answered(client, "1d"))


def test_days_of_utc_are_not_shown(client: FlaskClient, platform: Platform, live: Store) -> None:
    """An earlier version stored them; so it did weeks and months."""
    live(THANKSGIVING[0])
    midnight = opened(THANKSGIVING[1]) // DAY * DAY
    for interval in (Interval.D1, Interval.W1, Interval.MONTH):
        old = LiveBar(str(AAPL), interval, midnight, 0, 7, 7, 7, 7, 1, 1, False, 0, 0)
        platform.live_bars.upsert([old])
    assert [(THANKSGIVING[0], 23.0)] == closes(answered(client, "1d"))
    assert [[], []] == [closes(answered(client, each)) for each in ("1w", "1M")]


def test_weeks_after_history_are_made_of_days(
    client: FlaskClient, store: Store, live: Store
) -> None:
    """They are live, and seen with the day that ends them; a week of history stays."""
    store(str(WEEKS), rows("2099-11-16"))
    store(str(DAYS), rows("2099-11-20", *THANKSGIVING[:3]))
    assert [("2099-11-16", 16.0)] == closes(answered(client, "1w"))
    live(THANKSGIVING[3])
    for _ in range(2):  # the second one is kept
        answer = answered(client, "1w")
        assert [("2099-11-16", 16.0), ("2099-11-23", 27.0)] == closes(answer)
        assert {"count": 1, "partial": []} == answer["live"]
    assert {"open": 23.0, "high": 28.0, "low": 22.0, "volume": 400.0}.items() <= (
        answer["data"][-1].items()
    )
    assert [("2099-11-23", 27.0)] == closes(answered(client, "1w", "&start_date=2099-11-20"))
    assert [("2099-11-16", 16.0)] == closes(answered(client, "1w", "&end_date=2099-11-20"))
    file = client.get(f"{OHLCV}&interval=1w&format=csv", buffered=True).text.splitlines()
    assert 3 == len(file)


@pytest.mark.parametrize(
    ("known", "is_partial"), [(THANKSGIVING[:3], True), (THANKSGIVING[1:3], False), ((), False)]
)
def test_a_week_that_lacks_something_is_partial(
    client: FlaskClient, store: Store, live: Store, known: tuple[str, ...], is_partial: bool
) -> None:
    """A day is missing, or was not seen to its end."""
    store(str(WEEKS), rows("2099-11-16"))
    if known:
        live(*known)
    live(THANKSGIVING[3], is_partial=is_partial)
    answer = answered(client, "1w")
    assert [f"{THANKSGIVING[0]}T14:30:00Z"] == answer["live"]["partial"]


def test_months_are_made_of_days_too(client: FlaskClient, store: Store, live: Store) -> None:
    """A month needs all trading days of the calendar."""
    november = [f"{each:%Y-%m-%d}" for each in pd.bdate_range("2099-11-02", "2099-11-30")]
    november.remove("2099-11-26")
    store(f"{AAPL}|1M", rows("2099-10-01"))
    store(str(DAYS), rows(*november[:-1]))
    live(november[-1])
    answer = answered(client, "1M")
    assert [("2099-10-01", 1.0), ("2099-11-02", 30.0)] == closes(answer)
    assert {"count": 1, "partial": []} == answer["live"]


def current(client: FlaskClient, interval: str) -> Any:
    found = client.get(f"/api/v1/quotes/current-bar/NASDAQ/AAPL?interval={interval}").get_json()
    return {name: found.get(name) for name in ("bar_start", "bar_end", "open", "high", "low")} | {
        name: found.get(name) for name in ("close", "volume", "partial")
    }


def test_the_current_week(
    client: FlaskClient, store: Store, live: Store, report: Callable[[str, float], None]
) -> None:
    """It is made of stored days and the open one, in both endpoints."""
    store(str(WEEKS), rows("2099-11-16"))
    store(str(DAYS), rows(*THANKSGIVING[:1]))
    live(THANKSGIVING[1])
    report(THANKSGIVING[2], 12.5)
    expected = {
        "bar_start": "2099-11-23T14:30:00Z",
        "bar_end": "2099-11-27T21:00:00Z",
        "open": 23.0,
        "high": 99.0,
        "low": 1.0,
        "close": 12.5,
        "volume": 250.0,
        "partial": False,
    }
    assert expected == current(client, "1w")
    assert expected.items() <= answered(client, "1w")["forming"].items()
    day = {"bar_start": "2099-11-25T14:30:00Z", "bar_end": "2099-11-25T21:00:00Z", "open": 2.0}
    assert day.items() <= current(client, "1d").items()


def test_the_current_week_while_the_market_is_closed(
    platform: Platform, live: Store, report: Callable[[str, float], None]
) -> None:
    """It is made of stored days until its last day has closed; the symbol must be streamed."""
    live(*THANKSGIVING[:3])
    evening, bars = opened(THANKSGIVING[2]) + 10 * 3600, platform.current_bars
    assert None is bars.get(WEEKS, evening)
    report(THANKSGIVING[0], 12.5)
    found = bars.get(WEEKS, evening)
    assert found is not None
    assert (opened(THANKSGIVING[0]), 25.0) == (found.bar.start, found.bar.close)
    close = opened(THANKSGIVING[3]) + 23_400
    assert (close + 900, opened(THANKSGIVING[2]) + 23_400) == (found.ends_at, found.as_of)
    live(THANKSGIVING[3])
    assert None is not bars.get(WEEKS, close + 899)
    assert None is bars.get(WEEKS, close + 900)


@pytest.mark.parametrize("interval", [Interval.D1, Interval.W1])
def test_a_doubtful_calendar_withholds_weeks(
    client: FlaskClient,
    platform: Platform,
    store: Store,
    live: Store,
    report: Callable[[str, float], None],
    interval: Interval,
) -> None:
    """Days in doubt make no week either."""
    store(str(WEEKS), rows("2099-11-16"))
    live(*THANKSGIVING)
    report(NEXT[0], 12.5)
    platform.calendars.doubt(AAPL, interval, opened("2099-11-20"))
    assert [("2099-11-16", 16.0)] == closes(answered(client, "1w"))
    with pytest.raises(NotFound, match="no 1w bar at present: doubtful"):
        platform.watching.current_bar(AAPL, Interval.W1)
