"""What a quote says of a symbol, in full."""

from typing import Any

from pocketquant.domain.intervals import DAY
from pocketquant.simulator import answers
from pocketquant.simulator.calendars import is_open, sessions
from pocketquant.simulator.trading import Day, book_around
from pocketquant.simulator.world import Instrument

NO_VOLUME = 1e100

Values = dict[str, Any]


def values(instrument: Instrument, day: Day | None, now: int) -> Values:
    """Every field as of `now`; no prices of what never traded."""
    is_trading = is_open(instrument.calendar, now - instrument.delay_seconds)
    prices = {**day_values(instrument, day), **session_values(instrument, day)} if day else {}
    book = book_values(instrument, *book_around(day.last, day.total)) if day else {}
    return {
        **prices,
        **book,
        "update_mode": answers.update_mode(instrument),
        "typespecs": list(instrument.typespecs),
        "type": instrument.type,
        "short_name": instrument.ticker,
        "rtc_time": None,
        "rtc": None,
        "rchp": None,
        "rch": None,
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
        "current_session": current_session(is_trading),
        "currency_id": instrument.currency,
        "currency_code": instrument.currency,
    }


def day_values(instrument: Instrument, day: Day) -> Values:
    """What a trade may change. `volume` is the running total of the trading session."""
    scale, change = instrument.pricescale, day.last - day.before
    return {
        "volume": day.total / instrument.lots_per_unit if instrument.has_volume else NO_VOLUME,
        "lp_time": day.traded_at,
        "lp": day.last / scale,
        "low_price": day.low / scale,
        "high_price": day.high / scale,
        "chp": round(100 * change / day.before, 2),
        "ch": change / scale,
    }


def session_values(instrument: Instrument, day: Day) -> Values:
    """What only the first trade of a session changes besides."""
    return {
        "prev_close_price": day.before / instrument.pricescale,
        "open_time": int(sessions(instrument.calendar).dates[day.session]) * DAY,
        "open_price": day.open / instrument.pricescale,
    }


def book_values(instrument: Instrument, bid: int, ask: int, bid_size: int, ask_size: int) -> Values:
    """What a change of the book may change."""
    scale, lots = instrument.pricescale, instrument.lots_per_unit
    return {
        "bid_size": bid_size / lots,
        "bid": bid / scale,
        "ask_size": ask_size / lots,
        "ask": ask / scale,
    }


def current_session(is_trading: bool) -> str:
    """Whether there is trade, in the server's words."""
    return "market" if is_trading else "out_of_session"
