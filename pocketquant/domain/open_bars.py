"""`OpenBars`: the bars of one symbol that are not closed yet.

Minutes are made of ticks. Longer bars are made of closed minutes: each keeps its open, high and low
and what the totals of all closed minutes were before it, so that a minute is added up once only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from pocketquant.domain.gaps import Unseen
from pocketquant.domain.intervals import MINUTE, Interval
from pocketquant.domain.live_bars import LiveBar, as_float
from pocketquant.domain.quotes import Tick, Volume, exact

LONGER = tuple(interval for interval in Interval if interval is not Interval.M1)

_BEFORE_ALL = -(2**53)
_AFTER_ALL = 2**53


@dataclass(frozen=True, slots=True)
class BarsState:
    """All there is to know of one symbol's bars, to go on from after a restart.

    `minutes` are the open ones, `longer` what closed minutes have made of longer bars. No minute
    that ends by `closed_until` is opened again.
    """

    symbol: str
    delay_seconds: int
    unseen: Unseen
    closed_until: int
    minutes: tuple[LiveBar, ...]
    longer: tuple[LiveBar, ...]


class Minute:
    """An open minute. Its open is the earliest tick's price and its close the latest one's."""

    __slots__ = (
        "close",
        "due",
        "end",
        "first_tick_at",
        "high",
        "last_tick_at",
        "low",
        "open",
        "start",
        "tick_count",
        "volume",
    )

    def __init__(self, start: int, tick: Tick) -> None:
        self.start = start
        self.end = start + MINUTE
        self.due: int | None = None
        self.open = self.high = self.low = self.close = tick.price
        self.volume = tick.size
        self.tick_count = 1
        self.first_tick_at = self.last_tick_at = tick.time

    def add(self, tick: Tick) -> None:
        """Take a tick in, whenever it comes; of one second, those that came later are later."""
        _, time, price, size = tick
        if time >= self.last_tick_at:
            self.close, self.last_tick_at = price, time
        elif time < self.first_tick_at:
            self.open, self.first_tick_at = price, time
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.tick_count += 1
        if size is not None:
            self.volume = size if self.volume is None else self.volume + size

    @classmethod
    def of(cls, bar: LiveBar) -> "Minute":
        """The minute as it was when it was handed out."""
        volume = None if bar.volume is None else exact(bar.volume)
        minute = cls(bar.start, Tick(bar.symbol, bar.last_tick_at, bar.close, volume))
        minute.open, minute.high, minute.low = bar.open, bar.high, bar.low
        minute.tick_count, minute.first_tick_at = bar.tick_count, bar.first_tick_at
        return minute


class Longer:
    """An open bar of closed minutes; `…_before` are totals from before its first one."""

    __slots__ = (
        "due",
        "end",
        "first_tick_at",
        "high",
        "low",
        "open",
        "start",
        "ticks_before",
        "volume_before",
        "volumes_before",
    )

    def __init__(self, period: tuple[int, int], first: Minute, before: "OpenBars") -> None:
        self.start, self.end = period
        self.due: int | None = None
        self.open, self.high, self.low = first.open, first.high, first.low
        self.first_tick_at = first.first_tick_at
        self.ticks_before = before.ticks
        self.volume_before = before.volume
        self.volumes_before = before.volumes


NO_MINUTE = Minute(_BEFORE_ALL, Tick("", _AFTER_ALL, 0.0, None))  # one that takes no tick


class OpenBars:
    """The open minutes, oldest first, and at most one longer bar in each place of `LONGER`.

    `volume`, `volumes`, `ticks` are the totals of all closed minutes: volume, how many had one,
    ticks. `close` and `last_tick_at` are of the last of them.
    """

    __slots__ = (
        "close",
        "closed_until",
        "delay_seconds",
        "last_tick_at",
        "late_minute",
        "longer",
        "minutes",
        "symbol",
        "ticks",
        "unseen",
        "volume",
        "volumes",
    )

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.delay_seconds = 0
        self.unseen = Unseen()
        self.closed_until = _BEFORE_ALL
        self.late_minute: int | None = None  # which lacks a tick that came too late
        self.minutes: list[Minute] = []
        self.longer: list[Longer | None] = [None] * len(LONGER)
        self.volume: Volume = 0
        self.volumes = self.ticks = self.last_tick_at = 0
        self.close = 0.0

    def minute_at(self, start: int) -> Minute | None:
        """The open minute that begins at `start`."""
        for minute in self.minutes:
            if minute.start == start:
                return minute
        return None

    def open_minute(self, start: int, tick: Tick) -> Minute:
        """A new minute, of its first tick."""
        minute = Minute(start, tick)
        self.minutes.append(minute)
        if len(self.minutes) > 1:
            self.minutes.sort(key=attrgetter("start"))
        return minute

    def merge(self, minute: Minute, periods: Sequence[tuple[int, int]]) -> list[tuple[int, Longer]]:
        """Close the oldest minute into the longer bars; those it began, with their places.

        `periods` are those it lies in, by place.
        """
        begun = []
        high, low = minute.high, minute.low
        for place, bar in enumerate(self.longer):
            if bar is None:
                self.longer[place] = bar = Longer(periods[place], minute, self)
                begun.append((place, bar))
            else:
                if high > bar.high:
                    bar.high = high
                if low < bar.low:
                    bar.low = low
        self._count(minute)
        self.minutes.remove(minute)
        return begun

    def minute_bar(self, minute: Minute) -> LiveBar:
        return LiveBar(
            self.symbol,
            Interval.M1,
            minute.start,
            minute.end,
            minute.open,
            minute.high,
            minute.low,
            minute.close,
            as_float(minute.volume),
            minute.tick_count,
            self.unseen.touches(minute.start, minute.end),
            minute.first_tick_at,
            minute.last_tick_at,
        )

    def longer_bar(self, place: int, bar: Longer) -> LiveBar:
        """What the closed minutes have made of the bar."""
        has_volume = self.volumes > bar.volumes_before
        return LiveBar(
            self.symbol,
            LONGER[place],
            bar.start,
            bar.end,
            bar.open,
            bar.high,
            bar.low,
            self.close,
            float(self.volume - bar.volume_before) if has_volume else None,
            self.ticks - bar.ticks_before,
            self.unseen.touches(bar.start, bar.end),
            bar.first_tick_at,
            self.last_tick_at,
        )

    def state(self, closed_until: int, has_longer: bool = True) -> BarsState:
        """All of it, or all but the longer bars."""
        return BarsState(
            self.symbol,
            self.delay_seconds,
            self.unseen,
            closed_until,
            tuple(self.minute_bar(minute) for minute in self.minutes),
            tuple(
                self.longer_bar(place, bar)
                for place, bar in enumerate(self.longer if has_longer else ())
                if bar is not None
            ),
        )

    @classmethod
    def of(cls, state: BarsState) -> "OpenBars":
        """The bars that had this state."""
        bars = cls(state.symbol)
        bars.delay_seconds = state.delay_seconds
        bars.unseen = state.unseen
        bars.closed_until = state.closed_until
        bars.minutes = [Minute.of(minute) for minute in state.minutes]
        for bar in state.longer:
            bars._resume(bar)
        return bars

    def _count(self, minute: Minute) -> None:
        if minute.volume is not None:
            self.volume += minute.volume
            self.volumes += 1
        self.ticks += minute.tick_count
        self.close = minute.close
        self.last_tick_at = minute.last_tick_at
        self.closed_until = minute.end

    def _resume(self, made: LiveBar) -> None:
        """Take a longer bar back: its minutes were the last ones closed, so they end all totals."""
        whole = Minute.of(made)
        bar = Longer((made.start, made.end), whole, self)
        bar.ticks_before = -made.tick_count
        if whole.volume is not None:
            bar.volume_before, bar.volumes_before = -whole.volume, -1
        self.longer[LONGER.index(made.interval)] = bar
        self.close, self.last_tick_at = made.close, made.last_tick_at
