"""Prices that stand alone among those around them."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pocketquant.domain.bars import Bars
from pocketquant.domain.outliers import AROUND, outliers

HIGH, LOW, CLOSE = 2, 3, 4


def walk(seed: int, count: int = 300, step: float = 0.01) -> Bars:
    """Return a random walk of bars around 100, in cents."""
    chance = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(chance.normal(0, step, count)))
    open_ = np.roll(close, 1)
    open_[0] = close[0]
    high = np.maximum(open_, close) * (1 + np.abs(chance.normal(0, step / 2, count)))
    low = np.minimum(open_, close) * (1 - np.abs(chance.normal(0, step / 2, count)))
    time = 60.0 * np.arange(count)
    return Bars(np.round([time, open_, high, low, close, time], 2))


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.0005, 0.01, 0.03]))
def test_a_random_walk_has_no_outlier(seed: int, step: float) -> None:
    """However much its prices move."""
    assert [] == outliers(walk(seed, step=step))


@example(2617, 10, (HIGH, 3.0))  # prices went up around it
@given(
    st.integers(0, 10_000),
    st.integers(AROUND, 299 - AROUND),
    st.sampled_from([(HIGH, 3.0), (LOW, 0.3)]),
)
def test_a_bad_print_is_found_with_its_evidence(
    seed: int, place: int, bad: tuple[int, float]
) -> None:
    """And only that bar, with the price that is off and the bounds that it lies outside of."""
    column, factor = bad
    bars = walk(seed)
    bars.columns[column, place] *= factor
    (found,) = outliers(bars)
    assert (60 * place, bars.columns[column, place]) == (found.time, found.value)
    assert ("high" if column == HIGH else "low") == found.field
    assert found.lowest < found.usual < found.highest
    assert not found.lowest <= found.value <= found.highest


def test_a_whole_bar_that_is_off_is_found() -> None:
    """Its close comes back with the next bar."""
    bars = walk(1)
    bars.columns[1:5, 150] *= 10
    (found,) = outliers(bars)
    assert (9000, "high") == (found.time, found.field)


def test_a_price_that_stays_is_no_outlier() -> None:
    """A split or news moves all that follows."""
    bars = walk(2)
    bars.columns[1:5, 150:] /= 10
    assert [] == outliers(bars)


def test_a_new_high_in_a_trend_is_no_outlier() -> None:
    """Its size is that of the bars around it."""
    bars = walk(3)
    bars.columns[1:5] *= 1.01 ** np.arange(300)
    assert [] == outliers(bars)


@pytest.mark.parametrize("bars", [Bars.empty(), walk(4, count=2 * AROUND)])
def test_a_few_bars_are_not_judged(bars: Bars) -> None:
    """There is nothing around them."""
    assert [] == outliers(bars)


def test_prices_below_zero_are_not_judged() -> None:
    """They have no ratio, as oil had none in April 2020."""
    bars = walk(5)
    bars.columns[1:5, 150] = -37
    assert [] == outliers(bars)
