"""Revisions: bars that were stored before and changed, with the moments at which they did.

Moments are epoch milliseconds. Each stored bar has the moment from which it has its present value,
`ALWAYS` if that lies before all that is kept. A write keeps the values that it replaces, each with
the moments between which it was stored.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
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

    @classmethod
    def parse(cls, text: str) -> "Cause":
        """Return the cause of this text."""
        reason, _, job_id = text.partition(" ")
        return cls(Reason(reason), job_id or None)

    @property
    def text(self) -> str:
        """Return the text of the cause, such as "import" or "sync" with the id of a job."""
        return f"{self.reason} {self.job_id}" if self.job_id else self.reason.value


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
class Replaced:
    """Former values of bars in the order of their replacement; a bar may have several.

    `columns` are as in `Bars`. A value was stored from `written` until `replaced_at`. There is one
    cause, as a text, for each moment of replacement.
    """

    columns: Floats
    written: Moments
    replaced_at: Moments
    causes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.written)

    @property
    def moments(self) -> Moments:
        """Return the moments of replacement in order."""
        return np.unique(self.replaced_at)

    def plus(self, values: Versions, moment: int, cause: Cause) -> "Replaced":
        """Return these values and those that were replaced after them."""
        replaced_at = np.full(len(values.written), moment, dtype=np.int64)
        new = Replaced(values.bars.columns, values.written, replaced_at, (cause.text,))
        return follow([self, new])

    def since(self, moment: int) -> "Replaced":
        """Return the values that were replaced at the moment or later."""
        gone = int(self.replaced_at.searchsorted(moment))
        if not gone:
            return self
        causes = self.causes[int(self.moments.searchsorted(moment)) :]
        rest = self.columns[:, gone:], self.written[gone:], self.replaced_at[gone:]
        return Replaced(*rest, causes)


@dataclass(frozen=True, slots=True, eq=False)
class Rewritten:
    """The bars after a write, and the values that it replaced."""

    versions: Versions
    replaced: Versions
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
    replaced = Versions(Bars(_chosen(stored.bars.columns, ~is_same)), stored.written[~is_same])
    return Rewritten(Versions(merged, written), replaced, moment)


def follow(parts: Sequence[Replaced]) -> Replaced:
    """Return the values of all parts, each of which was replaced after the parts before it."""
    if len(parts) == 1:
        return parts[0]
    return Replaced(
        np.hstack([each.columns for each in parts]),
        np.concatenate([each.written for each in parts]),
        np.concatenate([each.replaced_at for each in parts]),
        tuple(chain.from_iterable(each.causes for each in parts)),
    )


def stored_at(moment: int, present: Versions, replaced: Replaced) -> Bars:
    """Return the bars that were stored at the moment, of their present and their former values.

    Present values that were stored later may be left out of `present`.
    """
    known = _chosen(present.bars.columns, present.written <= moment)
    was_stored = (replaced.written <= moment) & (replaced.replaced_at > moment)
    former = _chosen(replaced.columns, was_stored)
    if (former[_TIME, 1:] < former[_TIME, :-1]).any():
        former = former.take(former[_TIME].argsort(), axis=1)
    return Bars(known).merge(Bars(former)).bars if known.size else Bars(former)


def changes(
    present: Bars, replaced: Replaced, moments: Iterable[int]
) -> Iterator[tuple[Bars, Change, Cause]]:
    """Yield the bars of before, the largest change, and the cause of the change of each moment.

    A value was replaced by the next one of its bar, the last by the present one.
    """
    every = np.hstack((replaced.columns, present.columns))
    order = every[_TIME].argsort(kind="stable")
    following = np.empty_like(order)
    following[order[:-1]] = order[1:]
    for moment in moments:
        is_of_moment = np.flatnonzero(replaced.replaced_at == moment)
        before = Bars(every[:, is_of_moment])
        after = Bars(every[:, following[is_of_moment]])
        cause = Cause.parse(replaced.causes[int(replaced.moments.searchsorted(moment))])
        yield before, largest_change(before, after), cause


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


def _chosen(columns: Floats, is_chosen: NDArray[np.bool_]) -> Floats:
    return columns if is_chosen.all() else columns.compress(is_chosen, axis=1)


def _shares(old: Floats, new: Floats) -> Floats:
    """Return how much each number changed, as a share of the larger one: 0 to 2."""
    larger = np.maximum(np.abs(old), np.abs(new))
    shares = np.zeros_like(old)
    np.divide(np.abs(new - old), larger, out=shares, where=larger != 0)
    is_alone = np.isnan(old) != np.isnan(new)
    return np.where(is_alone, 1.0, np.nan_to_num(shares))
