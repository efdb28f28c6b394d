"""Use-case: what a sync learns about the trading hours of its symbol.

    parse     the texts that came with the bars; texts that can't be parsed are kept with the reason
    keep      a version of its own when they are new
    compare   the opens that came with those predicted: a bar that was not predicted is a doubt

Every step may happen twice. Syncs go on whatever the texts say.
"""

from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from pocketquant.domain.calendar import Calendar, CalendarTexts, check_opens, parse_calendar
from pocketquant.domain.errors import InvalidCalendar
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import History
from pocketquant.storage.calendars import CalendarStore, doubt_of

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HoursKeeping:
    """Keeps calendars, and judges them by fetched bars."""

    calendars: CalendarStore

    def note(
        self, series: Series, history: History, now: int, *, is_kept: bool = False
    ) -> str | None:
        """Keep the texts; return what is wrong with the calendar at this interval, if anything.

        `is_kept` says that an earlier sync of the series has kept them, and found nothing wrong.
        """
        texts = history.listing.hours if history.listing else None
        if texts is None:
            return None
        calendar, problem = _parse(texts)
        opens = _opens(history)
        check = check_opens(calendar, series.interval, opens) if calendar and len(opens) else None
        if is_kept and (check is None or check.unpredicted is None):
            return None
        kept = self.calendars.keep(series.symbol, texts, problem, now)
        if check is None:
            return kept.trouble(series.interval)
        doubted = kept.doubts.get(series.interval)
        if check.unpredicted is not None and check.unpredicted != doubted:
            self.calendars.doubt(series.symbol, series.interval, check.unpredicted)
            doubt = doubt_of(check.unpredicted)
            _log.warning("calendar_doubtful", series=str(series), cause=doubt)
            return doubt
        if doubted is not None and check.settles(doubted):
            self.calendars.trust(series.symbol, series.interval)
            _log.info("calendar_trusted_again", series=str(series))
            return None
        return kept.trouble(series.interval)


def _parse(texts: CalendarTexts) -> tuple[Calendar | None, str | None]:
    try:
        return parse_calendar(texts), None
    except InvalidCalendar as error:
        return None, str(error)


def _opens(history: History) -> NDArray[np.int64]:
    """When each bar opened that came, the forming one included."""
    if history.forming is None:
        return history.closed.time
    return np.append(history.closed.time, history.forming.time)
