"""`OpenDay`: the daily bar of a symbol before it closes, as quotes report it.

A daily bar is never made of minutes: auctions are in no minute. Its values are the open, high, low,
last price and volume of the day in the quote. Outside the session a provider moves time and volume,
so a quote of that time changes no value.

A gap in the stream does no harm if a whole quote follows it: the quote reports all of the day.
"""

from datetime import date
from typing import cast

from pocketquant.domain.calendar import Calendar
from pocketquant.domain.dates import to_date
from pocketquant.domain.intervals import DAY, MINUTE, Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.periods import Period
from pocketquant.domain.quotes import Quote

AUCTION_SECONDS = 15 * MINUTE  # after the last session, for the closing auction

_NEVER = 2**32
_NO_NAMES = (None, None)


class OpenDay:
    """The bar of `period`; it closes at `end`, by the symbol's own clock.

    It is sure while no change of its quote may be missing.
    """

    __slots__ = ("due", "end", "is_sure", "period", "quote")

    def __init__(
        self, period: Period, quote: Quote, is_sure: bool, calendar: Calendar | None
    ) -> None:
        self.period = period
        self.end = closing_time(period, calendar)
        self.quote = quote
        self.is_sure = is_sure
        self.due: int | None = None

    @classmethod
    def of(cls, bar: LiveBar, calendar: Calendar | None) -> "OpenDay":
        """The day of a stored bar; it is not sure, since the stream was lost since then."""
        quote = Quote(
            bar.symbol,
            time=bar.last_tick_at,
            last_price=bar.close,
            day_volume=bar.volume,
            open_price=bar.open,
            high_price=bar.high,
            low_price=bar.low,
        )
        return cls((bar.start, bar.end), quote, False, calendar)

    def is_of(self, quote: Quote) -> bool:
        """Whether the quote names the day by which this one is known; quick."""
        names = quote.open_time, quote.trading_day
        if names == _NO_NAMES:
            return self.period[0] <= (quote.time or 0) < self.end
        return names == (self.quote.open_time, self.quote.trading_day)

    def follow(self, quote: Quote, is_whole: bool) -> None:
        """Take a quote of this day; `is_whole` says that no change of it may be missing.

        Outside the session a whole quote with all the known values confirms them. One with other
        prices makes them unsure: it may be an auction or a correction, which look like other
        trades.
        """
        if quote.is_trading:
            if has_prices(quote):
                self.quote = quote
            self.is_sure = is_whole and has_prices(quote)
        elif _prices(quote) != _prices(self.quote):
            self.is_sure = False
        elif is_whole and quote.day_volume == self.quote.day_volume:
            self.is_sure = True

    def fits(self, calendar: Calendar | None) -> bool:
        """Whether a calendar has this day."""
        window = calendar.bar_at(self.period[0], Interval.D1) if calendar else None
        return window is not None and (window.open, window.close) == self.period

    def bar(self) -> LiveBar:
        """The bar so far; partial if a value is unknown, not sure, or against another."""
        quote = self.quote
        opened, high, low, close = map(float, _prices(quote))
        is_sound = low <= min(opened, close) <= max(opened, close) <= high
        return LiveBar.reported(
            (quote.symbol, Interval.D1),
            self.period,
            (opened, high, low, close),
            quote.day_volume,
            is_partial=not (self.is_sure and is_sound and quote.day_volume is not None),
            last_at=quote.time or self.period[0],
        )


def reported_period(quote: Quote, calendar: Calendar) -> Period | None:
    """The day that the values of a quote belong to, from its first open to its last close.

    `open_time` is midnight of the trading day, or the open of its session. If it did not come, the
    trading day of `market-status` counts, else that of the newest session at the time of the last
    trade. A day has begun with its first trade: before it, a provider may name the day already,
    with the values of the one before.
    """
    named = _named_day(quote, calendar)
    window = calendar.bar_of_day(named, Interval.D1) if named else None
    if window is None or (quote.time or 0) < window.open:
        return None
    return window.open, window.close


def closing_time(period: Period, calendar: Calendar | None) -> int:
    """When a day closes: with time for its auction, but not later than the next session opens."""
    end = period[1]
    following = calendar.next_open(end - 1) if calendar else None
    return min(end + AUCTION_SECONDS, following or _NEVER)


def _named_day(quote: Quote, calendar: Calendar) -> date | None:
    opened = quote.open_time
    if opened is not None:
        if not 0 <= opened < _NEVER:
            return None
        if opened % DAY == 0:
            return to_date(opened).date()
        session = calendar.session_at(int(opened))
    elif quote.trading_day is not None:
        try:
            return date.fromisoformat(quote.trading_day)
        except ValueError:
            return None
    else:
        session = calendar.latest_session(quote.time) if quote.time is not None else None
    return session.trading_day if session else None


def _prices(quote: Quote) -> tuple[float, float, float, float]:
    """Open, high, low and last price."""
    prices = quote.open_price, quote.high_price, quote.low_price, quote.last_price
    return cast(tuple[float, float, float, float], prices)


def has_prices(quote: Quote) -> bool:
    """Whether all prices of a day are known."""
    return None not in _prices(quote)
