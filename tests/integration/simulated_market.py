"""Syncs with the simulated market, without a connection, at a time that the test sets."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from pocketquant.domain.bars import Bars
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import FormingBar, History, Page, Stop, SyncRequest
from pocketquant.history.syncer import Syncer
from pocketquant.messaging.queues import QueueName
from pocketquant.simulator.market.prices import Market, close_time
from pocketquant.simulator.market.splits import Split
from pocketquant.simulator.market.world import resolve
from pocketquant.storage.units import Unit
from pocketquant.wiring import Platform
from tests.integration.syncers import syncer_with
from tests.resolutions import resolution_of

APPLE = "NASDAQ:AAPL"
DAYS = Series.parse("NASDAQ:AAPL|1d")
HOURS = Series.parse("NASDAQ:AAPL|1h")
OPEN = 1_795_012_200  # 2026-11-18T14:30:00Z: New York opens
CLOSE = OPEN + 27_000  # an hour after the close
PAGE = 5000


@dataclass
class SimulatedMarket:
    """A provider whose bars are those of a market, at a time that is set."""

    now: int = CLOSE
    market: Market = field(default_factory=lambda: Market({}))
    most: int = 100_000
    asked: list[int] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    def split(self, time: int, ratio: float, *adjusted: int) -> None:
        adjusted_at, undone_at = (*adjusted, None, None)[:2]
        at = time if adjusted_at is None else adjusted_at
        self.market.split(APPLE, Split(time, ratio, at, undone_at))

    def history(self, series: Series, count: int, before: int | None = None) -> History:
        listing, adjustment = series.symbol.listing, series.symbol.variant.adjustment
        instrument = resolve(str(listing), adjustment=adjustment.value)
        assert instrument is not None
        resolution = resolution_of(series.interval)
        bars = self.market.newest(instrument, resolution, self.now, count, before).bars
        listing = Listing(series.symbol, price_scale=instrument.pricescale, min_move=1)
        last, forming = bars.last_time, None
        if last is not None and close_time(instrument, resolution, last) + 1 >= self.now:
            values = bars.columns[1:, -1].tolist()
            forming = FormingBar(last, last + series.interval.seconds, *values, self.now)
            bars = bars.first(len(bars) - 1)
        return History(bars, forming, listing=listing, reached_at=self.now)

    def fetch(self, request: SyncRequest) -> History:
        self.asked.append(request.n_bars)
        history = self.history(request.series, request.n_bars)
        self.meanwhile()
        return history

    def pages(self, request: SyncRequest, oldest: int | None) -> Generator[Page]:
        before = oldest + 1 if oldest is not None else request.end
        served = 0
        while True:
            is_newest = before is None
            history = self.history(request.series, PAGE, before)
            served += len(history.closed)
            first = history.closed.first_time
            stop = Stop.LIMIT if served >= self.most or first is None else None
            if first is not None and request.start is not None and first <= request.start:
                stop = Stop.REACHED
            yield Page(history, stop, is_newest)
            self.meanwhile()
            before = first

    def hang_up(self) -> None:
        """It connects to no server."""


@dataclass
class Synced:
    """A platform that syncs with a simulated market."""

    platform: Platform
    provider: SimulatedMarket

    def syncer(self) -> Syncer:
        return syncer_with(self.platform, self.provider, lambda: float(self.provider.now))

    def sync(self, n_bars: int = 10, series: Series = DAYS, start: int | None = None) -> Unit:
        request = SyncRequest(series, n_bars, start)
        unit_id = self.platform.intake.submit(request, QueueName.BULK).unit.id
        self.syncer().do(unit_id)
        unit = self.platform.ledger.get_unit(unit_id)
        assert unit is not None
        return unit

    def stored(self, series: Series = DAYS) -> Bars:
        current = self.platform.generations.current(series)
        return self.platform.bars.read(current.bars)

    def served(self, count: int, series: Series = DAYS) -> Bars:
        """Return the closed bars that the provider has now."""
        return self.provider.history(series, count + 1).closed.last(count)

    def is_served(self, series: Series = DAYS) -> bool:
        """Return whether the stored bars are the newest that the provider has."""
        stored = self.stored(series)
        return self.served(len(stored), series) == stored
