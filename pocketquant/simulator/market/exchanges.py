"""The trading hours of the simulated exchanges."""

from collections.abc import Collection
from datetime import date, timedelta

from pocketquant.simulator.market import holidays
from pocketquant.simulator.market.calendars import Calendar
from pocketquant.simulator.market.holidays import dates, every_year


def _new_york(session: str, early: str, weekdays: Collection[int] = range(5)) -> Calendar:
    """Return the hours of New York's shares, or of a part of its day; `early` on short days."""
    short = [day for day in holidays.new_york_early_closes() if day.weekday() in weekdays]
    return Calendar("America/New_York", session, holidays.new_york(), ((early, short),))


def _chicago_corrections() -> tuple[tuple[str, frozenset[date]], ...]:
    """Return the hours of the futures around the holidays of New York.

    On most holidays they trade until noon, as a part of the next trading date, and then pause until
    the evening before it.
    """
    full, halts = holidays.new_york(), holidays.new_york_halts()
    early = holidays.new_york_early_closes()
    by_hours: dict[str, set[date]] = {
        "1700-0815": {date(2026, 4, 3)},
        "1700-0830": {date(2025, 1, 9)},
        "1700-1215": set(early),
    }
    for halt in halts:
        after = 1
        while (day := halt + timedelta(days=after)) in full or day.weekday() >= 5:
            after += 1
        closing = "1215" if day in early else "1600"
        by_hours["1700-1215"].discard(day)
        by_hours.setdefault(f"1700F{after + 1}-1200F{after},1700-{closing}", set()).add(day)
    return tuple((hours, frozenset(days)) for hours, days in by_hours.items())


ALWAYS = Calendar("Etc/UTC", "24x7")
ALWAYS_IN_CHICAGO = Calendar("America/Chicago", "24x7")
NEW_YORK = _new_york("0930-1600", "0930-1300")
PRE_MARKET = _new_york("0400-0930", "0400-0930")
POST_MARKET = _new_york("1600-2000", "1300-1700")
EXTENDED = _new_york("0400-2000", "0400-1700")
SPX = _new_york("0930-1610", "0930-1310")
MUMBAI = Calendar(
    "Asia/Kolkata",
    "0915-1530",
    holidays.india(),
    (
        ("0915-1530", dates("20240120,20240302,20240518,20250201")),  # Saturdays
        ("1800-1900", dates("20241101,20261108,20271029")),  # Muhurat
        ("1345-1445", dates("20251021")),
    ),
    ((date(2026, 8, 3), "0915-1515"),),
)
HONG_KONG = Calendar(
    "Asia/Hong_Kong",
    "0930-1200,1300-1600",
    holidays.hong_kong(),
    (("0930-1200", holidays.hong_kong_half_days()),),
    written="0930-1200A0900E0920-1206U1300-1600E1300-1611",
)
CURRENCIES = Calendar("America/New_York", "1700-1700", every_year((1, 1), (12, 25)))
DOLLAR_INDEX = Calendar(
    "America/New_York", "1900-1900:3456|1700F-1900:2", every_year((1, 1), (12, 25))
)
FUTURES = Calendar("America/Chicago", "1700-1600", holidays.new_york(), _chicago_corrections())
BRENT = Calendar(
    "Europe/London",
    "0100-2300|2300F-2300:2",
    every_year((1, 1), (12, 25)),
    changes=(
        (date(2026, 10, 26), "0000-2200|2200F-2200:2"),
        (date(2026, 11, 2), "0100-2300|2300F-2300:2"),
        (date(2027, 3, 15), "0000-2200|2200F-2200:2"),
        (date(2027, 3, 29), "0100-2300|2300F-2300:2"),
    ),
)
THREE_DAYS_A_WEEK = _new_york("0930-1600:246", "0930-1300", weekdays=(0, 2, 4))
LATE = _new_york("1007-1607", "1007-1307")
