"""Session texts → hours."""

from datetime import date

import pytest

from pocketquant.domain.calendar.grammar import (
    BEFORE_ALL_DAYS,
    Hours,
    parse_corrections,
    parse_holidays,
    parse_hours,
    parse_versions,
)
from pocketquant.domain.errors import InvalidCalendar

DAY = 24 * 60


def _day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()


def _week(text: str) -> tuple[Hours, ...]:
    """The hours of the only version, Sunday first."""
    (version,) = parse_versions(text)
    return version.week.hours


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("0930-1600", [(570, 960)]),
        ("0000-0000", [(0, DAY)]),
        ("0000-2400", [(0, DAY)]),
        ("0930-2730", [(570, 1650)]),
        ("2400-2630", [(1440, 1590)]),
        ("1700-1600", [(1020 - DAY, 960)]),
        ("1700-1700", [(1020 - DAY, 1020)]),
        ("1700-0000", [(1020 - DAY, 0)]),
        ("1700F-1900", [(1020 - DAY, 1140)]),
        ("0000F-0000", [(-DAY, 0)]),
        ("1900F-2350F", [(1140 - DAY, 1430 - DAY)]),
        ("1900F3-1900", [(1140 - 3 * DAY, 1140)]),
        ("1700F4-1200F3", [(1020 - 4 * DAY, 720 - 3 * DAY)]),
        ("0930-1130,1300-1500", [(570, 690), (780, 900)]),
        ("0215-0826,0830-1516", [(135, 506), (510, 916)]),
        ("0930-1130,1130-1500", [(570, 690), (690, 900)]),
        ("1700F2-1200F1,1700-1600", [(1020 - 2 * DAY, 720 - DAY), (1020 - DAY, 960)]),
        ("0930-1200A0900E0920-1206U1300-1600E1300-1611", [(570, 720), (780, 960)]),
        ("0930-1130E0925-1131S1300-1500E1300-1501", [(570, 690), (780, 900)]),
    ],
)
def test_hours_of_a_day(text: str, hours: list[tuple[int, int]]) -> None:
    """Times become minutes from the midnight that begins the trading day."""
    assert hours == list(parse_hours(text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'' in '' is not understood"),
        ("0930", "not understood"),
        ("9:30-16:00", "not understood"),
        ("0930-1660", "not understood"),
        ("0930-1600 ", "not understood"),
        ("٠٩٣٠-1600", "not understood"),
        ("0930-1600F0", "not understood"),
        ("1900F7-1900", "not understood"),
        ("0930-1600,", "not understood"),
        ("0930-1600X1700-1800", "not understood"),
        ("0930-1200A0900-0930", "not understood"),
        ("0930-1600S", "not understood"),
        ("24x7", "not understood"),
        ("0930-1600F", "not clear on which day"),
        ("2500-2500", "not clear on which day"),
        ("1600F-0930F", "ends before it begins"),
        ("0930F-0930F", "ends before it begins"),
        ("0930-1130,1100-1500", "overlap or go back in time"),
        ("1300-1500,0930-1130", "overlap or go back in time"),
        ("0930-1600E0935-1610", "does not hold its own session"),
        ("0930-1600E0925-1555", "does not hold its own session"),
    ],
)
def test_other_hours_are_refused(text: str, reason: str) -> None:
    """The error shows the text, and says what is wrong with it."""
    with pytest.raises(InvalidCalendar, match=reason) as refusal:
        parse_hours(text)
    assert repr(text) in str(refusal.value)


def test_a_week_without_days_is_monday_to_friday() -> None:
    """Saturday and Sunday have no session unless the text names them."""
    hours = ((570, 960),)
    assert ((), hours, hours, hours, hours, hours, ()) == _week("0930-1600")


def test_always_is_every_day() -> None:
    """24x7 names the weekend too."""
    assert (((0, DAY),),) * 7 == _week("24x7")


@pytest.mark.parametrize("text", ["0900-1630|0900-1400:27", "0900-1400:27|0900-1630"])
def test_a_group_with_days_takes_them_from_the_group_without(text: str) -> None:
    """The group without days is that of all other days from Monday to Friday."""
    usual, short = ((540, 990),), ((540, 840),)
    assert ((), short, usual, usual, usual, usual, short) == _week(text)


def test_all_groups_may_have_days() -> None:
    """A day that no group names has no session."""
    usual, monday = ((1140 - DAY, 1140),), ((1020 - DAY, 1140),)
    assert ((), monday, usual, usual, usual, usual, ()) == _week("1900-1900:3456|1700F-1900:2")


