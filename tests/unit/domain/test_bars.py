"""Bars: slicing, merging, and what is refused."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.bars import COLUMNS, Bars, Refusal, concatenate, validate

Row = tuple[float, ...]

prices = st.sampled_from([1.0, 1.5, 2.0])
rows_by_time = st.dictionaries(
    st.integers(-20, 40), st.tuples(prices, prices, prices, prices, prices | st.just(math.nan))
)
anything = st.floats(-2, 3) | st.integers(-3, 12).map(float) | st.just(math.nan) | st.just(math.inf)


def _bars(by_time: dict[int, Row]) -> Bars:
    rows = [(time, *values) for time, values in sorted(by_time.items())]
    return Bars(np.array(rows, dtype=float).reshape(-1, 6).T)


def _by_time(bars: Bars) -> dict[int, Row]:
    return {int(time): tuple(values) for time, *values in bars.columns.T.tolist()}


def _raw(*rows: Row) -> np.ndarray:
    return np.array(rows, dtype=float).reshape(-1, 6).T


def _is_same(left: Row | None, right: Row) -> bool:
    return left is not None and np.array_equal(left, right, equal_nan=True)


def test_columns_have_their_names() -> None:
    """The six columns are read by name; times are whole numbers."""
    bars = Bars(_raw((60, 1, 4, 0.5, 2, 100), (120, 2, 5, 1.5, 3, math.nan)))
    named = np.array([getattr(bars, name) for name in COLUMNS])
    assert np.array_equal(bars.columns, named, equal_nan=True)
    assert [60, 120] == bars.time.tolist()
    assert np.int64 == bars.time.dtype


def test_empty_bars_have_no_first_and_last_time() -> None:
    """Both are None."""
    assert (0, None, None) == (
        len(Bars.empty()),
        Bars.empty().first_time,
        Bars.empty().last_time,
    )


@given(rows_by_time.filter(bool))
def test_the_ends_of_bars_are_their_first_and_last_time(by_time: dict[int, Row]) -> None:
    """First and last time are plain integers."""
    bars = _bars(by_time)
    assert (min(by_time), max(by_time)) == (bars.first_time, bars.last_time)
    assert isinstance(bars.first_time, int)


def test_bars_are_equal_by_value() -> None:
    """Equal columns make equal bars, NaN included; other things are never equal."""
    rows = ((60.0, 1.0, 4.0, 0.5, 2.0, math.nan),)
    assert Bars(_raw(*rows)) == Bars(_raw(*rows))
    assert Bars(_raw(*rows)) != Bars.empty()
    assert Bars(_raw(*rows)) != rows


def test_bars_are_no_dictionary_keys() -> None:
    """Bars are mutable inside, so they have no hash."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(Bars.empty())


@given(rows_by_time, st.none() | st.integers(-25, 45), st.none() | st.integers(-25, 45))
def test_between_includes_the_start_and_excludes_the_end(
    by_time: dict[int, Row], start: int | None, end: int | None
) -> None:
    """It returns the bars that open at or after the start and before the end."""
    expected = [
        time
        for time in sorted(by_time)
        if (start is None or start <= time) and (end is None or time < end)
    ]
    assert expected == _bars(by_time).between(start, end).time.tolist()


@given(rows_by_time, st.integers(0, 70))
def test_first_and_last_return_at_most_count_bars(by_time: dict[int, Row], count: int) -> None:
    """They return all bars if there are fewer."""
    bars, times = _bars(by_time), sorted(by_time)
    assert times[:count] == bars.first(count).time.tolist()
    assert times[len(times) - min(count, len(times)) :] == bars.last(count).time.tolist()


