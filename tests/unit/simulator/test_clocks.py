"""The market's clock."""

import time

import pytest

from pocketquant.simulator.clocks import market_clock, parse_time


def test_by_default_it_is_the_real_clock() -> None:
    """By default, the market's clock is `time.time` itself."""
    assert time.time is market_clock()


def test_it_runs_from_its_start_at_its_speed() -> None:
    """A clock with a start or speed runs from there, or from now, at that speed."""
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
def test_times_are_parsed(text: str) -> None:
    """A time without a zone is in UTC."""
    assert 1_763_480_420.0 == parse_time(text)


def test_an_invalid_time_is_an_error() -> None:
    """An invalid time raises ValueError."""
    with pytest.raises(ValueError, match="soon"):
        parse_time("soon")
