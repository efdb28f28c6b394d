"""TradingView's UDF: what its charting library asks of a server, and the answers that it reads.

The time of a bar of a day or longer is 00:00 UTC of its trading day, in requests and answers. The
protocol: https://www.tradingview.com/charting-library-docs/latest/connecting_data/UDF
"""

import re
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars
from pocketquant.domain.errors import InvalidRequest
from pocketquant.domain.intervals import DAY, Interval
from pocketquant.domain.listings import Listing

MOST_BARS = 20_000  # of one answer

_RESOLUTION = re.compile(r"(\d{0,4})([DWM]?)")
_UNITS = {"": "m", "D": "d", "W": "w", "M": "M"}
_LETTERS = {"d": "1D", "w": "1W", "M": "1M"}
_ALWAYS = ("24x7", "Etc/UTC")

Json = dict[str, Any]


def config() -> Json:
    """Return what the server can do; clients that search show no filters."""
    return {
        "supported_resolutions": [resolution_of(interval) for interval in Interval],
        "supports_search": True,
        "supports_time": True,
        "supports_group_request": False,
        "supports_marks": False,
        "supports_timescale_marks": False,
        "exchanges": [],
        "symbols_types": [],
    }


def interval_of(resolution: str) -> str:
    """`60` → `60m`, `D` → `1d`, `3M` → `3M`; raise InvalidRequest for anything else."""
    found = _RESOLUTION.fullmatch(resolution)
    if not resolution or not found or found[1].startswith("0"):
        raise InvalidRequest(f"resolution: {resolution[:20]!r} is not like 1, 60, 1D, 1W or 1M")
    return f"{found[1] or 1}{_UNITS[found[2]]}"


def resolution_of(interval: Interval) -> str:
    """`1h` → `60`, `1d` → `1D`."""
    unit = interval.value[-1]
    if unit in _LETTERS:
        return _LETTERS[unit]
    return str(int(interval.value[:-1]) * (60 if unit == "h" else 1))


def symbol_info(listing: Listing) -> Json:
    """Return a symbol as the library resolves it; `ticker` is what it asks for later."""
    session, zone = (listing.session, listing.timezone) if listing.session else _ALWAYS
    return {
        "name": listing.symbol.name,
        "ticker": str(listing.symbol),
        "description": listing.description,
        "type": listing.type,
        "exchange": listing.symbol.exchange,
        "listed_exchange": listing.symbol.exchange,
        "session": session,
        "timezone": zone,
        "format": "price",
        "minmov": listing.min_move or 1,
        "pricescale": listing.price_scale or 100,
        "currency_code": listing.currency,
        "has_intraday": True,
        "has_daily": True,
        "has_weekly_and_monthly": True,
        "intraday_multipliers": [resolution_of(one) for one in Interval if one.is_intraday],
        "supported_resolutions": [resolution_of(interval) for interval in Interval],
        "visible_plots_set": "ohlcv" if listing.has_volume else "ohlc",
        "has_no_volume": not listing.has_volume,  # the older name, which some clients need
        "data_status": "delayed_streaming" if listing.delay_seconds else "streaming",
        "delay": listing.delay_seconds or 0,
    }


def found_symbol(listing: Listing) -> Json:
    """Return a symbol as a search lists it."""
    return {
        "symbol": listing.symbol.name,
        "full_name": str(listing.symbol),
        "ticker": str(listing.symbol),
        "description": listing.description,
        "exchange": listing.symbol.exchange,
        "type": listing.type,
    }


@dataclass(frozen=True, slots=True)
class Wanted:
    """Bars before `end`: the newest `count` of them or, without a count, those from `start` on."""

    start: int
    end: int
    count: int | None

    @property
    def most(self) -> int:
        return self.count or MOST_BARS


def history(bars: Bars, times: NDArray[np.int64], wanted: Wanted) -> Json:
    """Return the wanted ones of these bars, whose `times` are those of the protocol.

    If there are none, the answer has the time of the newest bar before them; without one there is
    nothing older.
    """
    before = times < wanted.end
    chosen = before if wanted.count else before & (times >= wanted.start)
    indices = np.flatnonzero(chosen)[-wanted.most :]
    if not len(indices):
        older = times[before]
        return {"s": "no_data", "nextTime": int(older[-1])} if len(older) else {"s": "no_data"}
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    table = {name: column[indices].tolist() for name, column in zip("ohlcv", columns, strict=True)}
    table["v"] = [None if isnan(volume) else volume for volume in table["v"]]
    return {"s": "ok", "t": times[indices].tolist(), **table}


def protocol_times(opened: NDArray[np.int64], days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return each trading day's 00:00 UTC; where a day is unknown, that of the open's date."""
    dates = np.where(np.isnat(days), opened.astype("datetime64[s]").astype("datetime64[D]"), days)
    return dates.astype(np.int64) * DAY


def quote(asked: str, latest: Json | None) -> Json:
    """Return a quote under the name that was asked for; an error if there is none."""
    if latest is None:
        return {"s": "error", "n": asked, "v": {}}
    return {
        "s": "ok",
        "n": asked,
        "v": {
            "ch": latest["change"],
            "chp": latest["change_percent"],
            "short_name": latest["symbol"],
            "exchange": latest["exchange"],
            "original_name": f"{latest['exchange']}:{latest['symbol']}",
            "description": "",
            "lp": latest["last_price"],
            "ask": latest["ask"],
            "bid": latest["bid"],
            "spread": _difference(latest["ask"], latest["bid"]),
            "open_price": latest["open_price"],
            "high_price": latest["high_price"],
            "low_price": latest["low_price"],
            "prev_close_price": latest["prev_close"],
            "volume": latest["volume"],
        },
    }


def _difference(higher: float | None, lower: float | None) -> float | None:
    return None if higher is None or lower is None else round(higher - lower, 10)
