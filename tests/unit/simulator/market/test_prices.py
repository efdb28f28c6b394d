"""Bars of every resolution are made of the same minutes."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketquant.domain.bars import Bars, Floats
from pocketquant.domain.intervals import Interval
from pocketquant.simulator.market import paths
from pocketquant.simulator.market.calendars import sessions
from pocketquant.simulator.market.prices import Market, Resolution, close_time
from pocketquant.simulator.market.world import Instrument, listed
from tests.resolutions import resolution_of
from tests.simulated import known

MARKET = Market({})
DAILY = Resolution(1, "D")
FIRST, LAST = 946_857_600, 2_208_988_800  # 2000-01-03, 2040-01-01

simulated = [
    instrument
    for instrument in listed()
    if instrument.has_traded
    and not instrument.permission_group
    and instrument.name != "SP:SPX"
    and not instrument.described  # hypothesis would print two lists of holidays
]
intervals = st.sampled_from(Interval)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def parsed(text: str) -> Resolution:
    resolution = Resolution.parse(text)
    assert resolution is not None
    return resolution


def newest(name: str, resolution: str, now: str, count: int) -> Bars:
    return MARKET.newest(known(name), parsed(resolution), at(now), count).bars


def texts(times: Floats) -> list[str]:
    return [f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M}" for time in times.tolist()]


def period_of(instrument: Instrument, interval: Interval, time: int) -> object:
    """Return the period of a minute, counted from the start of trading or by trading date."""
    calendar = sessions(instrument.calendar)
    opened = int(calendar.starts[np.searchsorted(calendar.starts, time, "right") - 1])
    if interval.is_intraday:
        return opened + (time - opened) // interval.seconds * interval.seconds
    trading_date = int(calendar.midnights(np.array([time]))[0])
    return interval.period_start(trading_date)


def aggregated(instrument: Instrument, interval: Interval, minutes: Bars) -> list[list[float]]:
    """Aggregate open, high, low, close and volume of each period minute by minute."""
    periods: dict[object, list[list[float]]] = {}
    for minute in minutes.columns.T.tolist():
        periods.setdefault(period_of(instrument, interval, int(minute[0])), []).append(minute)
    return [
        [
            group[0][1],
            max(minute[2] for minute in group),
            min(minute[3] for minute in group),
            group[-1][4],
            added(instrument, [minute[5] for minute in group]),
        ]
        for group in periods.values()
    ]


def added(instrument: Instrument, volumes: list[float]) -> float:
    """Return the sum of volumes, counted in whole lots."""
    if not instrument.has_volume:
        return float("nan")
    return sum(round(volume * instrument.lots_per_unit) for volume in volumes) / (
        instrument.lots_per_unit
    )


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(simulated), intervals, st.integers(FIRST, LAST), st.integers(1, 2))
def test_bars_are_exact_aggregates_of_the_minutes(
    instrument: Instrument, interval: Interval, now: int, count: int
) -> None:
    """Bars of any interval and time are exact aggregates of minutes, the forming bar too."""
    resolution = resolution_of(interval)
    bars = MARKET.newest(instrument, resolution, now, count).bars
    enough = 3 * interval.seconds // 60 + 3 * 1440
    minutes = MARKET.newest(instrument, Resolution(1, "m"), now, enough).bars
    expected = aggregated(instrument, interval, minutes.between(bars.first_time, None))
    assert np.array_equal(np.array(expected).reshape(-1, 5).T, bars.columns[1:], equal_nan=True)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(simulated), st.integers(0, 8000), st.integers(0, 1439), st.integers(0, 59))
def test_the_forming_minute_holds_the_trades_so_far(
    instrument: Instrument, session: int, index: int, second: int
) -> None:
    """The forming minute consists of the ticks so far, and does not exist before the first."""
    rows = paths.minutes(instrument, session, session + 1)
    minute = rows[:, index % rows.shape[1]]
    now = int(minute[0]) + second
    times, prices, sizes = paths.ticks(instrument, minute)
    traded = times <= now
    bars = MARKET.newest(instrument, Resolution(1, "m"), now + instrument.delay_seconds, 1).bars
    if not traded.any():
        assert bars.last_time != minute[0]
        return
    made = [prices[0], prices[traded].max(), prices[traded].min(), prices[traded][-1]]
    volume = sizes[traded].sum() / instrument.lots_per_unit if instrument.has_volume else np.nan
    expected = [minute[0], *(price / instrument.pricescale for price in made), volume]
    assert np.array_equal(expected, bars.columns[:, 0], equal_nan=True)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(simulated), intervals, st.integers(FIRST, LAST), st.integers(0, 10**7))
def test_the_past_never_changes(
    instrument: Instrument, interval: Interval, now: int, later: int
) -> None:
    """A closed bar is the same at any later time."""
    resolution = resolution_of(interval)
    bars = MARKET.newest(instrument, resolution, now, 4).bars
    closed = bars.first(max(0, len(bars) - 1))
    end = (closed.last_time or 0) + 1
    afterwards = MARKET.newest(instrument, resolution, now + later, len(closed), end).bars
    assert closed == afterwards


def test_intraday_bars_count_from_the_opening_of_the_session() -> None:
    """Intraday bars count from the opening, or from midnight in markets that never close."""
    assert [
        "2025-11-17T19:30",
        "2025-11-17T20:30",
        "2025-11-18T14:30",
        "2025-11-18T15:30",
    ] == texts(newest("NASDAQ:AAPL", "60", "2025-11-18T15:40", 4).columns[0])
    assert ["2025-11-17T09:45", "2025-11-18T03:45"] == texts(
        newest("NSE:RELIANCE", "30", "2025-11-18T04:25", 2).columns[0]
    )
    assert ["2025-11-18T12:00"] == texts(
        newest("BINANCE:BTCUSDT", "4H", "2025-11-18T15:40", 1).columns[0]
    )


@pytest.mark.parametrize(
    ("name", "resolution", "expected"),
    [
        ("NASDAQ:AAPL", "1D", ["2025-10-31T13:30", "2025-11-03T14:30"]),
        ("NSE:RELIANCE", "D", ["2025-10-31T03:45", "2025-11-03T03:45"]),
        ("BINANCE:BTCUSDT", "1D", ["2025-11-02T00:00", "2025-11-03T00:00"]),
        ("OANDA:EURUSD", "1D", ["2025-10-30T21:00", "2025-11-02T22:00"]),
        ("CME_MINI:ES1!", "1D", ["2025-10-30T22:00", "2025-11-02T23:00"]),
        ("NASDAQ:AAPL", "1W", ["2025-10-27T13:30", "2025-11-03T14:30"]),
        ("OANDA:EURUSD", "1W", ["2025-10-26T21:00", "2025-11-02T22:00"]),
        ("BINANCE:BTCUSDT", "W", ["2025-10-27T00:00", "2025-11-03T00:00"]),
        ("NASDAQ:AAPL", "1M", ["2025-10-01T13:30", "2025-11-03T14:30"]),
        ("BINANCE:BTCUSDT", "12M", ["2024-01-01T00:00", "2025-01-01T00:00"]),
    ],
)
def test_long_bars_open_with_their_first_session(
    name: str, resolution: str, expected: list[str]
) -> None:
    """A daily bar opens with its session, a weekly or monthly bar with its first session."""
    assert expected == texts(newest(name, resolution, "2025-11-03T18:00", 2).columns[0])


def test_a_delayed_symbol_is_as_it_was() -> None:
    """The newest bar of a delayed symbol is that of fifteen minutes ago."""
    (newest_time,) = newest("NSE:RELIANCE", "1", "2025-11-18T05:00:30", 1).columns[0]
    assert at("2025-11-18T04:45") == newest_time


def test_a_symbol_without_volume_says_so() -> None:
    """The volumes of a symbol without volume are NaN."""
    assert np.isnan(newest("TVC:RUT", "5", "2025-11-18T15:00", 5).volume).all()


def test_there_is_nothing_before_the_first_session() -> None:
    """There are no bars before the first session, and none of a listing that never traded."""
    for resolution in ("1", "1D"):
        stretch = MARKET.newest(known("NASDAQ:AAPL"), parsed(resolution), 0, 10)
        assert (0, True) == (len(stretch.bars), stretch.reaches_start)
    stretch = MARKET.newest(known("NYSE:UNBORN"), DAILY, at("2025-11-18"), 10)
    assert (0, True) == (len(stretch.bars), stretch.reaches_start)


def test_a_day_has_no_bar_before_its_first_trade() -> None:
    """At the opening second, a day has no bar or one made of the opening trade."""
    opening = at("2025-11-18T14:30")
    minute = paths.minutes(known("NASDAQ:AAPL"), *_session(opening))[:, 0]
    first_trade = int(paths.ticks(known("NASDAQ:AAPL"), minute)[0, 0])
    for now, expected in ((first_trade - 1, "2025-11-17T14:30"), (first_trade, "2025-11-18T14:30")):
        bars = MARKET.newest(known("NASDAQ:AAPL"), DAILY, now, 1).bars
        assert [expected] == texts(bars.columns[0])


def _session(time: int) -> tuple[int, int]:
    number = sessions(known("NASDAQ:AAPL").calendar).begun_by(time)
    return number - 1, number


@pytest.mark.parametrize("resolution", ["1", "60", "1D", "1M"])
def test_older_bars_join_newer_ones(resolution: str) -> None:
    """The bars before a given bar are those that a longer request returns."""
    instrument, requested, now = known("OTC:QUIET"), parsed(resolution), at("2025-11-18T15:40")
    together = MARKET.newest(instrument, requested, now, 200).bars
    newer = MARKET.newest(instrument, requested, now, 80).bars
    older = MARKET.newest(instrument, requested, now, 120, newer.first_time).bars
    assert together.first(120) == older


def test_history_reaches_its_start() -> None:
    """A request for all bars returns them and says that there are no older ones."""
    instrument, now = known("NASDAQ:AAPL"), at("2000-01-05T15:00")
    for resolution, first, count in (("1", "2000-01-03T14:30", 810), ("1D", "2000-01-03T14:30", 3)):
        stretch = MARKET.newest(instrument, parsed(resolution), now, 5000)
        assert stretch.reaches_start
        assert (first, count) == (texts(stretch.bars.columns[0])[0], len(stretch.bars))
        assert not MARKET.newest(instrument, parsed(resolution), now, 2).reaches_start


def test_captured_bars_are_served_as_they_are(market: Market) -> None:
    """Captured bars are returned unchanged, the newest up to the requested time."""
    spx, far = known("SP:SPX"), at("2025-11-18")
    stretch = market.newest(spx, DAILY, far, 2)
    assert ([11.0, 12.0], False) == (stretch.bars.volume.tolist(), stretch.reaches_start)
    older = market.newest(spx, DAILY, far, 5, stretch.bars.first_time)
    assert ([10.0], True) == (older.bars.volume.tolist(), older.reaches_start)


@pytest.mark.parametrize(
    ("name", "resolution", "opened", "closes"),
    [
        ("BINANCE:BTCUSDT", "1", "2025-11-18T15:40", "2025-11-18T15:41:00"),
        ("BINANCE:BTCUSDT", "1", "2025-11-18T23:59", "2025-11-18T23:59:59"),
        ("BINANCE:BTCUSDT", "1D", "2025-11-18T00:00", "2025-11-18T23:59:59"),
        ("NASDAQ:AAPL", "60", "2025-11-18T14:30", "2025-11-18T15:30:00"),
        ("NASDAQ:AAPL", "60", "2025-11-18T20:30", "2025-11-18T20:59:59"),
        ("NASDAQ:AAPL", "1D", "2025-11-18T14:30", "2025-11-18T20:59:59"),
        ("NASDAQ:AAPL", "1W", "2025-11-17T14:30", "2025-11-21T20:59:59"),
        ("NASDAQ:AAPL", "1M", "2025-11-03T14:30", "2025-11-28T17:59:59"),
        ("NASDAQ:AAPL", "60", "2025-11-28T17:30", "2025-11-28T17:59:59"),
        ("HKEX:700", "60", "2025-11-18T03:30", "2025-11-18T03:59:59"),
        ("HKEX:700", "1D", "2025-11-18T01:30", "2025-11-18T07:59:59"),
        ("OTC:SELDOM", "1W", "2025-11-03T14:30", "2025-11-07T20:59:59"),
        ("SP:SPX", "1D", "2023-06-09T13:30", "2023-06-09T20:09:59"),
    ],
)
def test_close_times_are_tradingviews(name: str, resolution: str, opened: str, closes: str) -> None:
    """A close time is the open plus the length, or the session's last second for its last bar."""
    assert at(closes) == close_time(known(name), parsed(resolution), at(opened))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", Resolution(1, "m")),
        ("188", Resolution(188, "m")),
        ("4H", Resolution(240, "m")),
        ("D", Resolution(1, "D")),
        ("1W", Resolution(1, "W")),
        ("12M", Resolution(12, "M")),
        ("5S", Resolution(5, "S")),
        ("T", Resolution(1, "T")),
        ("2D", None),
        ("7M", None),
        ("0", None),
        ("1500", None),
        ("15m", None),
        ("XX", None),
        ("", None),
    ],
)
def test_resolutions_are_read(text: str, expected: Resolution | None) -> None:
    """Minutes, hours, days, weeks, months, seconds and ticks are parsed, and no other text."""
    assert expected == Resolution.parse(text)
