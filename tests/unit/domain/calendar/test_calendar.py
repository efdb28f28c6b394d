"""A calendar answers."""

from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import pytest

from pocketquant.domain.calendar import BarLength, Calendar, CalendarTexts, parse_calendar
from pocketquant.domain.errors import InvalidCalendar
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, Interval
from tests.unit.domain.calendar import texts

NEW_YORK = parse_calendar(texts.AAPL)
LUNCH = parse_calendar(CalendarTexts("Asia/Shanghai", "0930-1130,1300-1500"))
THROUGH_LUNCH = parse_calendar(
    CalendarTexts("Asia/Shanghai", "0930-1130,1300-1500"), counts_through_breaks=True
)
CURRENCIES = parse_calendar(texts.FX)
ALWAYS = parse_calendar(texts.CRYPTO)
INDIA = parse_calendar(texts.NSE)


def _time(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def _text(time: int | None) -> str:
    return "none" if time is None else f"{datetime.fromtimestamp(time, UTC):%m-%d %H:%M}"


def _texts(times: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> list[str]:
    return [_text(each) for each in times.tolist()]


def _bar(calendar: Calendar, time: str, length: str) -> str:
    bar = calendar.bar_at(_time(time), BarLength.parse(length))
    return "none" if bar is None else f"{_text(bar.open)} - {_text(bar.close)}"


def _opens(calendar: Calendar, length: str, start: str, end: str) -> list[str]:
    return _texts(calendar.opens(BarLength.parse(length), _time(start), _time(end)))


def test_equal_texts_give_one_calendar() -> None:
    """Symbols of one market share it."""
    again = CalendarTexts("Asia/Shanghai", "0930-1130,1300-1500")
    assert LUNCH is parse_calendar(again)
    assert again == LUNCH.texts


def test_texts_that_are_not_understood_make_no_calendar() -> None:
    """The error has the text and the reason."""
    with pytest.raises(InvalidCalendar, match="no zone 'Mars/Olympus'"):
        parse_calendar(CalendarTexts("Mars/Olympus", "24x7"))
    with pytest.raises(InvalidCalendar, match="'0930-16'"):
        parse_calendar(CalendarTexts("Etc/UTC", "0930-16"))


def test_always_without_a_holiday_is_continuous() -> None:
    """A holiday makes a difference."""
    with_holiday = parse_calendar(CalendarTexts("Etc/UTC", "24x7", "20260101"))
    found = [each.is_continuous for each in (ALWAYS, CURRENCIES, with_holiday)]
    assert [True, False, False] == found


def test_the_session_at_a_time() -> None:
    """Its open belongs to it, its close does not."""
    session = NEW_YORK.session_at(_time("2025-07-03 13:30"))
    assert session is not None
    assert (_time("2025-07-03 13:30"), _time("2025-07-03 17:00")) == (session.open, session.close)
    assert date(2025, 7, 3) == session.trading_day
    assert session == NEW_YORK.session_at(_time("2025-07-03 16:59"))
    assert None is NEW_YORK.session_at(_time("2025-07-03 17:00"))
    assert None is NEW_YORK.session_at(_time("2025-07-03 13:29"))
    assert None is NEW_YORK.session_at(_time("2025-07-04 15:00"))


def test_an_evening_belongs_to_the_next_trading_day() -> None:
    """Sunday 17:00 in New York opens Monday."""
    session = CURRENCIES.session_at(_time("2026-06-07 21:00"))
    assert session is not None
    assert date(2026, 6, 8) == session.trading_day


def test_the_latest_session() -> None:
    """After the close it is the session that has closed; before 1900 there is none."""
    latest = [
        NEW_YORK.latest_session(_time(each))
        for each in ("2025-07-03 13:29", "2025-07-03 13:30", "2025-07-06 12:00")
    ]
    days = [each.trading_day for each in latest if each]
    assert [date(2025, 7, 2), date(2025, 7, 3), date(2025, 7, 3)] == days
    assert None is NEW_YORK.latest_session(-(1 << 40))


def test_the_latest_session_may_lie_years_back() -> None:
    """A market that was closed all year has its last session in the year before."""
    days = [date.fromordinal(date(2026, 1, 1).toordinal() + each) for each in range(365)]
    holidays = ",".join(f"{each:%Y%m%d}" for each in days)
    closed = parse_calendar(CalendarTexts("Etc/UTC", "0930-1600", holidays))
    latest = closed.latest_session(_time("2026-06-01"))
    assert latest is not None
    assert date(2025, 12, 31) == latest.trading_day
    assert "01-01 09:30" == _text(closed.next_open(_time("2026-06-01")))
    assert [] == closed.sessions_of(date(2026, 6, 1))
    assert [False] == closed.are_open(np.array([_time("2026-06-01")])).tolist()


def test_is_it_open() -> None:
    """For one time, and for many in any order."""
    times = ["2025-07-03 13:29", "2025-07-03 13:30", "2025-07-04 15:00", "2025-07-03 16:59"]
    expected = [False, True, False, True]
    assert expected == [NEW_YORK.is_open(_time(each)) for each in times]
    seconds = np.array([_time(each) for each in times])
    assert expected == NEW_YORK.are_open(seconds).tolist()
    assert [] == NEW_YORK.are_open(seconds[:0]).tolist()


def test_next_open_and_close() -> None:
    """Both lie after the time, over weekends and early closes."""
    answers = [
        (_text(NEW_YORK.next_open(_time(each))), _text(NEW_YORK.next_close(_time(each))))
        for each in ("2025-07-03 13:29", "2025-07-03 13:30", "2025-07-03 17:00")
    ]
    expected = [
        ("07-03 13:30", "07-03 17:00"),
        ("07-07 13:30", "07-03 17:00"),
        ("07-07 13:30", "07-07 20:00"),
    ]
    assert expected == answers


def test_there_is_no_open_after_the_last_year() -> None:
    """Calendars know the years up to 2199."""
    time = _time("2199-12-31 22:00")
    assert (None, None) == (NEW_YORK.next_open(time), NEW_YORK.next_close(time))
    assert None is NEW_YORK.session_at(1 << 40)


def test_the_sessions_of_a_trading_day() -> None:
    """In order; none of a weekend."""
    found = [(_text(each.open), _text(each.close)) for each in LUNCH.sessions_of(date(2026, 6, 8))]
    assert [("06-08 01:30", "06-08 03:30"), ("06-08 05:00", "06-08 07:00")] == found
    assert [] == LUNCH.sessions_of(date(2026, 6, 7))


def test_sessions_of_a_range() -> None:
    """All that have any time in it; one that ends where it begins has none."""
    sessions = LUNCH.sessions(_time("2026-06-05 03:30"), _time("2026-06-08 05:01"))
    assert ["06-05 05:00", "06-08 01:30", "06-08 05:00"] == _texts(sessions.opens)
    assert ["06-05 07:00", "06-08 03:30", "06-08 07:00"] == _texts(sessions.closes)
    days = ["2026-06-05", "2026-06-08", "2026-06-08"]
    assert days == sessions.trading_days.astype(str).tolist()
    assert 3 == len(sessions)


def test_trading_days_of_a_range() -> None:
    """The last day is not part of the range."""
    days = NEW_YORK.trading_days(date(2025, 7, 2), date(2025, 7, 8)).astype(str).tolist()
    assert ["2025-07-02", "2025-07-03", "2025-07-07"] == days


def test_trading_days_of_times() -> None:
    """Times out of session have none."""
    times = [_time(each) for each in ("2026-06-07 21:00", "2026-06-06 12:00", "2026-06-08 20:59")]
    days = CURRENCIES.trading_days_at(np.array(times)).astype(str).tolist()
    assert ["2026-06-08", "NaT", "2026-06-08"] == days


@pytest.mark.parametrize(
    ("length", "window"),
    [
        ("1m", "07-02 19:47 - 07-02 19:48"),
        ("1h", "07-02 19:30 - 07-02 20:00"),
        ("90m", "07-02 19:30 - 07-02 20:00"),
        ("4h", "07-02 17:30 - 07-02 20:00"),
        ("6h", "07-02 19:30 - 07-02 20:00"),
        ("24h", "07-02 13:30 - 07-02 20:00"),
        ("1d", "07-02 13:30 - 07-02 20:00"),
        ("1w", "06-30 13:30 - 07-03 17:00"),
        ("1M", "07-01 13:30 - 07-31 20:00"),
        ("3M", "07-01 13:30 - 09-30 20:00"),
    ],
)
def test_the_bar_at_a_time(length: str, window: str) -> None:
    """Counted from the session's open and cut at its close; longer ones from open to close."""
    assert window == _bar(NEW_YORK, "2025-07-02 19:47:30", length)


def test_no_bar_is_at_a_time_out_of_session() -> None:
    """Neither a minute nor a week, though the week has begun."""
    found = [_bar(NEW_YORK, "2025-07-02 20:00", each) for each in ("1m", "1d", "1w")]
    assert ["none"] * 3 == found


def test_a_bar_shows_its_session() -> None:
    """So that callers need not ask again before its close."""
    bar = NEW_YORK.bar_at(_time("2025-07-02 19:47"), Interval.W1)
    assert bar is not None
    assert date(2025, 7, 2) == bar.session.trading_day
    assert NEW_YORK.session_at(_time("2025-07-02 19:47")) == bar.session


def test_the_bar_of_a_trading_day() -> None:
    """A quote says its trading day; a day without trading has no bar."""
    bar = INDIA.bar_of_day(date(2024, 11, 1), Interval.D1)
    assert bar is not None
    assert ("11-01 12:30", "11-01 13:30") == (_text(bar.open), _text(bar.close))
    week = INDIA.bar_of_day(date(2024, 11, 1), Interval.W1)
    assert week is not None
    assert ("10-28 03:45", "11-01 13:30") == (_text(week.open), _text(week.close))
    assert None is INDIA.bar_of_day(date(2024, 11, 2), Interval.D1)


@pytest.mark.parametrize(
    ("length", "opens"),
    [
        ("1h", ["06-08 01:30", "06-08 02:30", "06-08 05:00", "06-08 06:00"]),
        ("90m", ["06-08 01:30", "06-08 03:00", "06-08 05:00", "06-08 06:30"]),
        ("1d", ["06-08 01:30"]),
        ("1w", ["06-08 01:30"]),
        ("1M", []),
    ],
)
def test_counting_begins_anew_after_a_break(length: str, opens: list[str]) -> None:
    """The afternoon's first bar opens with the afternoon."""
    assert opens == _opens(LUNCH, length, "2026-06-08", "2026-06-09")


@pytest.mark.parametrize(
    ("length", "bars"),
    [
        (
            "1h",
            [
                ("06-08 01:30", "06-08 02:30"),
                ("06-08 02:30", "06-08 03:30"),
                ("06-08 05:00", "06-08 05:30"),
                ("06-08 05:30", "06-08 06:30"),
                ("06-08 06:30", "06-08 07:00"),
            ],
        ),
        (
            "100m",
            [
                ("06-08 01:30", "06-08 03:10"),
                ("06-08 03:10", "06-08 03:30"),
                ("06-08 05:00", "06-08 06:30"),
                ("06-08 06:30", "06-08 07:00"),
            ],
        ),
        ("4h", [("06-08 01:30", "06-08 05:30"), ("06-08 05:30", "06-08 07:00")]),
        ("1d", [("06-08 01:30", "06-08 07:00")]),
    ],
)
def test_counting_may_go_on_through_a_break(length: str, bars: list[tuple[str, str]]) -> None:
    """Bars then open and close with trading, as near to the count as there is any."""
    wanted = BarLength.parse(length)
    found = THROUGH_LUNCH.bars(wanted, _time("2026-06-08"), _time("2026-06-09"))
    assert bars == list(zip(_texts(found.opens), _texts(found.closes), strict=True))
    assert bars[-1] == tuple(_bar(THROUGH_LUNCH, "2026-06-08 06:59", length).split(" - "))


def test_days_of_currencies_and_of_always() -> None:
    """A currency's day is from 17:00 to 17:00 in New York; always is midnight to midnight."""
    currencies = CURRENCIES.bars(Interval.D1, _time("2026-03-05"), _time("2026-03-10"))
    expected = [
        ("03-05 22:00", "03-06 22:00"),
        ("03-08 21:00", "03-09 21:00"),
        ("03-09 21:00", "03-10 21:00"),
    ]
    windows = zip(_texts(currencies.opens), _texts(currencies.closes), strict=True)
    assert expected == list(windows)
    assert ["03-05 00:00", "03-06 00:00"] == _opens(ALWAYS, "1d", "2026-03-05", "2026-03-07")


def test_a_clock_change_lengthens_and_shortens_days_of_always() -> None:
    """Midnight to midnight in the calendar's zone is 23 or 25 hours on two days of a year."""
    london = parse_calendar(CalendarTexts("Europe/London", "24x7"))
    bars = london.bars(Interval.D1, _time("2026-01-01"), _time("2027-01-01"))
    lengths, counts = np.unique((bars.closes - bars.opens) // HOUR, return_counts=True)
    assert {23: 1, 24: 363, 25: 1} == dict(zip(lengths.tolist(), counts.tolist(), strict=True))


def test_a_clock_change_while_a_bar_is_open() -> None:
    """The bar's end is the exchange's: the session goes on to 23:00 of the new time."""
    texts_of_night = CalendarTexts("America/New_York", "2000-0400:1234567")
    calendar = parse_calendar(texts_of_night)
    assert "11-01 08:00 - 11-01 09:00" == _bar(calendar, "2026-11-01 08:30", "4h")
    assert "03-08 05:00 - 03-08 08:00" == _bar(calendar, "2026-03-08 07:59", "4h")


def test_weeks_begin_with_the_calendar_s_first_day() -> None:
    """A market from Sunday to Thursday has weeks from Sunday on, where its text says so."""
    riyadh = parse_calendar(CalendarTexts("Asia/Riyadh", "1;1000-1500:12345"))
    assert ["06-07 07:00", "06-14 07:00"] == _opens(riyadh, "1w", "2026-06-01 08:00", "2026-06-20")


def test_weeks_across_the_new_year() -> None:
    """One bar, wherever it is asked for."""
    expected = "12-29 14:30 - 01-02 21:00"
    assert expected == _bar(NEW_YORK, "2025-12-29 15:00", "1w")
    assert expected == _bar(NEW_YORK, "2026-01-02 15:00", "1w")


def test_bars_of_many_times() -> None:
    """Times out of session have a window without length."""
    times = np.array([_time("2025-07-03 16:40"), _time("2025-07-04"), _time("2025-07-02 13:30")])
    bars = NEW_YORK.bars_at(times, Interval.H1)
    assert ["07-03 16:30", "07-04 00:00", "07-02 13:30"] == _texts(bars.opens)
    assert ["07-03 17:00", "07-04 00:00", "07-02 14:30"] == _texts(bars.closes)
    assert 3 == len(bars)


def test_which_times_are_opens() -> None:
    """The opens of fetched bars are compared with those of the calendar."""
    times = ["2025-07-03 16:30", "2025-07-03 16:00", "2025-07-04 13:30", "2025-07-02 13:30"]
    seconds = np.array([_time(each) for each in times])
    assert [True, False, False, True] == NEW_YORK.are_opens(seconds, Interval.H1).tolist()
    assert [False] * 3 + [True] == NEW_YORK.are_opens(seconds, Interval.D1).tolist()
    assert [] == NEW_YORK.are_opens(seconds[:0], Interval.D1).tolist()


def test_opens_of_a_range() -> None:
    """Its start belongs to it, its end does not; nothing opens in a range that is empty."""
    expected = ["07-03 15:30", "07-03 16:30", "07-07 13:30"]
    assert expected == _opens(NEW_YORK, "1h", "2025-07-03 15:30", "2025-07-07 14:30")
    assert [] == _opens(NEW_YORK, "1h", "2025-07-04 00:00", "2025-07-06 00:00")
    assert [] == _opens(NEW_YORK, "1h", "2025-07-03 15:30", "2025-07-03 15:30")
    assert [] == _opens(NEW_YORK, "1h", "2025-07-03 15:30", "2025-07-02 15:30")


def test_a_session_of_more_than_a_day() -> None:
    """Monday of the dollar index begins on Sunday at 17:00 and ends after 26 hours."""
    dollar = parse_calendar(texts.DXY)
    monday = dollar.sessions_of(date(2026, 6, 8))
    assert [26 * HOUR] == [each.close - each.open for each in monday]
    assert ["06-07 21:00", "06-08 21:00"] == _opens(dollar, "24h", "2026-06-07", "2026-06-08 23:00")


def test_sessions_are_found_in_any_order_of_years() -> None:
    """Years are expanded when they are needed, before and after those that are known."""
    calendar = parse_calendar(CalendarTexts("Europe/Paris", "0900-1730"))
    opens = [_text(calendar.next_open(_time(f"{year}-06-01"))) for year in (2020, 1999, 2031, 2020)]
    assert ["06-01 07:00", "06-01 07:00", "06-02 07:00", "06-01 07:00"] == opens
    years = calendar.sessions(_time("1999-06-01"), _time("2031-06-01")).opens
    assert all(before < after for before, after in pairwise(years.tolist()))


def test_answers_can_not_damage_what_is_kept() -> None:
    """Columns of sessions are parts of those that the calendar keeps, and can only be read."""
    sessions = LUNCH.sessions(_time("2026-06-05"), _time("2026-06-08"))
    assert not sessions.opens.flags.writeable
    assert not sessions.closes.flags.writeable


def test_no_times_have_no_bars() -> None:
    """Also as the first question to a calendar."""
    calendar = parse_calendar(CalendarTexts("Europe/Rome", "0900-1730"))
    assert 0 == len(calendar.bars_at(np.array([], dtype=np.int64), Interval.H1))
    assert 0 == len(calendar.bars_at(np.array([], dtype=np.int64), Interval.W1))


def test_minutes_of_a_day() -> None:
    """1440 minutes of a day that never closes."""
    opens = ALWAYS.opens(Interval.M1, _time("2026-06-08"), _time("2026-06-09"))
    assert list(range(_time("2026-06-08"), _time("2026-06-08") + DAY, MINUTE)) == opens.tolist()
