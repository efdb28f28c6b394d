"""The bars of the simulated market: a pure function of symbol, resolution and time.

Bars of any resolution are exact aggregates of the same minutes, the one still forming included.
"""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np

from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import MINUTE
from pocketquant.simulator.market import paths
from pocketquant.simulator.market.calendars import Ints, Sessions, sessions
from pocketquant.simulator.market.trading import Day, MarketEvent, day_so_far, market_events
from pocketquant.simulator.market.world import Instrument

_RESOLUTION = re.compile(r"([1-9][0-9]{0,3})?([STHDWM])|([1-9][0-9]{0,3})")
_COUNTS: dict[str, Container[int]] = {
    "S": range(1, 60),
    "T": range(1, 1001),
    "m": range(1, 24 * 60 + 1),
    "D": (1,),
    "W": (1,),
    "M": (1, 3, 6, 12),
}
_FEWEST_SESSIONS = 4  # looked at for bars within sessions


@dataclass(frozen=True, slots=True)
class Resolution:
    """The length of a bar: `count` times `unit`, which is `m` (minutes), `D`, `W` or `M` (months).

    Of `S` (seconds) and `T` (ticks) the market has no bars.
    """

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `1`, `240`, `4H`, `D`, `1D`, `1W`, `12M`, `5S`; None for any other text."""
        match = _RESOLUTION.fullmatch(text)
        if match is None:
            return None
        count, unit = int(match[3] or match[1] or 1), match[2] or "m"
        if unit == "H":
            count, unit = 60 * count, "m"
        return cls(count, unit) if count in _COUNTS[unit] else None

    @property
    def is_intraday(self) -> bool:
        return self.unit == "m"


@dataclass(frozen=True, slots=True)
class BarRange:
    """Bars in a row, oldest first; the newest may still be forming.

    `reaches_start` says that there are no older ones.
    """

    bars: Bars
    reaches_start: bool


class Market:
    """Every bar of every symbol.

    `captured` are the daily bars of symbols that are not simulated and have no others.
    """

    def __init__(self, captured: Mapping[str, Bars]) -> None:
        self._captured = captured

    def newest(
        self,
        instrument: Instrument,
        resolution: Resolution,
        now: int,
        count: int,
        before: int | None = None,
    ) -> BarRange:
        """The newest `count` bars as of `now`, of those that open before `before`."""
        if not instrument.has_traded:
            return BarRange(Bars.empty(), True)
        now -= instrument.delay_seconds
        end = now + 1 if before is None else min(before, now + 1)
        if instrument.name in self._captured:
            known = _converted(self._captured[instrument.name].between(None, end), instrument)
            return BarRange(known.last(count), len(known) <= count)
        if resolution.is_intraday:
            rows, is_all = _within_sessions(instrument, resolution.count, now, count, end)
        else:
            rows, is_all = _whole_sessions(instrument, resolution, now, end), True
        newest = rows[:, max(0, rows.shape[1] - count) :]
        return BarRange(_to_bars(instrument, newest), is_all and rows.shape[1] <= count)

    def day(self, instrument: Instrument, now: int) -> Day | None:
        """The trading session of the newest trade as of `now`; None where there was no trade."""
        if not instrument.has_traded:
            return None
        if instrument.name in self._captured:
            return _captured_day(instrument, self._captured[instrument.name].between(None, now + 1))
        return day_so_far(instrument, now - instrument.delay_seconds)

    def has_trades(self, instrument: Instrument) -> bool:
        """Whether trades of the symbol can be had, one by one."""
        return instrument.has_traded and instrument.name not in self._captured

    def market_events(self, instrument: Instrument, now: int) -> Iterator[MarketEvent]:
        """What happens after `day` as of `now`."""
        if not self.has_trades(instrument):
            return iter(())
        return market_events(instrument, now - instrument.delay_seconds)


def close_time(instrument: Instrument, resolution: Resolution, time: int) -> int:
    """When the bar that opened at `time` is over, as TradingView says it.

    That is its start and length, but the last second of the session for a session's last bar, and
    so for all of a day and longer.
    """
    calendar = sessions(_trading_by(instrument, resolution).calendar)
    session = calendar.begun_by(time) - 1
    if not resolution.is_intraday:
        periods = _periods(calendar, resolution)
        session = int(np.searchsorted(periods, periods[session], "right")) - 1
    closes = int(calendar.closes[session])
    if resolution.is_intraday and time + resolution.count * MINUTE < closes:
        return time + resolution.count * MINUTE
    return closes - 1


def _captured_day(instrument: Instrument, bars: Bars) -> Day | None:
    if not len(bars):
        return None
    scale = instrument.pricescale
    time, opens, high, low, close, volume = bars.columns[:, -1].tolist()
    return Day(
        session=sessions(instrument.calendar).begun_by(int(time)) - 1,
        before=round(float(bars.last(2).close[0]) * scale),
        open=round(opens * scale),
        high=round(high * scale),
        low=round(low * scale),
        last=round(close * scale),
        total=round(volume * instrument.lots_per_unit),
        traded_at=close_time(instrument, Resolution(1, "D"), int(time)),
    )


def _within_sessions(
    instrument: Instrument, minutes: int, now: int, count: int, end: int
) -> tuple[Ints, bool]:
    """At least `count` bars of so many minutes that open before `end`, or all there are.

    Sessions before the last are looked up as one block, twice as many if they held too few bars.
    """
    last = sessions(instrument.calendar).begun_by(end - 1) - 1
    if last < 0:
        return np.empty((6, 0), dtype=np.int64), True
    newest = _bars_of(instrument, minutes, _session_so_far(instrument, last, now))
    newest = newest[:, : np.searchsorted(newest[0], end)]
    looked_at = max(_FEWEST_SESSIONS, -(-count * minutes // instrument.calendar.minutes))
    while True:
        first = max(0, last - looked_at)
        rows = np.concatenate(
            (_complete_sessions(instrument, minutes, first, last), newest), axis=1
        )
        if first == 0 or rows.shape[1] >= count:
            return rows, first == 0
        looked_at *= 2


@lru_cache(maxsize=128)
def _complete_sessions(instrument: Instrument, minutes: int, first: int, last: int) -> Ints:
    if instrument.parts:
        rows = [paths.minutes(part, first, last) for part in instrument.parts]
        return _bars_of(instrument, minutes, _in_order(rows))
    parts = paths.minutes if minutes % 60 else paths.hours
    return _bars_of(instrument, minutes, parts(instrument, first, last))


def _bars_of(instrument: Instrument, minutes: int, parts: Ints) -> Ints:
    """Bars of so many minutes, counted from the opening of each session."""
    if minutes == 1:
        return parts
    opens = sessions(instrument.calendar).opens
    opening = opens[np.searchsorted(opens, parts[0], "right") - 1]
    length = minutes * MINUTE
    times = opening + (parts[0] - opening) // length * length
    return paths.merge(np.concatenate((times[None, :], parts[1:])), times)


def _session_so_far(instrument: Instrument, number: int, now: int) -> Ints:
    """The minutes of one session up to `now`, the last made of its trades so far."""
    if instrument.parts:
        return _in_order([_session_so_far(part, number, now) for part in instrument.parts])
    rows = paths.minutes(instrument, number, number + 1)
    rows = rows[:, : np.searchsorted(rows[0], now, "right")]
    if not rows.shape[1] or rows[0, -1] + MINUTE <= now:
        return rows
    _, prices, sizes = ticks = paths.ticks(instrument, rows[:, -1])
    traded = int(np.searchsorted(ticks[0], now, "right"))
    if not traded:
        return rows[:, :-1]
    prices, sizes = prices[:traded], sizes[:traded]
    rows[1:, -1] = prices[0], prices.max(), prices.min(), prices[-1], sizes.sum()
    return rows


def _whole_sessions(instrument: Instrument, resolution: Resolution, now: int, end: int) -> Ints:
    """All bars of days, weeks or months before `end`; each opens with its first session.

    They are of regular hours whatever is wanted.
    """
    instrument = _trading_by(instrument, resolution)
    calendar = sessions(instrument.calendar)
    begun = calendar.begun_by(now)
    rows = paths.days(instrument)[:, :begun]
    if begun and now < calendar.closes[begun - 1]:
        so_far = _session_so_far(instrument, begun - 1, now)
        today = paths.merge(so_far, np.zeros(so_far.shape[1], dtype=np.int64))
        rows = np.concatenate((rows[:, :-1], today), axis=1)
    bars = paths.merge(rows, _periods(calendar, resolution)[: rows.shape[1]])
    return bars[:, : np.searchsorted(bars[0], end)]


def _trading_by(instrument: Instrument, resolution: Resolution) -> Instrument:
    """The symbol with the hours that bars of this length are of."""
    if instrument.parts and not resolution.is_intraday:
        return instrument.parts[1]
    return instrument


def _in_order(parts: list[Ints]) -> Ints:
    rows = np.concatenate(parts, axis=1)
    return np.asarray(rows[:, np.argsort(rows[0], kind="stable")])


def _converted(bars: Bars, instrument: Instrument) -> Bars:
    columns = bars.columns.copy()
    columns[1:5] *= instrument.rate
    return Bars(columns)


def _periods(calendar: Sessions, resolution: Resolution) -> Ints:
    if resolution.unit == "M":
        return calendar.months // resolution.count
    return calendar.weeks if resolution.unit == "W" else calendar.dates


def _to_bars(instrument: Instrument, rows: Ints) -> Bars:
    columns = rows.astype(np.float64)
    columns[1:5] = columns[1:5] / instrument.pricescale * instrument.rate
    columns[5] = columns[5] / instrument.lots_per_unit if instrument.has_volume else np.nan
    return Bars(columns)
