"""When a symbol trades, and the bars of every length, by the provider's own texts.

`parse_calendar(CalendarTexts(timezone, session, holidays, corrections))` reads them (`grammar`,
`rules`), and gives a `Calendar`. It expands the sessions of whole years in UTC (`zones`,
`session_table`) and finds bars among them (`lengths`, `bars`).
"""

from pocketquant.domain.calendar.answers import BarWindow, CalendarTexts, Session, Sessions
from pocketquant.domain.calendar.bars import BarTimes
from pocketquant.domain.calendar.calendar import Calendar, parse_calendar
from pocketquant.domain.calendar.doubts import Check, check_opens
from pocketquant.domain.calendar.exceptions import Exceptions, exceptions
from pocketquant.domain.calendar.lengths import BarLength, Unit

__all__ = [
    "BarLength",
    "BarTimes",
    "BarWindow",
    "Calendar",
    "CalendarTexts",
    "Check",
    "Exceptions",
    "Session",
    "Sessions",
    "Unit",
    "check_opens",
    "exceptions",
    "parse_calendar",
]
