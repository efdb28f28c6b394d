"""`Feed`: the live state of one symbol, changed by one market event after the other."""

from collections.abc import Iterator

from pocketquant.simulator.market.trading import Book, Day, MarketEvent, OutsideTrade, Phase, Trade
from pocketquant.simulator.market.world import Instrument
from pocketquant.simulator.wire import snapshots
from pocketquant.simulator.wire.snapshots import Values


class Feed:
    """The state of one symbol from now on: `values` are all its fields, `next` its next event."""

    def __init__(
        self, instrument: Instrument, day: Day, events: Iterator[MarketEvent], now: int
    ) -> None:
        self.instrument = instrument
        self._day = day
        self._events = events
        self._changes: Values = {}
        self._session = day.session
        self.values = snapshots.values(instrument, day, now)
        self.next = next(events, None)

    @property
    def due_ms(self) -> int | None:
        """When the next event is due; None if none will come."""
        return self.next.due_ms if self.next else None

    def play(self, until_ms: int | None = None) -> None:
        """Apply the next event, and all later ones due by `until_ms`."""
        while self.next:
            for name, value in self._values_after(self.next).items():
                if self.values.get(name) != value:
                    self.values[name] = self._changes[name] = value
            self.next = next(self._events, None)
            if until_ms is None or self.next is None or self.next.due_ms > until_ms:
                return

    def take(self) -> Values:
        """Return the fields that changed since the last call."""
        changes, self._changes = self._changes, {}
        return changes

    def has_new_day(self) -> bool:
        """Return whether a trade of another session has come since the last call."""
        before, self._session = self._session, self._day.session
        return self._session != before

    def restart_day(self) -> None:
        """Restart the day's volume at zero."""
        self._day.total = 0

    def correct_volume(self, units: float) -> None:
        """Reduce the day's volume, as an exchange does after a cancelled trade."""
        lots = round(units * self.instrument.lots_per_unit)
        self._day.total = max(self._day.total - lots, 0)

    def _values_after(self, market_event: MarketEvent) -> Values:
        if isinstance(market_event, Trade):
            return self._trade(market_event)
        if isinstance(market_event, Book):
            return snapshots.book_values(self.instrument, *market_event[1:])
        if isinstance(market_event, OutsideTrade):
            return snapshots.outside_values(self.instrument, self._day, market_event)
        opening = snapshots.NOT_OUTSIDE if market_event.phase is Phase.MARKET else {}
        return {"current_session": market_event.phase.value, **opening}

    def _trade(self, trade: Trade) -> Values:
        instrument, day = self.instrument, self._day
        is_first = trade.session != day.session
        day.add(trade)
        values = snapshots.day_values(instrument, day)
        return values | snapshots.session_values(instrument, day) if is_first else values
