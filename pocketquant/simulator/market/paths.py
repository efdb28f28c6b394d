"""Seeded random prices: days split into hours, hours into minutes, minutes into ticks.

The parts add up to their whole exactly: first open, last close, highest high, lowest low and the
sum of volumes. To be exact, prices are counted in whole steps and volumes in whole lots. Randomness
is a hash of the symbol and the time, so any part can be computed without the parts before it.
"""

from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.intervals import MINUTE
from pocketquant.simulator.market.calendars import Ints, sessions
from pocketquant.simulator.market.world import Instrument

MAX_TICKS = 12  # in a minute

_MIN_TICKS = 4
_MIN_MINUTE_VOLUME = MAX_TICKS  # a lot for each tick
_MIN_HOUR_VOLUME = 60 * _MIN_MINUTE_VOLUME
_LOG_STEPS = 1_000_000  # steps of the price's logarithm to a factor of e
_MAX_WALK = 900_000  # the most such steps up or down from the first price
_SHARE_OF_RANGE = 0.6  # the part of a range that the random walk fills
_FIELD_BITS = 12  # bits of a hash that make one random number
_MASK = (1 << _FIELD_BITS) - 1

Hashes = NDArray[np.uint64]
Flags = NDArray[np.bool_]


@lru_cache(maxsize=64)
def days(instrument: Instrument) -> Ints:
    """Return every session, past and future: rows time, open, high, low, close, volume."""
    return some_days(instrument, 0, len(sessions(instrument.calendar).opens))


def some_days(instrument: Instrument, first: int, last: int) -> Ints:
    """Return sessions `first` up to `last`, in the rows of `days`, with less work."""
    calendar = sessions(instrument.calendar)
    shape = _hashes(instrument, "shape", calendar.dates[first:last])
    before, close = _closes(instrument, calendar.dates[:last], first)
    swing = close * instrument.volatility
    gap = 0.0 if instrument.calendar.is_continuous else 0.2 * swing * (_fraction(shape, 0) - 0.5)
    opens = before + _rounded(gap)
    high = np.maximum(opens, close) + 1 + _rounded(swing * _fraction(shape, 1))
    low = np.minimum(opens, close) - 1 - _rounded(swing * _fraction(shape, 2))
    lots = instrument.day_volume * instrument.lots_per_unit
    volume = _rounded(lots * (0.5 + _fraction(shape, 3)))
    return np.stack((calendar.opens[first:last], opens, high, low, close, volume))


def hours(instrument: Instrument, first: int, last: int) -> Ints:
    """Return the traded hours of sessions `first` up to `last`.

    Hours count from a session's opening and from the end of a break; those before a break and
    before the close may be shorter.
    """
    return hours_of(instrument, days(instrument)[:, first:last])


def hours_of(instrument: Instrument, whole: Ints) -> Ints:
    """Split days into their traded hours."""
    calendar = sessions(instrument.calendar)
    hours, firsts = calendar.hours
    numbers = np.searchsorted(calendar.opens, whole[0])
    first, last = firsts[numbers][:, None], firsts[numbers + 1][:, None]
    places = first + np.arange(np.max(last - first, initial=1))
    times = hours[np.minimum(places, last - 1)]
    noise = _hashes(instrument, "hour", times)
    trading = _trading(instrument, noise) & (places < last)
    return _split(whole, times, noise, trading, _MIN_HOUR_VOLUME)


def minutes(instrument: Instrument, first: int, last: int) -> Ints:
    """Return the traded minutes of sessions `first` up to `last`."""
    return minutes_of(instrument, hours(instrument, first, last))


def minutes_of(instrument: Instrument, whole: Ints) -> Ints:
    """Split hours into their traded minutes."""
    times, are_open = minutes_in(instrument, whole[0])
    noise = _hashes(instrument, "minute", times)
    trading = _trading(instrument, noise) & are_open
    return _split(whole, times, noise, trading, _MIN_MINUTE_VOLUME)


def minutes_in(instrument: Instrument, hours: Ints) -> tuple[Ints, Flags]:
    """Return the 60 minutes of each hour, and in which of them the exchange is open."""
    times = hours[:, None] + MINUTE * np.arange(60)
    calendar = sessions(instrument.calendar)
    return times, times < calendar.ends[calendar.trading_of(hours)][:, None]


def ticks(instrument: Instrument, minute: Ints) -> Ints:
    """Split one minute, a column, into its trades: rows time, price, size."""
    return ticks_of(instrument, minute[:, None])


