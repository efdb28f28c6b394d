"""The contents of messages other than bars: the hello, a symbol's description, error texts."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson

from pocketquant.simulator.market import exchanges
from pocketquant.simulator.market.calendars import Calendar
from pocketquant.simulator.market.world import Instrument

POD = "sim1-charts-free-1-runner-1"
WHERE = f"{POD}@{POD}"


def hello(now_ms: int) -> str:
    """Return the first message of a connection as JSON."""
    greeting = {
        "session_id": f"0.{now_ms % 10**7}.{now_ms % 10**4}_{POD}",
        "timestamp": now_ms // 1000,
        "timestampMs": now_ms,
        "release": "release_209-23",
        "studies_metadata_hash": "0fd29e4fdd03e654cf64f97efb4cd78bef47feac",
        "auth_scheme_vsn": 2,
        "protocol": "json",
        "via": "127.0.0.1:443",
        "javastudies": ["3.66"],
    }
    return orjson.dumps(greeting).decode()


@lru_cache(maxsize=256)
def resolved(instrument: Instrument) -> dict[str, Any]:
    """Return the description of a symbol for `symbol_resolved`."""
    calendar = instrument.official
    subsessions = [_subsession(*each) for each in _subsessions(instrument)]
    return {
        "source2": {
            "country": instrument.country,
            "description": instrument.exchange,
            "exchange-type": "exchange",
            "id": instrument.exchange,
            "name": instrument.exchange,
            "url": "https://example.com/",
        },
        "currency_code": instrument.currency,
        "source_id": instrument.exchange,
        "subsession_id": "extended" if instrument.parts else "regular",
        "provider_id": instrument.exchange.lower(),
        "currency_id": instrument.currency,
        "format": "price",
        "formatter": "price",
        "pro_perm": instrument.permission_group,
        "volume_type": "base",
        "measure": "price",
        "allowed_adjustment": "any" if instrument.has_adjustment else "none",
        "short_description": instrument.description,
        "variable_tick_size": "",
        "language": "en",
        "local_description": instrument.description,
        "name": instrument.ticker,
        "full_name": instrument.name,
        "pro_name": instrument.name,
        "base_name": [instrument.name],
        "description": instrument.description,
        "exchange": instrument.exchange,
        "pricescale": instrument.pricescale,
        "pointvalue": 1.0,
        "minmov": 1,
        "session": calendar.session_text,
        "session_display": calendar.session_text,
        "subsessions": subsessions,
        "type": instrument.type,
        "typespecs": list(instrument.typespecs),
        "resolutions": [],
        "has_intraday": not instrument.is_daily_only,
        "fractional": False,
        "listed_exchange": instrument.exchange,
        "legs": [instrument.name],
        "is_tradable": True,
        "minmove2": 0,
        "timezone": calendar.timezone,
        "aliases": [],
        "alternatives": [],
        "is_replayable": True,
        "has_adjustment": instrument.has_adjustment,
        "has_extended_hours": instrument.has_extended_hours,
        "bar_source": "trade",
        "bar_transform": "none",
        "bar_fillgaps": False,
        "visible_plots_set": "ohlcv" if instrument.has_volume else "ohlc",
        "is-tickbars-available": True,
        "exchange_listed_name": instrument.ticker,
        **_without_empty(
            country=instrument.country,
            session_holidays=calendar.holidays_text,
            corrections="" if instrument.has_extended_hours else calendar.corrections_text,
            delay=instrument.delay_seconds,
        ),
    }


def _subsessions(instrument: Instrument) -> list[tuple[str, str, Calendar]]:
    """Return id, description and hours of each part of the day that clients may request."""
    if not instrument.has_extended_hours:
        return [("regular", "Regular Trading Hours", instrument.official)]
    return [
        ("regular", "Regular Trading Hours", exchanges.NEW_YORK),
        ("extended", "Extended Trading Hours", exchanges.EXTENDED),
        ("premarket", "Premarket", exchanges.PRE_MARKET),
        ("postmarket", "Postmarket", exchanges.POST_MARKET),
    ]


def _subsession(name: str, description: str, calendar: Calendar) -> dict[str, object]:
    return {
        "description": description,
        "id": name,
        "private": name not in ("regular", "extended"),
        "session": calendar.session_text,
        "session-correction": calendar.corrections_text,
        "session-display": calendar.session_text,
    }


def _without_empty(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value}


def update_mode(instrument: Instrument) -> str:
    """Return the mode of a symbol's updates: streaming, or delayed by so many seconds."""
    delay = instrument.delay_seconds
    return f"delayed_streaming_{delay}" if delay else "streaming"


def call_text(method: str, params: Sequence[object]) -> str:
    """Return a call as critical errors quote it: without the session and quotation marks."""
    return f'method: {method}. args: "[{", ".join(str(param) for param in params[1:])}]"'


def unknown_session_text(method: str, params: Sequence[object]) -> str:
    """Return the reason for a call to an unknown session, an Erlang term."""
    session, *others = params or [""]
    texts = ",".join(_erlang(other) for other in others)
    return (
        f"{{unknown_session_id,{_erlang(method)},{_erlang(session)},\n"
        f"                    [{texts}]}}"
    )


def _erlang(value: object) -> str:
    return f'<<"{value}">>' if isinstance(value, str) else str(value)
