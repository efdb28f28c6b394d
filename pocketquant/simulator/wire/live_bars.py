"""The newest bar of a series, sent again as it grows, and the bars that follow it."""

from pocketquant.domain.bars import Bars, Floats
from pocketquant.simulator.market.prices import Market, close_time
from pocketquant.simulator.wire import encoding
from pocketquant.simulator.wire.loading import AccountPlan, BarsRequest
from pocketquant.simulator.wire.outgoing import Event

_FASTEST_MS = 1_000  # no symbol trades more often than that
_MOST_NEW = 100  # bars looked at
_VOLUME = 5


class SimulatedLiveBar:
    """The newest bar the client has; `wanted` was loaded, and its answer sent at `since_ms`."""

    def __init__(self, wanted: BarsRequest, plan: AccountPlan, since_ms: int) -> None:
        self._wanted = wanted
        self._period_ms = max(plan.update_period_seconds * 1000, _FASTEST_MS)
        self._due_ms = since_ms + self._period_ms
        self._time = wanted.series.newest
        self._index = wanted.series.newest_index
        self._told: list[float] = []

    def push(self, market: Market, now_ms: int) -> list[Event]:
        """What has changed: the bar as a whole, then each new one, empty at first, then whole."""
        if now_ms < self._due_ms:
            return []
        self._due_ms = now_ms + self._period_ms
        series = self._wanted.series
        newest = market.newest(
            self._wanted.instrument, series.resolution, now_ms // 1000, _MOST_NEW
        )
        grown = newest.bars.between(self._time, None)
        return [event for place in range(len(grown)) for event in self._bar(grown, place)]

    def _bar(self, bars: Bars, place: int) -> list[Event]:
        column = bars.columns[:, place : place + 1]
        if not self._wanted.instrument.has_volume:
            column = column[:_VOLUME]
        row = column[:, 0].tolist()
        if row == self._told:
            return []
        begun = [self._begin(column)] if int(row[0]) != self._time else []
        self._told = row
        return [*begun, self._du(row)]

    def _begin(self, column: Floats) -> Event:
        """A new bar: all prices its open, and no volume yet."""
        self._time, self._index = int(column[0, 0]), self._index + 1
        series, instrument = self._wanted.series, self._wanted.instrument
        seed = column.copy()
        seed[1:_VOLUME], seed[_VOLUME:] = column[1], 0.0
        closes_at = close_time(instrument, series.resolution, self._time)
        block = encoding.block(seed, self._index, series.turnaround, closes_at)
        scale = encoding.scale(
            instrument,
            self._wanted.timezone,
            series.resolution.is_intraday,
            seed[0],
            self._index,
        )
        return Event("timescale_update", (series.chart, {series.name: block}, scale))

    def _du(self, row: list[float]) -> Event:
        series = self._wanted.series
        closes_at = close_time(self._wanted.instrument, series.resolution, self._time)
        block = {
            "s": [{"i": self._index, "v": row}],
            "ns": {"d": "", "indexes": "nochange"},
            "t": series.turnaround,
            "lbs": {"bar_close_time": closes_at},
        }
        return Event("du", (series.chart, {series.name: block}))
