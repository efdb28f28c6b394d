"""Compares fetched bars with the stored ones of the same times: has the past another scale?

A split rescales all older bars at the provider, by one ratio. Prices are rounded to the tick, so a
pair of prices only bounds the ratio; the bars of one scale are those whose bounds have a common
part. From new to old, bars fall into runs of one scale each. The newest run often has the ratio 1:
the bars since the split, if the provider adjusted its history late. Two splits make two more runs.

A dividend multiplies the past of a series that is adjusted for dividends, often by less than a tick
of a cheap share. No pair of prices shows that; but nearly all prices that move then move one way.
"""

from dataclasses import dataclass
from math import ceil, isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars, Floats

OVERLAP_BARS = 10  # the fewest that an increment is compared by

_SHORTEST_RUN = 3  # a shorter one may be bars that were corrected
_MOST_RUNS = 64
_MOST_OUTLIERS = 0.1  # the part of the bars that fits into no run
_MOST_REVISED = 0.5
_LEAST_CHANGED = 0.5  # of the bars of another scale; prices of few ticks round to what they were
_MOST_UNSURE = 0.05  # of a ratio, from bound to bound
_MOST_NEW_SHARES = 100  # for so many old ones: the largest numbers in the ratio of a split
_LEAST_DIVIDEND_FACTOR = 0.8  # a change by more is a split
_SURE_DEVIATIONS = 5  # of the moves one way from as many each way
_MOST_DECIMALS = 8
_TICKS = (1, 2, 5, 25, 125, 625, 3125)  # digits of usual ticks, such as 0.01, 0.25 and 1/32
_SLACK = 1e-6  # of a tick: floats of rounded prices are not exact
_VOLUME_SLACK = 0.02
_PRICES, _VOLUME = slice(1, 5), 5

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Unchanged:
    """No price differs."""


@dataclass(frozen=True, slots=True)
class Revised:
    """The provider changed the prices of so many bars, one by one."""

    count: int


@dataclass(frozen=True, slots=True)
class Split:
    """Prices before a time were multiplied by the factor: by 0.1 after a split of 10 for 1."""

    before: int
    factor: float

    @property
    def is_small(self) -> bool:
        """Return whether a dividend may be the reason, or one that was undone."""
        return _LEAST_DIVIDEND_FACTOR < self.factor < 1 / _LEAST_DIVIDEND_FACTOR


@dataclass(frozen=True, slots=True)
class Rescaled:
    """The past has another scale.

    Bars older than the compared ones are to be multiplied: prices by `factor`, volumes by
    `volume_factor`. Then they are rounded where the provider rounds: prices to `tick`, volumes to
    whole numbers. `splits` go from new to old.
    """

    splits: tuple[Split, ...]
    factor: float
    volume_factor: float = 1.0
    tick: float | None = None
    has_whole_volumes: bool = False

    def apply(self, bars: Bars) -> Bars:
        """Return older bars in the new scale."""
        columns = bars.columns.copy()
        columns[_PRICES] *= self.factor
        columns[_VOLUME] *= self.volume_factor
        if self.tick is not None:
            steps = np.maximum(1, np.rint(columns[_PRICES] / self.tick))
            columns[_PRICES] = _on_grid(steps, self.tick)
        if self.has_whole_volumes:
            columns[_VOLUME] = np.rint(columns[_VOLUME])
        return Bars(columns)


@dataclass(frozen=True, slots=True)
class Suspect:
    """So many of the compared bars have other prices, and no ratio explains it."""

    changed: int
    compared: int


Verdict = Unchanged | Revised | Rescaled | Suspect


@dataclass(frozen=True, slots=True)
class Compared:
    """The verdict; `from_first`: the oldest bar that both have is changed, so older ones may be."""

    verdict: Verdict
    count: int
    from_first: bool = False


