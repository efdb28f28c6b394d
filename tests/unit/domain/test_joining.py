"""History and live bars as one series."""

from collections import Counter
from datetime import datetime

import numpy as np
import pytest

from pocketquant.domain.bars import Bars, Refusal
from pocketquant.domain.intervals import Interval
from pocketquant.domain.joining import (
    bars_to_reach,
    earlier_bars_end,
    history_end,
    join,
    later_bars_start,
    live_stretches,
    newest_live_count,
    overlap_seconds,
    unseen_between,
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
        ("1m", "2023-11-15T14:30", "2023-11-15T14:30:01"),
        ("1h", "2023-11-15T14:30", "2023-11-15T14:30:01"),
        ("4h", "2023-11-15T18:30", "2023-11-15T18:30:01"),
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
def test_live_bars_follow_the_last_bar_of_history(
    interval: str, last_open: str, expected: str
) -> None:
    """Intraday ones open after it; longer ones share no time with it."""
    assert seconds(expected) == history_end(Interval(interval), seconds(last_open))


@pytest.mark.parametrize(
    ("limit", "newest", "expected"),
    [
        (9, True, ([60, 120, 180, 240, 300], 2)),
        (3, True, ([180, 240, 300], 2)),
        (1, True, ([300], 1)),
        (9, False, ([60, 120, 180, 240, 300], 2)),
        (4, False, ([60, 120, 180, 240], 1)),
        (2, False, ([60, 120], 0)),
    ],
)
def test_live_bars_follow_history(
    limit: int, newest: bool, expected: tuple[list[int], int]
) -> None:
    """The limit counts bars of both."""
    joined = join(Interval.M1, bars(60, 120, 180), bars(240, 300), ()).cut(limit, newest)
    assert expected == (joined.bars.time.tolist(), newest_live_count(joined.is_live))


def test_either_may_be_empty() -> None:
    """A symbol that was never synced has only live bars."""
    live = join(Interval.M1, Bars.empty(), bars(60))
    history = join(Interval.M1, bars(60), Bars.empty())
    assert (bars(60), [True]) == (live.bars, live.is_live.tolist())
    assert (bars(60), [False]) == (history.bars, history.is_live.tolist())


@pytest.mark.parametrize(
    ("interval", "history", "live", "beyond", "expected"),
    [
        ("1m", ["15T14:31"], ["15T14:30", "15T14:31", "15T14:32"], [], "lhl"),
        ("1h", ["15T14:30"], ["15T13:30", "15T14:30", "15T15:30"], [], "lhl"),
        ("2h", ["15T01:30", "15T03:30"], ["15T03:30", "15T05:00"], [], "hhl"),  # short, lunch
        ("1h", [], ["15T14:30", "15T15:30"], ["15T14:30"], "l"),
        ("1h", ["15T16:30"], ["15T14:30", "15T15:30"], ["15T14:30"], "lh"),
        ("1d", ["14T14:30", "16T23:00"], [f"{day}T00:00" for day in range(14, 19)], [], "hllhl"),
        ("1w", ["12T23:00"], ["06T00:00", "13T00:00", "20T00:00"], [], "lhl"),
        ("1M", ["01T14:30"], ["01T00:00"], [], "h"),
    ],
)  # fmt: skip
def test_a_live_bar_gives_way_to_history_of_its_time(
    interval: str, history: list[str], live: list[str], beyond: list[str], expected: str
) -> None:
    """Intraday bars share time if they open together; `beyond` counts as history."""
    given, built, outside = (
        [seconds(f"2023-11-{time}") for time in times] for times in (history, live, beyond)
    )
    joined = join(Interval(interval), bars(*given), bars(*built), outside)
    assert expected == "".join("l" if is_live else "h" for is_live in joined.is_live)
    assert sorted(joined.bars.time.tolist()) == joined.bars.time.tolist()


@pytest.mark.parametrize(
    ("kinds", "count", "stretches"),
    [
        ("", 0, []),
        ("hh", 0, []),
        ("ll", 2, []),
        ("hl", 1, []),
        ("lh", 0, [(0, 0)]),
        ("llhlhll", 2, [(0, 60), (180, 180)]),
    ],
)
def test_live_bars_at_the_end_and_between_are_found(
    kinds: str, count: int, stretches: list[tuple[int, int]]
) -> None:
    """The first count, and the runs before a history bar."""
    is_live = np.array([kind == "l" for kind in kinds], dtype=bool)
    times = 60 * np.arange(len(kinds))
    assert (count, stretches) == (newest_live_count(is_live), live_stretches(times, is_live))


def test_time_between_history_and_live_bars_is_unseen() -> None:
    """Adjacent bars have no time between them, and a pause within either does not count."""
    joined = join(Interval.M1, bars(0, 180, 240, 600), bars(300, 420))
    assert [(480, 600)] == unseen_between(joined, Interval.M1)
    assert [(60, 120)] == unseen_between(join(Interval.M1, bars(0), bars(120)), Interval.M1)


@pytest.mark.parametrize(
    ("oldest_live", "wanted", "n_bars"),
    [
        (None, 3, None),  # there are no live bars
        (480, 3, None),  # history reaches back to them
        (540, 3, None),
        (420, 3, 8),
        (0, 3, 15),
        (420, 5, 8),  # of the requested bars, one is forming and one was refused
        (420, 6, None),  # there are no older ones
        (-60 * 10_000, 3, MAX_BARS),
        (420, MAX_BARS, None),
    ],
)
def test_a_sync_requests_bars_back_to_the_oldest_live_bar(
    oldest_live: int | None, wanted: int, n_bars: int | None
) -> None:
    """It requests some spare ones, if the provider has them."""
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
def test_bounds_of_earlier_and_later_bars(
    interval: Interval, open_time: str, is_live: bool, before: str, after: str
) -> None:
    """They exclude the session of history that a live day stands for."""
    opened = seconds(open_time)
    assert seconds(before) == earlier_bars_end(interval, opened, is_live)
    assert seconds(after) == later_bars_start(interval, opened, is_live)


@pytest.mark.parametrize(
    ("interval", "expected"), [("1m", 0), ("4h", 0), ("1d", 86_400), ("1M", 31 * 86_400)]
)
def test_how_far_apart_bars_open_that_share_time(interval: str, expected: int) -> None:
    """Intraday bars share time only if they open together; days open with their sessions."""
    assert expected == overlap_seconds(Interval(interval))
