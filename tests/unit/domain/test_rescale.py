"""Fetched bars against stored ones: the same, corrected, or in another scale."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.bars import Bars, Floats
from pocketquant.domain.rescale import (
    Compared,
    Rescaled,
    Revised,
    Split,
    Suspect,
    Unchanged,
    compare,
)

DAY = 86400
RATIOS = [10, 4, 2, 1.5, 0.1, 1 / 25, 7, 20]
TICKS = [0.01, 0.05, 0.25, 0.0001, 1.0]


def bars_of(steps: Floats, tick: float, volume: float = 1000.0) -> Bars:
    """Return daily bars whose prices are all so many ticks."""
    prices = np.rint(steps) / round(1 / tick)
    times = np.arange(len(steps)) * float(DAY)
    return Bars(np.vstack([times, *(prices,) * 4, np.full(len(steps), volume)]))


def walk(count: int, seed: int, first: float = 10_000.0) -> Floats:
    """Return prices in ticks."""
    noise = np.random.default_rng(seed)
    return np.maximum(1, np.rint(first * np.exp(np.cumsum(noise.normal(0, 0.02, count)))))


def split(bars: Bars, before: int, ratio: float, tick: float) -> Bars:
    """Return the provider's bars after a split, before which there are `before` bars."""
    columns = bars.columns.copy()
    per_unit = round(1 / tick)
    steps = np.maximum(1, np.rint(columns[1:5, :before] / ratio * per_unit))
    columns[1:5, :before] = steps / per_unit
    columns[5, :before] *= ratio
    return Bars(columns)


def verdict(stored: Bars, fetched: Bars, tick: float | None = 0.01) -> object:
    return compare(stored, fetched, tick).verdict


def test_bars_that_did_not_change() -> None:
    """They are unchanged, however the volumes differ; so are series that have no bar in common."""
    stored = bars_of(walk(20, 1), 0.01)
    assert Compared(Unchanged(), 20) == compare(stored, stored, 0.01)
    assert Unchanged() == verdict(stored, bars_of(walk(20, 1), 0.01, volume=7))
    assert Compared(Unchanged(), 0) == compare(stored.first(5), stored.last(5), 0.01)


@given(
    st.integers(0, 10_000),
    st.sampled_from(RATIOS),
    st.sampled_from(TICKS),
    st.integers(3, 60),
    st.booleans(),
)
def test_every_split_is_found(
    seed: int, ratio: float, tick: float, before: int, is_tick_known: bool
) -> None:
    """The factor of prices and of volumes, and the time of the first bar in the new scale."""
    stored = bars_of(walk(60, seed), tick)
    fetched = split(stored, before, ratio, tick)
    compared = compare(stored, fetched, tick if is_tick_known else None)
    assert compared.from_first
    found = compared.verdict
    assert isinstance(found, Rescaled)
    assert pytest.approx(1 / ratio, rel=1e-12) == found.factor
    assert pytest.approx(ratio, rel=1e-9) == found.volume_factor
    assert (Split(before * DAY if before < 60 else 59 * DAY + 1, found.factor),) == found.splits


@given(st.integers(0, 10_000), st.sampled_from(RATIOS), st.sampled_from(TICKS))
def test_a_split_multiplies_older_bars_as_the_provider_does(
    seed: int, ratio: float, tick: float
) -> None:
    """Bars that were not fetched again are rounded to the tick, their volumes to whole numbers."""
    stored = bars_of(walk(80, seed), tick)
    fetched = split(stored, 70, ratio, tick)
    found = compare(stored, fetched.last(40), tick).verdict
    assert isinstance(found, Rescaled)
    applied = found.apply(stored.first(40))
    assert pytest.approx(fetched.first(40).columns, abs=tick * 1.001) == applied.columns
    steps = applied.columns[1:5] / tick
    assert pytest.approx(np.rint(steps)) == steps


