"""TradingView's names of the 13 intervals, written down once for all tests."""

from pocketquant.domain.intervals import Interval
from pocketquant.simulator.market.prices import Resolution

NAMES = ["1", "3", "5", "15", "30", "45", "60", "120", "180", "240", "1D", "1W", "1M"]

_BY_INTERVAL = dict(zip(Interval, NAMES, strict=True))


def resolution_of(interval: Interval) -> Resolution:
    """The simulator's resolution for an interval."""
    resolution = Resolution.parse(_BY_INTERVAL[interval])
    assert resolution is not None
    return resolution
