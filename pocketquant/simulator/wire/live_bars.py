"""Live updates of a series: its newest bar as it grows, and the bars that follow."""

from pocketquant.domain.bars import Bars, Floats
from pocketquant.simulator.market.prices import Market, close_time
from pocketquant.simulator.wire import encoding
from pocketquant.simulator.wire.loading import AccountPlan, BarsRequest
from pocketquant.simulator.wire.outgoing import Event

_MIN_PERIOD_MS = 1_000  # no symbol trades more often
_MAX_NEW_BARS = 100  # looked for in one update
_VOLUME = 5


class SimulatedLiveBar:
    """The newest bar that a client has, after the answer to `request` was sent at `since_ms`."""

    def __init__(self, request: BarsRequest, plan: AccountPlan, since_ms: int) -> None:
        self._request = request
        self._period_ms = max(plan.update_period_seconds * 1000, _MIN_PERIOD_MS)
        self._due_ms = since_ms + self._period_ms
        self._time = request.series.newest
        self._index = request.series.newest_index
        self._sent: list[float] = []

    def push(self, market: Market, now_ms: int) -> list[Event]:
        """Return the updates due: the newest bar, then each new bar, first empty, then whole."""
        if now_ms < self._due_ms:
            return []
        self._due_ms = now_ms + self._period_ms
        request = self._request
        newest = market.newest(
            request.instrument, request.series.resolution, now_ms // 1000, _MAX_NEW_BARS
        )
        changed = newest.bars.between(self._time, None)
        return [event for index in range(len(changed)) for event in self._bar(changed, index)]

    def _bar(self, bars: Bars, index: int) -> list[Event]:
        column = bars.columns[:, index : index + 1]
        if not self._request.instrument.has_volume:
            column = column[:_VOLUME]
        row = column[:, 0].tolist()
        if row == self._sent:
            return []
        begun = [self._begin(column)] if int(row[0]) != self._time else []
        self._sent = row
        return [*begun, self._du(row)]

    def _begin(self, column: Floats) -> Event:
        """Begin a new bar: all prices are its open, and its volume is zero."""
        self._time, self._index = int(column[0, 0]), self._index + 1
        series, instrument = self._request.series, self._request.instrument
        seed = column.copy()
        seed[1:_VOLUME], seed[_VOLUME:] = column[1], 0.0
        closes_at = close_time(instrument, series.resolution, self._time)
        block = encoding.block(seed, self._index, series.turnaround, closes_at)
        scale = encoding.scale(
            instrument,
            self._request.timezone,
            series.resolution.is_intraday,
            seed[0],
            self._index,
        )
        return Event("timescale_update", (series.chart, {series.name: block}, scale))

    def _du(self, row: list[float]) -> Event:
        series = self._request.series
        closes_at = close_time(self._request.instrument, series.resolution, self._time)
        block = {
            "s": [{"i": self._index, "v": row}],
            "ns": {"d": "", "indexes": "nochange"},
            "t": series.turnaround,
            "lbs": {"bar_close_time": closes_at},
        }
        return Event("du", (series.chart, {series.name: block}))
