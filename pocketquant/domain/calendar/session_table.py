"""All sessions of some years, as columns in order of time."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

import numpy as np

from pocketquant.domain.calendar.grammar import FIRST_YEAR, LAST_YEAR
from pocketquant.domain.calendar.lengths import BarLength, Unit
from pocketquant.domain.calendar.rules import Rules
from pocketquant.domain.calendar.zones import Ints, to_utc
from pocketquant.domain.intervals import MINUTE

_THURSDAY = 4  # the weekday of day 0; Sunday is 0
_MOST_DAYS = 400  # more than the trading days of a year
_NEVER = 1 << 62


class Groups(NamedTuple):
    """Neighbours of one key: indexes of the first and last of each group, and each one's group."""

    firsts: Ints
    lasts: Ints
    numbers: Ints


def groups_of_equal(keys: Ints) -> Groups:
    is_first = np.ones(len(keys), dtype=bool)
    is_first[1:] = keys[1:] != keys[:-1]
    firsts = np.flatnonzero(is_first)
    lasts = np.append(firsts[1:], len(keys))[: len(firsts)] - 1
    return Groups(firsts, lasts, np.cumsum(is_first) - 1)


@dataclass(frozen=True, eq=False)
class SessionTable:
    """The sessions whose trading days lie in these years; times are epoch seconds.

    Intraday bars of a session count from its anchor, and may go on up to the session `lasts`.
    """

    first_year: int
    last_year: int
    counts_through_breaks: bool
    opens: Ints
    closes: Ints
    days: Ints  # trading days, in days since 1970
    week_starts: Ints  # the first day of the week of each, in days since 1970
    anchors: Ints
    lasts: Ints  # an index into this table
    _groups: dict[BarLength, Groups] = field(default_factory=dict)

    @classmethod
    def expand(
        cls, rules: Rules, zone: ZoneInfo, years: range, counts_through_breaks: bool
    ) -> Self:
        """All sessions of the years; none of those that a clock change skips wholly."""
        bounds = np.array([years.start, years.stop]) - 1970
        first_day, end_day = bounds.astype("datetime64[Y]").astype("datetime64[D]").astype(int)
        local = rules.sessions(int(first_day), int(end_day))
        opens = to_utc(zone, local.starts * MINUTE)
        closes = to_utc(zone, local.ends * MINUTE)
        is_real = opens < closes
        opens, closes, days = opens[is_real], closes[is_real], local.days[is_real]
        first_weekdays = rules.first_weekdays[rules.versions(days)]
        for column in (opens, closes, days):
            column.setflags(write=False)  # answers show parts of them
        counted = groups_of_equal(days if counts_through_breaks else np.arange(len(days)))
        return cls(
            first_year=years.start,
            last_year=years.stop - 1,
            counts_through_breaks=counts_through_breaks,
            opens=opens,
            closes=closes,
            days=days,
            week_starts=days - (days + _THURSDAY - first_weekdays) % 7,
            anchors=opens[counted.firsts][counted.numbers],
            lasts=counted.lasts[counted.numbers],
        )

    @cached_property
    def start(self) -> int:
        """The time from which all sessions are here; beyond the calendars' years there are none."""
        return -_NEVER if self.first_year == FIRST_YEAR else _new_year(self.first_year)

    @cached_property
    def end(self) -> int:
        return _NEVER if self.last_year == LAST_YEAR else _new_year(self.last_year + 1)

    @cached_property
    def open_list(self) -> list[int]:
        """The opens for `bisect`, which finds one time more quickly than numpy."""
        return list(map(int, self.opens))

    @cached_property
    def close_list(self) -> list[int]:
        """The closes for `bisect`."""
        return list(map(int, self.closes))

    def groups(self, length: BarLength) -> Groups:
        """The sessions of each bar of so many trading days, weeks or months.

        Trading days are counted from the first one of their year, weeks and months from 1970.
        """
        known = self._groups.get(length)
        if known is None:
            known = self._groups[length] = groups_of_equal(self._keys(length))
        return known

    def bar_of(self, session: int, length: BarLength) -> tuple[int, int]:
        """The first and the last session of the bar of days, weeks or months of a session."""
        groups = self.groups(length)
        number = groups.numbers[session]
        return int(groups.firsts[number]), int(groups.lasts[number])

    def _keys(self, length: BarLength) -> Ints:
        if length.unit is Unit.WEEK:
            return self.week_starts // 7 // length.count
        dates = self.days.astype("datetime64[D]")
        if length.unit is Unit.MONTH:
            return dates.astype("datetime64[M]").astype(np.int64) // length.count
        years = dates.astype("datetime64[Y]").astype(np.int64)
        numbers = groups_of_equal(self.days).numbers
        by_year = groups_of_equal(years)
        in_year = numbers - numbers[by_year.firsts][by_year.numbers]
        return years * _MOST_DAYS + in_year // length.count


def _new_year(year: int) -> int:
    return int(np.datetime64(f"{year}-01-01", "s").astype(np.int64))
