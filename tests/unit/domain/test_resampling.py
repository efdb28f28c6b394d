"""Bars of any number of minutes, against pandas."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.bars import Bars
from pocketquant.domain.errors import InvalidInterval
from pocketquant.domain.intervals import Interval
from pocketquant.domain.resampling import (
    Span,
    covering,
    custom_seconds,
    down,
    is_aligned,
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
    closed = resample(bars, 60 * count).between(None, down(int(bars.time[-1]) + 60, 60 * count))
    assert by_pandas(bars, 60 * count) == closed


def test_no_bars_make_no_bars() -> None:
    """The result is empty."""
    assert Bars.empty() == resample(Bars.empty(), 600)


@pytest.mark.parametrize(
    ("text", "seconds"), [("10m", 600), ("90m", 5400), ("6h", 21600), ("168h", 604800)]
)
def test_minutes_and_hours_are_lengths(text: str, seconds: int) -> None:
    """They are written like the 13 intervals."""
    assert seconds == custom_seconds(text)


@pytest.mark.parametrize("text", ["", "0m", "10", "10s", "2d", "-5m", "1.5h", "169h", "10M"])
def test_other_texts_are_no_interval(text: str) -> None:
    """InvalidInterval names the text; more than a week is refused too."""
    with pytest.raises(InvalidInterval):
        custom_seconds(text)


def test_the_longest_source_comes_first() -> None:
    """Sources are intraday, shorter than the bar, and divide it."""
    assert [Interval.H2, Interval.H1, Interval.M45, Interval.M1] == sources(
        6 * 3600, [Interval.M1, Interval.H1, Interval.M45, Interval.H2, Interval.H4, Interval.D1]
    )
    assert [] == sources(600, [Interval.M15, Interval.M3])


def test_bars_that_begin_at_the_half_hour_are_not_aligned_to_the_hour() -> None:
    """Hours of US markets begin at :30, which fits half hours."""
    times = np.array([1800, 5400])
    assert (False, True) == (is_aligned(times, 3600), is_aligned(times, 1800))


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
    assert expected == times[touched(times, 600, stretches)].tolist()


def test_multiples_before_and_after() -> None:
    """They are right before 1970 too."""
    assert (0, 600, 600) == (up(0, 600), up(1, 600), up(600, 600))
    assert (0, 0, 600, -600) == (down(0, 600), down(599, 600), down(600, 600), down(-1, 600))
