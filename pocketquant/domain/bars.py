"""`Bars`: a block of OHLCV bars of one series, as numpy columns.

The whole history path hands it on: the provider returns it, the store merges it, the encoder
writes it. No code on that path makes an object for a single bar.
"""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COLUMNS = ("time", "open", "high", "low", "close", "volume")
_TIME, _OPEN, _HIGH, _LOW, _CLOSE, _VOLUME = range(6)

LATEST_TIME = 253_370_764_799  # 9998-12-31T23:59:59Z: a month from then ends before year 10000
EARLIEST_TIME = -30_610_224_000  # 1000-01-01T00:00:00Z


class Refusal(StrEnum):
    """Why a bar is not stored."""

    BAD_TIME = "bad_time"
    IN_FUTURE = "in_future"
    NOT_FINITE = "not_finite"
    INCONSISTENT = "inconsistent"
    NEGATIVE_VOLUME = "negative_volume"
    REPEATED_TIME = "repeated_time"
    OUT_OF_ORDER = "out_of_order"
    MISALIGNED = "misaligned"  # this and the following ones are for imported bars only
    NOT_CLOSED = "not_closed"
    HIDES_LIVE = "hides_live"
    OVERLAPPING = "overlapping"


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Bars of one series, open times strictly increasing.

    `columns` is a float64 array of shape (6, n): open time in epoch seconds UTC, open, high,
    low, close, volume. A volume of NaN means that the symbol has none.
    """

    columns: Floats

    @classmethod
    def empty(cls) -> Self:
        return cls(np.empty((6, 0)))

    @property
    def time(self) -> NDArray[np.int64]:
        return np.asarray(self.columns[_TIME], dtype=np.int64)

    @property
    def open(self) -> Floats:
        return np.asarray(self.columns[_OPEN])

    @property
    def high(self) -> Floats:
        return np.asarray(self.columns[_HIGH])

    @property
    def low(self) -> Floats:
        return np.asarray(self.columns[_LOW])

    @property
    def close(self) -> Floats:
        return np.asarray(self.columns[_CLOSE])

    @property
    def volume(self) -> Floats:
        return np.asarray(self.columns[_VOLUME])

    def __len__(self) -> int:
        return int(self.columns.shape[1])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bars) and np.array_equal(
            self.columns, other.columns, equal_nan=True
        )

    __hash__ = None  # type: ignore[assignment]  # arrays are mutable

    @property
    def first_time(self) -> int | None:
        return int(self.columns[_TIME, 0]) if len(self) else None

    @property
    def last_time(self) -> int | None:
        return int(self.columns[_TIME, -1]) if len(self) else None

    def between(self, start: int | None, end: int | None) -> "Bars":
        """The bars that open at or after `start` and before `end`."""
        times = self.columns[_TIME]
        low = 0 if start is None else int(np.searchsorted(times, start, "left"))
        high = len(self) if end is None else int(np.searchsorted(times, end, "left"))
        return Bars(self.columns[:, low:high])

    def differs_from(self, other: "Bars") -> bool | None:
        """Return whether the bars differ where both have some; None if they do not overlap."""
        if not (len(self) and len(other)):
            return None
        start = max(self.columns[_TIME, 0], other.columns[_TIME, 0])
        end = min(self.columns[_TIME, -1], other.columns[_TIME, -1]) + 1
        own, its = self.between(start, end), other.between(start, end)
        return own != its if len(own) or len(its) else None

    def last(self, count: int) -> "Bars":
        """The newest `count` bars, or all if there are fewer."""
        return Bars(self.columns[:, max(0, len(self) - count) :])

    def first(self, count: int) -> "Bars":
        """The oldest `count` bars, or all if there are fewer."""
        return Bars(self.columns[:, :count])

    def merge(self, newer: "Bars") -> "Merge":
        """All bars of both; if both have a bar of the same time, keep that of `newer`."""
        if not len(newer):
            return Merge(self, 0, 0, 0)
        old, new = self.columns, newer.columns
        low = old[_TIME].searchsorted(new[_TIME, 0], "left")
        high = old[_TIME].searchsorted(new[_TIME, -1], "right")
        overlap = old[:, low:high]
        index = new[_TIME].searchsorted(overlap[_TIME])
        is_replaced = new[_TIME, index] == overlap[_TIME]
        replaced = int(np.count_nonzero(is_replaced))
        replacing = new.take(index[is_replaced], axis=1)
        unchanged = _count_equal(overlap.compress(is_replaced, axis=1), replacing)
        if unchanged == len(newer):
            return Merge(self, 0, 0, unchanged)
        middle = (
            new
            if replaced == high - low
            else _interleave(overlap.compress(~is_replaced, axis=1), new)
        )
        merged = Bars(np.hstack((old[:, :low], middle, old[:, high:])))
        return Merge(merged, len(newer) - replaced, replaced - unchanged, unchanged)


@dataclass(frozen=True, slots=True)
class Merge:
    """The merged bars, and how many of the newer ones were inserted, changed or unchanged."""

    bars: Bars
    inserted: int
    changed: int
    unchanged: int


def concatenate(blocks: list[Bars]) -> Bars:
    """One block from blocks that follow each other in time."""
    return Bars(np.hstack([block.columns for block in blocks])) if blocks else Bars.empty()


def validate(
    columns: Floats, has_volume: bool = True, latest: float = LATEST_TIME
) -> tuple[Bars, Counter[Refusal]]:
    """The good bars of a raw (6, n) block, and the counted reasons why others were refused.

    A bar needs a whole open time that is not after `latest`, finite prices with
    `low <= open, close <= high`, a volume that is finite and not negative (or NaN throughout where
    the symbol has none), and must open later than every good bar before it. Each refused bar is
    counted once, under the first reason in the order of `Refusal`.
    """
    reasons = judge(columns, has_volume, latest)
    return kept(columns, reasons), _count(reasons)


def judge(
    columns: Floats, has_volume: bool = True, latest: float = LATEST_TIME
) -> NDArray[np.int8]:
    """The result of `validate` bar by bar: 0 for a good bar, else the number of its reason.

    Reasons are numbered from 1 in the order of `Refusal`.
    """
    reasons = np.zeros(columns.shape[1], dtype=np.int8)
    with np.errstate(invalid="ignore"):
        mark(reasons, Refusal.NEGATIVE_VOLUME, np.less(columns[_VOLUME], 0))
        mark(reasons, Refusal.INCONSISTENT, ~_is_consistent(columns))
        finite = np.asarray(np.isfinite(columns[_OPEN:_VOLUME]).all(axis=0))
        volume = columns[_VOLUME]
        finite &= np.isfinite(volume) if has_volume else ~np.isinf(volume)
        mark(reasons, Refusal.NOT_FINITE, ~finite)
        mark(reasons, Refusal.IN_FUTURE, np.greater(columns[_TIME], latest))
        mark(reasons, Refusal.BAD_TIME, ~_is_time(columns[_TIME]))
    good = np.flatnonzero(reasons == 0)
    times = columns[_TIME, good]
    newest = np.maximum.accumulate(times) if len(times) else times
    repeated = np.zeros(len(times), dtype=bool)
    late = np.zeros(len(times), dtype=bool)
    late[1:] = times[1:] < newest[:-1]
    repeated[1:] = times[1:] == newest[:-1]
    mark(reasons, Refusal.OUT_OF_ORDER, late, good)
    mark(reasons, Refusal.REPEATED_TIME, repeated, good)
    return reasons


def kept(columns: Floats, reasons: NDArray[np.int8]) -> Bars:
    """The bars without a reason against them."""
    return Bars(np.ascontiguousarray(columns[:, reasons == 0]))


_REASONS = tuple(Refusal)


def mark(
    reasons: NDArray[np.int8],
    reason: Refusal,
    refused: NDArray[np.bool_],
    indexes: NDArray[np.intp] | None = None,
) -> None:
    """Note the reason for `refused` bars: a mask of all bars, or of the bars at `indexes`."""
    where = np.flatnonzero(refused) if indexes is None else indexes[refused]
    reasons[where] = _REASONS.index(reason) + 1


def reason_at(reasons: NDArray[np.int8], index: int) -> Refusal:
    """The reason against the bar at `index`."""
    return _REASONS[int(reasons[index]) - 1]


def _count(reasons: NDArray[np.int8]) -> Counter[Refusal]:
    numbers, counts = np.unique(reasons[reasons > 0], return_counts=True)
    return Counter(
        {_REASONS[number - 1]: int(count) for number, count in zip(numbers, counts, strict=True)}
    )


def _is_time(times: Floats) -> NDArray[np.bool_]:
    in_range = (times >= EARLIEST_TIME) & (times <= LATEST_TIME)
    return np.asarray(in_range & (times == np.floor(times)))


def _is_consistent(columns: Floats) -> NDArray[np.bool_]:
    body = columns[[_OPEN, _CLOSE]]
    high, low = columns[_HIGH], columns[_LOW]
    return np.asarray((high >= low) & (high >= body.max(axis=0)) & (low <= body.min(axis=0)))


def _count_equal(left: Floats, right: Floats) -> int:
    """How many bars are equal bit by bit; NaN equals itself."""
    same = left.view(np.int64) == right.view(np.int64)
    return int(np.count_nonzero(same.all(axis=0)))


def _interleave(left: Floats, right: Floats) -> Floats:
    both = np.hstack((left, right))
    return both[:, np.argsort(both[_TIME])]
