"""Bars of sessions made of shorter ones, against a resampler of its own with its own calendar."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from flask.testing import FlaskClient

from pocketquant.domain.bars import COLUMNS, Bars
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.symbols import Symbol
from pocketquant.wiring import Platform

URL = "/api/v1/market-data/ohlcv/NASDAQ/AAPL"
AAPL = Symbol("NASDAQ", "AAPL")
NEW_YORK = ZoneInfo("America/New_York")
TEXTS = CalendarTexts("America/New_York", "0930-1600", "20261126", "0930-1300:20261127")
FIRST, DAYS = date(2026, 10, 26), 40  # clocks go back on 1 November

Row = tuple[int, float, float, float, float, float]
Window = tuple[int, int]
Store = Callable[..., None]


def session_of(day: date) -> Window | None:
    """When the exchange was open, written down by hand."""
    if day.weekday() >= 5 or day == date(2026, 11, 26):
        return None
    close = time(13) if day == date(2026, 11, 27) else time(16)
    opened = datetime.combine(day, time(9, 30), NEW_YORK)
    return int(opened.timestamp()), int(datetime.combine(day, close, NEW_YORK).timestamp())


def sessions_from(first: date, count: int) -> dict[date, Window]:
    days = [first + timedelta(days=number) for number in range(count)]
    return {day: session for day in days if (session := session_of(day)) is not None}


SESSIONS = sessions_from(FIRST, DAYS)
HALF_A_YEAR = sessions_from(date(2026, 6, 1), 188)  # from a Monday, the first of a month


def row(dice: random.Random, opened: int) -> Row:
    low = dice.randrange(1, 500)
    high = low + dice.randrange(9)
    prices = (dice.randint(low, high), high, low, dice.randint(low, high))
    return (opened, *map(float, prices), float(dice.randrange(9)))


def made(rows: list[Row], windows: list[Window], until: int) -> dict[int, Row]:
    """Return the bars of these windows that are over, row by row in plain Python."""
    bars = {}
    for opened, closed in windows:
        held = [each for each in rows if opened <= each[0] < closed]
        if held and closed <= until:
            _, opens, highs, lows, closes, volumes = zip(*held, strict=True)
            prices = (opens[0], max(highs), min(lows), closes[-1])
            bars[opened] = (opened, *prices, sum(volumes))
    return bars


def windows_of(seconds: int) -> list[Window]:
    return [
        (start, min(start + seconds, closed))
        for opened, closed in SESSIONS.values()
        for start in range(opened, closed, seconds)
    ]


def long_windows(key: Callable[[date], Any]) -> list[Window]:
    groups: dict[Any, list[Window]] = {}
    for day, session in HALF_A_YEAR.items():
        groups.setdefault(key(day), []).append(session)
    return [(held[0][0], held[-1][1]) for held in groups.values()]


@pytest.fixture
def known(platform: Platform) -> None:
    """The symbol's hours are known."""
    platform.calendars.keep(AAPL, TEXTS, None, now=1_700_000_000)


