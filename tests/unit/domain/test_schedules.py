"""What runs when, and how many bars a run asks for."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.errors import InvalidRequest
from pocketquant.domain.intervals import Interval
from pocketquant.domain.schedules import (
    Schedule,
    ScheduleChange,
    bars_to_fetch,
    begun,
    built_in_schedules,
    changed,
    due_run,
    next_run,
)
from pocketquant.simulator.market.calendars import Calendar, Ints, sessions

NOON = int(datetime(2026, 3, 6, 12, tzinfo=UTC).timestamp())  # a Friday
HOUR = 3600
DAY = 24 * HOUR
HOURLY = Schedule("hourly", "", "0 * * * *", 500, (), next_run_at=NOON)

CALENDARS = [
    Calendar("Etc/UTC", "24x7"),
    Calendar("America/New_York", "0930-1600", ((1, 1), (7, 4), (12, 25))),
    Calendar("America/New_York", "1700-1700"),
    Calendar("Asia/Shanghai", "0930-1500", tuple((10, day) for day in range(1, 9))),
]


def _moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 */6 * * *", "2026-03-06T18:00:00Z"),
        ("0 9-17 * * 1-5", "2026-03-06T13:00:00Z"),
        ("0 9-17 * * MON-FRI", "2026-03-06T13:00:00Z"),
        ("  30 \t9 * * 1-5 ", "2026-03-09T09:30:00Z"),
        ("0 12 * * *", "2026-03-07T12:00:00Z"),
        ("0 0 1 * *", "2026-04-01T00:00:00Z"),
        ("0 0 L * *", "2026-03-31T00:00:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ("0 2 29 3 *", "2026-03-29T02:00:00Z"),
    ],
)
def test_the_next_run_is_the_first_time_after(cron: str, expected: str) -> None:
    """It is in UTC, and always later than the given moment."""
    assert _moment(expected) == next_run(cron, NOON)


@pytest.mark.parametrize(
    ("cron", "reason"),
    [
        ("", "is not five fields, minute hour day-of-month month day-of-week"),
        ("@hourly", "is not five fields"),
        ("0 0 * *", "is not five fields"),
        ("0 0 0 * * *", "is not five fields"),
        ("0 0 * * S\u00dcN", "is not five fields"),
        (f"{'0' * 5000} 0 * * *", "in at most 200 characters"),
        ("60 * * * *", "has a bad minute"),
        ("*/0 * * * *", "has a bad minute"),
        ("0 24 * * *", "has a bad hour"),
        ("0 0 32 * *", "has a bad day-of-month"),
        ("0 0 30 2 *", "has a bad day-of-month"),
        ("0 0 * 13 *", "has a bad month"),
        ("0 0 * * FUNDAY", "has a bad day-of-week"),
        ("0 0 */20 * MON#2", "names a day that never comes"),
    ],
)
def test_a_wrong_cron_names_the_wrong_field(cron: str, reason: str) -> None:
    """Or it says that no time matches."""
    with pytest.raises(InvalidRequest, match=reason):
        next_run(cron, NOON)


@given(st.text(st.sampled_from("0123456789*/,-#L SUNJA"), max_size=30), st.integers(0, 2**31))
def test_any_text_has_a_later_time_or_is_refused(cron: str, after: int) -> None:
    """No text raises another error."""
    with suppress(InvalidRequest):
        assert after < next_run(cron, after)


def test_there_are_two_built_in_schedules() -> None:
    """All series every six hours, daily series each business hour."""
    everything, daily = built_in_schedules(NOON)
    assert ("all-series", 500, ()) == (everything.name, everything.n_bars, everything.intervals)
    assert ("daily-series", 10, (Interval.D1,)) == (daily.name, daily.n_bars, daily.intervals)
    assert NOON + 6 * HOUR == everything.next_run_at
    assert NOON + HOUR == daily.next_run_at


def test_a_run_is_due_at_its_time() -> None:
    """Its key contains the time at which it was due, however late it is found."""
    assert due_run(HOURLY, NOON - 1) is None
    assert f"schedule:hourly:{NOON}" == due_run(HOURLY, NOON) == due_run(HOURLY, NOON + DAY)


def test_a_paused_schedule_runs_only_on_request() -> None:
    """Its cron is ignored."""
    paused = replace(HOURLY, paused=True)
    assert due_run(paused, NOON + DAY) is None
    assert "schedule:hourly:r1" == due_run(replace(paused, run_request="r1"), NOON + DAY)


def test_a_requested_run_is_due_at_once() -> None:
    """The next run by cron stays as it is."""
    requested = replace(HOURLY, run_request="r1")
    assert "schedule:hourly:r1" == due_run(requested, NOON - 60)
    expected = replace(HOURLY, starting="schedule:hourly:r1", last_run_at=NOON - 60)
    assert expected == begun(requested, "schedule:hourly:r1", NOON - 60)


@pytest.mark.parametrize("going_on", [{"has_open_job": True}, {"starting": "schedule:hourly:1"}])
def test_no_two_runs_overlap(going_on: dict[str, object]) -> None:
    """No run is due while the last one is starting or its job is open."""
    busy = replace(HOURLY, run_request="r1", **going_on)  # type: ignore[arg-type]
    assert due_run(busy, NOON + DAY) is None


def test_missed_runs_are_one_run() -> None:
    """The next run is computed from now, and this run fulfils an earlier request."""
    now = NOON + 5 * HOUR + 1
    missed = replace(HOURLY, run_request="r1")
    key = due_run(missed, now)
    assert f"schedule:hourly:{NOON}" == key
    expected = replace(HOURLY, next_run_at=NOON + 6 * HOUR, starting=key, last_run_at=now)
    assert expected == begun(missed, str(key), now)


def test_a_change_leaves_the_rest() -> None:
    """A due run stays due, too."""
    now = NOON + DAY
    assert HOURLY == changed(HOURLY, ScheduleChange(), now)
    assert replace(HOURLY, n_bars=7) == changed(HOURLY, ScheduleChange(n_bars=7), now)
    same = ScheduleChange(cron=HOURLY.cron, n_bars=HOURLY.n_bars, paused=False)
    assert HOURLY == changed(HOURLY, same, now)


def test_a_new_cron_counts_from_now() -> None:
    """It must be valid."""
    daily = changed(HOURLY, ScheduleChange(cron="0 6 * * *"), NOON)
    assert replace(HOURLY, cron="0 6 * * *", next_run_at=NOON + 18 * HOUR) == daily
    with pytest.raises(InvalidRequest):
        changed(HOURLY, ScheduleChange(cron="0 6 * *"), NOON)


def test_runs_during_a_pause_are_not_made_up_for() -> None:
    """A resumed schedule continues with its next time."""
    paused = changed(HOURLY, ScheduleChange(paused=True), NOON)
    assert replace(HOURLY, paused=True) == paused
    resumed = changed(paused, ScheduleChange(paused=False), NOON + DAY + 1)
    assert replace(HOURLY, next_run_at=NOON + DAY + HOUR) == resumed


def test_a_series_without_bars_requests_the_maximum() -> None:
    """This is the limit of the schedule."""
    assert 500 == bars_to_fetch(None, NOON, Interval.D1, 500)


@pytest.mark.parametrize(
    ("last_bar_at", "interval", "expected"),
    [
        (NOON - 6 * HOUR, Interval.H1, 8),
        (NOON - 6 * HOUR + 1, Interval.H1, 8),
        (NOON - 6 * HOUR - 1, Interval.H1, 9),
        (NOON - DAY, Interval.D1, 3),
        (NOON - HOUR, Interval.M1, 62),
        (NOON - 498 * 60, Interval.M1, 500),
        (NOON - 499 * 60, Interval.M1, 500),
        (NOON, Interval.D1, 2),
        (NOON + 60, Interval.M1, 2),
        (0, Interval.M1, 500),
    ],
)
def test_a_run_requests_the_missing_bars_and_two_more(
    last_bar_at: int, interval: Interval, expected: int
) -> None:
    """The limit of the schedule holds; a clock that is behind requests two."""
    assert expected == bars_to_fetch(last_bar_at, NOON, interval, 500)


def test_a_schedule_of_one_bar_requests_one() -> None:
    """The limit of the user counts."""
    assert 1 == bars_to_fetch(NOON - DAY, NOON, Interval.D1, 1)


@given(
    st.sampled_from(CALENDARS),
    st.sampled_from(Interval),
    st.floats(0, 1),
    st.integers(0, 400 * DAY),
)
def test_a_run_never_requests_too_few_bars(
    calendar: Calendar, interval: Interval, position: float, elapsed: int
) -> None:
    """The stored bar is among the requested ones, whenever markets open."""
    openings = _openings(calendar, interval)
    last = int(openings[int(position * (len(openings) - 1))])
    until = last + elapsed
    first, end = np.searchsorted(openings, [last, until + 1])
    assert end - first <= bars_to_fetch(last, until, interval, 10**9)


def _openings(calendar: Calendar, interval: Interval) -> Ints:
    """The opens of the bars of a year; intraday ones count from the session's open."""
    known = sessions(calendar)
    year = slice(*np.searchsorted(known.opens, [NOON - 500 * DAY, NOON]))
    opens, closes = known.opens[year], known.closes[year]
    if interval is Interval.W1:
        return _firsts(opens, known.weeks[year])
    if interval is Interval.MONTH:
        return _firsts(opens, known.months[year])
    bars = [
        np.arange(opened, closed, interval.seconds)
        for opened, closed in zip(opens, closes, strict=True)
    ]
    return np.concatenate(bars)


def _firsts(opens: Ints, periods: Ints) -> Ints:
    return np.asarray(opens[np.unique(periods, return_index=True)[1]])