@pytest.mark.parametrize(
    ("text", "first_weekday"),
    [
        ("0930-1600", 1),
        ("1;1000-1500:12345", 0),
        ("0900-1630|0900-1400:2;6", 5),
        ("2;24x7", 1),
    ],
)
def test_the_first_day_of_the_week(text: str, first_weekday: int) -> None:
    """It stands before or after the hours; Sunday is 0, and Monday is the default."""
    (version,) = parse_versions(text)
    assert first_weekday == version.week.first_weekday


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not understood"),
        ("0930-1600|", "not understood"),
        ("24x7:23456", "not understood"),
        ("24x7|0930-1600:2", "not understood"),
        ("0930-1600:", "days of '0930-1600:'"),
        ("0930-1600:8", "days of '0930-1600:8'"),
        ("0930-1600:2:3", "days of '0930-1600:2:3'"),
        ("0930-1600:23|0930-1300:34", "days of '0930-1300:34'"),
        ("0930-1600|0930-1300", "two groups without days"),
        ("8;0930-1600", "first day of the week"),
        ("1;0930-1600;2", "first day of the week"),
        ("1;2;0930-1600", "first day of the week"),
        (";0930-1600", "first day of the week"),
    ],
)
def test_other_weeks_are_refused(text: str, reason: str) -> None:
    """A text outside the grammar is an error, never a guess."""
    with pytest.raises(InvalidCalendar, match=reason):
        parse_versions(text)


def test_versions_hold_from_their_dates() -> None:
    """The first version holds before them all."""
    first, second, third = parse_versions("0900-1746#20251201/0800-2200#20270104/24x7")
    assert [BEFORE_ALL_DAYS, _day("2025-12-01"), _day("2027-01-04")] == [
        first.since,
        second.since,
        third.since,
    ]
    assert ((480, 1320),) == second.week.hours[1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0900-1746#0800-2200", "not written YYYYMMDD/HOURS"),
        ("0900-1746#", "not written YYYYMMDD/HOURS"),
        ("0900-1746#20251201/", "not understood"),
        ("0900-1746#20251301/0800-2200", "'20251301' is no date"),
        ("0900-1746#20251201/0800-2200#20251201/24x7", "does not follow"),
        ("0900-1746#20251201/0800-2200#20250101/24x7", "does not follow"),
    ],
)
def test_other_versions_are_refused(text: str, reason: str) -> None:
    """Each version has a date, later than that of the version before it."""
    with pytest.raises(InvalidCalendar, match=reason):
        parse_versions(text)


def test_holidays() -> None:
    """Dates between commas; an empty text has none."""
    expected = {_day("2025-01-01"), _day("2025-01-20")}
    assert expected == parse_holidays("20250101,20250120")
    assert frozenset() == parse_holidays("")


@pytest.mark.parametrize(
    "text", ["2025-01-01", "20250230", "2025011", "18991231", "22000101", "20250101;20250102"]
)
def test_other_holidays_are_refused(text: str) -> None:
    """A date that does not exist, or is written otherwise, is an error."""
    with pytest.raises(InvalidCalendar, match=f"^'{text}' is no date"):
        parse_holidays(text)


def test_corrections() -> None:
    """Each entry gives its hours to its dates; a day off has none."""
    short = ((570, 780),)
    expected = {_day("2024-12-24"): short, _day("2025-07-03"): short, _day("2025-01-09"): ()}
    assert expected == parse_corrections("0930-1300:20241224,20250703;dayoff:20250109")
    assert {} == parse_corrections("")


def test_a_correction_may_be_said_twice() -> None:
    """A date may be listed twice with equal hours."""
    assert {_day("2025-07-03"): ((570, 780),)} == parse_corrections(
        "0930-1300:20250703;0930-1300:20250703"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0930-1300", "'0930-1300' names no dates"),
        ("0930-1300:", "names no dates"),
        ("dayoff", "names no dates"),
        ("0930-1300:2025070", "'2025070' is no date"),
        (":20250703", "not understood"),
        ("0930-1300:2:20250703", "is no date"),
        ("0930-1300:20250703;dayoff:20250703", "20250703 has two different hours"),
    ],
)
def test_other_corrections_are_refused(text: str, reason: str) -> None:
    """An entry without dates, or against another one, is an error."""
    with pytest.raises(InvalidCalendar, match=reason):
        parse_corrections(text)
