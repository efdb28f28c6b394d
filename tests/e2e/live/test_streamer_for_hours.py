"""Six hours of a market through one streamer, its clock running fast."""

from collections.abc import Callable
from typing import Any

import psutil

from pocketquant.domain.intervals import HOUR, Interval

SPEED = 360.0
AFTERNOON = 1_763_480_100.0  # Tuesday, 2025-11-18, 15:35 UTC by the market's clock
PAIRS = [f"SIM:S{number:04}" for number in range(1, 9)]
STOCKS = ["NASDAQ:AAPL", "NYSE:KO", "OTC:QUIET", "TVC:VIX"]  # until 21:00
OF_PAIRS = [interval for interval in Interval if interval.is_intraday]
OF_STOCKS = [Interval.M1, Interval.M3, Interval.M5, Interval.M15, Interval.M30]
SERIES = [(symbol, each) for symbol in PAIRS for each in OF_PAIRS] + [
    (symbol, each) for symbol in STOCKS for each in OF_STOCKS
]


def test_six_hours_leave_no_difference_and_no_growth(live_market: Callable[..., Any]) -> None:
    """Every bar since the first whole one is the exchange's own; memory stays as it is."""
    market = live_market(PAIRS + STOCKS, SPEED, AFTERNOON)
    streamer = psutil.Process(market.start_streaming().pid)
    market.wait_for(AFTERNOON + HOUR)
    after_an_hour = streamer.memory_info().rss
    market.wait_for(AFTERNOON + 6 * HOUR)
    after_six = streamer.memory_info().rss
    status = market.status()
    market.kill_all()
    assert 0 == status["late_ticks"]
    assert [] == [(symbol, each) for symbol, each in SERIES if differs(market, symbol, each)]
    assert after_six < 1.05 * after_an_hour


def differs(market: Any, symbol: str, interval: Interval) -> bool:
    """Whether any bar since the first that was seen whole is another than the exchange has."""
    first = interval.period_end(int(AFTERNOON))
    last = interval.period_start(int(AFTERNOON + 5.5 * HOUR)) - interval.seconds
    assert first <= last
    answered = market.answered(symbol, interval).between(first, last + 1)
    return bool(answered != market.truth(symbol, interval, first, last))
