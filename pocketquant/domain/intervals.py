"""The 13 intervals, and where their periods begin and end."""

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Self

from pocketquant.domain.dates import to_date, to_seconds
from pocketquant.domain.errors import InvalidInterval

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

_FIRST_MONDAY = 4 * DAY  # 1970-01-05


class Interval(Enum):
    """One of the 13 bar lengths; the value is how users write it."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    M45 = "45m"
    H1 = "1h"
    H2 = "2h"
    H3 = "3h"
    H4 = "4h"
    D1 = "1d"
    W1 = "1w"
    MONTH = "1M"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1m` … `1M`; case matters, since `1m` is a minute and `1M` a month."""
        try:
            return cls(text)
        except ValueError:
            known = " ".join(interval.value for interval in cls)
            raise InvalidInterval(f"interval {text[:40]!r} is none of {known}") from None

    @property
    def seconds(self) -> int:
        """The nominal length; a month counts 30 days."""
        return _SECONDS[self]

    @property
    def is_intraday(self) -> bool:
        return self.seconds < DAY

    def period_start(self, time: int) -> int:
        """The epoch second at which the period that contains `time` begins.

        Intraday and daily periods are aligned to the epoch, weeks begin on Monday 00:00 UTC,
        months on the first.
        """
        if self is Interval.W1:
            return time - (time - _FIRST_MONDAY) % WEEK
        if self is Interval.MONTH:
            return _month_start(to_date(time))
        return time - time % self.seconds

    def period_end(self, time: int) -> int:
        """The epoch second at which the period that contains `time` ends (exclusive)."""
        start = self.period_start(time)
        if self is Interval.MONTH:
            return _month_start(to_date(start) + timedelta(days=31))
        return start + self.seconds


_SECONDS = {
    Interval.M1: MINUTE,
    Interval.M3: 3 * MINUTE,
    Interval.M5: 5 * MINUTE,
    Interval.M15: 15 * MINUTE,
    Interval.M30: 30 * MINUTE,
    Interval.M45: 45 * MINUTE,
    Interval.H1: HOUR,
    Interval.H2: 2 * HOUR,
    Interval.H3: 3 * HOUR,
    Interval.H4: 4 * HOUR,
    Interval.D1: DAY,
    Interval.W1: WEEK,
    Interval.MONTH: 30 * DAY,
}


def _month_start(moment: datetime) -> int:
    return to_seconds(datetime(moment.year, moment.month, 1, tzinfo=UTC))
