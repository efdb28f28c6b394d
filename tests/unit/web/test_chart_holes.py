"""Holes between the bars of a chart, and where its trading days begin."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.unit.web.page_modules import called

Json = dict[str, Any]


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def sessions(*hours: tuple[str, str, str]) -> Json:
    """Return sessions as columns, from their open, close and trading day."""
    opens, closes, days = zip(*([at(each) for each in session] for session in hours), strict=True)
    return {"opens": opens, "closes": closes, "days": days}


def holes(bars: list[Json], open_hours: Json, interval: str) -> list[Json]:
    found: list[Json]
    (found,) = called("chart/holes.js", "holesOf", (bars, open_hours, interval))
    return found


def texts(found: list[Json], interval: str) -> list[str]:
    return called("chart/holes.js", "holeText", *((hole, interval) for hole in found))


def intraday(*opens: str) -> list[Json]:
    return [{"time": at(text), "tradingDay": None} for text in opens]


LUNCH = sessions(
    ("2026-11-26T01:30", "2026-11-26T04:00", "2026-11-26"),
    ("2026-11-26T05:00", "2026-11-26T08:00", "2026-11-26"),
    ("2026-11-27T01:30", "2026-11-27T04:00", "2026-11-27"),
)
DAYS = sessions(
    *(
        (f"{day}T14:30", f"{day}T21:00", f"{day}")
        for day in (date(2026, 11, 16) + timedelta(days=days) for days in range(12))
        if day.weekday() < 5 and day.day != 26  # a holiday
    )
)


def test_breaks_nights_and_holidays_are_no_holes() -> None:
    """Bars count from the open of each session; the last one may be short."""
    hours = intraday(
        *(
            f"2026-11-26T{clock}"
            for clock in ("01:30", "02:30", "03:30", "05:00", "06:00", "07:00")
        ),
        "2026-11-27T01:30",
    )
    assert [] == holes(hours, LUNCH, "1h")
    days = [
        {"time": at(f"2026-11-{day}T14:30"), "tradingDay": f"2026-11-{day}"}
        for day in (16, 17, 18, 19, 20, 23, 24, 25, 27)
    ]
    assert [] == holes(days, DAYS, "1d")
    assert [] == holes(days[::2], DAYS, "2d")


def test_bars_that_the_hours_let_open_are_counted() -> None:
    """A hole may go over a break and over a night; it has the opens of its bars alone."""
    hours = intraday("2026-11-26T01:30", "2026-11-26T06:00", "2026-11-27T02:30")
    over_lunch, over_night = holes(hours, LUNCH, "1h")
    assert {
        "after": 0,
        "count": 3,
        "first": at("2026-11-26T02:30"),
        "last": at("2026-11-26T05:00"),
    } == over_lunch
    assert (1, 2) == (over_night["after"], over_night["count"])
    assert [
        "no bars from 2026-11-26 02:30 to 06:00 UTC (3)",
        "no bars from 2026-11-26 07:00 to 2026-11-27 02:30 UTC (2)",
    ] == texts([over_lunch, over_night], "1h")
    one = holes(intraday("2026-11-26T05:00", "2026-11-26T05:02"), LUNCH, "1m")
    assert ["no bar of 2026-11-26 05:01 UTC"] == texts(one, "1m")


def test_days_are_counted_by_trading_day() -> None:
    """Bars of several days lack only whole ones."""
    days = [
        {"time": at(f"2026-11-{day}T14:30"), "tradingDay": f"2026-11-{day}"}
        for day in (16, 18, 23, 27)
    ]
    found = holes(days, DAYS, "1d")
    assert [
        "no bar of 2026-11-17",
        "no bars of 2026-11-19 to 2026-11-20 (2)",
        "no bars of 2026-11-24 to 2026-11-25 (2)",
    ] == texts(found, "1d")
    assert [] == holes(days, DAYS, "2d")
    (pair,) = holes([days[0], days[3]], DAYS, "2d")
    assert (3, at("2026-11-18")) == (pair["count"], pair["first"])


def test_a_hole_has_the_reasons_of_the_stretches_in_it() -> None:
    """It is no fault if nothing was traded; without an answer of the API there is no reason."""
    bars = intraday("2026-11-26T01:30", "2026-11-26T06:00", "2026-11-27T02:30")
    stretches = [
        {"first": at("2026-11-26T02:30"), "reason": "nothing was traded"},
        {"first": at("2026-11-26T07:00"), "reason": "nothing was traded"},
        {"first": at("2026-11-27T01:30"), "reason": "lost"},
    ]
    given = holes(bars, LUNCH, "1h")
    known, unknown = called(
        "chart/holes.js", "withReasons", (given, bars, stretches), (given, bars, [])
    )
    assert [
        "no bars from 2026-11-26 02:30 to 06:00 UTC (3), nothing was traded",
        "no bars from 2026-11-26 07:00 to 2026-11-27 02:30 UTC (2), nothing was traded, lost",
    ] == texts(known, "1h")
    assert [True, False] == [hole["isUntraded"] for hole in known]
    assert [([], False)] * 2 == [(hole["reasons"], hole["isUntraded"]) for hole in unknown]


def test_what_has_no_known_hours_has_no_holes() -> None:
    """Nor have weeks and months, nor days without a trading day."""
    unknown: Json = {"opens": [], "closes": [], "days": []}
    assert [] == holes(intraday("2026-11-26T01:30", "2026-11-27T01:30"), unknown, "1m")
    weeks = [{"time": at(f"2026-11-{day}"), "tradingDay": f"2026-11-{day}"} for day in (16, 25)]
    assert [] == holes(weeks, DAYS, "1w")
    assert [] == holes(intraday("2026-11-16", "2026-11-25"), DAYS, "1d")


def test_a_trading_day_begins_with_its_first_session() -> None:
    """An evening session belongs to the next date; without known hours, days are those of UTC."""
    evenings = sessions(
        ("2026-11-25T23:00", "2026-11-26T22:00", "2026-11-26"),
        ("2026-11-26T23:00", "2026-11-27T22:00", "2026-11-27"),
    )
    bars = intraday("2026-11-26T21:00", "2026-11-26T23:00", "2026-11-27T00:00")
    unknown: Json = {"opens": [], "closes": [], "days": []}
    assert [[bars[1]["time"]], [bars[2]["time"]]] == called(
        "chart/days.js", "firstOfDays", (bars, evenings), (bars, unknown)
    )
    times = (at("2026-11-26T21:59"), at("2026-11-26T22:00"), at("2026-11-26T23:00"))
    assert ["2026-11-26", None, "2026-11-27"] == called(
        "chart/days.js", "tradingDayAt", *((time, evenings) for time in times)
    )
