"""Trading days that the provider lists one by one: days off, and days with hours of their own."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pocketquant.domain.calendar.answers import CalendarTexts, Days
from pocketquant.domain.calendar.rules import parse_specials


@dataclass(frozen=True, slots=True, eq=False)
class Exceptions:
    """Days in order: `days_off` have no session, `special_days` have other hours than usual."""

    days_off: Days
    special_days: Days


@lru_cache(maxsize=1024)
def exceptions(texts: CalendarTexts) -> Exceptions:
    """Return the listed days; raise InvalidCalendar if a text is not understood."""
    listed = parse_specials(texts.holidays, texts.corrections)
    return Exceptions(
        _days(day for day, hours in listed.items() if not hours),
        _days(day for day, hours in listed.items() if hours),
    )


def _days(numbers: Iterable[int]) -> Days:
    return np.array(sorted(numbers), dtype=np.int64).astype("datetime64[D]")
