"""A stock whose market closes: live bars and history are one series, on the exchange's boundaries.

That a day can be imported once its session is over is shown by `test_import_api`.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from flask.testing import FlaskClient

from pocketquant.domain.aggregation import BarAggregator
from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import CalendarTexts, parse_calendar
from pocketquant.domain.intervals import HOUR, Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.quotes import Tick
from pocketquant.domain.symbols import Symbol
from pocketquant.wiring import Platform

AAPL = Symbol("NASDAQ", "AAPL")
URL = "/api/v1/market-data/ohlcv/NASDAQ/AAPL"
HOURS = CalendarTexts("America/New_York", "0930-1600", "20261126", "0930-1300:20261127")
OPEN = int(datetime(2026, 11, 25, 14, 30, tzinfo=UTC).timestamp())  # a Wednesday
CLOSE = OPEN + 6 * HOUR + HOUR // 2

Store = Callable[..., None]


@pytest.fixture
def session(platform: Platform) -> dict[Interval, list[LiveBar]]:
    """The live bars of a whole session with a trade each minute, stored; by interval."""
    platform.calendars.keep(AAPL, HOURS, None, now=0)
    aggregator = BarAggregator()
    aggregator.learn(str(AAPL), parse_calendar(HOURS), OPEN - HOUR)
    aggregator.see(str(AAPL), OPEN - HOUR)
    made: dict[Interval, list[LiveBar]] = {}
    for time in range(OPEN, CLOSE, 60):
        aggregator.take([Tick(str(AAPL), time + 1, float((time - OPEN) // 60), 1)])
        for bar in aggregator.advance(time + 62.0):
            made.setdefault(bar.interval, []).append(bar)
    for bar in aggregator.advance(CLOSE + HOUR):
        made.setdefault(bar.interval, []).append(bar)
    for bars in made.values():
        platform.live_bars.upsert(bars)
    return made


@pytest.fixture
def history(store: Store) -> Callable[..., None]:
    """Stores live bars as the provider's own, as their sync would."""

    def put(bars: list[LiveBar]) -> None:
        rows = [(bar.start, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars]
        store(f"{AAPL}|{bars[0].interval.value}", Bars(np.array(rows, dtype=np.float64).T))

    return put


def rows(client: FlaskClient, interval: str) -> list[tuple[str, float, float]]:
    """The time of day, the open and the close of each bar; none is partial."""
    answer = client.get(f"{URL}?interval={interval}&order=asc").get_json()
    assert [] == answer["live"]["partial"]
    return [(bar["datetime"][11:16], bar["open"], bar["close"]) for bar in answer["data"]]


def test_hours_open_as_the_exchanges_live_and_after_a_sync(
    client: FlaskClient, session: dict[Interval, list[LiveBar]], history: Callable[..., None]
) -> None:
    """A sync of the first hour, or of all, gives no bar another open time."""
    times = ["14:30", "15:30", "16:30", "17:30", "18:30", "19:30", "20:30"]
    live = rows(client, "1h")
    assert times == [time for time, _, _ in live]
    assert (60.0, 119.0) == live[1][1:]  # it lacks no minute
    for count in (1, len(times)):
        history(session[Interval.H1][:count])
        assert live == rows(client, "1h")


def test_other_lengths_count_from_the_open_before_and_after_a_sync(
    client: FlaskClient, session: dict[Interval, list[LiveBar]], history: Callable[..., None]
) -> None:
    """An hour and a half begins at 14:30, whatever it is made of."""
    times = ["14:30", "16:00", "17:30", "19:00", "20:30"]
    live = rows(client, "90m")
    assert times == [time for time, _, _ in live]
    history(session[Interval.M1][:100])
    assert live == rows(client, "90m")
    history(session[Interval.M1])
    assert live == rows(client, "90m")


@pytest.mark.parametrize(("first_live", "partial"), [(27, []), (30, ["2026-11-23T14:30:00Z"])])
def test_a_holiday_is_no_hole_and_a_hole_no_holiday(
    client: FlaskClient, platform: Platform, store: Store, first_live: int, partial: list[str]
) -> None:
    """History ends before Thanksgiving; live days go on after it, or one trading day too late."""
    calendar = parse_calendar(HOURS)
    platform.calendars.keep(AAPL, HOURS, None, now=0)
    days = calendar.bars(Interval.D1, _noon(9, 11), _noon(5, 12))
    is_history = days.opens < _noon(26, 11)
    numbers = np.arange(is_history.sum(), dtype=np.float64)
    store(f"{AAPL}|1d", Bars(np.array([days.opens[is_history], *[numbers] * 5])))
    platform.live_bars.upsert(
        [
            LiveBar(
                str(AAPL), Interval.D1, opened, closed, 1, 1, 1, 1.0, 1.0, 1, False, opened, opened
            )
            for opened, closed in zip(days.opens.tolist(), days.closes.tolist(), strict=True)
            if opened >= _noon(first_live, 11) - 12 * HOUR
        ]
    )
    answer = client.get(f"{URL}?interval=2w&order=asc").get_json()
    assert (2, partial) == (answer["count"], answer["live"]["partial"])


def _noon(day: int, month: int) -> int:
    return int(datetime(2026, month, day, 12, tzinfo=UTC).timestamp())