@given(
    st.integers(0, 10_000),
    st.sampled_from(TICKS),
    st.integers(1, 40),
    st.lists(st.integers(-1, 1), min_size=30, max_size=30),
)
def test_prices_that_differ_by_a_tick_are_no_split(
    seed: int, tick: float, first: int, changes: list[int]
) -> None:
    """Also where a tick is half of the price, at a constant price, and with an unknown tick."""
    steps = walk(30, seed, float(first))
    stored, fetched = (
        bars_of(each, tick) for each in (steps, np.maximum(1, steps + np.array(changes)))
    )
    for known in (tick, None):
        assert not isinstance(verdict(stored, fetched, known), Rescaled | Suspect)


@given(
    st.integers(0, 10_000),
    st.sets(st.integers(1, 29), max_size=12),
    st.floats(0.3, 3).filter(lambda ratio: abs(ratio - 1) > 0.01),
)
def test_some_corrected_bars_are_no_split(seed: int, places: set[int], ratio: float) -> None:
    """Bars that were corrected by any ratio, after one that was not, are revised."""
    steps = walk(30, seed)
    corrected = steps.copy()
    corrected[list(places)] *= ratio
    found = verdict(bars_of(steps, 0.01), bars_of(corrected, 0.01))
    assert found == (Revised(len(places)) if places else Unchanged())


@pytest.mark.parametrize(
    ("price", "ratio", "expected"),
    [
        (6.06, 2, Rescaled),
        (0.034, 1.25, Rescaled),
        (137.5, 1.25, Suspect),
        (172, 2, Suspect),
        (0.36, 12 / 11, Suspect),
    ],
)
def test_a_split_of_a_quiet_stock_with_an_unknown_tick(
    price: float, ratio: float, expected: type
) -> None:
    """A price that never moved is no tick; if a usual tick leaves the ratio unsure, so are we."""
    quiet = bars_of(np.full(12, price / 1e-4), 1e-4)
    after = bars_of(np.full(12, price / ratio / 1e-4), 1e-4)
    found = verdict(quiet, after, None)
    assert isinstance(found, expected)
    if isinstance(found, Rescaled):
        assert pytest.approx(1 / ratio) == found.factor


@pytest.mark.parametrize("tick", [0.01, 0.02, 0.05, 0.25, 0.125, 1 / 32, 0.5, 2.5, 1.0])
def test_a_quiet_stock_that_moves_by_an_unknown_tick(tick: float) -> None:
    """Its bars were revised, if its tick is a usual one."""
    quiet = Bars(bars_of(np.full(12, 7), 1.0).columns)
    quiet.columns[1:5] *= tick
    moved = Bars(quiet.columns.copy())
    moved.columns[1:5] += tick
    assert Revised(12) == verdict(quiet, moved, None)


def test_one_corrected_bar_of_a_quiet_stock_is_no_split() -> None:
    """The bounds of so few ticks are wide, but nearly all bars are what they were."""
    quiet = bars_of(np.full(12, 6), 0.01)
    corrected = Bars(quiet.columns.copy())
    corrected.columns[1:5, 0] = 0.09
    assert Compared(Revised(1), 12, from_first=True) == compare(quiet, corrected, 0.01)


def test_a_quiet_stock_of_one_tick() -> None:
    """From one tick to ten: the ratio is unsure, so the bars are suspect and no scale is made."""
    quiet = bars_of(np.ones(40), 0.0001)
    assert Unchanged() == verdict(quiet, quiet, 0.0001)
    assert Revised(40) == verdict(quiet, bars_of(np.full(40, 2), 0.0001), 0.0001)
    assert Suspect(40, 40) == verdict(quiet, bars_of(np.full(40, 10), 0.0001), 0.0001)


def test_two_splits_between_two_syncs() -> None:
    """Each is found; older bars get both, and the provider may be late with both."""
    stored = bars_of(walk(60, 3), 0.01)
    fetched = split(split(stored, 20, 10, 0.01), 40, 2, 0.01)
    found = verdict(stored, fetched)
    assert isinstance(found, Rescaled)
    assert (Split(40 * DAY, 0.5), Split(20 * DAY, 0.1)) == found.splits
    assert pytest.approx((0.05, 20)) == (found.factor, found.volume_factor)


