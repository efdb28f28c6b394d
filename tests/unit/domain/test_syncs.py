"""Requests and reports of syncs."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.bars import Bars, Refusal
from pocketquant.domain.errors import BarsRefused, InvalidRequest
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import (
    FormingBar,
    History,
    Page,
    RangeProgress,
    Stop,
    SyncRequest,
    retry_delay_seconds,
)

SERIES = Series.parse("NASDAQ:AAPL|1d")


@pytest.mark.parametrize("n_bars", [1, 5000])
def test_a_request_is_for_1_to_5000_bars(n_bars: int) -> None:
    """Both ends of the range are allowed."""
    assert n_bars == SyncRequest(SERIES, n_bars).n_bars


@pytest.mark.parametrize("n_bars", [-1, 0, 5001])
def test_a_request_outside_the_range_is_refused(n_bars: int) -> None:
    """The provider would not send so many bars."""
    with pytest.raises(InvalidRequest, match=f"n_bars is {n_bars};"):
        SyncRequest(SERIES, n_bars)


@pytest.mark.parametrize(
    ("start", "end"), [(None, None), (0, None), (-2_208_988_800, None), (0, 1), (500, 900)]
)
def test_a_request_may_have_a_range(start: int | None, end: int | None) -> None:
    """It has a start from 1900 on, and may have an end after that."""
    request = SyncRequest(SERIES, start=start, end=end)
    assert (start, end) == (request.start, request.end)


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [(-2_208_988_801, None, "start"), (None, 5, "end"), (5, 5, "end"), (6, 5, "end")],
)
def test_a_wrong_range_is_refused(start: int | None, end: int | None, name: str) -> None:
    """The message names the value that is wrong."""
    with pytest.raises(InvalidRequest, match=f"^{name} "):
        SyncRequest(SERIES, start=start, end=end)


def test_the_progress_of_a_range_adds_up_its_pages() -> None:
    """Counts are summed up, and the oldest and newest bars are those of all pages."""
    columns = np.ones((6, 2))
    columns[0] = [600.0, 660.0]
    forming = FormingBar(720, 780, 1.0, 1.0, 1.0, 1.0, None, 730)
    refused = Counter({Refusal.BAD_TIME: 2})
    newest = Page(History(Bars(columns), forming, refused), None, is_newest=True)
    repeated = Page(History(Bars(columns[:, 1:]), None, refused), Stop.NO_PROGRESS, begins_at=60)
    first = RangeProgress(end=900).plus(newest, inserted=2, changed=0, unchanged=0)
    second = first.plus(repeated, inserted=0, changed=0, unchanged=1)
    assert RangeProgress(900, 600, 5, 2, 0, 0, 1, {"bad_time": 2}, newest=660) == first
    assert second == RangeProgress(
        900, 600, 8, 2, 0, 1, 1, {"bad_time": 4}, Stop.NO_PROGRESS, begins_at=60, newest=660
    )
    assert RangeProgress() == RangeProgress().plus(Page(History(Bars.empty())), 0, 0, 0)


def test_fetched_counts_every_bar_the_provider_sent() -> None:
    """It counts closed, forming and refused bars."""
    closed = Bars(np.ones((6, 4)))
    forming = FormingBar(60, 120, 1.0, 1.0, 1.0, 1.0, None, 90)
    refused = Counter({Refusal.NOT_FINITE: 2, Refusal.BAD_TIME: 1})
    assert 0 == History(Bars.empty()).fetched
    assert 4 == History(closed).fetched
    assert 4 + 1 + 3 == History(closed, forming, refused).fetched


def test_an_answer_whose_bars_were_all_refused_is_an_error() -> None:
    """The message counts the bars by reason, with or without a forming bar."""
    refused = Counter({Refusal.NOT_FINITE: 2, Refusal.BAD_TIME: 1})
    forming = FormingBar(60, 120, 1.0, 1.0, 1.0, 1.0, None, 90)
    for history in (History(Bars.empty(), None, refused), History(Bars.empty(), forming, refused)):
        with pytest.raises(BarsRefused, match="not_finite 2, bad_time 1"):
            history.require_bars(SERIES)


def test_an_answer_with_a_closed_bar_or_without_a_refused_one_is_no_error() -> None:
    """A new listing has no bars, and one bad bar does not stop the others."""
    History(Bars.empty()).require_bars(SERIES)
    History(Bars(np.ones((6, 4))), None, Counter({Refusal.BAD_TIME: 1})).require_bars(SERIES)


def test_a_retry_waits_twice_as_long_each_time() -> None:
    """Without jitter the delays double from 5 s and stay at 15 minutes."""
    expected = [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 900.0, 900.0]
    assert expected == [retry_delay_seconds(attempt, 0.0) for attempt in range(1, 11)]


@given(st.integers(1, 10**9), st.floats(0, 1, exclude_max=True))
def test_jitter_takes_up_to_half_of_the_delay(attempt: int, jitter: float) -> None:
    """The delay is between half of the full one and the full one after any number of failures."""
    full = retry_delay_seconds(attempt, 0.0)
    assert full / 2 <= retry_delay_seconds(attempt, jitter) <= full <= 900
