"""What a quote says of a symbol, in full."""

from typing import Any

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
    """Every field as of `now`; no prices of what never traded."""
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
    """What a trade may change. `volume` is the running total of the trading session."""
    change = day.last - day.before
    return {
        "volume": day.total / instrument.lots_per_unit if instrument.has_volume else NO_VOLUME,
        "lp_time": day.traded_at,
        "lp": _price(instrument, day.last),
        "low_price": _price(instrument, day.low),
        "high_price": _price(instrument, day.high),
        "chp": round(100 * change / day.before, 2),
        "ch": _price(instrument, change),
    }


def session_values(instrument: Instrument, day: Day) -> Values:
    """What only the first trade of a session changes besides."""
    return {
        "prev_close_price": _price(instrument, day.before),
        "open_time": int(sessions(instrument.calendar).dates[day.session]) * DAY,
        "open_price": _price(instrument, day.open),
    }


def book_values(instrument: Instrument, bid: int, ask: int, bid_size: int, ask_size: int) -> Values:
    """What a change of the book may change."""
    lots = instrument.lots_per_unit
    return {
        "bid_size": bid_size / lots,
        "bid": _price(instrument, bid),
        "ask_size": ask_size / lots,
        "ask": _price(instrument, ask),
    }


def outside_values(instrument: Instrument, day: Day, told: OutsideTrade) -> Values:
    """What a trade outside the session may change: never the price of the last one in it.

    The total is the day's before it and this phase's; before the opening it is that alone.
    """
    if told.price is None:
        return {"lp_time": told.time}
    change, before = told.price - day.last, day.total if told.phase is Phase.POST_MARKET else 0
    return {
        "volume": (before + told.total) / instrument.lots_per_unit,
        "rtc_time": told.time,
        "rtc": _price(instrument, told.price),
        "rchp": round(100 * change / day.last, 2),
        "rch": _price(instrument, change),
        "lp_time": told.time,
    }


def _outside_values(instrument: Instrument, day: Day | None, moment: int) -> Values:
    told = outside_so_far(instrument, moment) if day else None
    return outside_values(instrument, day, told) if day and told else {}


def _price(instrument: Instrument, steps: int) -> float:
    return steps / instrument.pricescale * instrument.rate
