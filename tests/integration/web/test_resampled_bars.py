"""Bars made of shorter ones, against a resampler of its own, over random pages and ranges."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from flask.testing import FlaskClient

from pocketquant.domain.bars import Bars
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.symbols import Series
from pocketquant.wiring import Platform

URL = "/api/v1/market-data/ohlcv/NASDAQ/AAPL"
START = 1_699_999_200  # 2023-11-14T22:00:00Z
LENGTHS = {"7m": 420, "10m": 600, "90m": 5400, "6h": 21_600}

Store = Callable[..., None]


class Bar(NamedTuple):
    """A stored bar: `is_live` if built from quotes, `is_partial` if it lacks some of its time."""

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    is_live: bool = False
    is_partial: bool = False


class Made(NamedTuple):
    """One bar of an answer, with its flags."""

    time: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    is_partial: bool


def resampled(bars: list[Bar], step: int, seconds: int) -> dict[int, Made]:
    """Return the closed bars of `seconds` by open time, made bar by bar in plain Python."""
    windows: dict[int, list[Bar]] = {}
    for bar in bars:
        windows.setdefault(bar.time // seconds * seconds, []).append(bar)
    gaps = [(-(2**53), bars[0].time)]
    for one, next_one in pairwise(bars):
        if one.is_live != next_one.is_live and one.time + step < next_one.time:
            gaps.append((one.time + step, next_one.time))
    made = {}
    for start, held in windows.items():
        end = start + seconds
        if end > bars[-1].time + step:
            continue
        is_partial = any(bar.is_partial for bar in held)
        is_partial |= any(low < end and start < high for low, high in gaps)
        made[start] = Made(
            text(start),
            held[0].open,
            max(bar.high for bar in held),
            min(bar.low for bar in held),
            held[-1].close,
            sum(bar.volume for bar in held),
            is_partial,
        )
    return made


def text(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat().replace("+00:00", "Z")


def random_minutes(dice: random.Random) -> list[Bar]:
    """Some days of minutes with pauses of all lengths: history, then live ones, history, live."""
    time, bars = START + 60 * dice.randrange(600), []
    ends = sorted(dice.sample(range(100, 2500), 3))
    for number in range(2500):
        time += 60 * dice.choice([1] * 30 + [2, 3, 8, 200])
        low = dice.randrange(1, 500)
        high = low + dice.randrange(9)
        is_live = ends[0] <= number < ends[1] or ends[2] <= number
        prices = (dice.randint(low, high), high, low, dice.randint(low, high))
        is_partial = is_live and dice.random() < 0.02
        bars.append(Bar(time, *map(float, prices), dice.randrange(9), is_live, is_partial))
    return bars


def columns(bars: list[Bar]) -> Bars:
    return Bars(np.array([bar[:6] for bar in bars], dtype=np.float64).T)


@pytest.fixture
def put(platform: Platform, store: Store) -> Callable[[str, list[Bar]], None]:
    """Stores history as a sync does and live bars as a streamer does."""

    def each(key: str, bars: list[Bar]) -> None:
        series = Series.parse(key)
        store(key, columns([bar for bar in bars if not bar.is_live]))
        step = series.interval.seconds
        live = [
            LiveBar(
                str(series.symbol), series.interval, bar.time, bar.time + step, *bar[1:6], 1,
                bar.is_partial, bar.time, bar.time,
            )
            for bar in bars
            if bar.is_live
        ]  # fmt: skip
        platform.responses.drop(*platform.live_bars.upsert(live))

    return each


def pages(client: FlaskClient, query: str) -> Iterator[tuple[str, list[Made]]]:
    """The source and the bars of each page."""
    cursor = ""
    while True:
        answer = client.get(f"{URL}?{query}{cursor}")
        assert 200 == answer.status_code, answer.text
        document = answer.get_json()
        partial = set(document["live"]["partial"])
        bars = [Made(*bar.values(), bar["datetime"] in partial) for bar in document["data"]]
        assert partial <= {bar.time for bar in bars}
        yield document["resampled_from"], bars
        if document["next_cursor"] is None:
            return
        cursor = f"&cursor={document['next_cursor']}"


def random_query(dice: random.Random, bars: list[Bar], seconds: int) -> dict[str, Any]:
    first, last = bars[0].time - 2 * seconds, bars[-1].time + 2 * seconds
    start, end = sorted(dice.sample(range(first, last), 2))
    return {
        "start_date": dice.choice([None, start, start // seconds * seconds]),
        "end_date": dice.choice([None, end, -(-end // seconds) * seconds]),
        "limit": dice.choice([1, 2, 3, 10, 5000 * 60 // seconds]),
        "order": dice.choice(["asc", "desc"]),
    }


@pytest.mark.parametrize("seed", range(6))
def test_bars_are_the_same_with_pages_of_any_size(
    client: FlaskClient, put: Callable[[str, list[Bar]], None], seed: int, is_whole: bool
) -> None:
    """In both orders, of every range; each bar that is not wholly covered says that it is partial.

    A file of so many bars holds the same ones.
    """
    dice = random.Random(seed)
    bars = random_minutes(dice)
    put("NASDAQ:AAPL|1m", bars)
    for _ in range(24 if is_whole else 8):
        interval, seconds = dice.choice(list(LENGTHS.items()))
        query = random_query(dice, bars, seconds)
        start, end = query["start_date"] or 0, query["end_date"] or 2**53
        expected = [
            made for time, made in resampled(bars, 60, seconds).items() if start <= time < end
        ]
        if query["order"] == "desc":
            expected.reverse()
        asked = f"interval={interval}" + "".join(
            f"&{name}={text(value) if name.endswith('_date') else value}"
            for name, value in query.items()
            if value is not None
        )
        found = list(pages(client, asked))
        assert expected == [bar for _, page in found for bar in page], asked
        assert {"1m"} == {source for source, _ in found}
        assert all(query["limit"] == len(page) for _, page in found[:-1])
        file = client.get(f"{URL}?{asked}&format=csv", buffered=True).text.splitlines()
        assert [bar.time for bar in expected[: query["limit"]]] == [
            line.split(",")[0] for line in file[1:]
        ]


@pytest.mark.parametrize(
    ("query", "source", "expected"),
    [
        ("", "1m", [*range(0, 600, 10)]),
        ("&start_date=1970-01-01T09:00:00Z", "5m", [540, 550, 560, 570, 580, 590]),
        ("&start_date=1970-01-01T08:50:00Z", "1m", [*range(530, 600, 10)]),
        ("&end_date=1970-01-01T01:00:00Z", "1m", [0, 10, 20, 30, 40, 50]),
        ("&start_date=1970-01-02", "5m", []),
    ],
)
def test_the_source_that_covers_the_range_is_chosen(
    client: FlaskClient,
    put: Callable[[str, list[Bar]], None],
    query: str,
    source: str,
    expected: list[int],
) -> None:
    """The longest of those that cover it equally; for a page as for the whole range."""
    minutes = [Bar(60 * n, n, n, n, n, 1.0) for n in range(600)]
    put("NASDAQ:AAPL|1m", minutes)
    put("NASDAQ:AAPL|5m", [Bar(60 * n, n, n, n, n, 5.0) for n in range(540, 600, 5)])
    for limit in (2, 1000):
        asked = f"interval=10m&order=asc&limit={limit}{query}"
        found = list(pages(client, asked))
        assert {source} == {name for name, _ in found}
        assert [text(60 * n) for n in expected] == [bar.time for _, page in found for bar in page]


def test_the_first_bar_is_partial_if_its_source_begins_later(
    client: FlaskClient, put: Callable[[str, list[Bar]], None]
) -> None:
    """Where history begins within it; also as a stored interval that has no bars."""
    put("NASDAQ:AAPL|1m", [Bar(60 * n, n, n, n, n, 1.0) for n in range(20, 125)])
    for interval in ("1h", "2h", "6h"):
        answer = client.get(f"{URL}?interval={interval}&order=asc&limit=9").get_json()
        expected = ["1970-01-01T00:00:00Z"] if answer["data"] else []
        assert expected == answer["live"]["partial"]
    assert 2 == client.get(f"{URL}?interval=1h").get_json()["count"]