def compare(
    stored: Bars, fetched: Bars, tick: float | None, by_dividends: bool = False
) -> Compared:
    """Compare the bars that both have; an unknown tick is read off the prices.

    With `by_dividends`, the series is adjusted for dividends too.
    """
    old, new = _common(stored, fetched)
    count = old.shape[1]
    if (old[_PRICES] == new[_PRICES]).all():
        return Compared(Unchanged(), count)
    tick = tick or _tick_of(old, new)
    lows, highs = _bounds(old[_PRICES], new[_PRICES], tick)
    is_changed = (lows > 1) | (highs < 1) | (lows > highs)
    changed, from_first = int(np.count_nonzero(is_changed)), bool(is_changed[0])
    differ = (old[_PRICES] != new[_PRICES]).any(axis=0)
    paid = _paid(old, new, differ, tick) if by_dividends else None
    if paid is not None:
        splits = _splits([paid], old[0], fetched)
        return Compared(_rescaled(paid, splits, old, new, tick), count, from_first=True)
    if not from_first and changed <= _MOST_REVISED * count:
        from_first = by_dividends and bool(differ[0])  # more bars may show a dividend
        return Compared(Revised(int(np.count_nonzero(differ))), count, from_first)
    runs = _long_runs(lows, highs)
    if sum(len(run.places) for run in runs) < (1 - _MOST_OUTLIERS) * count:
        return Compared(Suspect(changed, count), count, from_first)
    oldest = runs[-1]
    if oldest.has(1.0) or differ[oldest.places].mean() < _LEAST_CHANGED:
        is_revised = changed <= _MOST_REVISED * count
        verdict = Revised(changed) if is_revised else Suspect(changed, count)
        return Compared(verdict, count, from_first)
    if oldest.high > oldest.low * (1 + _MOST_UNSURE):
        return Compared(Suspect(changed, count), count, from_first)
    splits = _splits(runs, old[0], fetched)
    return Compared(_rescaled(oldest, splits, old, new, tick), count, from_first)


@dataclass(frozen=True, slots=True)
class _Run:
    """Consecutive bars, and the bounds of the ratio that all of them have."""

    places: NDArray[np.intp]
    low: float
    high: float

    def has(self, ratio: float) -> bool:
        return self.low <= ratio <= self.high

    def joined(self, older: "_Run") -> "_Run | None":
        """Return both as one run; None if no ratio fits both."""
        low, high = max(self.low, older.low), min(self.high, older.high)
        places = np.concatenate((older.places, self.places))
        return _Run(places, low, high) if low <= high else None


def _common(stored: Bars, fetched: Bars) -> tuple[Floats, Floats]:
    """Return the columns of the bars that open at the same times."""
    _, of_stored, of_fetched = np.intersect1d(
        stored.time, fetched.time, assume_unique=True, return_indices=True
    )
    return stored.columns[:, of_stored], fetched.columns[:, of_fetched]


def _tick_of(*blocks: Floats) -> float:
    """Return the largest usual tick that all prices are multiples of.

    Few prices may have a greater number in common: a stock at 6.06 alone has no tick of 6.06.
    """
    prices = np.concatenate([block[_PRICES].ravel() for block in blocks])
    is_fine = (each for each in range(_MOST_DECIMALS) if _are_on_grid(prices, 10.0**-each))
    per_unit = 10.0 ** next(is_fine, _MOST_DECIMALS)
    steps = np.rint(prices * per_unit).astype(np.int64)
    common = max(1, int(np.gcd.reduce(steps)))
    usual = [digits * 10**zeros for digits in _TICKS for zeros in range(len(str(common)))]
    tick: float = max(each for each in usual if common % each == 0) / per_unit
    return tick


def _are_on_grid(prices: Floats, tick: float) -> bool:
    steps = prices / tick
    return bool((np.abs(steps - np.rint(steps)) <= _SLACK).all())


def _on_grid(steps: Floats, tick: float) -> Floats:
    """Return prices of whole steps, as a decimal number of the provider is read."""
    per_unit = round(1 / tick)
    is_part = per_unit > 0 and abs(per_unit * tick - 1) < _SLACK
    return steps / per_unit if is_part else steps * tick