def ticks_of(instrument: Instrument, whole: Ints) -> Ints:
    """Split minutes into their trades: rows time, price, size.

    Trades never share a second. The first of a minute makes its open, the last its close.
    """
    time, opens, high, low, close, volume = (column[:, None] for column in whole)
    noise = _hashes(instrument, "tick", time + np.arange(MAX_TICKS + 1))
    spread = np.uint64(MAX_TICKS - _MIN_TICKS + 1)
    count = _MIN_TICKS + (noise[:, -1:] % spread).astype(np.int64)
    noise, numbers = noise[:, :-1], np.arange(MAX_TICKS)
    offsets = (numbers * MINUTE + _rounded(_fraction(noise, 0) * (MINUTE - count))) // count
    prices = low + _rounded(_fraction(noise, 1) * (high - low))
    is_inner = (numbers > 0) & (numbers < count - 1)
    order = np.argsort(np.where(is_inner, _field(noise, 2), _MASK + 1), axis=1, kind="stable")
    ends = np.concatenate((np.zeros_like(count), order[:, :2], count - 1), axis=1)
    np.put_along_axis(prices, ends, np.concatenate((opens, high, low, close), axis=1), axis=1)
    is_trade = numbers < count
    sizes = 1 + _shares((volume - count)[:, 0], (1 + _field(noise, 3)) * is_trade)
    return np.stack([part[is_trade] for part in (time + offsets, prices, sizes)])


def merge(rows: Ints, keys: Ints) -> Ints:
    """Merge each run of bars with equal keys into one bar, at the time of its first."""
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
    """Return the previous close and the close of each session from `first` on.

    The random walk starts at the first session, in 2000.
    """
    steps = _rounded(
        _normal(_hashes(instrument, "walk", dates)) * instrument.volatility * _LOG_STEPS
    )
    drift = np.cumsum(steps)[max(0, first - 1) :]
    price = instrument.first_price * instrument.pricescale
    close = _rounded(price * np.exp(_fold(drift, -_MAX_WALK, _MAX_WALK) / _LOG_STEPS))
    if first:
        return close[:-1], close[1:]
    return np.concatenate(([_rounded(price)], close[:-1])), close


def _split(whole: Ints, times: Ints, noise: Hashes, trading: Flags, least: int) -> Ints:
    """Split each of n bars into its trading parts; `times`, `noise`, `trading` are (n, parts).

    The close walks at random from the bar's open to its close, reflected at its high and low, and
    stands still in parts without trades. The parts nearest to the high and the low reach them.
    """
    opening, highest, lowest, closing = (column[:, None] for column in whole[1:5])
    span = highest - lowest
    walk = np.cumsum((_field(noise, 0) - (_MASK + 1) // 2) * trading, axis=1)
    done = np.cumsum(trading, axis=1)
    progress = done / done[:, -1:]
    bridge = walk - walk[:, -1:] * progress
    reach = _SHARE_OF_RANGE * span / np.maximum(np.abs(bridge).max(axis=1, keepdims=True), 1)
    path = opening + (closing - opening) * progress + bridge * reach
    close = _fold(_rounded(path), lowest, highest)
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
    """Distribute each total in whole numbers by the weights of its row, without a rest."""
    running = np.cumsum(weights, axis=1)
    running = totals[:, None] * running // running[:, -1:]
    return np.diff(running, axis=1, prepend=0)


def _trading(instrument: Instrument, noise: Hashes) -> Flags:
    """Return which parts trade: all but some of thinly traded symbols; the first always does."""
    trading = _fraction(noise, 4) < instrument.trading_share
    trading[:, 0] = True
    return np.asarray(trading)


def _hashes(instrument: Instrument, purpose: str, numbers: Ints) -> Hashes:
    """Return a random 64-bit number for each number, by splitmix64."""
    seed = _seed(instrument.name, purpose)
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + seed
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


@lru_cache(maxsize=1024)
def _seed(name: str, purpose: str) -> np.uint64:
    digest = blake2b(f"{name}/{purpose}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def _field(noise: Hashes, index: int) -> Ints:
    """Return one of five random whole numbers from 0 to 4095 in each hash."""
    return ((noise >> np.uint64(index * _FIELD_BITS)) & np.uint64(_MASK)).astype(np.int64)


def _fraction(noise: Hashes, index: int) -> NDArray[np.float64]:
    """Return `_field` scaled to at least 0 and below 1."""
    return np.asarray(_field(noise, index) / (_MASK + 1))


def _normal(noise: Hashes) -> NDArray[np.float64]:
    """Return nearly normal numbers of mean 0 and standard deviation 1."""
    return 2 * (_fraction(noise, 0) + _fraction(noise, 1) + _fraction(noise, 2) - 1.5)


def _rounded(values: NDArray[np.float64] | float) -> Ints:
    return np.asarray(np.rint(values).astype(np.int64))


def _fold(values: Ints, low: Ints | int, high: Ints | int) -> Ints:
    """Reflect values outside [low, high] back into it, as between two mirrors."""
    span = high - low
    depth = (values - low) % np.maximum(2 * span, 1)
    return np.asarray(low + np.minimum(depth, 2 * span - depth))
