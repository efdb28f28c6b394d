"""The days on which exchanges are closed or close early, by rule where they have one."""

from collections.abc import Iterable
from datetime import date, timedelta

YEARS = range(2000, 2040)

_MONDAY, _THURSDAY, _SATURDAY, _SUNDAY = 0, 3, 5, 6
_LAST = -1
_NEVER_MOVED = ((5, 1), (7, 1), (10, 1), (12, 25), (12, 26))  # of Hong Kong, besides New Year

# Mourning and other closures that no rule names.
_US_SINGLE_DAYS = "20010911,20010912,20010913,20010914,20121029,20121030,20250109"
# The lunar calendar's, where the exchange has published them.
_HONG_KONG = (
    "20240212,20240213,20240404,20240515,20240610,20240906,20240918,20241011,"
    "20250129,20250130,20250131,20250404,20250505,20251007,20251029,"
    "20260217,20260218,20260219,20260407,20260525,20260619,20261019,"
    "20270208,20270209,20270405,20270513,20270609,20270916,20271008,20271227"
)
_INDIA = (
    "20240122,20240308,20240325,20240411,20240417,20240520,20240617,20240717,20241115,20241120,"
    "20250226,20250314,20250331,20250410,20250414,20250827,20251021,20251022,20251105,"
    "20260115,20260303,20260326,20260331,20260414,20260528,20260626,20260914,20261020,20261110,20261124,"
    "20270322,20271029"
)


def dates(texts: str) -> frozenset[date]:
    """Return the days of a text such as `20250101,20250120`."""
    return frozenset(date.fromisoformat(text) for text in texts.split(","))


def every_year(*days: tuple[int, int]) -> frozenset[date]:
    """Return the same days (month and day) of all years."""
    return frozenset(date(year, month, day) for year in YEARS for month, day in days)


def new_york() -> frozenset[date]:
    """Return the full holidays of the New York Stock Exchange."""
    found = dates(_US_SINGLE_DAYS) | new_york_halts() | _all(good_friday(year) for year in YEARS)
    for year in (*YEARS, YEARS.stop):
        christmas, new_year = date(year, 12, 25), date(year, 1, 1)
        # A New Year's Day on a Saturday has no holiday: December's books are closed on Friday.
        found |= {_observed(christmas)} | ({_observed(new_year)} - {date(year - 1, 12, 31)})
    return found


def new_york_halts() -> frozenset[date]:
    """Return those holidays on which the futures of Chicago trade until noon."""
    found = set[date]()
    for year in YEARS:
        found |= {
            _weekday_of(year, 1, _MONDAY, 3),
            _weekday_of(year, 2, _MONDAY, 3),
            _weekday_of(year, 5, _MONDAY, _LAST),
            _observed(date(year, 7, 4)),
            _weekday_of(year, 9, _MONDAY, 1),
            _weekday_of(year, 11, _THURSDAY, 4),
        }
        if year >= 2022:
            found.add(_observed(date(year, 6, 19)))
    return frozenset(found)


def new_york_early_closes() -> frozenset[date]:
    """Return the days on which New York closes at 13:00."""
    found = set[date]()
    for year in YEARS:
        found.add(_weekday_of(year, 11, _THURSDAY, 4) + timedelta(days=1))
        eves = date(year, 7, 3), date(year, 12, 24)
        found |= {eve for eve in eves if eve.weekday() <= _THURSDAY}
    return frozenset(found)


def hong_kong() -> frozenset[date]:
    """Return the holidays of the exchange of Hong Kong."""
    easter = (good_friday(year) + timedelta(days=after) for year in YEARS for after in (0, 3))
    return dates(_HONG_KONG) | every_year((1, 1), *_NEVER_MOVED) | _all(easter)


def hong_kong_half_days() -> frozenset[date]:
    """Return the days on which Hong Kong closes at noon: the eves of three holidays."""
    eves = every_year((12, 24), (12, 31)) | dates("20240209,20250128,20260216,20270205")
    return frozenset(eve for eve in eves if eve.weekday() < _SATURDAY)


def india() -> frozenset[date]:
    """Return the holidays of the exchanges of India."""
    fixed = every_year((1, 26), (5, 1), (8, 15), (10, 2), (12, 25))
    return dates(_INDIA) | fixed | _all(good_friday(year) for year in YEARS)


def good_friday(year: int) -> date:
    """Return the Friday before Easter, by the Gregorian rule of Meeus."""
    golden, century, of_century = year % 19, year // 100, year % 100
    leap_centuries, shift = divmod(century, 4)
    correction = (8 * century + 13) // 25
    moon = (19 * golden + century - leap_centuries - correction + 15) % 30
    leap_years, odd_years = divmod(of_century, 4)
    weekday = (32 + 2 * shift + 2 * leap_years - moon - odd_years) % 7
    late = (golden + 11 * moon + 22 * weekday) // 451
    month, day = divmod(moon + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1) - timedelta(days=2)


def _observed(day: date) -> date:
    """Return the day on which New York keeps a holiday: Friday or Monday for one of a weekend."""
    return day + timedelta(days={_SATURDAY: -1, _SUNDAY: 1}.get(day.weekday(), 0))


def _weekday_of(year: int, month: int, weekday: int, number: int) -> date:
    """Return the first, second … or last such weekday of a month."""
    days = [
        day
        for count in range(31)
        if (day := date(year, month, 1) + timedelta(days=count)).month == month
        and day.weekday() == weekday
    ]
    return days[number if number == _LAST else number - 1]


def _all(days: Iterable[date]) -> frozenset[date]:
    return frozenset(days)