@pytest.mark.parametrize(
    ("times", "closes", "expected"),
    [
        ([], [], None),
        ([1, 2, 3], [7.0, 7.0, 7.0], False),
        ([2, 3, 4], [7.0, 7.0, 8.0], False),
        ([1, 2, 3], [7.0, 7.5, 7.0], True),
        ([1, 3], [7.0, 7.0], True),
        ([4, 5], [7.0, 7.0], None),
    ],
)
def test_bars_are_compared_where_both_have_some(
    times: list[int], closes: list[float], expected: bool | None
) -> None:
    """A bar that only one has differs too, but not one before or after all of the other's."""

    def bars(times: list[int], closes: list[float]) -> Bars:
        return _bars({time: (close,) * 5 for time, close in zip(times, closes, strict=True)})

    assert expected is bars(times, closes).differs_from(bars([1, 2, 3], [7.0] * 3))


@given(rows_by_time, rows_by_time)
def test_merge_is_the_union_where_the_newer_wins(old: dict[int, Row], new: dict[int, Row]) -> None:
    """A merge contains the bars of both in order; for a time in both it has the newer bar."""
    merge = _bars(old).merge(_bars(new))
    assert _bars(old | new) == merge.bars


@given(rows_by_time, rows_by_time)
def test_merge_counts_each_newer_bar_once(old: dict[int, Row], new: dict[int, Row]) -> None:
    """A newer bar is inserted, or changes the old one, or equals it."""
    merge = _bars(old).merge(_bars(new))
    unchanged = sum(_is_same(old.get(time), row) for time, row in new.items())
    inserted = len(new.keys() - old.keys())
    expected = (inserted, len(new) - inserted - unchanged, unchanged)
    assert expected == (merge.inserted, merge.changed, merge.unchanged)


@given(rows_by_time, rows_by_time)
def test_merging_twice_changes_nothing(old: dict[int, Row], new: dict[int, Row]) -> None:
    """The second merge of the same bars finds them all unchanged."""
    once = _bars(old).merge(_bars(new))
    twice = once.bars.merge(_bars(new))
    assert once.bars == twice.bars
    assert (0, 0, len(new)) == (twice.inserted, twice.changed, twice.unchanged)


@given(rows_by_time, rows_by_time)
def test_merge_leaves_its_inputs_alone(old: dict[int, Row], new: dict[int, Row]) -> None:
    """Both inputs are unchanged, so they may be read-only views."""
    left, right = _bars(old), _bars(new)
    left.columns.flags.writeable = right.columns.flags.writeable = False
    left.merge(right)
    assert (_bars(old), _bars(new)) == (left, right)


@given(st.lists(rows_by_time, max_size=4))
def test_concatenate_joins_blocks_in_a_row(blocks: list[dict[int, Row]]) -> None:
    """Blocks that follow each other become one."""
    shifted = [
        {time + 100 * number: row for time, row in block.items()}
        for number, block in enumerate(blocks)
    ]
    whole = {time: row for block in shifted for time, row in block.items()}
    assert _bars(whole) == concatenate([_bars(block) for block in shifted])


GOOD = (60.0, 2.0, 4.0, 1.0, 3.0, 100.0)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((math.nan, *GOOD[1:]), Refusal.BAD_TIME),
        ((60.5, *GOOD[1:]), Refusal.BAD_TIME),
        ((math.inf, *GOOD[1:]), Refusal.BAD_TIME),
        ((253_402_300_800.0, *GOOD[1:]), Refusal.BAD_TIME),
        ((-30_610_224_001.0, *GOOD[1:]), Refusal.BAD_TIME),
        ((60, math.nan, 4, 1, 3, 100), Refusal.NOT_FINITE),
        ((60, 2, math.inf, 1, 3, 100), Refusal.NOT_FINITE),
        ((60, 2, 4, -math.inf, 3, 100), Refusal.NOT_FINITE),
        ((60, 2, 4, 1, math.nan, 100), Refusal.NOT_FINITE),
        ((60, 2, 4, 1, 3, math.nan), Refusal.NOT_FINITE),
        ((60, 2, 4, 1, 3, math.inf), Refusal.NOT_FINITE),
        ((60, 2, 1, 4, 3, 100), Refusal.INCONSISTENT),
        ((60, 5, 4, 1, 3, 100), Refusal.INCONSISTENT),
        ((60, 2, 4, 1, 0.5, 100), Refusal.INCONSISTENT),
        ((60, 2, 4, 1, 3, -1), Refusal.NEGATIVE_VOLUME),
    ],
)
def test_a_bad_bar_is_refused_for_its_reason(row: Row, reason: Refusal) -> None:
    """The bad bar is counted under its reason; the good ones around it are kept."""
    before, after = (0, *GOOD[1:]), (120, *GOOD[1:])
    bars, refused = validate(_raw(before, row, after))
    assert Bars(_raw(before, after)) == bars
    assert Counter({reason: 1}) == refused


