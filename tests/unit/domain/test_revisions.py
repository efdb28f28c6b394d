"""The values that a write replaces, and the bars that were stored at a moment."""

import math
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.bars import Bars
from pocketquant.domain.revisions import (
    ALWAYS,
    Cause,
    Change,
    Reason,
    Replaced,
    Versions,
    changes,
    follow,
    largest_change,
    rewrite,
    stored_at,
)

NOTHING = Versions.new(Bars.empty(), ALWAYS)
NO_MOMENTS = np.empty(0, dtype=np.int64)
NOTHING_REPLACED = Replaced(Bars.empty().columns, NO_MOMENTS, NO_MOMENTS, ())
SYNCS = [Cause(Reason.SYNC, f"job {number}") for number in range(8)]

writes = st.lists(
    st.dictionaries(st.integers(0, 6), st.sampled_from([1.0, 2.0, math.nan]), max_size=5),
    max_size=8,
)


def bars_of(closes: dict[int, float]) -> Bars:
    """Return bars of these times, all of whose numbers are equal."""
    time = np.array(sorted(closes), dtype=float)
    value = np.array([closes[int(each)] for each in time])
    return Bars(np.array([time, *[value] * 5]))


@dataclass
class Written:
    """A chunk after some writes, by a clock that moves on by so much between them."""

    step: int
    present: Versions = NOTHING
    replaced: Replaced = NOTHING_REPLACED
    causes: dict[int, Cause] = field(default_factory=dict)
    states: dict[int, Bars] = field(default_factory=lambda: {ALWAYS: Bars.empty()})

    def write(self, blocks: list[dict[int, float]]) -> None:
        for number, block in enumerate(blocks):
            merged = self.present.bars.merge(bars_of(block)).bars
            rewritten = rewrite(self.present, merged, now=100 + self.step * number, kept_from=0)
            if len(rewritten.replaced.bars):
                self.causes[rewritten.moment] = cause = SYNCS[number]
                self.replaced = self.replaced.plus(rewritten.replaced, rewritten.moment, cause)
            self.present = rewritten.versions
            self.states[rewritten.moment] = merged

    def at(self, moment: int) -> Bars:
        return self.states[max(each for each in self.states if each <= moment)]


@given(writes, st.integers(0, 3))
def test_each_moment_has_the_bars_of_then(blocks: list[dict[int, float]], step: int) -> None:
    """After any writes, also by a clock that stands still, the bars of any moment are found."""
    chunk = Written(step)
    chunk.write(blocks)
    for moment in range(100 + 4 * len(blocks)):
        found = stored_at(moment, chunk.present, chunk.replaced)
        assert chunk.at(moment) == found
        if chunk.present.written.min(initial=0) > moment:
            assert found == stored_at(moment, NOTHING, chunk.replaced)


@given(writes, st.integers(0, 3), st.integers(90, 140))
def test_values_replaced_before_all_that_is_kept_are_dropped(
    blocks: list[dict[int, float]], step: int, kept_from: int
) -> None:
    """The bars of later moments are found as before, and each change has still its cause."""
    chunk = Written(step)
    chunk.write(blocks)
    kept = chunk.replaced.since(kept_from)
    assert len(kept.moments) == len(kept.causes)
    assert all(each >= kept_from for each in kept.replaced_at)
    for moment in range(kept_from, 140):
        assert chunk.at(moment) == stored_at(moment, chunk.present, kept)
    gone = [each for each in chunk.replaced.moments.tolist() if each < kept_from]
    assert chunk.replaced.causes[len(gone) :] == kept.causes


@given(writes, st.integers(0, 3), st.integers(0, 8))
def test_each_change_has_the_bars_of_before_and_after(
    blocks: list[dict[int, float]], step: int, first: int
) -> None:
    """Each change has the former bars, the largest change, and its cause."""
    chunk = Written(step)
    chunk.write(blocks)
    moments = chunk.replaced.moments[first:].tolist()
    found = list(changes(chunk.present.bars, chunk.replaced, moments))
    for moment, (before, largest, cause) in zip(moments, found, strict=True):
        old, new = chunk.at(moment - 1), chunk.at(moment)
        is_changed = np.isin(old.time, before.time)
        assert Bars(old.columns[:, is_changed]) == before
        kept = np.isin(new.time, before.time)
        assert repr(largest_change(before, Bars(new.columns[:, kept]))) == repr(largest)
        assert chunk.causes[moment] == cause


def test_parts_follow_each_other() -> None:
    """Values of several documents are those of one; a single part is returned as it is."""
    chunk = Written(1)
    chunk.write([{0: 1.0, 60: 1.0}, {0: 2.0}, {0: 1.0, 60: 2.0}])
    parts = [
        NOTHING_REPLACED.plus(Versions(bars_of(bars), np.array(written)), moment, cause)
        for bars, written, moment, cause in [
            ({0: 1.0}, [100], 101, SYNCS[1]),
            ({0: 2.0, 60: 1.0}, [101, 100], 102, SYNCS[2]),
        ]
    ]
    found = follow(parts)
    assert chunk.replaced.columns.tolist() == found.columns.tolist()
    assert (chunk.replaced.causes, 3) == (found.causes, len(found))
    assert parts[0] is follow(parts[:1])


def test_a_write_tells_the_values_that_it_replaced() -> None:
    """They are in order, and unchanged bars keep their moment."""
    stored = Versions(bars_of({0: 1.0, 60: 2.0, 120: 3.0}), np.array([5, 6, 7]))
    found = rewrite(stored, bars_of({0: 9.0, 60: 2.0, 90: 4.0, 120: 8.0}), now=20, kept_from=0)
    assert bars_of({0: 1.0, 120: 3.0}) == found.replaced.bars
    assert [5, 7] == found.replaced.written.tolist()
    assert [20, 6, 20, 20] == found.versions.written.tolist()


def test_moments_before_all_that_is_kept_become_one() -> None:
    """No answer tells them apart, and one run of them is shorter."""
    stored = Versions(bars_of({0: 1.0, 60: 2.0, 120: 3.0}), np.array([5, 6, 7]))
    found = rewrite(stored, bars_of({0: 1.0, 60: 2.0, 120: 3.0, 180: 4.0}), 20, kept_from=7)
    assert [ALWAYS, ALWAYS, 7, 20] == found.versions.written.tolist()


def test_the_largest_change_is_relative() -> None:
    """A price that doubles has changed more than one that rises by ten of a thousand."""
    before = Bars(np.array([[0.0, 60], [1000, 1], [1000, 1], [1000, 1], [1000, 1], [9, 9]]))
    after = Bars(np.array([[0.0, 60], [1000, 1], [1010, 2], [1000, 1], [1000, 1], [9, 99]]))
    assert Change(60, "high", 1.0, 2.0) == largest_change(before, after)


def test_a_volume_counts_where_no_price_changed() -> None:
    """A volume that appears has changed wholly; zero that stays zero has not changed."""
    prices = [[0.0, 60], [0, 0], [0, 0], [0, 0], [0, 0]]
    before = Bars(np.array([*prices, [100, math.nan]]))
    after = Bars(np.array([*prices, [150, 7]]))
    found = largest_change(before, after)
    assert (60, "volume", 7.0) == (found.time, found.field, found.after)
    assert math.isnan(found.before)
