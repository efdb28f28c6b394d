"""History and live bars as one series."""

from collections import Counter
from datetime import datetime

import numpy as np
import pytest

from pocketquant.domain.bars import Bars, Refusal
from pocketquant.domain.calendar import parse_calendar
from pocketquant.domain.intervals import Interval
from pocketquant.domain.joining import (
    bars_to_reach,
    join,
    live_stretches,
    newest_live_count,
    unseen_between,
)
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import MAX_BARS, FormingBar, History, SyncRequest
from tests.unit.domain.calendar import texts


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}Z").timestamp())


def bars(*times: int) -> Bars:
    return Bars(np.array([times] * 6, dtype=np.float64).reshape(6, -1))


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
    joined = join(bars(60, 120, 180), bars(240, 300)).cut(limit, newest)
    assert expected == (joined.bars.time.tolist(), newest_live_count(joined.is_live))


def test_either_may_be_empty() -> None:
    """A symbol that was never synced has only live bars."""
    live = join(Bars.empty(), bars(60))
    history = join(bars(60), Bars.empty())
    assert (bars(60), [True]) == (live.bars, live.is_live.tolist())
    assert (bars(60), [False]) == (history.bars, history.is_live.tolist())


@pytest.mark.parametrize(
    ("history", "live", "expected"),
    [
        (["15T14:31"], ["15T14:30", "15T14:31", "15T14:32"], "lhl"),
        (["15T14:30"], ["15T13:30", "15T14:30", "15T15:30"], "lhl"),
        (["15T01:30", "15T03:30"], ["15T03:30", "15T05:00"], "hhl"),  # short, before lunch
        (["12T23:00", "14T23:00"], ["12T23:00", "13T23:00", "14T23:00", "15T23:00"], "hlhl"),
    ],
)
def test_a_live_bar_gives_way_to_history_of_its_time(
    history: list[str], live: list[str], expected: str
) -> None:
    """Bars are of one time if they open together."""
    given, built = ([seconds(f"2023-11-{time}") for time in times] for times in (history, live))
    joined = join(bars(*given), bars(*built))
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
    joined = join(bars(0, 180, 240, 600), bars(300, 420))
    assert [(480, 600)] == unseen_between(joined, Interval.M1, None)
    assert [(60, 120)] == unseen_between(join(bars(0), bars(120)), Interval.M1, None)


@pytest.mark.parametrize(
    ("history", "live", "expected"),
    [
        (["20T14:30"], ["23T14:30", "24T14:30"], []),  # over a weekend
        (["20T14:30"], ["24T14:30"], [("21T14:30", "24T14:30")]),
        ([], ["20T14:30", "24T14:30"], [("21T14:30", "24T14:30")]),
        (["20T14:30", "24T14:30"], [], []),
    ],
)
def test_days_without_trading_are_not_unseen(
    history: list[str], live: list[str], expected: list[tuple[str, str]]
) -> None:
    """A trading day beside a live one is, if it has no bar."""
    given, built = ([seconds(f"2026-11-{time}") for time in times] for times in (history, live))
    joined = join(bars(*given), bars(*built))
    unseen = unseen_between(joined, Interval.D1, parse_calendar(texts.AAPL))
    assert [(seconds(f"2026-11-{low}"), seconds(f"2026-11-{high}")) for low, high in expected] == (
        unseen
    )


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
