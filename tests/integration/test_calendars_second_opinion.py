"""Calendars beside exchange_calendars, day by day over 2024 to 2026: every difference is known.

Texts that are not captured are written by hand (see `texts`). The library has no calendar of the
NSE; that of the BSE, which keeps the same days, stands for it.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

import exchange_calendars
import pandas as pd
import pytest

from pocketquant.domain.calendar import CalendarTexts, parse_calendar
from pocketquant.domain.intervals import HOUR, MINUTE
from pocketquant.simulator.market import exchanges
from pocketquant.simulator.market.calendars import Calendar, sessions
from tests.unit.domain.calendar import texts

# The library is behind its pandas by some deprecations.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Sessions = list[tuple[int, int]]

HALF_DAY_NOT_SENT = "the library is right: a half day, of which the provider's text says nothing"
DECLARED_LATER = "the library is right: a holiday declared after the text was captured"
SPECIAL_SESSION = "ours is right: a special session, which the library lacks"
NEXT_TRADE_DATE = (
    "ours is right: until noon of the holiday trades what belongs to the next trade date; the"
    " library makes a day of its own of it"
)
AFTER_A_HOLIDAY = "ours is right: this trade date began before the holiday"
AFTER_JUNETEENTH = "ours is right: trading stopped at noon; the library has a whole day"
EARLY_CLOSE = "ours is right: 12:15 in Chicago; the library has 12:00, or no early close"
SHORT_MORNING = "ours is right: trading until 08:15 or 08:30 in Chicago; the library has none"


@dataclass(frozen=True)
class Market:
    """A calendar of the library, texts for years, and the days on which they differ, with why."""

    name: str
    by_years: dict[tuple[int, int], CalendarTexts]
    differences: dict[str, str] = field(default_factory=dict)


_HOLIDAY_SESSIONS = (  # of the equity index futures: the holiday, and the trade date it belongs to
    ("2024-01-15", "2024-01-16"),
    ("2024-02-19", "2024-02-20"),
    ("2024-05-27", "2024-05-28"),
    ("2024-07-04", "2024-07-05"),
    ("2024-09-02", "2024-09-03"),
    ("2024-11-28", "2024-11-29"),
    ("2025-01-20", "2025-01-21"),
    ("2025-02-17", "2025-02-18"),
    ("2025-05-26", "2025-05-27"),
    ("2025-07-04", "2025-07-07"),
    ("2025-09-01", "2025-09-02"),
    ("2025-11-27", "2025-11-28"),
    ("2026-01-19", "2026-01-20"),
    ("2026-02-16", "2026-02-17"),
    ("2026-05-25", "2026-05-26"),
    ("2026-07-03", "2026-07-06"),
    ("2026-09-07", "2026-09-08"),
    ("2026-11-26", "2026-11-27"),
)

MARKETS = [
    Market("XNYS", {(2024, 2026): texts.AAPL}),
    Market("XNAS", {(2024, 2026): texts.AAPL}),
    Market("XLON", {(2024, 2026): texts.LONDON}),
    Market("XETR", {(2024, 2026): texts.XETRA}),
    Market(
        "XHKG",
        {(2024, 2025): texts.HKEX_2024_2025, (2026, 2026): texts.HKEX_2026},
        dict.fromkeys(("2026-02-16", "2026-12-24", "2026-12-31"), HALF_DAY_NOT_SENT),
    ),
    Market(
        "XBOM",
        {(2024, 2026): texts.NSE},
        {
            "2024-01-20": SPECIAL_SESSION,
            "2024-03-02": SPECIAL_SESSION,
            "2024-05-18": SPECIAL_SESSION,
            "2024-11-01": SPECIAL_SESSION,
            "2025-02-01": SPECIAL_SESSION,
            "2025-10-21": SPECIAL_SESSION,
            "2026-01-15": DECLARED_LATER,
        },
    ),
    Market(
        "CMES",
        {(2024, 2024): texts.ES_2024, (2025, 2026): texts.ES},
        {
            **{holiday: NEXT_TRADE_DATE for holiday, _ in _HOLIDAY_SESSIONS},
            **{trade_date: AFTER_A_HOLIDAY for _, trade_date in _HOLIDAY_SESSIONS},
            **dict.fromkeys(("2024-06-19", "2025-06-19", "2026-06-19"), AFTER_JUNETEENTH),
            **dict.fromkeys(("2024-06-20", "2025-06-20", "2026-06-22"), AFTER_A_HOLIDAY),
            **dict.fromkeys(("2024-07-03", "2025-07-03"), EARLY_CLOSE),
            **dict.fromkeys(("2024-12-24", "2025-12-24", "2026-12-24"), EARLY_CLOSE),
            **dict.fromkeys(("2025-01-09", "2026-04-03"), SHORT_MORNING),
        },
    ),
]


@pytest.mark.parametrize("market", MARKETS, ids=lambda market: market.name)
def test_every_difference_is_known(market: Market) -> None:
    """Sessions of each trading day agree to the second, but for the days that are listed."""
    theirs, ours = _theirs(market.name), _ours(market)
    assert len(ours) > 3 * 240
    days = sorted(theirs.keys() | ours.keys())
    different = [str(day) for day in days if theirs.get(day) != ours.get(day)]
    assert sorted(market.differences) == different


@pytest.mark.parametrize(
    ("name", "calendar", "last_year", "differing"),
    [
        ("XNYS", exchanges.NEW_YORK, 2027, []),
        ("XHKG", exchanges.HONG_KONG, 2027, []),
        (
            "XBOM",
            exchanges.MUMBAI,
            2026,
            [
                *("2024-01-20", "2024-03-02", "2024-05-18", "2024-11-01", "2025-02-01"),
                *("2025-10-21", "2026-11-08"),
            ],
        ),
    ],
)
def test_the_simulated_exchanges(
    name: str, calendar: Calendar, last_year: int, differing: list[str]
) -> None:
    """They trade as the library says, but for special sessions and changed hours of India."""
    theirs, simulated = _theirs(name, last_year), _simulated(calendar, last_year)
    if calendar is exchanges.MUMBAI:
        quarter = 15 * MINUTE
        changed = [day for day in theirs if day >= date(2026, 8, 3)]
        theirs |= {day: [(o, c - quarter) for o, c in theirs[day]] for day in changed}
    days = sorted(theirs.keys() | simulated.keys())
    assert len(days) > 3 * 240
    assert differing == [str(day) for day in days if theirs.get(day) != simulated.get(day)]


def test_the_library_takes_no_pause_of_the_futures() -> None:
    """Its calendar of the whole exchange goes on to 17:00; the equity index stops at 16:00."""
    futures = next(each for each in MARKETS if each.name == "CMES")
    usual = _library(futures.name).schedule.loc["2026-06-08"]
    ours = _ours(futures)[date(2026, 6, 8)]
    assert [(int(usual.open.timestamp()), int(usual.close.timestamp()) - HOUR)] == ours


def _library(name: str, last_year: int = 2026) -> exchange_calendars.ExchangeCalendar:
    return exchange_calendars.get_calendar(name, start="2023-12-01", end=f"{last_year}-12-31")


def _theirs(name: str, last_year: int = 2026) -> dict[date, Sessions]:
    schedule = _library(name, last_year).schedule.loc["2024-01-01":]
    days: dict[date, Sessions] = {}
    for day, row in schedule.iterrows():
        opens, closes = int(row.open.timestamp()), int(row.close.timestamp())
        if name == "CMES" and closes == _evening(day):
            closes -= HOUR  # see the test above
        days[day.date()] = (
            [(opens, closes)]
            if row.isna().break_start
            else [
                (opens, int(row.break_start.timestamp())),
                (int(row.break_end.timestamp()), closes),
            ]
        )
    return days


def _evening(day: pd.Timestamp) -> int:
    return int((day + timedelta(hours=17)).tz_localize("America/Chicago").timestamp())


def _simulated(calendar: Calendar, last_year: int) -> dict[date, Sessions]:
    known = sessions(calendar)
    trading = list(zip(known.starts.tolist(), known.ends.tolist(), strict=True))
    places = pairwise(known.firsts.tolist())
    days = known.dates.astype("datetime64[D]").astype(object).tolist()
    return {
        day: trading[first:last]
        for day, (first, last) in zip(days, places, strict=True)
        if 2024 <= day.year <= last_year
    }


def _ours(market: Market) -> dict[date, Sessions]:
    days: dict[date, Sessions] = {}
    for (first, last), market_texts in market.by_years.items():
        calendar = parse_calendar(market_texts)
        for day in calendar.trading_days(date(first, 1, 1), date(last + 1, 1, 1)).tolist():
            sessions = calendar.sessions_of(day)
            days[day] = [(each.open, each.close) for each in sessions]
    return days
