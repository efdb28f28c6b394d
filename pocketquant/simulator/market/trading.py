"""The events of a symbol in order: trades, changes of its book, and phases of its exchange's day.

US stocks also trade before the opening and after the close. As from the real server, some of those
trades update nothing but the time of the last trade, and some arrive in swapped order.

Events of any time can be computed without those before it; the bars are made of the same trades.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from heapq import merge
from typing import NamedTuple
from zlib import crc32

import numpy as np

from pocketquant.domain.intervals import HOUR, MINUTE
from pocketquant.simulator.market import paths
from pocketquant.simulator.market.calendars import Ints, is_open, sessions
from pocketquant.simulator.market.world import Instrument, pre_and_post_market

_BLOCK = 30 * MINUTE  # the time range that is computed at once
_HALF_SECOND_MS = 500
_ONE_IN = 5  # one trade outside the session in 5 updates the time alone, another is swapped


class Trade(NamedTuple):
    """`size` lots changed hands at `price` steps, in the trading session of this number."""

    due_ms: int
    session: int
    time: int
    price: int
    size: int


class Book(NamedTuple):
    """The best bid and ask changed without a trade; prices in steps, sizes in lots."""

    due_ms: int
    bid: int
    ask: int
    bid_size: int
    ask_size: int


class Phase(StrEnum):
    """A phase of an exchange's day, as the server names it."""

    MARKET = "market"
    PRE_MARKET = "pre_market"
    POST_MARKET = "post_market"
    OUT = "out_of_session"


class PhaseChange(NamedTuple):
    """The next phase of the exchange's day began."""

    due_ms: int
    phase: Phase


class OutsideTrade(NamedTuple):
    """A trade outside the session at `price` steps; `total` is the phase's volume so far, in lots.

    `price` is None for an update of the time alone.
    """

    due_ms: int
    phase: Phase
    time: int
    price: int | None
    total: int


MarketEvent = Trade | Book | PhaseChange | OutsideTrade


@dataclass(slots=True)
class Day:
    """The trading session of the last trade, so far: prices in steps, `total` volume in lots."""

    session: int
    previous_close: int
    open: int
    high: int
    low: int
    last: int
    total: int
    traded_at: int

    def add(self, trade: Trade) -> None:
        """Add a trade; the first trade of another session begins a new day."""
        if trade.session != self.session:
            self.session, self.previous_close, self.total = trade.session, self.last, 0
            self.open = self.high = self.low = trade.price
        self.high = max(self.high, trade.price)
        self.low = min(self.low, trade.price)
        self.last = trade.price
        self.total += trade.size
        self.traded_at = trade.time


def day_so_far(instrument: Instrument, now: int) -> Day | None:
    """Return the newest session with a trade at or before `now`; None if there is none."""
    for number in range(sessions(instrument.calendar).begun_by(now) - 1, -1, -1):
        previous_close, hours = _session(instrument, number)
        hours = hours[:, : np.searchsorted(hours[0], now, "right")]
        for index in range(hours.shape[1] - 1, -1, -1):
            start = int(hours[0, index])
            trades = trades_between(instrument, start, min(start + HOUR, now + 1))
            if trades.shape[1]:
                return _day(number, previous_close, hours[:, :index], trades)
    return None


