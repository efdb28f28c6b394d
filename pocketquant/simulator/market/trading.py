"""What happens to a symbol, one thing after the other: its trades, its book, its exchange's bell.

Of a US stock also what is traded before the opening and after the close. That comes as the real
server sends it: the time of the last trade may move alone, and two updates may be swapped.

Of any moment it can be told without what was before, and it is what the bars are made of.
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
from pocketquant.simulator.market.world import Instrument, outside

_BLOCK = 30 * MINUTE  # looked up at a time
_HALF_SECOND_MS = 500
_ONE_IN = 5  # trades outside the session: is told as a time alone; is told after the next


class Trade(NamedTuple):
    """`size` lots changed hands at `price` steps, in the trading session of this number."""

    due_ms: int
    session: int
    time: int
    price: int
    size: int


class Book(NamedTuple):
    """The best offers changed, in steps and lots; nothing was traded."""

    due_ms: int
    bid: int
    ask: int
    bid_size: int
    ask_size: int


class Phase(StrEnum):
    """What a moment is to an exchange, in the server's words."""

    MARKET = "market"
    PRE_MARKET = "pre_market"
    POST_MARKET = "post_market"
    OUT = "out_of_session"


class PhaseChange(NamedTuple):
    """Another phase of the exchange's day began."""

    due_ms: int
    phase: Phase


class OutsideTrade(NamedTuple):
    """A trade outside the session, at `price` steps, with the lots traded in this phase so far.

    `price` is None where nothing but the time is told.
    """

    due_ms: int
    phase: Phase
    time: int
    price: int | None
    total: int


MarketEvent = Trade | Book | PhaseChange | OutsideTrade


@dataclass(slots=True)
class Day:
    """The trading session of the last trade, so far. Prices in steps, `total` in lots.

    `before` is what the session before it closed at.
    """

    session: int
    before: int
    open: int
    high: int
    low: int
    last: int
    total: int
    traded_at: int

    def add(self, trade: Trade) -> None:
        """Take a trade in; the first of another session begins a new day."""
        if trade.session != self.session:
            self.session, self.before, self.total = trade.session, self.last, 0
            self.open = self.high = self.low = trade.price
        self.high = max(self.high, trade.price)
        self.low = min(self.low, trade.price)
        self.last = trade.price
        self.total += trade.size
        self.traded_at = trade.time


def day_so_far(instrument: Instrument, now: int) -> Day | None:
    """The newest session with a trade at or before `now`."""
    for number in range(sessions(instrument.calendar).begun_by(now) - 1, -1, -1):
        before, hours = _session(instrument, number)
        hours = hours[:, : np.searchsorted(hours[0], now, "right")]
        for place in range(hours.shape[1] - 1, -1, -1):
            begun = int(hours[0, place])
            trades = trades_between(instrument, begun, min(begun + HOUR, now + 1))
            if trades.shape[1]:
                return _day(number, before, hours[:, :place], trades)
    return None