def test_a_bar_is_counted_under_the_first_of_its_reasons() -> None:
    """A bar with several faults is one refused bar."""
    bars, refused = validate(_raw((0.5, math.nan, 1, 2, 3, -1), (0, math.nan, 1, 2, 3, -1)))
    assert 0 == len(bars)
    assert Counter({Refusal.BAD_TIME: 1, Refusal.NOT_FINITE: 1}) == refused


def test_repeated_and_late_bars_are_refused() -> None:
    """A bar must open after all good bars before it; the first of each time is kept."""
    times = [60, 60, 180, 120, 180, 240]
    bars, refused = validate(_raw(*[(time, *GOOD[1:]) for time in times]))
    assert [60, 180, 240] == bars.time.tolist()
    assert Counter({Refusal.REPEATED_TIME: 2, Refusal.OUT_OF_ORDER: 1}) == refused


def test_bars_after_the_latest_time_are_refused() -> None:
    """A bar may open at the latest time, not after it; a refused one does not affect the others."""
    times = [60, 9e9, 120, 121, 180]
    bars, refused = validate(_raw(*[(time, *GOOD[1:]) for time in times]), latest=120)
    assert [60, 120] == bars.time.tolist()
    assert Counter({Refusal.IN_FUTURE: 3}) == refused


def test_a_refused_bar_does_not_hold_back_the_next_ones() -> None:
    """The time of a bar that is refused for its prices does not count for later bars."""
    bars, _ = validate(_raw((600, math.nan, 4, 1, 3, 100), GOOD))
    assert Bars(_raw(GOOD)) == bars


def test_a_symbol_without_volume_has_nan() -> None:
    """NaN is the volume of a symbol that has none; an infinite one is still refused."""
    none, infinite = (60, 2, 4, 1, 3, math.nan), (120, 2, 4, 1, 3, math.inf)
    bars, refused = validate(_raw(none, infinite), has_volume=False)
    assert Bars(_raw(none)) == bars
    assert Counter({Refusal.NOT_FINITE: 1}) == refused


def test_times_before_1970_are_times() -> None:
    """An index has bars of the 19th century."""
    row = (-3_124_224_000, *GOOD[1:])
    assert (Bars(_raw(row)), Counter()) == validate(_raw(row))


@given(st.lists(st.tuples(*[anything] * 6), max_size=12), st.booleans())
def test_every_bar_of_any_block_is_kept_or_counted(rows: list[Row], has_volume: bool) -> None:
    """All kept bars are valid."""
    bars, refused = validate(_raw(*rows), has_volume)
    assert len(rows) == len(bars) + refused.total()
    assert (np.diff(bars.time) > 0).all()
    assert np.isfinite(bars.columns[:5]).all()
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert not (bars.volume < 0).any()
    assert not (has_volume and np.isnan(bars.volume).any())


@given(rows_by_time)
def test_good_bars_are_all_kept(by_time: dict[int, Row]) -> None:
    """A valid block passes unchanged, without a refusal."""
    sound = _bars({time: (row[0], 9.0, 0.5, row[3], row[4]) for time, row in by_time.items()})
    assert (sound, Counter()) == validate(sound.columns, has_volume=False)
