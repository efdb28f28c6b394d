"""Properties of every calendar, for any hours and zone, across clock changes."""

from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.calendar import BarLength, Calendar, CalendarTexts, parse_calendar
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, Interval

ZONES = (
    "America/New_York",
    "Europe/London",
    "Australia/Sydney",
    "America/Santiago",
    "Africa/Casablanca",
    "Pacific/Apia",
)
HOURS = (
    "24x7",
    "0000-0000",
    "0930-1600:1234567",
    "1700-1600:1234567",
    "1700-1700",
    "0930-1130,1300-1500",
    "2000-0230,0315-0400:1234567",
    "1900-1900:3456|1700F-1900:2",
    "0930-2730:34567",
    "0130-0215,0230-0245,0250-0500:1234567",
    "1;1000-1500:12345",
    "0100-2300|2300F-2300:2#20260330/0000-2200|2200F-2200:2#20261026/0100-2300",
    "0930-1200A0900E0920-1206U1300-1600E1300-1611",
)
CLOCK_CHANGES = (
    "2011-12-30",  # a day that Apia skipped
    "2025-03-30",
    "2025-10-26",
    "2026-02-15",
    "2026-03-08",
    "2026-03-22",
    "2026-03-29",
    "2026-04-05",
    "2026-09-06",
    "2026-10-04",
    "2026-10-25",
    "2026-11-01",
    "2027-01-01",
)
INTRADAY = [each for each in Interval if each.is_intraday]

calendars = st.builds(
    lambda zone, session, through: parse_calendar(
        CalendarTexts(zone, session, "20260401,20261225", "0930-1100:20261226"),
        counts_through_breaks=through,
    ),
    st.sampled_from(ZONES),
    st.sampled_from(HOURS),
    st.booleans(),
)
moments = st.builds(
    lambda day, seconds: int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) + seconds,
    st.sampled_from(CLOCK_CHANGES),
    st.integers(-3 * DAY, 3 * DAY),
)
minute_lengths = st.integers(1, 3000).map(lambda minutes: BarLength.parse(f"{minutes}m"))
lengths = st.one_of(
    st.sampled_from(Interval).map(BarLength.of),
    minute_lengths,
    st.sampled_from(["2d", "5d", "2w", "3M", "12M"]).map(BarLength.parse),
)


@given(calendars, moments, lengths)
def test_bars_tile_every_session(calendar: Calendar, start: int, length: BarLength) -> None:
    """Each bar opens at or after the end of the one before it, and no session has a gap."""
    sessions = calendar.sessions(start, start + 12 * DAY)
    first, end = int(sessions.opens[0]), int(sessions.closes[-1])
    first_bar, last_bar = (calendar.bar_at(each, length) for each in (first, end - 1))
    assert first_bar is not None
    assert last_bar is not None
    bars = calendar.bars(length, first_bar.open, last_bar.open + 1)
    assert (first_bar.open, last_bar.close) == (bars.opens[0], bars.closes[-1])
    assert np.all(bars.opens < bars.closes)
    assert np.all(bars.closes[:-1] <= bars.opens[1:])
    covered = [
        np.minimum(bars.closes, close) - np.maximum(bars.opens, open_)
        for open_, close in zip(sessions.opens, sessions.closes, strict=True)
    ]
    lasting = [int(np.maximum(each, 0).sum()) for each in covered]
    assert (sessions.closes - sessions.opens).tolist() == lasting


@given(calendars, moments, lengths)
def test_the_bar_of_a_time_holds_it(calendar: Calendar, time: int, length: BarLength) -> None:
    """One time and many times have the same bar; there is one if and only if the market is open."""
    bar = calendar.bar_at(time, length)
    many = calendar.bars_at(np.array([time]), length)
    session = calendar.session_at(time)
    if bar is None:
        assert session is None
        assert not calendar.is_open(time)
        assert (time, time) == (many.opens[0], many.closes[0])
        assert None is calendar.bar_at(time, Interval.M1)
    else:
        assert session == bar.session
        assert session.open <= time < session.close
        assert bar.open <= time < bar.close
        assert (bar.open, bar.close) == (many.opens[0], many.closes[0])
        assert [bar.open] == calendar.opens(length, bar.open, bar.open + 1).tolist()
        assert calendar.are_opens(many.opens, length).all()
        assert [session.trading_day] == calendar.trading_days_at(np.array([time])).tolist()


@given(calendars, moments, st.sampled_from(INTRADAY), st.integers(1, 12))
def test_opens_are_among_those_of_every_interval_that_divides_it(
    calendar: Calendar, start: int, interval: Interval, times: int
) -> None:
    """A bar of a multiple opens with one of the shorter bars, and closes with one."""
    short = calendar.bars(interval, start - 40 * DAY, start + 40 * DAY)
    multiple = BarLength.parse(f"{interval.seconds // MINUTE * times}m")
    longer = calendar.bars(multiple, start, start + 6 * DAY)
    assert np.isin(longer.opens, short.opens).all()
    assert np.isin(longer.closes, short.closes).all()
    for longest in ("1d", "2d", "1w"):
        opens = calendar.opens(BarLength.parse(longest), start, start + 6 * DAY)
        assert np.isin(opens, short.opens).all()


@given(calendars, moments)
def test_next_open_and_close(calendar: Calendar, time: int) -> None:
    """No session opens, or closes, between a time and the next one."""
    opens, closes = calendar.next_open(time), calendar.next_close(time)
    assert opens is not None
    assert closes is not None
    sessions = calendar.sessions(time - 3 * DAY, max(opens, closes) + HOUR)
    assert opens == sessions.opens[sessions.opens > time][0]
    assert closes == sessions.closes[sessions.closes > time][0]
    latest = calendar.latest_session(time)
    assert latest is not None
    assert latest.open <= time < opens


@given(calendars, moments)
def test_days_and_sessions_agree(calendar: Calendar, start: int) -> None:
    """The sessions of each trading day, one after the other, are the sessions of a range."""
    sessions = calendar.sessions(start, start + 20 * DAY)
    days = np.unique(sessions.trading_days)
    found = [each for day in days.tolist() for each in calendar.sessions_of(day)]
    opens = [each.open for each in found if each.close > start and each.open < start + 20 * DAY]
    assert sessions.opens.tolist() == opens
    assert np.all(sessions.closes[:-1] <= sessions.opens[1:])
    assert np.all(sessions.trading_days[:-1] <= sessions.trading_days[1:])
    first, last = days.tolist()[0], days.tolist()[-1]
    between = calendar.trading_days(first, last)
    assert days[:-1].tolist() == between.tolist()
