"""Revisions: bars that were stored before and changed, with the moments at which they did.

Moments are epoch milliseconds. Each stored bar has the moment from which it has its present value,
`ALWAYS` if that lies before all that is kept. A write keeps the values that it replaces, with their
own moments. Of all values of a bar, that with the latest moment up to then was stored at a moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.bars import COLUMNS, Bars, Floats

ALWAYS = 0

_TIME, _FIRST_PRICE, _VOLUME = 0, 1, 5

Moments = NDArray[np.int64]


class Reason(StrEnum):
    """The kind of write that replaced bars."""

    SYNC = "sync"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Cause:
    """The write that replaced bars: a sync with the newest job that requested it, or an import."""

    reason: Reason
    job_id: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Versions:
    """Values of bars, each with the moment from which it was stored."""

    bars: Bars
    written: Moments

    @classmethod
    def new(cls, bars: Bars, moment: int) -> "Versions":
        return cls(bars, np.full(len(bars), moment, dtype=np.int64))

    @property
    def latest(self) -> int:
        """Return the moment of the last write that is still there."""
        return int(self.written.max(initial=ALWAYS))


class Change(NamedTuple):
    """A change of one number of a bar."""

    time: int
    field: str
    before: float
    after: float


@dataclass(frozen=True, slots=True, eq=False)
class Rewritten:
    """The bars after a write, the values that it replaced, and those that replaced them."""

    versions: Versions
    replaced: Versions
    replacing: Bars
    moment: int


def rewrite(stored: Versions, merged: Bars, now: int, kept_from: int) -> Rewritten:
    """Return the changes of a write; `merged` has all stored bars, as they are or with new values.

    A write is later than those before it, whatever the clock says. Moments before `kept_from`
    become `ALWAYS`, since no answer tells them apart.
    """
    moment = max(now, stored.latest + 1)
    index = merged.columns[_TIME].searchsorted(stored.bars.columns[_TIME])
    replacing = merged.columns.take(index, axis=1)
    is_same = (replacing.view(np.int64) == stored.bars.columns.view(np.int64)).all(axis=0)
    written = np.full(len(merged), moment, dtype=np.int64)
    kept = stored.written[is_same]
    written[index[is_same]] = np.where(kept < kept_from, ALWAYS, kept)
    return Rewritten(
        versions=Versions(merged, written),
        replaced=_chosen(stored, ~is_same),
        replacing=Bars(replacing[:, ~is_same]),
        moment=moment,
    )


def stored_at(moment: int, present: Versions, replaced: Sequence[Versions]) -> Bars:
    """Return the bars that were stored at the moment, of their present and their replaced values.

    A value may be among the replaced ones twice, or be the present one too.
    """
    if present.latest <= moment:
        return present.bars
    every = [present, *replaced]
    columns = np.hstack([each.bars.columns for each in every])
    written = np.concatenate([each.written for each in every])
    is_known = written <= moment
    columns, written = columns[:, is_known], written[is_known]
    columns = columns.take(np.lexsort((written, columns[_TIME])), axis=1)
    is_latest = np.diff(columns[_TIME], append=np.inf) != 0
    return Bars(columns.compress(is_latest, axis=1))


def largest_change(before: Bars, after: Bars) -> Change:
    """Return the largest relative change of a price, or else of a volume; bars are of equal times.

    A volume that appears or disappears has changed wholly.
    """
    old, new = before.columns[_FIRST_PRICE:], after.columns[_FIRST_PRICE:]
    shares = _shares(old, new)
    prices = shares[: _VOLUME - _FIRST_PRICE]
    row, bar = np.unravel_index(prices.argmax(), prices.shape)
    if not prices[row, bar]:
        row, bar = np.intp(len(prices)), shares[len(prices)].argmax()
    return Change(
        int(before.time[bar]),
        COLUMNS[_FIRST_PRICE + int(row)],
        float(old[row, bar]),
        float(new[row, bar]),
    )


def _chosen(versions: Versions, is_chosen: NDArray[np.bool_]) -> Versions:
    return Versions(
        Bars(versions.bars.columns.compress(is_chosen, axis=1)), versions.written[is_chosen]
    )


def _shares(old: Floats, new: Floats) -> Floats:
    """Return how much each number changed, as a share of the larger one: 0 to 2."""
    larger = np.maximum(np.abs(old), np.abs(new))
    shares = np.zeros_like(old)
    np.divide(np.abs(new - old), larger, out=shares, where=larger != 0)
    is_alone = np.isnan(old) != np.isnan(new)
    return np.where(is_alone, 1.0, np.nan_to_num(shares))
