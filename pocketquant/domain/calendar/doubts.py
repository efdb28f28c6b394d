"""Whether a calendar predicts the bars that the provider sends."""

from dataclasses import dataclass

from pocketquant.domain.calendar.calendar import Calendar
from pocketquant.domain.calendar.zones import Ints
from pocketquant.domain.intervals import DAY, Interval

RECENT_SECONDS = 90 * DAY


@dataclass(frozen=True, slots=True)
class Check:
    """The comparison of fetched bars; `unpredicted` is the newest open that was not predicted.

    Opens from `since` on were compared. Bars that opened before `recent_from` count no more: a
    calendar is right if it is right today.
    """

    unpredicted: int | None
    since: int
    recent_from: int

    def settles(self, doubted_open: int) -> bool:
        """Return whether an earlier doubt about the bar that opened then is over."""
        was_compared = doubted_open >= self.since or doubted_open < self.recent_from
        return self.unpredicted is None and was_compared


def check_opens(calendar: Calendar, interval: Interval, opens: Ints) -> Check:
    """Compare the opens of fetched bars, one at least and in order, with those predicted.

    The oldest bar may open with any trading day of its week or month: the symbol's first one.
    """
    recent_from = int(opens[-1]) - RECENT_SECONDS
    recent = opens[opens >= recent_from]
    is_predicted = calendar.are_opens(recent, interval)
    if not interval.is_intraday and recent[0] == opens[0]:
        is_predicted[0] = calendar.are_opens(opens[:1], Interval.D1)[0]
    unpredicted = recent[~is_predicted]
    newest = int(unpredicted[-1]) if len(unpredicted) else None
    return Check(newest, int(recent[0]), recent_from)
