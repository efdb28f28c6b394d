"""The forming bar of an aggregator, for tests that compare it with another one."""

from pocketquant.domain.aggregation import BarAggregator
from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar, put_together


def forming(aggregator: BarAggregator, symbol: str, interval: Interval) -> LiveBar | None:
    """The open bar of the newest period with a tick; None if it is closed."""
    state = aggregator.state(symbol)
    closed_minutes = [bar for bar in state.longer if bar.interval is interval]
    return put_together(interval, [*closed_minutes, *state.minutes], state.unseen.seen_since)
