"""When schedules run, for which series, and how many bars a run fetches."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.calendar import CalendarTexts, parse_calendar
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
    following_run,
    has_closed,
    has_traded_since,
    is_built_in,
    new_schedule,
    next_run,
)
from pocketquant.domain.symbols import Series
from pocketquant.simulator.market.calendars import Calendar, Ints, sessions
from pocketquant.simulator.market.holidays import every_year

NOON = int(datetime(2026, 3, 6, 12, tzinfo=UTC).timestamp())  # a Friday
HOUR = 3600
DAY = 24 * HOUR
HOURLY = Schedule("hourly", "", "0 * * * *", 500, (), next_run_at=NOON)

CALENDARS = [
    Calendar("Etc/UTC", "24x7"),
    Calendar("America/New_York", "0930-1600", every_year((1, 1), (7, 4), (12, 25))),
    Calendar("America/New_York", "1700-1700"),
    Calendar("Asia/Shanghai", "0930-1500", every_year(*((10, day) for day in range(1, 9)))),
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


def never(*_: object) -> None:
    """No market closes."""


def test_there_are_three_built_in_schedules() -> None:
    """All series every six hours, daily ones each business hour and after each market's close."""
    everything, daily, after_close = built_in_schedules(NOON)
    assert ("after-close", None, 15) == (
        after_close.name,
        after_close.cron,
        after_close.after_close_minutes,
    )
    assert (10, (Interval.D1,)) == (after_close.n_bars, after_close.intervals)
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
    assert "schedule:hourly:request:r1" == due_run(replace(paused, run_request="r1"), NOON + DAY)


def test_a_requested_run_is_due_at_once() -> None:
    """The next run by cron stays as it is."""
    requested = replace(HOURLY, run_request="r1")
    assert "schedule:hourly:request:r1" == due_run(requested, NOON - 60)
    expected = replace(HOURLY, starting="schedule:hourly:request:r1", last_run_at=NOON - 60)
    assert expected == begun(requested, "schedule:hourly:request:r1", NOON - 60, never)


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
    assert expected == begun(missed, str(key), now, never)


def test_a_change_leaves_the_rest() -> None:
    """A due run stays due, too."""
    now = NOON + DAY
    assert HOURLY == changed(HOURLY, ScheduleChange(), now, never)
    assert replace(HOURLY, n_bars=7) == changed(HOURLY, ScheduleChange(n_bars=7), now, never)
    same = ScheduleChange(cron=HOURLY.cron, n_bars=HOURLY.n_bars, paused=False)
    assert HOURLY == changed(HOURLY, same, now, never)


def test_a_new_cron_counts_from_now() -> None:
    """It must be valid."""
    daily = changed(HOURLY, ScheduleChange(cron="0 6 * * *"), NOON, never)
    assert replace(HOURLY, cron="0 6 * * *", next_run_at=NOON + 18 * HOUR) == daily
    with pytest.raises(InvalidRequest):
        changed(HOURLY, ScheduleChange(cron="0 6 * *"), NOON, never)


def test_a_schedule_names_no_days_of_extended_hours() -> None:
    """They would fail at each run; shorter bars are fine."""
    symbols = ("NASDAQ:AAPL", "NASDAQ:AAPL;session=extended")
    hours = ScheduleChange(symbols=symbols, intervals=(Interval.H1,))
    assert symbols == changed(HOURLY, hours, NOON, never).symbols
    with pytest.raises(InvalidRequest, match="session=extended is for bars of up to 4h"):
        changed(HOURLY, replace(hours, intervals=(Interval.H1, Interval.D1)), NOON, never)


def test_runs_during_a_pause_are_not_made_up_for() -> None:
    """A resumed schedule continues with its next time."""
    paused = changed(HOURLY, ScheduleChange(paused=True), NOON, never)
    assert replace(HOURLY, paused=True) == paused
    resumed = changed(paused, ScheduleChange(paused=False), NOON + DAY + 1, never)
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


TEXTS = CalendarTexts("Etc/UTC", "0930-1600", corrections="0930-1300:20260310")
MARKET = parse_calendar(TEXTS)
TUESDAY = 1_773_100_800  # 2026-03-10, with an early close at 13:00
AFTER = replace(
    HOURLY, name="closes", cron=None, after_close_minutes=20, next_run_at=TUESDAY, closes_until=None
)


def at_closes(_: Schedule, time: int) -> int | None:
    return MARKET.next_close(time)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (TUESDAY + 12 * HOUR + 30 * 60, TUESDAY + 13 * HOUR + 20 * 60),
        (TUESDAY + 13 * HOUR + 10 * 60, TUESDAY + 13 * HOUR + 20 * 60),
        (TUESDAY + 13 * HOUR + 20 * 60, TUESDAY + 14 * HOUR + 20 * 60),
        (TUESDAY, TUESDAY + HOUR),
    ],
)
def test_a_run_follows_a_close(after: int, expected: int) -> None:
    """Or is looked for again within the hour."""
    assert expected == following_run(AFTER, after, at_closes)
    assert after + HOUR == following_run(AFTER, after, never)