def test_a_split_with_some_corrected_bars() -> None:
    """One bar in ten may be another; it may even have no ratio at all."""
    stored = bars_of(walk(60, 4), 0.01)
    fetched = split(stored, 50, 10, 0.01)
    fetched.columns[1:5, [0, 20]] *= 1.3
    fetched.columns[2, 30] *= 2
    found = verdict(stored, fetched)
    assert isinstance(found, Rescaled)
    assert (Split(50 * DAY, 0.1),) == found.splits
    fetched.columns[1:5, 5:15] *= np.linspace(1.1, 3, 10)
    assert Suspect(50, 60) == verdict(stored, fetched)


def test_many_other_prices_without_a_ratio() -> None:
    """They are suspect, whether the oldest bar is among them or not; a few are not enough."""
    stored, other = bars_of(walk(30, 5), 0.01), bars_of(walk(30, 6), 0.01)
    assert Compared(Suspect(30, 30), 30, from_first=True) == compare(stored, other, 0.01)
    mixed = Bars(np.hstack([stored.first(5).columns, other.last(25).columns]))
    assert Suspect(25, 30) == verdict(stored, mixed)
    two = replace(compare(stored.last(2), split(stored, 30, 10, 0.01), 0.01), from_first=False)
    assert Compared(Suspect(2, 2), 2) == two


def test_the_first_bar_alone_was_corrected() -> None:
    """Within the compared bars it is a correction, but older ones may be changed too."""
    stored = bars_of(walk(30, 7), 0.01)
    fetched = split(stored, 1, 10, 0.01)
    assert Compared(Revised(1), 30, from_first=True) == compare(stored, fetched, 0.01)


def test_the_scale_was_other_in_the_middle_alone() -> None:
    """Old bars are as they were, so they are not multiplied."""
    stored = bars_of(walk(30, 8), 0.01)
    columns = split(stored, 30, 10, 0.01).columns
    columns[:, :5] = stored.columns[:, :5]
    assert Suspect(25, 30) == verdict(stored, Bars(columns))
    columns[:, 20:] = stored.columns[:, 20:]
    assert Revised(15) == verdict(stored, Bars(columns))


def test_prices_at_zero_and_below_have_no_ratio() -> None:
    """A spread that crosses zero is unchanged or suspect, and is never multiplied."""
    columns = bars_of(walk(30, 9), 0.01).columns
    columns[1:5] -= columns[1, 15]
    stored = Bars(columns)
    assert Unchanged() == verdict(stored, stored)
    shifted = Bars(np.vstack([columns[:1], columns[1:5] - 5, columns[5:]]))
    assert isinstance(verdict(stored, shifted), Suspect)
    scaled = columns.copy()
    scaled[1:5, 20:] = columns[1:5, 20:] * 3
    assert Revised(10) == verdict(stored, Bars(scaled))


@pytest.mark.parametrize(
    ("volume", "new_volume", "factor"),
    [
        (1000, 1000, 1.0),
        (1000, 10_000, 10.0),
        (0, 0, 1.0),
        (1000, 4321, 4.321),
        (np.nan, np.nan, 1),
    ],
)
def test_volumes_follow_the_providers(volume: float, new_volume: float, factor: float) -> None:
    """They are multiplied by the inverse of the prices' factor, by 1, or as was measured."""
    steps = walk(30, 10)
    fetched = bars_of(steps / 10, 0.01, new_volume)
    found = verdict(bars_of(steps, 0.01, volume), fetched)
    assert isinstance(found, Rescaled)
    assert pytest.approx(factor) == found.volume_factor


def test_prices_that_the_provider_does_not_round() -> None:
    """Older bars are not rounded either; a ratio of no small numbers is measured."""
    steps = walk(300, 11, 10_000_000.0)
    stored = bars_of(steps, 0.01)
    columns = stored.columns.copy()
    columns[1:5] *= 0.98765
    columns[5] += 0.5
    found = verdict(stored, Bars(columns))
    assert isinstance(found, Rescaled)
    assert pytest.approx(0.98765, rel=1e-7) == found.factor
    assert (found.tick, found.has_whole_volumes) == (None, False)
    assert pytest.approx(columns[1:5], rel=1e-7) == found.apply(stored).columns[1:5]


