"""History and live bars as one series."""

from collections import Counter
from datetime import datetime

import numpy as np
import pytest

from pocketquant.domain.bars import Bars, Refusal
from pocketquant.domain.intervals import Interval
from pocketquant.domain.joining import (
    bars_to_reach,
    history_end,
    join,
    place_after,
    place_before,
)
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import MAX_BARS, FormingBar, History, SyncRequest


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}Z").timestamp())


def bars(*times: int) -> Bars:
    return Bars(np.array([times] * 6, dtype=np.float64).reshape(6, -1))


@pytest.mark.parametrize(
    ("interval", "last_open", "expected"),
    [
        ("1m", "2023-11-15T14:30", "2023-11-15T14:31"),
        ("1h", "2023-11-15T14:30", "2023-11-15T15:30"),  # New York, from half past on
        ("4h", "2023-11-15T18:30", "2023-11-15T22:30"),
        ("1d", "2023-11-15T00:00", "2023-11-16T00:00"),
        ("1d", "2023-11-15T14:30", "2023-11-16T00:00"),
        ("1d", "2023-11-14T23:00", "2023-11-16T00:00"),  # futures: the session of the 15th
        ("1d", "2023-11-14T18:00", "2023-11-16T00:00"),
        ("1d", "2023-11-14T17:59", "2023-11-15T00:00"),
        ("1w", "2023-11-13T14:30", "2023-11-20T00:00"),
        ("1w", "2023-11-12T23:00", "2023-11-20T00:00"),
        ("1M", "2023-11-01T13:30", "2023-12-01T00:00"),
        ("1M", "2023-10-31T22:00", "2023-12-01T00:00"),
    ],
)
def test_where_a_history_ends(interval: str, last_open: str, expected: str) -> None:
    """No live bar from then on has anything of the last bar's time."""
    assert seconds(expected) == history_end(Interval(interval), seconds(last_open))


@pytest.mark.parametrize(
    ("limit", "newest", "expected"),
    [
        (9, True, ([1, 2, 3, 4, 5], 2)),
        (3, True, ([3, 4, 5], 2)),
        (1, True, ([5], 1)),
        (9, False, ([1, 2, 3, 4, 5], 2)),
        (4, False, ([1, 2, 3, 4], 1)),
        (2, False, ([1, 2], 0)),
    ],
)
def test_live_bars_follow_history(
    limit: int, newest: bool, expected: tuple[list[int], int]
) -> None:
    """The limit holds for both together."""
    joined, live_count = join(bars(1, 2, 3), bars(4, 5), limit, newest)
    assert expected == (joined.time.tolist(), live_count)


def test_either_may_be_empty() -> None:
    """A symbol that was never synced has live bars only."""
    assert (bars(1), 1) == join(Bars.empty(), bars(1), 9, newest=True)
    assert (bars(1), 0) == join(bars(1), Bars.empty(), 9, newest=False)


@pytest.mark.parametrize(
    ("oldest_live", "wanted", "n_bars"),
    [
        (None, 3, None),  # there are no live bars
        (480, 3, None),  # history reaches back to them
        (540, 3, None),
        (420, 3, 8),
        (0, 3, 15),
        (420, 5, 8),  # of those asked for, one is forming and one was refused
        (420, 6, None),  # there are no older ones
        (-60 * 10_000, 3, MAX_BARS),
        (420, MAX_BARS, None),
    ],
)
def test_how_far_history_has_to_reach(
    oldest_live: int | None, wanted: int, n_bars: int | None
) -> None:
    """Back to the oldest live bar, with some bars to spare; where that can be had."""
    request = SyncRequest(Series.parse("NASDAQ:AAPL|1m"), wanted)
    forming = FormingBar(660, 720, 1, 2, 0.5, 1, 7, 661)
    history = History(bars(480, 540, 600), forming, Counter({Refusal.NOT_FINITE: 1}))
    assert n_bars == bars_to_reach(oldest_live, history, request)
    assert bars_to_reach(oldest_live, History(bars()), request) is None


@pytest.mark.parametrize(
    ("interval", "open_time", "is_live", "before", "after"),
    [
        (Interval.D1, "2024-01-31T14:30:00", False, "2024-01-31T14:30:00", "2024-01-31T14:30:01"),
        (Interval.M1, "2024-01-31T14:30:00", True, "2024-01-31T14:30:00", "2024-01-31T14:30:01"),
        (Interval.D1, "2024-01-31T00:00:00", True, "2024-01-30T18:00:00", "2024-01-31T18:00:00"),
    ],
)
def test_what_comes_before_and_after_a_bar(
    interval: Interval, open_time: str, is_live: bool, before: str, after: str
) -> None:
    """Next to it; beside a live day, not the session that history will have for it."""
    told = seconds(open_time)
    assert seconds(before) == place_before(interval, told, is_live)
    assert seconds(after) == place_after(interval, told, is_live)
