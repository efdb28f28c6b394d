"""`LiveBar`: a forming or closed bar built from ticks; and joining several into a longer one."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pocketquant.domain.calendar import Calendar
from pocketquant.domain.intervals import Interval
from pocketquant.domain.periods import Period, period
from pocketquant.domain.quotes import Volume, exact
from pocketquant.domain.symbols import Series, Symbol


class LiveBar(NamedTuple):
    """One bar from `start` up to `end`, complete or forming; times in epoch seconds.

    `symbol` is the text `EXCHANGE:TICKER`. A `volume` of None means that the symbol has none.
    `is_partial` means that some ticks may be missing. A bar without ticks is a mark: it has no
    prices, and says that the stored bar of its time is partial.
    """

    symbol: str
    interval: Interval
    start: int
    end: int
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    tick_count: int
    is_partial: bool
    first_tick_at: int
    last_tick_at: int

    @classmethod
    def mark(cls, symbol: str, interval: Interval, period: Period) -> "LiveBar":
        """A mark for the closed bar of this interval and period."""
        start, end = period
        return cls(symbol, interval, start, end, 0, 0, 0, 0, None, 0, True, start, start)

    @classmethod
    def reported(
        cls,
        series: tuple[str, Interval],
        period: Period,
        prices: tuple[float, float, float, float],
        volume: float | None,
        is_partial: bool,
        last_at: int,
    ) -> "LiveBar":
        """A bar of reports, not of ticks; `prices` are open, high, low, close."""
        return cls(*series, *period, *prices, volume, 1, is_partial, last_at, last_at)

    @property
    def is_mark(self) -> bool:
        return self.tick_count == 0

    @property
    def series(self) -> Series:
        return Series(Symbol.parse(self.symbol), self.interval)


def put_together(
    interval: Interval, parts: Sequence[LiveBar], seen_since: int, calendar: Calendar | None
) -> LiveBar | None:
    """The bar of the newest period in `parts`; None without parts or without such a period.

    `parts` are in order of time: the bar of the closed minutes, if any, then the open minutes.
    Parts of earlier periods are left out. The bar is partial if it starts before `seen_since`, the
    end of the stream's last gap.
    """
    newest = period(calendar, interval, parts[-1].start) if parts else None
    if newest is None:
        return None
    start, end = newest
    parts = [part for part in parts if part.start >= start]
    first, last = parts[0], parts[-1]
    return LiveBar(
        symbol=last.symbol,
        interval=interval,
        start=start,
        end=end,
        open=first.open,
        high=max(part.high for part in parts),
        low=min(part.low for part in parts),
        close=last.close,
        volume=as_float(summed(part.volume for part in parts)),
        tick_count=sum(part.tick_count for part in parts),
        is_partial=start < seen_since or any(part.is_partial for part in parts),
        first_tick_at=first.first_tick_at,
        last_tick_at=last.last_tick_at,
    )


def summed(volumes: Iterable[float | None]) -> Volume | None:
    """The exact sum; None if all are None."""
    known = [exact(volume) for volume in volumes if volume is not None]
    return sum(known) if known else None


def as_float(volume: Volume | None) -> float | None:
    return None if volume is None else float(volume)
