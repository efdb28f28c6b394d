"""The values that a write replaces, and the bars that were stored at a moment."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.bars import Bars
from pocketquant.domain.revisions import (
    ALWAYS,
    Change,
    Versions,
    largest_change,
    rewrite,
    stored_at,
)

NOTHING = Versions.new(Bars.empty(), ALWAYS)

writes = st.lists(
    st.dictionaries(st.integers(0, 6), st.sampled_from([1.0, 2.0, math.nan]), max_size=5),
    max_size=8,
)


def bars_of(closes: dict[int, float]) -> Bars:
    """Return bars of these times, all of whose numbers are equal."""
    time = np.array(sorted(closes), dtype=float)
    value = np.array([closes[int(each)] for each in time])
    return Bars(np.array([time, *[value] * 5]))


@given(writes, st.integers(0, 3))
def test_each_moment_has_the_bars_of_then(blocks: list[dict[int, float]], step: int) -> None:
    """After any writes, also by a clock that stands still, the bars of any moment are found."""
    present, replaced, states = NOTHING, [], {ALWAYS: Bars.empty()}
    for number, block in enumerate(blocks):
        merged = present.bars.merge(bars_of(block)).bars
        rewritten = rewrite(present, merged, now=100 + step * number, kept_from=0)
        replaced.append(rewritten.replaced)
        present = rewritten.versions
        states[rewritten.moment] = merged
    for moment in range(100 + 4 * len(blocks)):
        latest = max(each for each in states if each <= moment)
        assert states[latest] == stored_at(moment, present, replaced)


def test_a_value_that_was_kept_twice_is_found_once() -> None:
    """A writer that ended between its two writes left the replaced values for its successor."""
    first = rewrite(NOTHING, bars_of({0: 1.0, 60: 1.0}), now=5, kept_from=0)
    second = rewrite(first.versions, bars_of({0: 2.0, 60: 1.0}), now=9, kept_from=0)
    kept = [second.replaced, second.replaced, first.versions]
    assert bars_of({0: 1.0, 60: 1.0}) == stored_at(8, second.versions, kept)


def test_a_write_tells_the_values_that_it_replaced() -> None:
    """Old and new values are in order, and unchanged bars keep their moment."""
    stored = Versions(bars_of({0: 1.0, 60: 2.0, 120: 3.0}), np.array([5, 6, 7]))
    found = rewrite(stored, bars_of({0: 9.0, 60: 2.0, 90: 4.0, 120: 8.0}), now=20, kept_from=0)
    assert bars_of({0: 1.0, 120: 3.0}) == found.replaced.bars
    assert [5, 7] == found.replaced.written.tolist()
    assert bars_of({0: 9.0, 120: 8.0}) == found.replacing
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
