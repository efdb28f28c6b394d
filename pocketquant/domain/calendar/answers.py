"""The texts that make a calendar, and the sessions and bars that it returns."""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.calendar.zones import Ints

Days = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class CalendarTexts:
    """The provider's own texts about a symbol's trading hours (see `grammar`)."""

    timezone: str
    session: str
    holidays: str = ""
    corrections: str = ""


class Session(NamedTuple):
    """One stretch of continuous trading, `[open, close)` in epoch seconds."""

    open: int
    close: int
    trading_day: date


class BarWindow(NamedTuple):
    """A bar's `[open, close)`, and the session of the requested time."""

    open: int
    close: int
    session: Session


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """Sessions in order of time, as columns."""

    opens: Ints
    closes: Ints
    trading_days: Days

    def __len__(self) -> int:
        return len(self.opens)
