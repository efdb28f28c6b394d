"""The fields of quotes."""

from typing import Any

from pocketquant.domain.bars import Bars
from pocketquant.domain.intervals import DAY
from pocketquant.simulator.market.calendars import sessions
from pocketquant.simulator.market.trading import (
    Day,
    OutsideTrade,
    Phase,
    book_around,
    outside_so_far,
    phase_at,
)
from pocketquant.simulator.market.world import Instrument
from pocketquant.simulator.wire import answers

NO_VOLUME = 1e100
NOT_OUTSIDE: dict[str, Any] = {"rtc_time": None, "rtc": None, "rchp": None, "rch": None}

Values = dict[str, Any]


def values(instrument: Instrument, day: Day | None, now: int) -> Values:
    """Return every field as of `now`, without prices for a symbol that never traded."""
    moment = now - instrument.delay_seconds
    prices = {**day_values(instrument, day), **session_values(instrument, day)} if day else {}
    book = book_values(instrument, *book_around(day.last, day.total)) if day else {}
    return {
        **prices,
        **book,
        "update_mode": answers.update_mode(instrument),
        "typespecs": list(instrument.typespecs),
        "type": instrument.type,
        "short_name": instrument.ticker,
        **NOT_OUTSIDE,
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
        "current_session": phase_at(instrument, moment).value,
        "currency_id": instrument.currency,
        "currency_code": instrument.currency,
        **_outside_values(instrument, day, moment),
    }


def day_values(instrument: Instrument, day: Day) -> Values:
    """Return the fields that a trade changes; `volume` is the running total of the session."""
    change = day.last - day.previous_close
    return {
        "volume": day.total / instrument.lots_per_unit if instrument.has_volume else NO_VOLUME,
        "lp_time": day.traded_at,
        "lp": _price(instrument, day.last),
        "low_price": _price(instrument, day.low),
        "high_price": _price(instrument, day.high),
        "chp": round(100 * change / day.previous_close, 2),
        "ch": _price(instrument, change),
    }


def session_values(instrument: Instrument, day: Day) -> Values:
    """Return the fields that the first trade of a session changes besides."""
    return {
        "prev_close_price": _price(instrument, day.previous_close),
        "open_time": int(sessions(instrument.calendar).dates[day.session]) * DAY,
        "open_price": _price(instrument, day.open),
    }


def day_bar(date: int, bars: Bars) -> Values:
    """Return a whole day as the server sends it: texts, and the date as its midnight in UTC."""
    names = ("open", "high", "low", "close", "volume")
    numbers = [each for each in bars.columns[1:, 0].tolist() if each == each]  # without NaN
    return {"time": str(date * DAY), **dict(zip(names, map(str, numbers), strict=False))}


def book_values(instrument: Instrument, bid: int, ask: int, bid_size: int, ask_size: int) -> Values:
    """Return the fields that a change of the book changes."""
    lots = instrument.lots_per_unit
    return {
        "bid_size": bid_size / lots,
        "bid": _price(instrument, bid),
        "ask_size": ask_size / lots,
        "ask": _price(instrument, ask),
    }


def outside_values(instrument: Instrument, day: Day, trade: OutsideTrade) -> Values:
    """Return the fields that a trade outside the session changes; the last price is not one.

    Before the opening, the volume is that of this phase; after the close, it includes the day's.
    """
    if trade.price is None:
        return {"lp_time": trade.time}
    change, before = trade.price - day.last, day.total if trade.phase is Phase.POST_MARKET else 0
    return {
        "volume": (before + trade.total) / instrument.lots_per_unit,
        "rtc_time": trade.time,
        "rtc": _price(instrument, trade.price),
        "rchp": round(100 * change / day.last, 2),
        "rch": _price(instrument, change),
        "lp_time": trade.time,
    }


def _outside_values(instrument: Instrument, day: Day | None, moment: int) -> Values:
    trade = outside_so_far(instrument, moment) if day else None
    return outside_values(instrument, day, trade) if day and trade else {}


def _price(instrument: Instrument, steps: int) -> float:
    return steps / instrument.pricescale * instrument.rate