def _bounds(old: Floats, new: Floats, tick: float) -> tuple[Floats, Floats]:
    """Return the lowest and highest ratio of each bar; the lowest is above if none fits.

    New prices may have been rounded twice, after each of two splits. Prices of less than a tick
    have no ratio: such a bar fits any if it is equal, else none.
    """
    whole = tick * (1 + _SLACK)
    half = whole / 2
    is_priced = ((old > half) & (new > half)).all(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        lows = ((new - whole) / (old + half)).max(axis=0)
        highs = ((new + whole) / (old - half)).min(axis=0)
    is_same = (old == new).all(axis=0)
    lows = np.where(is_priced, lows, np.where(is_same, 0.0, np.inf))
    return lows, np.where(is_priced, highs, np.where(is_same, np.inf, 0.0))


def _paid(old: Floats, new: Floats, differ: Flags, tick: float) -> _Run | None:
    """Return the run of all bars before one dividend; None if there is no sure sign of it.

    Prices that were corrected by chance move both ways; those of one kind or time may be corrected
    one way, but then opens, highs, lows and closes do not move alike. A price that was rounded
    twice lies within a tick of the measured ratio.
    """
    places = np.arange(np.flatnonzero(differ)[-1] + 1)
    was, now = old[_PRICES, places], new[_PRICES, places]
    if not (was > 0).all():
        return None
    ratio = float(now.sum() / was.sum())
    fits = (np.abs(now - was * ratio) <= tick * (1 + _SLACK)).all(axis=0)
    is_one_ratio = np.count_nonzero(fits) >= (1 - _MOST_OUTLIERS) * len(places)
    is_small = Split(0, ratio).is_small
    is_dividend = is_one_ratio and is_small and _is_one_way(np.sign(now - was))
    return _Run(places, ratio, ratio) if is_dividend else None


def _is_one_way(moves: Floats) -> bool:
    """Return whether prices of all kinds move one way, in the older half and in the newer one."""
    moved = np.count_nonzero(moves)
    is_sure = abs(moves.sum()) >= _SURE_DEVIATIONS * sqrt(moved)
    of_kinds = np.count_nonzero(moves, axis=1)
    of_halves = [np.count_nonzero(half) for half in np.array_split(moves, 2, axis=1)]
    return bool(is_sure and min(of_kinds) >= moved / 8 and min(of_halves) >= moved / 4)


def _long_runs(lows: Floats, highs: Floats) -> list[_Run]:
    """Return the runs from new to old, without those of a few bars; no run if there are many."""
    fitting = np.flatnonzero(lows <= highs)[::-1]
    runs: list[_Run] = []
    count = 0
    while len(fitting) and count < _MOST_RUNS:
        low, high = np.maximum.accumulate(lows[fitting]), np.minimum.accumulate(highs[fitting])
        length = int(np.count_nonzero(low <= high))
        run = _Run(fitting[:length][::-1], float(low[length - 1]), float(high[length - 1]))
        joined = runs[-1].joined(run) if runs else None
        if joined is not None:
            runs[-1] = joined
        elif length >= _SHORTEST_RUN:
            runs.append(run)
        fitting, count = fitting[length:], count + 1
    return [] if len(fitting) else runs


def _splits(runs: list[_Run], times: Floats, fetched: Bars) -> tuple[Split, ...]:
    """Return the changes of scale between the runs, and the one since the newest of them."""
    newest_time = int(times[runs[0].places[-1]])
    newer = fetched.between(newest_time + 1, None).first_time
    low, high, before = 1.0, 1.0, newer or newest_time + 1
    splits = []
    for run in runs:
        if not (run is runs[0] and run.has(1.0)):
            splits.append(Split(before, _simplest(run.low / high, run.high / low)))
            low, high = run.low, run.high
        before = int(times[run.places[0]])
    return tuple(splits)


def _rescaled(
    oldest: _Run, splits: tuple[Split, ...], old: Floats, new: Floats, tick: float
) -> Rescaled:
    factor = _simplest(oldest.low, oldest.high)
    was, now = old[_VOLUME, oldest.places], new[_VOLUME, oldest.places]
    return Rescaled(
        splits,
        factor,
        _volume_factor(was, now, factor),
        tick if _are_on_grid(new[_PRICES, oldest.places], tick) else None,
        bool((now == np.rint(now)).all()),
    )


def _volume_factor(old: Floats, new: Floats, factor: float) -> float:
    """Return the factor of volumes: the inverse of the prices', none, or what was measured."""
    measured = float(new.sum() / old.sum()) if old.sum() > 0 else 1.0
    exact = min(1.0, 1 / factor, key=lambda each: abs(measured / each - 1))
    if abs(measured / exact - 1) < _VOLUME_SLACK:
        return exact
    return measured if isfinite(measured) else 1.0


def _simplest(low: float, high: float) -> float:
    """Return the fraction of small numbers between the bounds, else their middle."""
    for denominator in range(1, _MOST_NEW_SHARES + 1):
        numerator = ceil(low * denominator)
        if 0 < numerator <= high * denominator:
            return numerator / denominator
    return (low + high) / 2