def market_events(instrument: Instrument, after: int) -> Iterator[MarketEvent]:
    """Iterate over all events after the second `after` of the exchange's clock, in order.

    An event is due when clients receive it: after the symbol's delay, plus a fraction of a second
    that differs between symbols to spread them. A change of the book follows every other trade half
    a second later.
    """
    last = int(sessions(instrument.calendar).closes[-1])
    lead = _seed(instrument) % _BLOCK  # spreads the work of different symbols
    start = after + 1
    while start <= last:
        end = (start // _BLOCK + 1) * _BLOCK + lead
        yield from _block(instrument, start, end)
        start = end


def trades_between(instrument: Instrument, start: int, end: int) -> Ints:
    """Return the trades from `start` up to `end`: rows time, price, size."""
    calendar = sessions(instrument.calendar)
    first = int(np.searchsorted(calendar.closes, start, "right"))
    last = int(np.searchsorted(calendar.opens, end, "left"))
    if first >= last:
        return np.empty((3, 0), dtype=np.int64)
    hours = [_session(instrument, number)[1] for number in range(first, last)]
    minutes = paths.minutes_of(instrument, _overlapping(np.hstack(hours), HOUR, start, end))
    trades = paths.ticks_of(instrument, _overlapping(minutes, MINUTE, start, end))
    return trades[:, (trades[0] >= start) & (trades[0] < end)]


def phase_at(instrument: Instrument, now: int) -> Phase:
    """Return the phase of the exchange's day at `now` of its own clock."""
    if is_open(instrument.calendar, now):
        return Phase.MARKET
    for phase, part in _outside_phases(instrument):
        if is_open(part.calendar, now):
            return phase
    return Phase.OUT


def outside_so_far(instrument: Instrument, now: int) -> OutsideTrade | None:
    """Return the newest trade outside the session, None if one inside it followed."""
    if is_open(instrument.calendar, now):
        return None
    begun = [(_opened_at(part, now), phase, part) for phase, part in _outside_phases(instrument)]
    for opened_at, phase, part in sorted(begun, key=lambda each: -each[0]):
        trades = trades_between(part, opened_at, now + 1)
        if trades.shape[1]:
            time, price = trades[:2, -1].tolist()
            return OutsideTrade(0, phase, time, price, int(trades[2].sum()))
    return None


def book_around(price: int, size: int) -> tuple[int, int, int, int]:
    """Return best bid, best ask and their sizes after a trade of `size` lots at `price`."""
    return price - 1 - size % 3, price + 1 + size % 2, 1 + size % 97, 1 + size % 89


@lru_cache(maxsize=20_000)
def _session(instrument: Instrument, number: int) -> tuple[int, Ints]:
    """Return the close before a session (before the first, its open) and the traded hours."""
    rows = paths.some_days(instrument, max(0, number - 1), number + 1)
    previous_close = int(rows[4, 0]) if number else int(rows[1, 0])
    return previous_close, paths.hours_of(instrument, rows[:, -1:])


def _overlapping(rows: Ints, length: int, start: int, end: int) -> Ints:
    return rows[:, (rows[0] + length > start) & (rows[0] < end)]


def _day(number: int, previous_close: int, hours: Ints, trades: Ints) -> Day:
    times, prices, sizes = trades
    return Day(
        session=number,
        previous_close=previous_close,
        open=int(hours[1, 0] if hours.shape[1] else prices[0]),
        high=int(max(hours[2].max(initial=0), prices.max())),
        low=int(min(hours[3].min(initial=prices.min()), prices.min())),
        last=int(prices[-1]),
        total=int(hours[5].sum() + sizes.sum()),
        traded_at=int(times[-1]),
    )


def _block(instrument: Instrument, start: int, end: int) -> Iterator[MarketEvent]:
    in_session = _session_events(instrument, start, end)
    outside = [
        trade
        for phase, part in _outside_phases(instrument)
        for trade in _outside_trades(part, phase, start, end)
    ]
    return merge(in_session, outside, key=lambda market_event: market_event.due_ms)


def _outside_phases(instrument: Instrument) -> Iterator[tuple[Phase, Instrument]]:
    phases = (Phase.PRE_MARKET, Phase.POST_MARKET)
    return zip(phases, pre_and_post_market(instrument), strict=False)


def _opened_at(instrument: Instrument, now: int) -> int:
    calendar = sessions(instrument.calendar)
    return int(calendar.opens[calendar.begun_by(now) - 1])


def _outside_trades(part: Instrument, phase: Phase, start: int, end: int) -> list[OutsideTrade]:
    """Return the trades before the opening or after the close, as the server sends them."""
    if not trades_between(part, start, end).shape[1]:
        return []
    times, prices, sizes = trades_between(part, _opened_at(part, end - 1), end)
    rows = np.stack((times, prices, sizes, np.cumsum(sizes)))[:, times >= start]
    shift_ms = _seed(part) % _HALF_SECOND_MS
    trades: list[OutsideTrade] = []
    for time, price, size, total in rows.T.tolist():
        is_time_alone, is_swapped = size % _ONE_IN == 1, size % _ONE_IN == 2
        price_and_total = (None, 0) if is_time_alone else (price, total)
        trades.append(OutsideTrade(time * 1000 + shift_ms, phase, time, *price_and_total))
        if is_swapped and len(trades) > 1:
            before, last = trades[-2:]
            trades[-2:] = last._replace(due_ms=before.due_ms), before._replace(due_ms=last.due_ms)
    return trades


def _session_events(instrument: Instrument, start: int, end: int) -> Iterator[MarketEvent]:
    changes = _phase_changes(instrument, start, end)
    shift_ms = instrument.delay_seconds * 1000 + _seed(instrument) % _HALF_SECOND_MS
    for time, session, price, size in _trades_with_sessions(instrument, start, end):
        due_ms = time * 1000 + shift_ms
        while changes and changes[0].due_ms <= due_ms:
            yield changes.pop(0)
        yield Trade(due_ms, session, time, price, size)
        if size % 2:
            yield Book(due_ms + _HALF_SECOND_MS, *book_around(price, size))
    yield from changes


def _trades_with_sessions(
    instrument: Instrument, start: int, end: int
) -> Iterator[tuple[int, int, int, int]]:
    """Yield time, session, price and size of each trade, converted to Python's ints as needed."""
    times, prices, sizes = trades_between(instrument, start, end)
    numbers = np.searchsorted(sessions(instrument.calendar).opens, times, "right") - 1
    columns = (np.ascontiguousarray(column).data for column in (times, numbers, prices, sizes))
    return zip(*columns, strict=True)


def _phase_changes(instrument: Instrument, start: int, end: int) -> list[PhaseChange]:
    """Return the changes of phase; trading that follows other trading without a gap makes none."""
    delay, changes = instrument.delay_seconds, set()
    for part in (instrument, *pre_and_post_market(instrument)):
        calendar = sessions(part.calendar)
        first, last = calendar.trading_of(np.array((start - 1, end)))
        near = slice(max(0, first), last + 2)
        starts, ends = set(calendar.starts[near].tolist()), set(calendar.ends[near].tolist())
        changes |= starts ^ ends
    return [
        PhaseChange((time + delay) * 1000, phase_at(instrument, time))
        for time in sorted(changes)
        if start <= time < end
    ]


@lru_cache(maxsize=20_000)
def _seed(instrument: Instrument) -> int:
    return crc32(instrument.name.encode())
