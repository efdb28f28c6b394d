"""Which hours each trading day has."""

from datetime import date, timedelta

import pytest

from pocketquant.domain.calendar.rules import Rules
from pocketquant.domain.errors import InvalidCalendar

EPOCH = date(1970, 1, 1)


def _sessions(rules: Rules, start: str, days: int) -> list[str]:
    """Each session as its trading day, and its start and end on the exchange's clock."""
    first = (date.fromisoformat(start) - EPOCH).days
    local = rules.sessions(first, first + days)
    columns = zip(local.days.tolist(), local.starts.tolist(), local.ends.tolist(), strict=True)
    return [f"{EPOCH + timedelta(day):%m-%d} {_clock(a)}-{_clock(b)}" for day, a, b in columns]


def _clock(minutes: int) -> str:
    days, minutes = divmod(minutes, 24 * 60)
    return f"{EPOCH + timedelta(days):%d.}{minutes // 60:02}{minutes % 60:02}"


def test_holidays_have_no_session() -> None:
    """A holiday takes its whole trading day, the evening before it included."""
    rules = Rules.parse("1700-1600", "20260101", "")
    expected = ["12-31 30.1700-31.1600", "01-02 01.1700-02.1600"]
    assert expected == _sessions(rules, "2025-12-31", 4)


def test_corrections_beat_holidays() -> None:
    """A session on a listed holiday is one, with the hours of the correction."""
    rules = Rules.parse("0915-1530", "20251021,20251022", "1345-1445:20251021")
    expected = ["10-20 20.0915-20.1530", "10-21 21.1345-21.1445", "10-23 23.0915-23.1530"]
    assert expected == _sessions(rules, "2025-10-20", 4)


def test_a_correction_makes_a_session_on_a_weekend() -> None:
    """No regular session is needed for a special one."""
    rules = Rules.parse("0915-1530", "", "1815-1945:20231112")
    assert ["11-12 12.1815-12.1945"] == _sessions(rules, "2023-11-11", 2)


def test_a_day_off_has_no_session() -> None:
    """Correction by `dayoff`."""
    rules = Rules.parse("0930-1600", "", "dayoff:20250109")
    expected = ["01-08 08.0930-08.1600", "01-10 10.0930-10.1600"]
    assert expected == _sessions(rules, "2025-01-08", 3)


def test_a_holiday_session_may_belong_to_the_next_trading_day() -> None:
    """Hours from Thursday evening to Friday noon are those of Monday."""
    rules = Rules.parse("1700-1600", "20260703", "1700F4-1200F3,1700-1600:20260706")
    expected = ["07-02 01.1700-02.1600", "07-06 02.1700-03.1200", "07-06 05.1700-06.1600"]
    assert expected == _sessions(rules, "2026-07-02", 5)


def test_versions_follow_each_other() -> None:
    """From its date on, each trading day has the hours of the new version, in midweek too."""
    rules = Rules.parse("0915-1530#20260805/0915-1515#20260807/1000-1100", "", "")
    expected = [
        "08-04 04.0915-04.1530",
        "08-05 05.0915-05.1515",
        "08-06 06.0915-06.1515",
        "08-07 07.1000-07.1100",
    ]
    assert expected == _sessions(rules, "2026-08-04", 4)


def test_no_days() -> None:
    """An empty range has no sessions."""
    assert [] == _sessions(Rules.parse("0930-1600", "20260101", ""), "2026-01-02", 0)


@pytest.mark.parametrize(
    ("session", "corrections", "days"),
    [
        ("1700F-1900", "", "Thursday and Friday"),
        ("0930-2730|0200-1000:4", "", "Tuesday and Wednesday"),
        ("1000-3500", "", "Thursday and Friday"),
        ("1700-1600", "1700F2-1200F1,1700-1600:20250121", "2025-01-20 and 2025-01-21"),
        ("0930-1600", "0930-3600:20250121", "2025-01-21 and 2025-01-22"),
        ("0930-1600", "1900F5-1950F5:20250121", "2025-01-20 and 2025-01-21"),
        ("0930-2730#20250122/0200-1000", "", "2025-01-21 and 2025-01-22"),
    ],
)
def test_sessions_that_overlap_are_refused(session: str, corrections: str, days: str) -> None:
    """Trading days may not share time, nor stand between the sessions of another."""
    with pytest.raises(InvalidCalendar, match=f"those of {days} overlap") as refusal:
        Rules.parse(session, "", corrections)
    assert f"session: in {session!r}" in str(refusal.value)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("0930-16", "", ""), "session: '0930-16' in '0930-16' is not understood"),
        (("24x7", "2025", ""), "holidays: '2025' is no date, written YYYYMMDD"),
        (("24x7", "", "25x7:20250101"), "corrections: '25x7' in '25x7' is not understood"),
    ],
)
def test_errors_name_their_text(texts: tuple[str, str, str], message: str) -> None:
    """Which of the texts it is, the part, and the reason."""
    with pytest.raises(InvalidCalendar) as refusal:
        Rules.parse(*texts)
    assert message == str(refusal.value)


def test_a_holiday_makes_room() -> None:
    """A session over a holiday overlaps no other one."""
    rules = Rules.parse("1700-1600", "20250120", "1700F2-1200F1,1700-1600:20250121")
    assert ["01-21 19.1700-20.1200", "01-21 20.1700-21.1600"] == _sessions(rules, "2025-01-20", 2)
