"""`GET /market-data/ohlcv` where quotes have built bars after the end of history."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import redis
from flask.testing import FlaskClient

from pocketquant.cache.board_writer import BoardWriter, Entry, Flush
from pocketquant.coordination.leases import Leases
from pocketquant.domain.aggregation import BarAggregator
from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts, parse_calendar
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.quotes import Quote, Tick
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import FormingBar
from pocketquant.servers.connections import wait_until
from pocketquant.wiring import Platform
from web.bars.live_forming import LiveForming

SERIES = Series.parse("NASDAQ:AAPL|1m")
URL = "/api/v1/market-data/ohlcv/NASDAQ/AAPL?interval=1m"
FAR = 4_102_444_800  # 2100-01-01

Live = Callable[..., None]


@pytest.fixture
def live(platform: Platform) -> Live:
    """Stores live minutes of these numbers as a streamer does; the odd ones are partial."""

    def put(*numbers: int) -> None:
        bars = [
            LiveBar(
                "NASDAQ:AAPL",
                SERIES.interval,
                60 * n,
                60 * n + 60,
                n,
                n,
                n,
                100.0 + n,
                1.0,
                1,
                n % 2 == 1,
                60 * n,
                60 * n,
            )
            for n in numbers
        ]
        platform.responses.drop(*platform.live_bars.upsert(bars))

    return put


@pytest.fixture
def history(store: Callable[..., None]) -> Callable[..., None]:
    """Stores history minutes of the numbers below `count`."""

    def put(count: int, forming: FormingBar | None = None) -> None:
        numbers = np.arange(count, dtype=np.float64)
        store(str(SERIES), Bars(np.array([60 * numbers, *[numbers] * 5])), forming)

    return put


def closes(answer: Any) -> list[float]:
    return [bar["close"] for bar in answer.get_json()["data"]]


@pytest.mark.parametrize(
    ("query", "expected", "live_count", "partial"),
    [
        ("", [106, 105, 104, 103, 2, 1, 0], 4, [3, 5]),
        ("&order=asc", [0, 1, 2, 103, 104, 105, 106], 4, [3, 5]),
        ("&limit=2", [106, 105], 2, [5]),
        ("&limit=5", [106, 105, 104, 103, 2], 4, [3, 5]),
        ("&limit=3&order=asc", [0, 1, 2], 0, []),
        ("&limit=4&order=asc", [0, 1, 2, 103], 1, [3]),
        ("&start_date=1970-01-01T00:04:00Z", [106, 105, 104], 3, [5]),
        ("&end_date=1970-01-01T00:04:00Z", [103, 2, 1, 0], 1, [3]),
        ("&end_date=1970-01-01T00:02:00Z", [1, 0], 0, []),
        ("&start_date=1971-01-01", [], 0, []),
    ],
)
def test_live_bars_extend_history(
    client: FlaskClient,
    history: Live,
    live: Live,
    query: str,
    expected: list[float],
    live_count: int,
    partial: list[int],
) -> None:
    """They follow its end; `live` has their number, and the partial ones."""
    history(3)
    live(1, 2, 3, 4, 5, 6)
    for _ in range(2):  # the second one is kept
        answer = client.get(URL + query)
        assert (200, expected) == (answer.status_code, closes(answer))
        shown = {
            "count": live_count,
            "partial": [f"1970-01-01T00:0{number}:00Z" for number in partial],
        }
        assert shown == answer.get_json()["live"]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 20])
def test_live_bars_fill_holes_of_history(
    client: FlaskClient,
    platform: Platform,
    store: Callable[..., None],
    live: Live,
    order: str,
    limit: int,
) -> None:
    """A sync of few bars after many live ones hides none; history wins where it has a bar."""
    live(*range(1, 13))
    history = np.array([0.0, 6.0, 7.0, 9.0])
    store(str(SERIES), Bars(np.array([60 * history, *[history] * 5])))
    platform.live_bars.prune(SERIES, 60 * 9, 60 * 10)
    expected = [0, 101, 102, 103, 104, 105, 6, 7, 108, 9, 110, 111, 112]
    if order == "desc":
        expected.reverse()
    file = client.get(f"{URL}&format=csv&order={order}", buffered=True).text.splitlines()
    assert expected == [float(line.split(",")[4]) for line in file[1:]]
    for _ in range(2):  # the second ones are kept
        found, cursor = [], ""
        while cursor is not None:
            answer = client.get(f"{URL}&order={order}&limit={limit}{cursor}")
            found += closes(answer)
            next_cursor = answer.get_json()["next_cursor"]
            cursor = next_cursor and f"&cursor={next_cursor}"
        assert expected == found


@pytest.mark.parametrize(
    ("query", "count", "partial", "stretches"),
    [
        ("", 2, [1, 3, 5, 9], [[1, 5]]),
        ("&end_date=1970-01-01T00:06:00Z", 5, [1, 3, 5], []),
        ("&end_date=1970-01-01T00:07:00Z", 0, [1, 3, 5], [[1, 5]]),
        ("&start_date=1970-01-01T00:06:00Z&end_date=1970-01-01T00:08:00Z", 0, [], []),
    ],
)
def test_an_answer_names_its_live_bars(
    client: FlaskClient,
    store: Callable[..., None],
    live: Live,
    query: str,
    count: int,
    partial: list[int],
    stretches: list[list[int]],
) -> None:
    """The newest so many, and the runs of those that fill a hole of history."""
    live(*range(1, 10))
    history = np.array([0.0, 6.0, 7.0])
    store(str(SERIES), Bars(np.array([60 * history, *[history] * 5])))
    expected = {"count": count, "partial": [minute(number) for number in partial]}
    if stretches:
        expected["stretches"] = [[minute(number) for number in run] for run in stretches]
    assert expected == client.get(URL + query).get_json()["live"]


def minute(number: int) -> str:
    return f"1970-01-01T00:{number:02}:00Z"


def test_a_live_bar_gives_way_to_history_that_opens_with_it(
    client: FlaskClient, platform: Platform, store: Callable[..., None]
) -> None:
    """Wherever the page is cut; others stay, before a short bar too."""
    hours = Series.parse("NASDAQ:AAPL|1h")
    half_past = 3600.0 * np.array([2.5, 3.5, 8.5])
    store(str(hours), Bars(np.array([half_past, *[half_past] * 5])))
    bars = [
        LiveBar("NASDAQ:AAPL", hours.interval, n, n + 3600, n, n, n, n, 1, 1, False, n, n)
        for n in range(5400, 11 * 3600, 3600)
    ]
    platform.responses.drop(*platform.live_bars.upsert(bars))
    url = URL.replace("1m", "1h")
    expected = [float(bar.start) for bar in bars]
    found = client.get(f"{url}&order=asc")
    assert (expected, 2) == (closes(found), found.get_json()["live"]["count"])
    for number in range(2, 11):  # ranges that end, and begin, within a bar
        bound = f"1970-01-01T{number:02}:15:00Z"
        before = closes(client.get(f"{url}&order=asc&end_date={bound}"))
        after = closes(client.get(f"{url}&order=asc&start_date={bound}"))
        assert expected == before + after
    assert expected == [
        float(line.split(",")[4])
        for line in client.get(f"{url}&order=asc&format=csv", buffered=True).text.splitlines()[1:]
    ]


def test_a_symbol_that_was_never_synced_has_its_live_bars(client: FlaskClient, live: Live) -> None:
    """Without any it is 404; if none is in the range, the list is empty."""
    assert 404 == client.get(URL).status_code
    live(3, 4)
    assert [104, 103] == closes(client.get(URL))
    outside = client.get(f"{URL}&start_date=1971-01-01")
    assert (200, []) == (outside.status_code, closes(outside))


def test_a_new_live_bar_is_seen_at_once(client: FlaskClient, history: Live, live: Live) -> None:
    """Kept answers are dropped when live bars are written."""
    history(3)
    live(3)
    first = closes(client.get(URL))
    live(4)
    assert ([103, 2, 1, 0], [104, 103, 2, 1, 0]) == (first, closes(client.get(URL)))


def test_a_prune_changes_no_answer(
    client: FlaskClient, platform: Platform, history: Live, live: Live
) -> None:
    """Bars that history has overtaken are not returned either way."""
    live(1, 2, 3, 4, 5)
    history(4)
    before = client.get(URL).get_json()
    assert 3 == platform.live_bars.prune(SERIES, 0, 181)
    platform.responses.drop(SERIES)
    assert before == client.get(URL).get_json()


HOURS = Series.parse("NASDAQ:AAPL|1h")
OPEN = 1_795_617_000  # 2026-11-25, 14:30 UTC, when New York opens at half past nine


def test_live_hours_of_a_stock_follow_its_history(
    client: FlaskClient, platform: Platform, store: Callable[..., None]
) -> None:
    """No time is missing between them, and a sync gives no bar another open time."""
    texts = CalendarTexts("America/New_York", "0930-1600", "20261126")
    bars = BarAggregator([HOURS.interval])
    bars.learn("NASDAQ:AAPL", parse_calendar(texts), OPEN)
    bars.see("NASDAQ:AAPL", OPEN)
    ticks = range(OPEN, OPEN + 7 * 3600, 60)
    bars.take(Tick("NASDAQ:AAPL", time, float(time % 3600), 1) for time in ticks)
    platform.live_bars.upsert(bars.advance(OPEN + 7 * 3600))

    def history(*numbers: int) -> None:
        opened = [float(OPEN + 3600 * number) for number in numbers]
        store(str(HOURS), Bars(np.array([opened, *[[1.0] * len(opened)] * 5])))

    def opens() -> list[str]:
        found = client.get(f"{URL.partition('?')[0]}?interval=1h&order=asc").get_json()["data"]
        return [bar["datetime"].partition("T")[2][:5] for bar in found]

    history(0)
    expected = [f"{hour}:30" for hour in range(14, 21)]
    assert expected == opens()
    history(1, 2, 3)
    assert expected == opens()
    platform.live_bars.prune(HOURS, OPEN, OPEN + 3 * 3600 + 1)
    platform.responses.drop(HOURS)
    assert expected == opens()
    assert 3 == len(platform.live_bars.read(HOURS, None, None, None, True))


@pytest.fixture
def board(cache: redis.Redis) -> BoardWriter:
    lease = Leases(cache, seconds=60.0).acquire("streamer:0")
    assert lease is not None
    return BoardWriter(cache, "0", lease.key, lease.token)


@pytest.mark.parametrize("is_synced_at_first", [True, False])
def test_the_live_forming_bar_comes_first(
    client: FlaskClient, history: Live, board: BoardWriter, is_synced_at_first: bool
) -> None:
    """Before that of the last sync, also beside an answer that was kept."""
    history(3, FormingBar(180, FAR, 1.0, 1.0, 1.0, 1.0, None, as_of=200))
    if is_synced_at_first:
        answer = client.get(URL)
        assert "history" == answer.get_json()["forming"]["source"]
    bars = BarAggregator()
    bars.see("NASDAQ:AAPL", FAR - 60.0)
    bars.take([Tick("NASDAQ:AAPL", FAR + 1, 10.0, 5), Tick("NASDAQ:AAPL", FAR + 2, 11.0, 5)])
    quote = Quote("NASDAQ:AAPL", time=FAR + 2, last_price=11.0)
    board.write(Flush(FAR + 3.0, FAR + 3.0, [Entry(quote, bars.state("NASDAQ:AAPL"))]))
    expected = {
        "bar_start": "2100-01-01T00:00:00Z",
        "bar_end": "2100-01-01T00:01:00Z",
        "open": 10.0,
        "high": 11.0,
        "low": 10.0,
        "close": 11.0,
        "volume": 10.0,
        "partial": False,
        "as_of": "2100-01-01T00:00:03Z",
        "source": "live",
    }

    def is_live() -> bool:
        answer = client.get(URL).get_json()["forming"]
        return bool(answer == expected)

    wait_until("the live bar is looked for again", is_live, (), 60.0)


def test_a_live_bar_forms_until_the_last_quotes_of_its_time(
    platform: Platform, board: BoardWriter
) -> None:
    """A delayed symbol's bar ends later; no process closes the bar of a dead streamer."""
    bars = BarAggregator()
    bars.see("NASDAQ:AAPL", FAR - 60.0, delay_seconds=600)
    bars.take([Tick("NASDAQ:AAPL", FAR + 1, 10.0, 5)])
    quote = Quote("NASDAQ:AAPL", time=FAR + 1, last_price=10.0)
    board.write(Flush(FAR + 3.0, FAR + 3.0, [Entry(quote, bars.state("NASDAQ:AAPL"))]))
    for now, is_forming in ((FAR + 659.0, True), (FAR + 660.0, False)):
        forming = LiveForming(platform.current_bars, partial(float, now)).of(SERIES)
        assert is_forming == (forming is not None)