def test_a_run_after_closes_covers_the_time_since_the_last_one() -> None:
    """The first covers a day; a requested one is for all, and leaves the next as it was."""
    now = TUESDAY + 13 * HOUR + 20 * 60
    first = begun(AFTER, "key", now, at_closes)
    assert (now - 20 * 60 - DAY, now - 20 * 60) == (first.closes_from, first.closes_until)
    second = begun(replace(first, starting=None), "key", now + HOUR, at_closes)
    assert (now - 20 * 60, now + 40 * 60) == (second.closes_from, second.closes_until)
    requested = begun(second, "schedule:closes:request:r1", now + HOUR, at_closes)
    assert (None, second.closes_until) == (requested.closes_from, requested.closes_until)
    assert requested.is_requested
    assert not second.is_requested


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (12 * HOUR, 13 * HOUR, True),
        (13 * HOUR, 14 * HOUR, False),
        (12 * HOUR, 13 * HOUR - 1, False),
        (None, 14 * HOUR, True),
        (0, None, True),
    ],
)
def test_a_market_has_closed_within_the_time_of_a_run(
    since: int | None, until: int | None, expected: bool
) -> None:
    """By its calendar."""
    run = replace(
        AFTER,
        closes_from=None if since is None else TUESDAY + since,
        closes_until=None if until is None else TUESDAY + until,
    )
    assert expected == has_closed(run, MARKET)
    assert has_closed(replace(run, cron="0 * * * *"), MARKET)


def test_a_market_without_a_calendar_closes_at_midnight() -> None:
    """In UTC."""
    run = replace(AFTER, closes_from=TUESDAY - 60, closes_until=TUESDAY)
    assert has_closed(run, None)
    assert not has_closed(replace(run, closes_from=TUESDAY), None)


@pytest.mark.parametrize(
    ("synced", "now", "expected"),
    [
        (None, TUESDAY, True),
        (TUESDAY + 12 * HOUR, TUESDAY + 12 * HOUR + 60, True),
        (TUESDAY + 13 * HOUR + 60, TUESDAY + 15 * HOUR, True),
        (TUESDAY + 14 * HOUR, TUESDAY + 20 * HOUR, False),
        (TUESDAY + 14 * HOUR, TUESDAY + DAY + 10 * HOUR, True),
    ],
)
def test_a_closed_market_has_no_new_bars(synced: int | None, now: int, expected: bool) -> None:
    """The bars of its last session are complete an hour after the close."""
    assert expected == has_traded_since(MARKET, synced, now)
    assert has_traded_since(None, synced, now)


def test_a_schedule_of_a_user_has_a_name_and_times() -> None:
    """Cron or closes, of an exchange or of symbols; not both."""
    closes = ScheduleChange(after_close_minutes=20, intervals=(Interval.H1,), exchange="NYSE")
    made = new_schedule("us", "US", 10, closes, TUESDAY, at_closes)
    expected = Schedule("us", "US", None, 10, (Interval.H1,), TUESDAY + HOUR)
    expected = replace(expected, after_close_minutes=20, exchange="NYSE")
    assert replace(expected, closes_until=TUESDAY - 20 * 60) == made
    for name, change in (
        ("us", ScheduleChange()),
        ("US", closes),
        ("us", ScheduleChange(cron="0 * * * *", after_close_minutes=1)),
        ("us", ScheduleChange(cron="0 * * * *", exchange="NYSE", symbols=("NYSE:A",))),
    ):
        with pytest.raises(InvalidRequest):
            new_schedule(name, "", 10, change, TUESDAY, at_closes)


def test_times_and_series_take_each_others_place() -> None:
    """A cron that of closes, symbols that of an exchange."""
    cron = changed(AFTER, ScheduleChange(cron="0 * * * *"), TUESDAY, at_closes)
    assert ("0 * * * *", None, None) == (cron.cron, cron.after_close_minutes, cron.closes_until)
    one = changed(AFTER, ScheduleChange(exchange="NYSE"), TUESDAY, at_closes)
    two = changed(one, ScheduleChange(symbols=("NYSE:A",)), TUESDAY, at_closes)
    assert (None, ("NYSE:A",)) == (two.exchange, two.symbols)
    three = changed(two, ScheduleChange(exchange="NYSE"), TUESDAY, at_closes)
    assert ("NYSE", ()) == (three.exchange, three.symbols)
    assert (None, ()) == _series(changed(three, ScheduleChange(exchange=""), TUESDAY, at_closes))
    assert ("NYSE", ()) == _series(changed(three, ScheduleChange(symbols=()), TUESDAY, at_closes))


def _series(schedule: Schedule) -> tuple[str | None, tuple[str, ...]]:
    return schedule.exchange, schedule.symbols


def test_built_in_schedules_are_known_by_name() -> None:
    """They can't be removed."""
    assert is_built_in("after-close")
    assert not is_built_in("us")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"exchange": "NASDAQ"}, True),
        ({"exchange": "NYSE"}, False),
        ({"symbols": ("NASDAQ:AAPL",)}, True),
        ({"symbols": ("NASDAQ:MSFT",)}, False),
        ({"intervals": (Interval.M1,)}, True),
        ({"intervals": (Interval.D1,)}, False),
    ],
)
def test_a_schedule_selects_series(fields: dict[str, Any], expected: bool) -> None:
    """By exchange or symbols, and by intervals; what it does not name, it takes."""
    every = replace(built_in_schedules(0)[0], **fields)
    assert expected == every.selects(Series.parse("NASDAQ:AAPL|1m"))
