"""`QuoteReports`: reads what the quote of one symbol reports besides its prices."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pocketquant.domain.dates import to_date
from pocketquant.domain.events import Dividend
from pocketquant.domain.reports import QuotedDay, Report
from pocketquant.tradingview.history import count_or_none
from pocketquant.tradingview.messages import PREVIOUS_DAY, REPORT_FIELDS

_LATEST = 4_102_444_800  # 2100-01-01; a later time is no epoch second
_MOST = 1e15  # 1e100 stands for no value


class QuoteReports:
    """The fields of a quote that are about dividends and the day before, merged from updates."""

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}

    def update(self, fields: Mapping[str, Any]) -> None:
        """Take over the changed fields of a quote."""
        self._fields |= {name: fields[name] for name in REPORT_FIELDS & fields.keys()}

    def report(self) -> Report:
        """Return what is readable: the newest dividend and the next one, and the day before."""
        recent = _day(self._fields.get("dividend_ex_date_recent"))
        upcoming = _day(self._fields.get("dividend_ex_date_upcoming"))
        amount = _number(self._fields.get("dividend_amount_recent"))
        dividends = () if recent is None else (Dividend(recent, amount),)
        if upcoming not in (None, recent):
            dividends = (*dividends, Dividend(upcoming))
        return Report(dividends, _quoted_day(self._fields.get(PREVIOUS_DAY)))


def _quoted_day(bar: object) -> QuotedDay | None:
    """Return the day of a bar whose numbers are texts; None unless all of its prices are known."""
    if not isinstance(bar, dict):
        return None
    day = _day(_number(bar.get("time")))
    opened, high, low, close = (_number(bar.get(name)) for name in ("open", "high", "low", "close"))
    if day is None or opened is None or high is None or low is None or close is None:
        return None
    return QuotedDay(day, opened, high, low, close, _number(bar.get("volume")))


def _day(seconds: object) -> date | None:
    time = count_or_none(seconds)
    return to_date(time).date() if time is not None and time < _LATEST else None


def _number(value: Any) -> float | None:
    """Return a number above zero, which may be written as a text; None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if not isinstance(value, bool) and 0 < number < _MOST else None