def pages(client: FlaskClient, query: str) -> Iterator[list[Row]]:
    cursor = ""
    while True:
        answer = client.get(f"{URL}?{query}{cursor}")
        assert 200 == answer.status_code, answer.text
        document = answer.get_json()
        yield [
            (seconds(bar["datetime"]), *(bar[name] for name in COLUMNS[1:]))
            for bar in document["data"]
        ]
        if document["next_cursor"] is None:
            return
        cursor = f"&cursor={document['next_cursor']}"


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def text(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


def check_ranges(
    client: FlaskClient, dice: random.Random, interval: str, expected: dict[int, Row]
) -> None:
    """Every range and page, in both orders, holds the bars that open in it."""
    first, last = min(expected), max(expected)
    for _ in range(6):
        start, end = sorted(dice.sample(range(first - 86_400, last + 86_400), 2))
        order, limit = dice.choice(["asc", "desc"]), dice.choice([1, 3, 50])
        query = (
            f"interval={interval}&order={order}&limit={limit}"
            f"&start_date={text(start)}&end_date={text(end)}"
        )
        wanted = [bar for opened, bar in expected.items() if start <= opened < end]
        found = [bar for page in pages(client, query) for bar in page]
        assert wanted == (found if order == "asc" else found[::-1]), query


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("interval", "length"), [("7m", 420), ("90m", 5400), ("6h", 21_600), ("4h", 14_400)]
)
def test_minutes_and_hours_count_from_the_open(
    client: FlaskClient, store: Store, interval: str, length: int, seed: int
) -> None:
    """The last bar of a session is short; no bar reaches over a night or a holiday."""
    dice = random.Random(seed)
    rows = [
        row(dice, opened)
        for start, end in SESSIONS.values()
        for opened in range(start, end, 60)
        if dice.random() < 0.3
    ]
    store("NASDAQ:AAPL|1m", Bars(np.array(rows).T))
    expected = made(rows, windows_of(length), until=rows[-1][0] + 60)
    check_ranges(client, dice, interval, expected)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("interval", "windows"),
    [
        ("1w", long_windows(lambda day: day.isocalendar()[:2])),
        ("1M", long_windows(lambda day: day.month)),
    ],
)
def test_weeks_and_months_are_made_of_days(
    client: FlaskClient, store: Store, interval: str, windows: list[Window]
) -> None:
    """They open with their first session and are closed with their last one."""
    dice = random.Random(1)
    rows = [row(dice, opened) for opened, _ in HALF_A_YEAR.values()]
    store("NASDAQ:AAPL|1d", Bars(np.array(rows).T))
    until = max(end for _, end in HALF_A_YEAR.values())
    expected = made(rows, windows, until)
    if interval == "1M":
        del expected[max(expected)]  # December is not over
    check_ranges(client, dice, interval, expected)


@pytest.mark.usefixtures("known")
def test_pairs_of_days_are_made_of_days(client: FlaskClient, store: Store) -> None:
    """Never of hours, which have no auctions."""
    hours = [(opened, 1.0, 2.0, 1.0, 2.0, 1.0) for opened, _ in windows_of(3600)]
    store("NASDAQ:AAPL|1h", Bars(np.array(hours).T))
    assert 404 == client.get(f"{URL}?interval=2d").status_code
    days = [(opened, 1.0, 2.0, 1.0, 2.0, 5.0) for opened, _ in SESSIONS.values()]
    store("NASDAQ:AAPL|1d", Bars(np.array(days).T))
    answer = client.get(f"{URL}?interval=2d&order=asc&limit=50").get_json()
    assert "1d" == answer["resampled_from"]
    assert {10.0} == {bar["volume"] for bar in answer["data"][1:-1]}
    assert 422 == client.get(f"{URL}?interval=48h").status_code


def test_days_need_a_calendar(client: FlaskClient, store: Store) -> None:
    """404 says that a sync brings it; hours do without one."""
    store("NASDAQ:AAPL|1d", Bars(np.array([[86_400.0, 1.0, 2.0, 1.0, 2.0, 1.0]]).T))
    answer = client.get(f"{URL}?interval=2d")
    assert 404 == answer.status_code
    assert "sync it first" in answer.get_json()["message"]
    assert 422 == client.get(f"{URL}?interval=400d").status_code


@pytest.mark.usefixtures("known")
def test_ninety_minutes_of_apple_begin_with_the_session(client: FlaskClient, store: Store) -> None:
    """At 14:30 UTC in winter, of half hours and of minutes; a sync changes no open time."""
    opens = [
        "2026-11-27T14:30:00Z",
        "2026-11-27T16:00:00Z",
        "2026-11-27T17:30:00Z",
    ]
    start, end = SESSIONS[date(2026, 11, 27)]
    for interval, step in (("30m", 1800), ("1m", 60)):
        bars = [(opened, 1.0, 2.0, 1.0, 2.0, 1.0) for opened in range(start, end, step)]
        store(f"NASDAQ:AAPL|{interval}", Bars(np.array(bars).T))
        answer = client.get(f"{URL}?interval=90m&order=asc&limit=9").get_json()
        assert opens == [bar["datetime"] for bar in answer["data"]]
