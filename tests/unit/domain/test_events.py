"""Changes of scale in several series become one event."""

import pytest

from pocketquant.domain.events import Event, EventKind, EventSource, Found, merged
from pocketquant.domain.symbols import Series

DAYS, HOURS, WEEKS = (Series.parse(f"NASDAQ:AAPL|{each}") for each in ("1d", "1h", "1w"))
SPLIT, DIVIDEND = EventKind.SPLIT, EventKind.DIVIDEND


def found(
    series: Series, before: int, found_at: int, factor: float = 0.1, kind: EventKind = SPLIT
) -> Found:
    return Found(kind, series, before, factor, found_at, f"job {found_at}")


def test_series_that_find_one_split() -> None:
    """It took place after the latest of their moments; the first one to find it gives the job."""
    split = merged([found(DAYS, 100, 300, 0.1), found(HOURS, 120, 200, 0.1004)])
    first = (SPLIT, EventSource.BARS, 200, 120, 0.1004, (HOURS, DAYS), "job 200")
    assert [Event(*first)] == split


@pytest.mark.parametrize(
    "other",
    [
        found(HOURS, 100, 300, 10.0),
        found(HOURS, 100, 300, 0.1, DIVIDEND),
        found(HOURS, 201, 300),
        found(DAYS, 100, 300),
    ],
    ids=["undone", "another kind", "later", "again"],
)
def test_changes_that_are_not_one(other: Found) -> None:
    """Another factor or kind, a bar of the new scale in between, or a series that found both."""
    assert 2 == len(merged([found(DAYS, 100, 200), other]))


def test_a_split_that_is_announced_twice() -> None:
    """Both announcements, and the end of the first, have the series that found them."""
    times = [(100, 200, 0.1), (100, 210, 10.0), (100, 220, 0.1)]
    events = merged(
        found(series, before, at + shift, factor)
        for shift, series in enumerate((DAYS, HOURS, WEEKS))
        for before, at, factor in times
    )
    assert [(200, 0.1), (210, 10.0), (220, 0.1)] == [(one.found_at, one.factor) for one in events]
    assert {(DAYS, HOURS, WEEKS)} == {one.found_by for one in events}
