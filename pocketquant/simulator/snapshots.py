"""The answers to quote calls: one full `qsd` for each symbol, as of now."""

from typing import Any

from pocketquant.simulator import answers, world
from pocketquant.simulator.calendars import is_open
from pocketquant.simulator.calls import symbol_name
from pocketquant.simulator.market import Market, Resolution, Stretch, close_time
from pocketquant.simulator.outgoing import Event, Refused
from pocketquant.simulator.world import Instrument

NO_VOLUME = 1e100

_DAILY = Resolution(1, "D")
_METHODS = frozenset(
    {
        "quote_set_fields",
        "quote_add_symbols",
        "quote_fast_symbols",
        "quote_remove_symbols",
        "quote_hibernate_all",
    }
)


class Quotes:
    """One quote session: which fields it wants."""

    def __init__(self, name: str, market: Market) -> None:
        self._name = name
        self._market = market
        self._fields: frozenset[str] = frozenset()

    def answer(self, method: str, params: list[Any], now: int) -> list[Event]:
        """Do what a call asks. A call that is `Refused` is lost, the session lives."""
        names = params[1:]
        if method not in _METHODS or not all(isinstance(name, str) for name in names):
            raise Refused
        if method == "quote_set_fields":
            self._fields = frozenset(names)
        return self._add(names, now) if method == "quote_add_symbols" else []

    def _add(self, texts: list[str], now: int) -> list[Event]:
        """The state of each symbol. The reply carries the very text that named it."""
        events = []
        for text in texts:
            events.append(Event("qsd", (self._name, {"n": text, **self._state(text, now)})))
            events.append(Event("quote_completed", (self._name, text)))
        return events

    def _state(self, text: str, now: int) -> dict[str, Any]:
        instrument = world.find(symbol_name(text))
        if instrument is None:
            return {"s": "error", "errmsg": "no_such_symbol", "v": {}}
        if group := instrument.permission_group:
            denied = {"alternative": group}
            return {"s": "permission_denied", "errmsg": "Permission denied", "v": denied}
        values = _values(instrument, self._market.newest(instrument, _DAILY, now, 2), now)
        if self._fields:
            values = {name: value for name, value in values.items() if name in self._fields}
        return {"s": "ok", "v": values}


def _values(instrument: Instrument, days: Stretch, now: int) -> dict[str, Any]:
    return {
        **_prices(instrument, days, now),
        "update_mode": answers.update_mode(instrument),
        "typespecs": list(instrument.typespecs),
        "type": instrument.type,
        "short_name": instrument.ticker,
        "pro_name": instrument.name,
        "pricescale": instrument.pricescale,
        "original_name": instrument.name,
        "minmove2": 0,
        "minmov": 1,
        "local_description": instrument.description,
        "listed_exchange": instrument.exchange,
        "language": "en",
        "is_tradable": True,
        "fractional": False,
        "exchange": instrument.exchange,
        "description": instrument.description,
        "current_session": "market" if is_open(instrument.calendar, now) else "out_of_session",
        "currency_id": instrument.currency,
        "currency_code": instrument.currency,
    }


def _prices(instrument: Instrument, days: Stretch, now: int) -> dict[str, Any]:
    """The day so far; nothing for what never traded."""
    if not len(days.bars):
        return {}
    opened, opens, high, low, close, volume = days.bars.columns[:, -1].tolist()
    before = float(days.bars.close[0])
    return {
        "volume": volume if instrument.has_volume else NO_VOLUME,
        "lp_time": min(now - instrument.delay_seconds, close_time(instrument, _DAILY, int(opened))),
        "lp": close,
        "open_price": opens,
        "high_price": high,
        "low_price": low,
        "prev_close_price": before,
        "chp": round(100 * (close - before) / before, 2),
        "ch": round(close - before, len(str(instrument.pricescale)) - 1),
    }
