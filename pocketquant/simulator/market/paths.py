"""The seeded path of a price: days split into hours, hours into minutes, minutes into ticks.

Each part adds up to its whole exactly: its first open, last close, highest high, lowest low and
the sum of its volumes are those of the whole. To be exact, everything here is counted in whole
price steps and whole lots. Nothing is drawn in order: each part's chance is a hash of the symbol
and its time, so any stretch of the path can be had without the rest.
"""

from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.intervals import HOUR, MINUTE
from pocketquant.simulator.market.calendars import Ints, sessions
from pocketquant.simulator.market.world import Instrument

MOST_TICKS = 12  # of a minute

_FEWEST_TICKS = 4
_LEAST_OF_MINUTE = MOST_TICKS  # a lot for each tick
_LEAST_OF_HOUR = 60 * _LEAST_OF_MINUTE
_FINE = 1_000_000  # steps of the logarithm of the price
_LONGEST_WALK = 900_000  # such steps, up and down from the first price
_SHARE_OF_RANGE = 0.6  # how much of its range a price's own walk fills
_FIELD = 12  # bits of a hash that make one random number
_MASK = (1 << _FIELD) - 1

Hashes = NDArray[np.uint64]
Flags = NDArray[np.bool_]


@lru_cache(maxsize=64)
def days(instrument: Instrument) -> Ints:
    """Every session of the symbol, past and to come: rows time, open, high, low, close, volume."""
    return some_days(instrument, 0, len(sessions(instrument.calendar).opens))


def some_days(instrument: Instrument, first: int, last: int) -> Ints:
    """The same of sessions `first` up to `last` alone, which is less work."""
    calendar = sessions(instrument.calendar)
    shape = _hashes(instrument, "shape", calendar.dates[first:last])
    before, close = _closes(instrument, calendar.dates[:last], first)
    stretch = close * instrument.volatility
    gap = 0.0 if instrument.calendar.is_continuous else 0.2 * stretch * (_part(shape, 0) - 0.5)
    opens = before + _whole(gap)
    high = np.maximum(opens, close) + 1 + _whole(stretch * _part(shape, 1))
    low = np.minimum(opens, close) - 1 - _whole(stretch * _part(shape, 2))
    lots = instrument.day_volume * instrument.lots_per_unit
    volume = _whole(lots * (0.5 + _part(shape, 3)))
    return np.stack((calendar.opens[first:last], opens, high, low, close, volume))


def hours(instrument: Instrument, first: int, last: int) -> Ints:
    """The traded hours of sessions `first` up to `last`; the last hour of a session may be short.

    Hours count from the session's opening.
    """
    return hours_of(instrument, days(instrument)[:, first:last])


