"""Daily bars beside the same days of another source."""

from datetime import date

import numpy as np
import pytest

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar.bars import BarTimes
from pocketquant.domain.day_differences import (
    DayDifference,
    bars_of_quote,
    day_differences,
    days_of,
)
from pocketquant.domain.intervals import DAY, HOUR
from pocketquant.domain.reports import QuotedDay

NAN = float("nan")
USUAL = (100.0, 110.0, 90.0, 105.0, 1000.0)


def bars(*rows: tuple[float, ...], step: int = DAY) -> Bars:
    """Return bars of these values that open one after the other."""
    opens = [[number * step, *row] for number, row in enumerate(rows)]
    return Bars(np.array(opens, dtype=np.float64).reshape(-1, 6).T)


@pytest.mark.parametrize(
    ("other", "fields"),
    [
        (USUAL, []),
        ((100.9, 110.0, 90.0, 104.1, 1400.0), []),
        ((100.0, 112.0, 90.0, 105.0, 1000.0), ["high"]),
        ((103.0, 110.0, 88.0, 105.0, 1000.0), ["open", "low"]),
        ((100.0, 110.0, 90.0, 102.0, 400.0), ["close", "volume"]),
        ((100.0, 110.0, 90.0, 105.0, NAN), []),
        ((10.0, 11.0, 9.0, 10.5, 10000.0), []),
        ((100.0, 110.0, 0.0, 105.0, 1000.0), ["low"]),
    ],
    ids=["equal", "near", "high", "prices", "volume", "no volume", "another scale", "zero"],
)
def test_values_beyond_the_bounds_are_returned(other: tuple[float, ...], fields: list[str]) -> None:
    """Prices may differ by 1 %, volumes by a half; a day in another scale is not judged."""
    found = day_differences(bars(USUAL, USUAL), bars(USUAL, other), "1h")
    assert fields == [each.field for each in found]
    assert {(DAY, "1h")} >= {(each.time, each.against) for each in found}


def test_both_values_are_returned() -> None:
    """A day that only one of the sources has is not compared."""
    others = bars(USUAL, USUAL, (100.0, 990.0, 90.0, 105.0, 1000.0)).last(1)
    assert [] == day_differences(bars(USUAL, USUAL), others, "quote")
    (found,) = day_differences(bars(USUAL, USUAL, USUAL), others, "quote")
    assert DayDifference(2 * DAY, "quote", "high", 110.0, 990.0) == found


def test_days_are_made_of_shorter_bars() -> None:
    """First open, highest high, lowest low, last close, all volume; none without a bar."""
    hours = [(100.0 + n, 102.0 + n, 99.0 - n, 101.0 + n, 7.0) for n in range(4)]
    windows = BarTimes(np.array([0, 2 * HOUR, 9 * HOUR]), np.array([2 * HOUR, 4 * HOUR, DAY]))
    assert [
        [0, 100.0, 103.0, 98.0, 102.0, 14.0],
        [2 * HOUR, 102.0, 105.0, 96.0, 104.0, 14.0],
    ] == days_of(bars(*hours, step=HOUR), windows).columns.T.tolist()
    assert 0 == len(days_of(Bars.empty(), windows))


@pytest.mark.parametrize("volume", [None, 7.0])
def test_the_day_of_a_quote_is_a_bar(volume: float | None) -> None:
    """It opens with its session; without a volume it has none."""
    made = bars_of_quote(QuotedDay(date(2026, 11, 17), 1.0, 4.0, 0.5, 2.0, volume), 5)
    expected = [5.0, 1.0, 4.0, 0.5, 2.0, NAN if volume is None else volume]
    assert np.array_equal(np.array(expected), made.columns[:, 0], equal_nan=True)