def candles(count: int, seed: int, first: float) -> Bars:
    """Return bars with four prices each, in ticks of 0.01."""
    noise = np.random.default_rng(seed)
    closes = walk(count, seed, first)
    opens = np.concatenate((closes[:1], closes[:-1]))
    spread = noise.integers(0, 4, (2, count))
    highs = np.maximum(opens, closes) + spread[0]
    lows = np.maximum(1, np.minimum(opens, closes) - spread[1])
    rows = np.vstack([opens, highs, lows, closes]) / 100
    return Bars(np.vstack([np.arange(count) * float(DAY), rows, np.full(count, 1000.0)]))


def paid(bars: Bars, before: int, factor: float) -> Bars:
    """Return the provider's bars after a dividend, before which there are `before` bars."""
    columns = bars.columns.copy()
    columns[1:5, :before] = np.maximum(1, np.rint(columns[1:5, :before] * factor * 100)) / 100
    return Bars(columns)


@given(
    st.integers(0, 10_000),
    st.floats(200, 20_000),
    st.floats(0.97, 0.999),
    st.integers(300, 400),
)
def test_every_dividend_is_found_that_moves_prices(
    seed: int, first: float, factor: float, before: int
) -> None:
    """By half a tick on average or more; older bars then get the provider's prices."""
    stored = candles(420, seed, first)
    if stored.close[:before].mean() * (1 - factor) < 0.005 or stored.low.min() < 0.5:
        return
    fetched = paid(stored, before, factor)
    compared = compare(stored.last(220), fetched.last(220), 0.01, by_dividends=True)
    assert compared.from_first
    found = compared.verdict
    assert isinstance(found, Rescaled)
    assert found.volume_factor == 1
    (one,) = found.splits
    assert one.is_small
    assert one.before <= before * DAY
    older = found.apply(stored.first(200)).columns[1:5]
    assert pytest.approx(fetched.first(200).columns[1:5], rel=0.001, abs=0.0101) == older


@given(
    st.integers(0, 10_000),
    st.floats(100, 20_000),
    st.lists(st.integers(-1, 1), min_size=30, max_size=30),
)
def test_prices_that_move_both_ways_are_no_dividend(
    seed: int, first: float, changes: list[int]
) -> None:
    """A tick up or down at random was rounded or corrected."""
    stored = candles(30, seed, first)
    columns = stored.columns.copy()
    moves = np.array(changes) * np.random.default_rng(seed).integers(0, 2, (4, 30))
    if abs(moves.sum()) >= 5 * np.count_nonzero(moves) ** 0.5:
        return  # they move one way after all
    columns[1:5] = np.maximum(0.01, np.rint(columns[1:5] * 100 + moves) / 100)
    assert not isinstance(compare(stored, Bars(columns), 0.01, True).verdict, Rescaled)


def test_a_spread_that_crosses_zero_pays_no_dividend() -> None:
    """Its prices have no ratio."""
    columns = candles(300, 3, 500.0).columns
    columns[1:5] -= columns[4, 150]
    shifted = columns.copy()
    shifted[1:5, :200] -= 0.01
    found = compare(Bars(columns), Bars(shifted), 0.01, by_dividends=True)
    assert not isinstance(found.verdict, Rescaled)


def test_corrected_highs_are_no_dividend() -> None:
    """They move one way, but opens, lows and closes do not."""
    stored = candles(300, 1, 500.0)
    columns = stored.columns.copy()
    columns[2, :200] = np.rint(columns[2, :200] * 100 + 1) / 100
    found = compare(stored, Bars(columns), 0.01, by_dividends=True)
    assert Compared(Revised(200), 300, from_first=True) == found


def test_a_series_adjusted_for_splits_alone_has_no_dividend() -> None:
    """Prices that move by a tick are corrections there."""
    stored = candles(300, 2, 300.0)
    fetched = paid(stored, 250, 0.997)
    assert isinstance(compare(stored, fetched, 0.01).verdict, Revised)
    assert isinstance(compare(stored, fetched, 0.01, by_dividends=True).verdict, Rescaled)


@pytest.mark.parametrize(
    ("factor", "expected"), [(0.997, True), (0.81, True), (0.8, False), (0.1, False), (1.02, True)]
)
def test_a_dividend_is_small(factor: float, expected: bool) -> None:
    """A larger change of scale is a split; one the other way was undone."""
    assert expected is Split(0, factor).is_small
