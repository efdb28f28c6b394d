"""The live state of one symbol, and how it changes from one market event to the next."""

from collections.abc import Iterator

from pocketquant.simulator.market.trading import Book, Day, MarketEvent, OutsideTrade, Phase, Trade
from pocketquant.simulator.market.world import Instrument
from pocketquant.simulator.wire import snapshots
from pocketquant.simulator.wire.snapshots import Values


class Feed:
    """One symbol from now on: `values` is all that is known of it, `next` what happens next."""

    def __init__(
        self, instrument: Instrument, day: Day, to_come: Iterator[MarketEvent], now: int
    ) -> None:
        self._instrument = instrument
        self._day = day
        self._to_come = to_come
        self._changes: Values = {}
        self.values = snapshots.values(instrument, day, now)
        self.next = next(to_come, None)

    @property
    def due_ms(self) -> int | None:
        """When something happens next; None where nothing ever does."""
        return self.next.due_ms if self.next else None

    def play(self, until_ms: int | None = None) -> None:
        """Let the next thing happen, and all that is due by then."""
        while self.next:
            for name, value in self._values_after(self.next).items():
                if self.values.get(name) != value:
                    self.values[name] = self._changes[name] = value
            self.next = next(self._to_come, None)
            if until_ms is None or self.next is None or self.next.due_ms > until_ms:
                return

    def take(self) -> Values:
        """What has changed since this was last asked."""
        changes, self._changes = self._changes, {}
        return changes

    def restart_day(self) -> None:
        """Count the volume of the day from zero again."""
        self._day.total = 0

    def correct_volume(self, units: float) -> None:
        """Take so much off the volume of the day, as an exchange that cancels a trade."""
        lots = round(units * self._instrument.lots_per_unit)
        self._day.total = max(self._day.total - lots, 0)

    def _values_after(self, market_event: MarketEvent) -> Values:
        if isinstance(market_event, Trade):
            return self._trade(market_event)
        if isinstance(market_event, Book):
            return snapshots.book_values(self._instrument, *market_event[1:])
        if isinstance(market_event, OutsideTrade):
            return snapshots.outside_values(self._instrument, self._day, market_event)
        opening = snapshots.NOT_OUTSIDE if market_event.phase is Phase.MARKET else {}
        return {"current_session": market_event.phase.value, **opening}

    def _trade(self, trade: Trade) -> Values:
        instrument, day = self._instrument, self._day
        is_first = trade.session != day.session
        day.add(trade)
        values = snapshots.day_values(instrument, day)
        return values | snapshots.session_values(instrument, day) if is_first else values
