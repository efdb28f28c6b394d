"""Six hours of a market with a fast clock, through one streamer."""

import os
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from pocketquant.domain.intervals import HOUR, Interval

SPEED = float(os.environ.get("MARKET_SPEED", "720"))
AFTERNOON = 1_763_474_400.0  # Tuesday, 2025-11-18, 14:00 UTC by the market's clock
PAIRS = [f"SIM:S{number:04}" for number in range(1, 9)]
STOCKS = ["NASDAQ:AAPL", "NYSE:KO", "OTC:QUIET", "TVC:VIX"]  # until 21:00
UP_TO_TWO_HOURS = [each for each in Interval if each.seconds <= 2 * HOUR]
SERIES = [(symbol, each) for symbol in PAIRS + STOCKS for each in UP_TO_TWO_HOURS]


@pytest.mark.timeout(12 * HOUR / SPEED + 240)
def test_six_hours_leave_no_difference_and_no_growth(live_market: Callable[..., Any]) -> None:
    """Every bar since the first complete one equals the exchange's; memory does not grow."""
    market = live_market(PAIRS + STOCKS, SPEED, AFTERNOON, grace=5)  # a machine may be slow
    streamer = psutil.Process(market.start_streaming().pid)
    begun = market.now()
    market.wait_for(begun + HOUR, patience_seconds=2 * HOUR / SPEED + 60)
    after_an_hour = streamer.memory_info().rss
    end = begun + 6 * HOUR + market.grace_seconds
    market.wait_for(end, patience_seconds=7 * HOUR / SPEED + 60)
    after_six = streamer.memory_info().rss
    status = market.status()
    market.kill_all()
    assert 0 == status["late_ticks"]
    assert [] == [(symbol, each) for symbol, each in SERIES if differs(market, symbol, each, begun)]
    assert after_six < 1.05 * after_an_hour


def differs(market: Any, symbol: str, interval: Interval, begun: float) -> bool:
    """Whether any bar since the first complete one differs from the exchange's."""
    first = interval.period_end(int(begun))
    last = interval.period_start(int(begun + 5.5 * HOUR)) - interval.seconds
    assert first <= last
    answered = market.answered(symbol, interval).between(first, last + 1)
    return bool(answered != market.truth(symbol, interval, first, last))
