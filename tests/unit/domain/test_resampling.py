"""Bars of any number of minutes, against pandas."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import (
    BarLength,
    BarTimes,
    Calendar,
    CalendarTexts,
    parse_calendar,
)
from pocketquant.domain.errors import InvalidInterval
from pocketquant.domain.intervals import Interval
from pocketquant.domain.resampling import (
    Grid,
    Span,
    bars_in_one,
    covering,
    custom_length,
    down,
    resample,
    sources,
    touched,
    up,
)

_RULES = {"open": "first", "high": "max", "low": "min", "close": "last"}


@st.composite
def minutes(draw: st.DrawFn) -> Bars:
    """Minutes with gaps, before and after 1970, some without a volume."""
    numbers = sorted(draw(st.sets(st.integers(-300, 300), min_size=1, max_size=80)))
    count = len(numbers)
    prices = st.lists(st.integers(1, 1000).map(float), min_size=count, max_size=count)
    volumes = st.lists(
        st.integers(0, 1000).map(float) | st.just(np.nan), min_size=count, max_size=count
    )
    times = [60.0 * number for number in numbers]
    return Bars(np.array([times, *(draw(prices) for _ in range(4)), draw(volumes)]))


def by_pandas(bars: Bars, seconds: int) -> Bars:
    """The bars that pandas makes, without those that have not ended."""
    frame = pd.DataFrame(
        bars.columns[1:].T,
        index=pd.to_datetime(bars.time, unit="s"),
        columns=["open", "high", "low", "close", "volume"],
    )
    groups = frame.resample(f"{seconds}s", origin="epoch")
    table = groups.agg(_RULES)
    table["volume"] = groups["volume"].sum(min_count=1)
    table = table.dropna(subset=["open"])
    times = (table.index - pd.Timestamp(0)) // pd.Timedelta(seconds=1)
    is_closed = times + seconds <= int(bars.time[-1]) + 60
    return Bars(np.vstack([times[is_closed].astype(float), table[is_closed].to_numpy().T]))


@given(minutes(), st.sampled_from([2, 7, 10, 90, 360]))
def test_bars_are_those_of_pandas(bars: Bars, count: int) -> None:
    """They have the first, highest, lowest and last price, and the sum of the known volumes."""
    made = resample(bars, bars.time - bars.time % (60 * count))
    closed = made.between(None, down(int(bars.time[-1]) + 60, 60 * count))
    assert by_pandas(bars, 60 * count) == closed


def test_no_bars_make_no_bars() -> None:
    """The result is empty."""
    assert Bars.empty() == resample(Bars.empty(), np.empty(0, dtype=np.int64))


@pytest.mark.parametrize(
    ("text", "seconds"), [("10m", 600), ("90m", 5400), ("6h", 21600), ("168h", 604800)]
)
def test_minutes_and_hours_are_lengths(text: str, seconds: int) -> None:
    """They are written like the 13 intervals."""
    assert seconds == custom_length(text).seconds


@pytest.mark.parametrize(
    "text", ["", "0m", "10", "10s", "367d", "-5m", "1.5h", "169h", "54w", "13M"]
)
def test_other_texts_are_no_interval(text: str) -> None:
    """InvalidInterval names the text; more than a week is refused too."""
    with pytest.raises(InvalidInterval):
        custom_length(text)


def test_the_longest_source_comes_first() -> None:
    """Sources of minutes are shorter than the bar and divide it; days are the source of days."""
    six_hours = [Interval.H3, Interval.H2, Interval.H1, Interval.M45, Interval.M30, Interval.M15]
    assert [*six_hours, Interval.M5, Interval.M3, Interval.M1] == sources(BarLength.parse("6h"))
    assert [Interval.M1] == sources(BarLength.parse("7m"))
    assert [] == sources(BarLength.parse("1m"))
    assert [Interval.D1] == sources(BarLength.parse("2d")) == sources(BarLength.parse("3M"))


@pytest.mark.parametrize(
    ("text", "source", "expected"),
    [
        ("90m", Interval.M30, 3),
        ("2d", Interval.D1, 2),
        ("2w", Interval.D1, 14),
        ("3M", Interval.D1, 93),
    ],
)
def test_a_bar_is_made_of_so_many_at_most(text: str, source: Interval, expected: int) -> None:
    """Reads are bounded by it."""
    assert expected == bars_in_one(BarLength.parse(text), source)


NEW_YORK = parse_calendar(CalendarTexts("America/New_York", "0930-1600"))
OPEN = 1_795_789_800  # 2026-11-27T14:30:00Z


def test_a_grid_counts_from_the_open() -> None:
    """Without a calendar it is aligned to the epoch."""
    times = np.array([OPEN, OPEN + 5399, OPEN + 5400, OPEN - 1])
    grid = Grid(BarLength.parse("90m"), NEW_YORK)
    assert [OPEN, OPEN, OPEN + 5400, OPEN - 1] == grid.bars_at(times).opens.tolist()
    assert [True, False, True, False] == grid.are_opens(times).tolist()
    assert OPEN + 5400 == grid.close_of(OPEN)
    epoch = Grid(BarLength.parse("90m"), None)
    assert [0, 0, 5400] == epoch.bars_at(np.array([0, 5399, 5400])).opens.tolist()
    assert [True, False, True] == epoch.are_opens(np.array([0, 5399, 5400])).tolist()


@pytest.mark.parametrize(
    ("calendar", "time", "expected"),
    [
        (NEW_YORK, OPEN + 1, (OPEN, OPEN + 5400)),
        (NEW_YORK, OPEN + 23_400, (OPEN + 21_600, OPEN + 23_400)),
        (NEW_YORK, OPEN + 80_000, (OPEN + 21_600, OPEN + 23_400)),
        (None, 5401, (5400, 10_800)),
    ],
)
def test_the_latest_bar_may_be_over(
    calendar: Calendar | None, time: int, expected: tuple[int, int]
) -> None:
    """While the market is closed it is the last one of its last session."""
    assert expected == Grid(BarLength.parse("90m"), calendar).latest_bar(time)


def test_before_all_sessions_there_is_no_bar() -> None:
    """A time that no year of the calendar knows is a bar of no length."""
    first = -2_300_000_000
    assert (first, first) == Grid(BarLength.parse("90m"), NEW_YORK).latest_bar(first)


SPANS = [
    Span(Interval.M1, 550, 6100),
    Span(Interval.M5, 3000, 6000),
    Span(Interval.M3, 3000, 6000),
    Span(Interval.M15, 6900, 7200),
]


@pytest.mark.parametrize(
    ("seconds", "start", "end", "expected"),
    [
        (600, None, None, Interval.M1),
        (600, 3000, None, Interval.M5),
        (600, 2401, None, Interval.M5),  # the first bar opens at 3000
        (600, 2400, None, Interval.M1),
        (600, 0, 3000, Interval.M1),
        (600, 4200, 4201, Interval.M5),
        (600, 9000, None, Interval.M15),  # none covers it: the longest
        (1200, 600, 1100, Interval.M15),  # no bar opens in it
        (3600, 0, 3600, Interval.M1),  # of none whole, that with most of its time
    ],
)
def test_the_source_covers_most_of_the_range(
    seconds: int, start: int | None, end: int | None, expected: Interval
) -> None:
    """Complete bars count; of equal sources the longest wins."""
    assert expected is covering(SPANS, seconds, start, end).interval


@pytest.mark.parametrize(
    ("stretches", "expected"),
    [
        ([], []),
        ([(-(2**53), 0)], []),
        ([(-(2**53), 1)], [0]),
        ([(599, 600)], [0]),
        ([(600, 1800)], []),  # there is no bar
        ([(1799, 1801), (2400, 2401)], [1800, 2400]),
        ([(0, 2**53)], [0, 1800, 2400]),
    ],
)
def test_a_stretch_touches_the_bars_that_it_overlaps(
    stretches: list[tuple[int, int]], expected: list[int]
) -> None:
    """Other bars are not touched."""
    times = np.array([0, 1800, 2400])
    bars = BarTimes(times, times + 600)
    assert expected == times[touched(bars, stretches)].tolist()


def test_multiples_before_and_after() -> None:
    """They are right before 1970 too."""
    assert (0, 600, 600) == (up(0, 600), up(1, 600), up(600, 600))
    assert (0, 0, 600, -600) == (down(0, 600), down(599, 600), down(600, 600), down(-1, 600))
