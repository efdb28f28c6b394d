"""How long a bar is: minutes of a session, or trading days, weeks and months."""

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Self

from pocketquant.domain.errors import InvalidInterval
from pocketquant.domain.intervals import DAY, MINUTE, Interval

_TEXT = re.compile(r"([1-9][0-9]{0,3})([mhdwM])")


class Unit(Enum):
    """The unit of a length; the value is the letter that users write."""

    MINUTE = "m"
    DAY = "d"
    WEEK = "w"
    MONTH = "M"


@dataclass(frozen=True, slots=True)
class BarLength:
    """So many minutes, trading days, weeks or months: `90m`, `2d`, `1w`, `3M`."""

    count: int
    unit: Unit
    seconds: int = field(init=False, compare=False)  # of an intraday bar that no close cuts off

    def __post_init__(self) -> None:
        seconds = self.count * MINUTE if self.unit is Unit.MINUTE else 0
        object.__setattr__(self, "seconds", seconds)

    @classmethod
    @lru_cache(maxsize=1024)
    def parse(cls, text: str) -> Self:
        """Read `90m`, `6h`, `2d`, `1w`, `3M`; case matters, since `1m` is a minute."""
        found = _TEXT.fullmatch(text)
        if not found:
            raise InvalidInterval(
                f"interval {text[:40]!r} is no number of minutes, hours, days, weeks or months,"
                " as 90m, 6h, 2d, 1w or 1M"
            )
        if found[2] == "h":
            return cls(int(found[1]) * 60, Unit.MINUTE)
        return cls(int(found[1]), Unit(found[2]))

    @classmethod
    def of(cls, interval: "Interval | BarLength") -> "BarLength":
        """The length of bars of one of the 13 intervals; a length is itself."""
        return _LENGTHS[interval] if isinstance(interval, Interval) else interval

    @property
    def is_intraday(self) -> bool:
        return self.unit is Unit.MINUTE

    @property
    def reach_seconds(self) -> int:
        """How far around a time the sessions of its bar may lie."""
        return self.count * _REACH_SECONDS[self.unit] + 14 * DAY


_LENGTHS = {each: BarLength.parse(each.value) for each in Interval}
_REACH_SECONDS = {
    Unit.MINUTE: 0,  # a bar lies within its trading day
    Unit.DAY: 0,  # and bars of days within their year, which is known as a whole
    Unit.WEEK: 7 * DAY,
    Unit.MONTH: 31 * DAY,
}
