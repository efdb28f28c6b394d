"""Reports of a quote besides its prices: dividends, and the trading day before."""

from dataclasses import dataclass
from datetime import date

from pocketquant.domain.events import Dividend


@dataclass(frozen=True, slots=True)
class QuotedDay:
    """A whole trading day; None for a symbol without volume."""

    day: date
    open: float
    high: float
    low: float
    close: float
    volume: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """The dividends that a quote names, and the last trading day that is over."""

    dividends: tuple[Dividend, ...] = ()
    previous_day: QuotedDay | None = None
