"""Intervals: names, lengths and the arithmetic of their periods."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.errors import InvalidInterval
from pocketquant.domain.intervals import DAY, WEEK, Interval

intervals = st.sampled_from(Interval)
times = st.integers(-170 * 366 * DAY, 330 * 366 * DAY)  # the years 1800 to 2300


def _time(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_there_are_thirteen_intervals() -> None:
    """Their texts, shortest first."""
    expected = "1m 3m 5m 15m 30m 45m 1h 2h 3h 4h 1d 1w 1M"
    by_length = sorted(Interval, key=lambda interval: interval.seconds)
    assert expected == " ".join(interval.value for interval in Interval)
    assert expected == " ".join(interval.value for interval in by_length)


@given(intervals)
def test_an_interval_reads_back(interval: Interval) -> None:
    """The text of an interval is read as the same interval."""
    assert interval is Interval.parse(interval.value)


@pytest.mark.parametrize("text", ["", "2m", "1", "1D", "60", "1mo", "1M ", "x" * 10_000])
def test_other_text_is_no_interval(text: str) -> None:
    """Any other text is refused, with a short message that lists the intervals."""
    with pytest.raises(InvalidInterval, match=r"none of 1m 3m .* 1M$") as refusal:
        Interval.parse(text)
    assert len(str(refusal.value)) < 200


def test_intraday_is_shorter_than_a_day() -> None:
    """All but day, week and month are intraday."""
    expected = {Interval.D1, Interval.W1, Interval.MONTH}
    assert expected == {interval for interval in Interval if not interval.is_intraday}


@given(intervals, times)
def test_a_time_lies_in_its_period(interval: Interval, time: int) -> None:
    """A period contains its time; its start is included and its end excluded."""
    start, end = interval.period_start(time), interval.period_end(time)
    assert start <= time < end
    assert (start, end) == (interval.period_start(start), interval.period_end(start))


@given(intervals, times)
def test_periods_leave_no_gap(interval: Interval, time: int) -> None:
    """The end of a period is the start of the next; the second before it is still inside."""
    start, end = interval.period_start(time), interval.period_end(time)
    assert end == interval.period_start(end)
    assert start == interval.period_start(end - 1)


@given(intervals, times)
def test_periods_are_about_as_long_as_the_interval(interval: Interval, time: int) -> None:
    """Every period has the nominal length, except months of 28 to 31 days."""
    length = interval.period_end(time) - interval.period_start(time)
    if interval is Interval.MONTH:
        assert length in {28 * DAY, 29 * DAY, 30 * DAY, 31 * DAY}
    else:
        assert interval.seconds == length


@given(times)
def test_weeks_begin_on_monday(time: int) -> None:
    """A week begins on Monday 00:00 UTC, before 1970 too."""
    start = datetime.fromtimestamp(Interval.W1.period_start(time), UTC)
    assert (0, 0, 0, 0) == (start.weekday(), start.hour, start.minute, start.second)
    assert WEEK == Interval.W1.seconds


@given(times)
def test_months_begin_on_the_first(time: int) -> None:
    """A month begins on the first at 00:00 UTC."""
    moment = datetime.fromtimestamp(time, UTC)
    expected = int(datetime(moment.year, moment.month, 1, tzinfo=UTC).timestamp())
    assert expected == Interval.MONTH.period_start(time)


@pytest.mark.parametrize(
    ("interval", "time", "start", "end"),
    [
        ("1m", "2024-02-29T23:59:59", "2024-02-29T23:59", "2024-03-01T00:00"),
        ("45m", "1970-01-01T00:45", "1970-01-01T00:45", "1970-01-01T01:30"),
        ("4h", "1969-12-31T23:00", "1969-12-31T20:00", "1970-01-01T00:00"),
        ("1d", "1929-10-29T14:30", "1929-10-29T00:00", "1929-10-30T00:00"),
        ("1w", "1970-01-01T00:00", "1969-12-29T00:00", "1970-01-05T00:00"),
        ("1w", "2024-12-30T00:00", "2024-12-30T00:00", "2025-01-06T00:00"),
        ("1M", "2024-02-29T12:00", "2024-02-01T00:00", "2024-03-01T00:00"),
        ("1M", "1999-12-31T23:59:59", "1999-12-01T00:00", "2000-01-01T00:00"),
    ],
)
def test_periods_a_calendar_confirms(interval: str, time: str, start: str, end: str) -> None:
    """Periods at the ends of hours, years, weeks and leap days equal those of a calendar."""
    found = Interval.parse(interval)
    assert _time(start) == found.period_start(_time(time))
    assert _time(end) == found.period_end(_time(time))