def hours_of(instrument: Instrument, whole: Ints) -> Ints:
    """The traded hours of some days."""
    length = -(-instrument.calendar.minutes // 60)
    times = whole[0][:, None] + HOUR * np.arange(length)
    noise = _hashes(instrument, "hour", times)
    return _split(whole, times, noise, _trading(instrument, noise), _LEAST_OF_HOUR)


def minutes(instrument: Instrument, first: int, last: int) -> Ints:
    """The traded minutes of sessions `first` up to `last`."""
    return minutes_of(instrument, hours(instrument, first, last))


def minutes_of(instrument: Instrument, whole: Ints) -> Ints:
    """The traded minutes of some hours."""
    times = whole[0][:, None] + MINUTE * np.arange(60)
    noise = _hashes(instrument, "minute", times)
    trading = _trading(instrument, noise)
    if instrument.calendar.minutes % 60:
        trading &= times < _session_ends(instrument, whole[0])[:, None]
    return _split(whole, times, noise, trading, _LEAST_OF_MINUTE)


def ticks(instrument: Instrument, minute: Ints) -> Ints:
    """The trades that make the minute of one row: rows time, price, size."""
    return ticks_of(instrument, minute[:, None])


def ticks_of(instrument: Instrument, whole: Ints) -> Ints:
    """The trades that make some minutes: rows time, price, size.

    No two are in the same second. The first of a minute is its open, the last its close.
    """
    time, opens, high, low, close, volume = (column[:, None] for column in whole)
    noise = _hashes(instrument, "tick", time + np.arange(MOST_TICKS + 1))
    spread = np.uint64(MOST_TICKS - _FEWEST_TICKS + 1)
    count = _FEWEST_TICKS + (noise[:, -1:] % spread).astype(np.int64)
    noise, places = noise[:, :-1], np.arange(MOST_TICKS)
    offsets = (places * MINUTE + _whole(_part(noise, 0) * (MINUTE - count))) // count
    prices = low + _whole(_part(noise, 1) * (high - low))
    is_inner = (places > 0) & (places < count - 1)
    order = np.argsort(np.where(is_inner, _field(noise, 2), _MASK + 1), axis=1, kind="stable")
    ends = np.concatenate((np.zeros_like(count), order[:, :2], count - 1), axis=1)
    np.put_along_axis(prices, ends, np.concatenate((opens, high, low, close), axis=1), axis=1)
    is_trade = places < count
    sizes = 1 + _shares((volume - count)[:, 0], (1 + _field(noise, 3)) * is_trade)
    return np.stack([part[is_trade] for part in (time + offsets, prices, sizes)])


def merge(rows: Ints, keys: Ints) -> Ints:
    """One row for each run of equal keys; its time is that of its first row."""
    starts = np.flatnonzero(np.diff(keys, prepend=keys[:1] - 1))
    if len(starts) == rows.shape[1]:
        return rows
    ends = np.append(starts[1:], rows.shape[1]) - 1
    return np.stack(
        (
            rows[0, starts],
            rows[1, starts],
            np.maximum.reduceat(rows[2], starts),
            np.minimum.reduceat(rows[3], starts),
            rows[4, ends],
            np.add.reduceat(rows[5], starts),
        )
    )


def _closes(instrument: Instrument, dates: Ints, first: int) -> tuple[Ints, Ints]:
    """What each session from `first` on closed at, and the one before it; the walk is from 2000."""
    steps = _whole(_bell(_hashes(instrument, "walk", dates)) * instrument.volatility * _FINE)
    drift = np.cumsum(steps)[max(0, first - 1) :]
    price = instrument.first_price * instrument.pricescale
    close = _whole(price * np.exp(_fold(drift, -_LONGEST_WALK, _LONGEST_WALK) / _FINE))
    if first:
        return close[:-1], close[1:]
    return np.concatenate(([_whole(price)], close[:-1])), close


def _split(whole: Ints, times: Ints, noise: Hashes, trading: Flags, least: int) -> Ints:
    """Split each of n wholes into its trading parts; `times`, `noise`, `trading` are (n, parts).

    The close walks at random from the whole's open to its close, reflected at its high and low,
    and stands still where there is no trade; the parts that come nearest to the high and the low
    reach them.
    """
    opening, highest, lowest, closing = (column[:, None] for column in whole[1:5])
    span = highest - lowest
    walk = np.cumsum((_field(noise, 0) - (_MASK + 1) // 2) * trading, axis=1)
    done = np.cumsum(trading, axis=1)
    progress = done / done[:, -1:]
    bridge = walk - walk[:, -1:] * progress
    reach = _SHARE_OF_RANGE * span / np.maximum(np.abs(bridge).max(axis=1, keepdims=True), 1)
    path = opening + (closing - opening) * progress + bridge * reach
    close = _fold(_whole(path), lowest, highest)
    opens = np.concatenate((opening, close[:, :-1]), axis=1)
    wick = span // 64 + 1
    high = np.minimum(np.maximum(opens, close) + _field(noise, 1) % wick, highest)
    low = np.maximum(np.minimum(opens, close) - _field(noise, 2) % wick, lowest)
    every = np.arange(len(high))
    high[every, np.where(trading, high, lowest - 1).argmax(axis=1)] = whole[2]
    low[every, np.where(trading, low, highest + 1).argmin(axis=1)] = whole[3]
    spare = whole[5] - least * done[:, -1]
    volume = least + _shares(spare, (64 + _field(noise, 3)) * trading)
    return np.stack([part[trading] for part in (times, opens, high, low, close, volume)])


def _shares(totals: Ints, weights: Ints) -> Ints:
    """Each total handed out in whole numbers by the weights of its row, none left over."""
    handed = np.cumsum(weights, axis=1)
    handed = totals[:, None] * handed // handed[:, -1:]
    return np.diff(handed, axis=1, prepend=0)


def _trading(instrument: Instrument, noise: Hashes) -> Flags:
    """Where there is trade: everywhere but in thin symbols; the first part always trades."""
    trading = _part(noise, 4) < instrument.trading_share
    trading[:, 0] = True
    return np.asarray(trading)


def _session_ends(instrument: Instrument, times: Ints) -> Ints:
    calendar = sessions(instrument.calendar)
    return np.asarray(calendar.closes[np.searchsorted(calendar.opens, times, "right") - 1])


def _hashes(instrument: Instrument, purpose: str, numbers: Ints) -> Hashes:
    """A random 64-bit number for each number, by splitmix64."""
    seed = _seed(instrument.name, purpose)
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + seed
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


@lru_cache(maxsize=1024)
def _seed(name: str, purpose: str) -> np.uint64:
    digest = blake2b(f"{name}/{purpose}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def _field(noise: Hashes, place: int) -> Ints:
    """The `place`-th random whole number, from 0 to 4095, of each hash; there are five."""
    return ((noise >> np.uint64(place * _FIELD)) & np.uint64(_MASK)).astype(np.int64)


def _part(noise: Hashes, place: int) -> NDArray[np.float64]:
    """The same from 0 to just under 1."""
    return np.asarray(_field(noise, place) / (_MASK + 1))


def _bell(noise: Hashes) -> NDArray[np.float64]:
    """A nearly normal number of mean 0 and deviation 1."""
    return 2 * (_part(noise, 0) + _part(noise, 1) + _part(noise, 2) - 1.5)


def _whole(values: NDArray[np.float64] | float) -> Ints:
    return np.asarray(np.rint(values).astype(np.int64))


def _fold(values: Ints, low: Ints | int, high: Ints | int) -> Ints:
    """Reflect what leaves [low, high] back into it, as between two mirrors."""
    span = high - low
    depth = (values - low) % np.maximum(2 * span, 1)
    return np.asarray(low + np.minimum(depth, 2 * span - depth))
