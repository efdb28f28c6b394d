"""The market's clock."""

import time

import pytest

from pocketquant.simulator.clocks import market_clock, parse_time


def test_without_orders_it_is_the_real_clock() -> None:
    """The very function."""
    assert time.time is market_clock()


def test_it_starts_where_it_is_told() -> None:
    """And goes on from there, or from now, at its own speed."""
    clock = market_clock(1e6, 1_763_480_420.0)
    real, first = time.monotonic(), clock()
    assert first >= 1_763_480_420.0
    while (second := clock()) < first + 10:
        pass
    assert 10 <= second - first <= 1e6 * (time.monotonic() - real)
    assert abs(market_clock(2.0)() - time.time()) < 60


@pytest.mark.parametrize(
    "text", ["2025-11-18T15:40:20Z", "2025-11-18T15:40:20", "2025-11-18T10:40:20-05:00"]
)
def test_moments_are_read(text: str) -> None:
    """In UTC unless they say otherwise."""
    assert 1_763_480_420.0 == parse_time(text)


def test_what_is_no_moment_is_an_error() -> None:
    """ValueError."""
    with pytest.raises(ValueError, match="soon"):
        parse_time("soon")
