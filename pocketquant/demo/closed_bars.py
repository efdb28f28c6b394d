"""Which bars of a market have closed, by the sessions that the API returns."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from pocketquant.client.responses import Calendar
from pocketquant.domain.day_bars import AUCTION_SECONDS
from pocketquant.domain.intervals import Interval


class MarketSession(NamedTuple):
    """One stretch of trading, in epoch seconds, and its trading day."""

    open: int
    close: int
    trading_day: date


class Span(NamedTuple):
    """A bar, or several bars that follow each other: the first open, the last close."""

    open: int
    close: int


def sessions_of(calendar: Calendar) -> list[MarketSession]:
    """Return the sessions of an answer, oldest first."""
    return [
        MarketSession(
            _seconds(each["open"]),
            _seconds(each["close"]),
            date.fromisoformat(each["trading_day"]),
        )
        for each in calendar["sessions"]
    ]


def closed_bars(
    sessions: Iterable[MarketSession], interval: Interval, first: int, since: int, until: int
) -> Span | None:
    """Return the bars that opened at `first` or later and closed by `until`; None without any.

    Intraday bars opened after `since`; days and longer ones closed after it, since a quote reports
    all of its day.
    """
    if interval.is_intraday:
        bars = [bar for bar in _intraday(sessions, interval) if since < bar.open]
    else:
        bars = [bar for bar in _longer(sessions, interval) if since < bar.close]
        until -= AUCTION_SECONDS
    closed = [bar for bar in bars if first <= bar.open and bar.close <= until]
    return Span(closed[0].open, closed[-1].close) if closed else None


def next_change(sessions: Iterable[MarketSession], now: int) -> tuple[bool, int | None]:
    """Return whether the market is open, and when that changes, None if it is not known."""
    for session in sessions:
        if now < session.open:
            return False, session.open
        if now < session.close:
            return True, session.close
    return False, None


def _intraday(sessions: Iterable[MarketSession], interval: Interval) -> Iterator[Span]:
    for session in sessions:
        for start in range(session.open, session.close, interval.seconds):
            yield Span(start, min(start + interval.seconds, session.close))


def _longer(sessions: Iterable[MarketSession], interval: Interval) -> Iterator[Span]:
    for _, group in groupby(sessions, lambda session: _period(interval, session.trading_day)):
        parts = list(group)
        yield Span(parts[0].open, parts[-1].close)


def _period(interval: Interval, day: date) -> date:
    """Return the first day of the week or month of a day."""
    if interval is Interval.W1:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if interval is Interval.MONTH else day


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
