"""Bars of a table of sessions."""

from zoneinfo import ZoneInfo

import numpy as np
import pytest

from pocketquant.domain.calendar.bars import bars_between, bars_of
from pocketquant.domain.calendar.lengths import BarLength
from pocketquant.domain.calendar.rules import Rules
from pocketquant.domain.calendar.session_table import SessionTable
from pocketquant.domain.intervals import HOUR, MINUTE

MIDNIGHT = 1_767_312_000  # Friday, 2 January 2026
MORNING, NOON = MIDNIGHT + 9 * HOUR, MIDNIGHT + 12 * HOUR


def _table(counts_through_breaks: bool) -> SessionTable:
    rules = Rules.parse("0900-1110,1200-1230", "", "")
    return SessionTable.expand(rules, ZoneInfo("UTC"), range(2026, 2027), counts_through_breaks)


@pytest.mark.parametrize(
    ("through", "minutes", "expected"),
    [
        (False, 60, [(0, 60), (60, 120), (120, 130), (180, 210)]),
        (True, 60, [(0, 60), (60, 120), (120, 130), (180, 210)]),
        (False, 100, [(0, 100), (100, 130), (180, 210)]),
        (True, 100, [(0, 100), (100, 200), (200, 210)]),
        (False, 150, [(0, 130), (180, 210)]),
        (True, 150, [(0, 130), (180, 210)]),
        (False, 500, [(0, 130), (180, 210)]),
        (True, 500, [(0, 210)]),
        (True, 70, [(0, 70), (70, 130), (180, 210)]),
    ],
)
def test_bars_of_a_day(through: bool, minutes: int, expected: list[tuple[int, int]]) -> None:
    """Opens and closes in minutes after nine, of a day with a break from 130 to 180."""
    bars = bars_between(
        _table(through), BarLength.parse(f"{minutes}m"), MIDNIGHT, MIDNIGHT + 24 * HOUR
    )
    columns = ((each - MORNING) // MINUTE for each in (bars.opens, bars.closes))
    assert expected == list(zip(*(each.tolist() for each in columns), strict=True))


@pytest.mark.parametrize(
    ("through", "length", "expected"),
    [
        (False, "100m", (180, 210)),
        (True, "100m", (100, 200)),
        (True, "70m", (180, 210)),
        (True, "1d", (0, 210)),
        (False, "1d", (0, 210)),
    ],
)
def test_the_bar_of_a_time(through: bool, length: str, expected: tuple[int, int]) -> None:
    """The bar of 12:05, in the second session of its day."""
    table = _table(through)
    session = np.searchsorted(table.opens, [NOON])
    bars = bars_of(table, BarLength.parse(length), np.array([NOON + 5 * MINUTE]), session)
    assert expected == tuple(
        (int(each[0]) - MORNING) // MINUTE for each in (bars.opens, bars.closes)
    )
    assert 1 == len(bars)


def test_a_range_has_bars_by_their_opens() -> None:
    """A bar that opened before it is not of it, though it goes on in it."""
    table = _table(counts_through_breaks=False)
    bars = bars_between(table, BarLength.parse("60m"), MORNING + 1, NOON)
    assert [60, 120] == ((bars.opens - MORNING) // MINUTE).tolist()
    assert 0 == len(bars_between(table, BarLength.parse("60m"), NOON, MORNING))
    assert 0 == len(bars_between(table, BarLength.parse("1d"), MORNING + 1, NOON))
