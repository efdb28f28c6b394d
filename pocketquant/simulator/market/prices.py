"""The bars of the simulated market: a pure function of symbol, resolution and time.

Bars of every resolution are exact aggregates of the same minutes, also while they form.
"""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from math import ceil
from typing import Self

import numpy as np

from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import MINUTE
from pocketquant.simulator.market import paths
from pocketquant.simulator.market.bad_prints import BadPrint, printed_rows
from pocketquant.simulator.market.calendars import Ints, Sessions, sessions
from pocketquant.simulator.market.dividends import Dividend, Factors, adjusted_rows, quoted
from pocketquant.simulator.market.splits import (
    Split,
    scaled_day,
    scaled_event,
    scaled_rows,
    traded_scale,
)
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
_MIN_SESSIONS = 4  # read at first for bars shorter than a session


@dataclass(frozen=True, slots=True)
class Resolution:
    """The length of a bar: `count` times `unit`, which is `m` (minutes), `D`, `W` or `M` (months).

    The units `S` (seconds) and `T` (ticks) are parsed, but the market has no such bars.
    """

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse `1`, `240`, `4H`, `D`, `1D`, `1W`, `12M`, `5S`; None for any other text."""
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


_DAILY = Resolution(1, "D")


@dataclass(frozen=True, slots=True)
class BarRange:
    """Consecutive bars, oldest first; the newest may still be forming.

    With `reaches_start`, there are no older ones.
    """

    bars: Bars
    reaches_start: bool


class Market:
    """Every bar of every symbol.

    `captured` holds the daily bars of symbols that are not simulated and have no other bars.
    """

    def __init__(self, captured: Mapping[str, Bars]) -> None:
        self._captured = captured
        self._splits: dict[str, tuple[Split, ...]] = {}
        self._dividends: dict[str, tuple[Dividend, ...]] = {}
        self._bad_prints: dict[str, tuple[BadPrint, ...]] = {}

    def split(self, name: str, split: Split) -> None:
        """Add a split of a symbol that is not captured."""
        self._splits[name] = (*self._splits.get(name, ()), split)

    def dividend(self, name: str, dividend: Dividend) -> None:
        """Add a cash dividend of a symbol that is not captured."""
        self._dividends[name] = (*self._dividends.get(name, ()), dividend)

    def bad_print(self, name: str, bad_print: BadPrint) -> None:
        """Add a bad print of a symbol that is not captured."""
        self._bad_prints[name] = (*self._bad_prints.get(name, ()), bad_print)

    def newest(
        self,
        instrument: Instrument,
        resolution: Resolution,
        now: int,
        count: int,
        before: int | None = None,
    ) -> BarRange:
        """Return the newest `count` bars as of `now` that open before `before`."""
        if not instrument.has_traded:
            return BarRange(Bars.empty(), True)
        asked_at = now
        now -= instrument.delay_seconds
        end = now + 1 if before is None else min(before, now + 1)
        if instrument.name in self._captured:
            bars = _converted(self._captured[instrument.name].between(None, end), instrument)
            return BarRange(bars.last(count), len(bars) <= count)
        if resolution.is_intraday:
            rows, reaches_start = _within_sessions(instrument, resolution.count, now, count, end)
        else:
            rows, reaches_start = _whole_sessions(instrument, resolution, now, end), True
        newest = rows[:, max(0, rows.shape[1] - count) :]
        newest = self._printed(instrument, resolution, newest, asked_at)
        if splits := self._splits.get(instrument.name):
            newest = scaled_rows(newest, splits, asked_at)
        if factors := self._dividend_factors(instrument, asked_at):
            newest = adjusted_rows(newest, factors)
        return BarRange(_to_bars(instrument, newest), reaches_start and rows.shape[1] <= count)

    def first_time(self, instrument: Instrument, resolution: Resolution) -> int | None:
        """Return when the first bar of this length opened; None if there is none."""
        if not instrument.has_traded:
            return None
        if instrument.name in self._captured:
            return self._captured[instrument.name].first_time
        if not resolution.is_intraday:
            hours = _in_hours_of(instrument, resolution)
            calendar = hours.calendar if resolution.unit == "D" else hours.official
            return int(sessions(calendar).opens[0])
        return _first_intraday(instrument, resolution.count)

    def day(self, instrument: Instrument, now: int) -> Day | None:
        """Return the trading session of the newest trade as of `now`; None without any trade."""
        if not instrument.has_traded:
            return None
        if instrument.name in self._captured:
            return _captured_day(instrument, self._captured[instrument.name].between(None, now + 1))
        day = day_so_far(instrument, now - instrument.delay_seconds)
        splits = self._splits.get(instrument.name)
        return scaled_day(day, traded_scale(splits, day.traded_at)) if splits and day else day

    def previous_day(self, instrument: Instrument, now: int) -> tuple[int, Bars] | None:
        """Return the date, in days since 1970, and the bar of the day before the newest one."""
        day = self.day(instrument, now) if self.has_trades(instrument) else None
        if day is None or not day.session:
            return None
        calendar = sessions(_in_hours_of(instrument, _DAILY).calendar)
        opens_at = int(calendar.opens[day.session])
        before = self.newest(instrument, _DAILY, now, 1, opens_at).bars
        return int(calendar.dates[day.session - 1]), before

    def dividends(self, instrument: Instrument, now: int) -> dict[str, float | None]:
        """Return the fields of a quote about dividends; none if the symbol never paid any."""
        dividends = self._dividends.get(instrument.name)
        return quoted(dividends, now) if dividends else {}

    def has_trades(self, instrument: Instrument) -> bool:
        """Return whether the market has single trades of the symbol."""
        return instrument.has_traded and instrument.name not in self._captured

    def market_events(self, instrument: Instrument, now: int) -> Iterator[MarketEvent]:
        """Iterate over the events that follow `day(instrument, now)`."""
        if not self.has_trades(instrument):
            return iter(())
        delay = instrument.delay_seconds
        events = market_events(instrument, now - delay)
        splits = self._splits.get(instrument.name)
        if not splits:
            return events
        return (
            scaled_event(event, traded_scale(splits, event.due_ms // 1000 - delay))
            for event in events
        )

    def _printed(
        self, instrument: Instrument, resolution: Resolution, rows: Ints, now: int
    ) -> Ints:
        """Return the bars with the bad prints that are not corrected yet."""
        for each in self._bad_prints.get(instrument.name, ()):
            if each.is_shown(now):
                scale = traded_scale(self._splits.get(instrument.name, ()), each.time)
                price = round(each.price * instrument.pricescale / scale)
                closes = partial(close_time, instrument, resolution)
                rows = printed_rows(rows, each.time, price, closes)
        return rows

    def _dividend_factors(self, instrument: Instrument, now: int) -> Factors:
        """Return what the prices before each ex-date are multiplied by; none unless adjusted."""
        if instrument.adjustment != "dividends":
            return ()
        return tuple(
            (each.ex_time, 1 - each.amount / self._close_before(instrument, each.ex_time))
            for each in self._dividends.get(instrument.name, ())
            if each.adjusted_at <= now
        )

    def _close_before(self, instrument: Instrument, time: int) -> float:
        """Return the last close before a time, in the scale of the prices at that time."""
        regular = _in_hours_of(instrument, _DAILY)
        number = sessions(regular.calendar).begun_by(time - 1) - 1
        scale = traded_scale(self._splits.get(instrument.name, ()), time)
        return float(paths.days(regular)[4, number]) * scale / instrument.pricescale


def close_time(instrument: Instrument, resolution: Resolution, time: int) -> int:
    """Return the close time that TradingView sends for the bar that opened at `time`.

    It is the open plus the length; for the last bar before a break or a close, and so for all bars
    of a day or longer, it is the last second of the session.
    """
    if resolution.is_intraday:
        calendar = sessions(instrument.calendar)
        end = time + resolution.count * MINUTE
        last = int(calendar.ends[calendar.trading_of(np.array(time))])
        return end if end < last else last - 1
    calendar = sessions(_in_hours_of(instrument, resolution).official)
    periods = _periods(calendar, resolution)
    session = calendar.begun_by(time) - 1
    session = int(np.searchsorted(periods, periods[session], "right")) - 1
    return int(calendar.closes[session]) - 1


def _captured_day(instrument: Instrument, bars: Bars) -> Day | None:
    if not len(bars):
        return None
    scale = instrument.pricescale
    time, opens, high, low, close, volume = bars.columns[:, -1].tolist()
    return Day(
        session=sessions(instrument.calendar).begun_by(int(time)) - 1,
        previous_close=round(float(bars.last(2).close[0]) * scale),
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
    """Return at least `count` bars of `minutes` that open before `end`, or all; and whether all.

    Sessions before the last are read as one block, of twice as many until it holds enough bars.
    """
    calendar = sessions(instrument.calendar)
    last = calendar.begun_by(end - 1) - 1
    if last < 0:
        return np.empty((6, 0), dtype=np.int64), True
    newest = _bars_of(instrument, minutes, _session_so_far(instrument, last, now))
    newest = newest[:, : np.searchsorted(newest[0], end)]
    read = max(_MIN_SESSIONS, ceil(count * minutes / calendar.minutes))
    while True:
        first = max(0, last - read)
        rows = np.concatenate(
            (_complete_sessions(instrument, minutes, first, last), newest), axis=1
        )
        if first == 0 or rows.shape[1] >= count:
            return rows, first == 0
        read *= 2


@lru_cache(maxsize=1024)
def _first_intraday(instrument: Instrument, minutes: int) -> int:
    return int(_complete_sessions(instrument, minutes, 0, _MIN_SESSIONS)[0, 0])


@lru_cache(maxsize=128)
def _complete_sessions(instrument: Instrument, minutes: int, first: int, last: int) -> Ints:
    if instrument.parts:
        rows = [paths.minutes(part, first, last) for part in instrument.parts]
        return _bars_of(instrument, minutes, _in_order(rows))
    parts = paths.minutes if minutes % 60 else paths.hours
    return _bars_of(instrument, minutes, parts(instrument, first, last))


def _bars_of(instrument: Instrument, minutes: int, parts: Ints) -> Ints:
    """Merge shorter bars into bars of `minutes`."""
    if minutes == 1:
        return parts
    times = opens_of(instrument, minutes, parts[0])
    return paths.merge(np.concatenate((times[None, :], parts[1:])), times)


def opens_of(instrument: Instrument, minutes: int, times: Ints) -> Ints:
    """Return when the bar of `minutes` that contains each time opened.

    Bars count from their session's opening, and anew from the end of its break.
    """
    calendar = sessions(instrument.calendar)
    opening = calendar.starts[calendar.trading_of(times)]
    length = minutes * MINUTE
    return np.asarray(opening + (times - opening) // length * length)


def _session_so_far(instrument: Instrument, number: int, now: int) -> Ints:
    """Return the minutes of one session up to `now`, the last made of its trades so far."""
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
    """Return all bars of days, weeks or months before `end`; each opens with its first session.

    That of a week or month counts even if the symbol did not trade in it. They cover regular hours,
    even for a symbol with extended hours.
    """
    instrument = _in_hours_of(instrument, resolution)
    calendar = sessions(instrument.calendar)
    begun = calendar.begun_by(now)
    rows = paths.days(instrument)[:, :begun]
    if begun and now < calendar.closes[begun - 1]:
        so_far = _session_so_far(instrument, begun - 1, now)
        today = paths.merge(so_far, np.zeros(so_far.shape[1], dtype=np.int64))
        rows = np.concatenate((rows[:, :-1], today), axis=1)
    periods = _periods(calendar, resolution)[: rows.shape[1]]
    bars = paths.merge(rows, periods)
    if resolution.unit != "D":
        official = sessions(instrument.official)
        firsts = np.searchsorted(_periods(official, resolution), np.unique(periods))
        bars = np.concatenate((official.opens[firsts][None, :], bars[1:]))
    return bars[:, : np.searchsorted(bars[0], end)]


def _in_hours_of(instrument: Instrument, resolution: Resolution) -> Instrument:
    """Return the symbol with the trading hours that bars of this resolution cover."""
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