def market_events(instrument: Instrument, after: int) -> Iterator[MarketEvent]:
    """All that happens after the second `after` of the exchange, in order.

    It is due when a client hears of it: later by the symbol's delay and, so that not all symbols
    move at once, by a part of a second of its own. Half of the trades are followed by a change of
    the book, half a second later.
    """
    last = int(sessions(instrument.calendar).closes[-1])
    lead = _chance(instrument) % _BLOCK  # not all symbols are looked up at once
    start = after + 1
    while start <= last:
        end = (start // _BLOCK + 1) * _BLOCK + lead
        yield from _block(instrument, start, end)
        start = end


def trades_between(instrument: Instrument, start: int, end: int) -> Ints:
    """The trades from `start` up to `end`: rows time, price, size."""
    calendar = sessions(instrument.calendar)
    first = int(np.searchsorted(calendar.closes, start, "right"))
    last = int(np.searchsorted(calendar.opens, end, "left"))
    if first >= last:
        return np.empty((3, 0), dtype=np.int64)
    hours = [_session(instrument, number).hours for number in range(first, last)]
    minutes = paths.minutes_of(instrument, _overlapping(np.hstack(hours), HOUR, start, end))
    trades = paths.ticks_of(instrument, _overlapping(minutes, MINUTE, start, end))
    return trades[:, (trades[0] >= start) & (trades[0] < end)]


def phase_at(instrument: Instrument, now: int) -> Phase:
    """The phase of the exchange's day, by its own clock."""
    if is_open(instrument.calendar, now):
        return Phase.MARKET
    for phase, part in _outside(instrument):
        if is_open(part.calendar, now):
            return phase
    return Phase.OUT


def outside_so_far(instrument: Instrument, now: int) -> OutsideTrade | None:
    """The newest trade outside the session since the last one in it, by the exchange's clock."""
    if is_open(instrument.calendar, now):
        return None
    begun = [
        (int(sessions(part.calendar).opens[sessions(part.calendar).begun_by(now) - 1]), phase, part)
        for phase, part in _outside(instrument)
    ]
    for opened, phase, part in sorted(begun, key=lambda each: -each[0]):
        trades = trades_between(part, opened, now + 1)
        if trades.shape[1]:
            time, price = trades[:2, -1].tolist()
            return OutsideTrade(0, phase, time, price, int(trades[2].sum()))
    return None


def book_around(price: int, size: int) -> tuple[int, int, int, int]:
    """The best bid and ask when `size` lots have just been traded at `price`, and their sizes."""
    return price - 1 - size % 3, price + 1 + size % 2, 1 + size % 97, 1 + size % 89


class _Session(NamedTuple):
    before: int
    hours: Ints


@lru_cache(maxsize=20_000)
def _session(instrument: Instrument, number: int) -> _Session:
    """The traded hours of a session, and what the one before it closed at (the first: its open)."""
    rows = paths.some_days(instrument, max(0, number - 1), number + 1)
    before = int(rows[4, 0]) if number else int(rows[1, 0])
    return _Session(before, paths.hours_of(instrument, rows[:, -1:]))


def _overlapping(rows: Ints, length: int, start: int, end: int) -> Ints:
    return rows[:, (rows[0] + length > start) & (rows[0] < end)]


def _day(number: int, before: int, hours: Ints, trades: Ints) -> Day:
    times, prices, sizes = trades
    return Day(
        session=number,
        before=before,
        open=int(hours[1, 0] if hours.shape[1] else prices[0]),
        high=int(max(hours[2].max(initial=0), prices.max())),
        low=int(min(hours[3].min(initial=prices.min()), prices.min())),
        last=int(prices[-1]),
        total=int(hours[5].sum() + sizes.sum()),
        traded_at=int(times[-1]),
    )


def _block(instrument: Instrument, start: int, end: int) -> Iterator[MarketEvent]:
    within = _within(instrument, start, end)
    told_outside = [
        each for phase, part in _outside(instrument) for each in _told(part, phase, start, end)
    ]
    return merge(within, told_outside, key=lambda market_event: market_event.due_ms)


def _outside(instrument: Instrument) -> Iterator[tuple[Phase, Instrument]]:
    phases = (Phase.PRE_MARKET, Phase.POST_MARKET)
    return zip(phases, outside(instrument), strict=False)


def _told(part: Instrument, phase: Phase, start: int, end: int) -> list[OutsideTrade]:
    """What is told of the trades before the opening or after the close."""
    if not trades_between(part, start, end).shape[1]:
        return []
    calendar = sessions(part.calendar)
    opened = int(calendar.opens[calendar.begun_by(end - 1) - 1])
    times, prices, sizes = trades_between(part, opened, end)
    rows = np.stack((times, prices, sizes, np.cumsum(sizes)))[:, times >= start]
    shift_ms = _chance(part) % _HALF_SECOND_MS
    told: list[OutsideTrade] = []
    for time, price, size, total in rows.T.tolist():
        is_time_alone, is_swapped = size % _ONE_IN == 1, size % _ONE_IN == 2
        known = (None, 0) if is_time_alone else (price, total)
        told.append(OutsideTrade(time * 1000 + shift_ms, phase, time, *known))
        if is_swapped and len(told) > 1:
            before, last = told[-2:]
            told[-2:] = last._replace(due_ms=before.due_ms), before._replace(due_ms=last.due_ms)
    return told


def _within(instrument: Instrument, start: int, end: int) -> Iterator[MarketEvent]:
    bells = _bells(instrument, start, end)
    shift_ms = instrument.delay_seconds * 1000 + _chance(instrument) % _HALF_SECOND_MS
    for time, session, price, size in _listed(instrument, start, end):
        due_ms = time * 1000 + shift_ms
        while bells and bells[0].due_ms <= due_ms:
            yield bells.pop(0)
        yield Trade(due_ms, session, time, price, size)
        if size % 2:
            yield Book(due_ms + _HALF_SECOND_MS, *book_around(price, size))
    yield from bells


def _listed(instrument: Instrument, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Time, session, price and size of each trade; not as objects before they are wanted."""
    times, prices, sizes = trades_between(instrument, start, end)
    numbers = np.searchsorted(sessions(instrument.calendar).opens, times, "right") - 1
    columns = (np.ascontiguousarray(column).data for column in (times, numbers, prices, sizes))
    return zip(*columns, strict=True)


def _bells(instrument: Instrument, start: int, end: int) -> list[PhaseChange]:
    """None where one session begins as the one before it ends."""
    delay, changes = instrument.delay_seconds, set()
    for part in (instrument, *outside(instrument)):
        calendar = sessions(part.calendar)
        near = slice(max(0, calendar.begun_by(start - 1) - 1), calendar.begun_by(end) + 1)
        opens, closes = set(calendar.opens[near].tolist()), set(calendar.closes[near].tolist())
        changes |= opens ^ closes
    return [
        PhaseChange((time + delay) * 1000, phase_at(instrument, time))
        for time in sorted(changes)
        if start <= time < end
    ]


@lru_cache(maxsize=20_000)
def _chance(instrument: Instrument) -> int:
    return crc32(instrument.name.encode())
