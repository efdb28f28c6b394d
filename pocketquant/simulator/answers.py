"""What the server's messages hold: bars, marks, what is known of a symbol, texts of errors."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import orjson

from pocketquant.domain.bars import Floats
from pocketquant.domain.intervals import DAY, HOUR, MINUTE
from pocketquant.simulator.calendars import Ints, sessions, utc_offset_seconds
from pocketquant.simulator.market import Resolution
from pocketquant.simulator.world import Instrument

POD = "sim1-charts-free-1-runner-1"
EXCHANGE_TIMEZONE = "exchange"

_TIMES_WITH_WEIGHTS = (
    (MINUTE, 20),
    (5 * MINUTE, 21),
    (30 * MINUTE, 22),
    (HOUR, 30),
    (3 * HOUR, 31),
    (6 * HOUR, 32),
    (12 * HOUR, 33),
    (DAY, 40),
)
_MONDAY = 4 * DAY
_WEEK, _MONTH, _YEAR = 50, 60, 70


def hello(now_ms: int) -> dict[str, object]:
    """The first object of a connection."""
    return {
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


def block(columns: Floats, first_index: int, turnaround: str, close_time: int) -> msgspec.Raw:
    """The bars of a series, as JSON text; the first has the index `first_index`."""
    rows = _json(np.ascontiguousarray(columns.T))[2:-2].split("],[")
    bars = "]},{".join([f'"i":{index},"v":[{row}' for index, row in enumerate(rows, first_index)])
    return msgspec.Raw(
        f'{{"node":"{POD}","s":[{{{bars}]}}],"ns":{{"d":"","indexes":[]}},'
        f'"t":{_json(turnaround)},"lbs":{{"bar_close_time":{close_time}}}}}'.encode()
    )


def empty_block(turnaround: str) -> dict[str, object]:
    """The block of a series without bars."""
    return {"s": [], "ns": {"d": "", "indexes": []}, "t": turnaround}


def scale(times: Floats, marks: msgspec.Raw, first_index: int) -> dict[str, object]:
    """The time scale that goes with the bars."""
    return {
        "index": min(first_index, 0),
        "zoffset": max(-first_index, 0),
        "changes": msgspec.Raw(_json(np.ascontiguousarray(times)).encode()),
        "marks": marks,
        "index_diff": [],
    }


EMPTY_SCALE: dict[str, object] = {
    "index": 0,
    "zoffset": 0,
    "changes": [],
    "marks": [],
    "index_diff": [],
}


def marks(
    instrument: Instrument, resolution: Resolution, timezone: str, times: Floats, first_index: int
) -> msgspec.Raw:
    """For each bar the weight of the largest boundary crossed since the one before, and its time.

    That time is the local one written as if it were UTC; of daily bars the trading date's midnight.
    """
    seconds = times.astype(np.int64)
    if resolution.is_intraday:
        walls = seconds + _offsets(instrument, timezone, seconds)
    else:
        walls = sessions(instrument.calendar).midnights(seconds)
    indexes = np.arange(first_index, first_index + len(walls))
    return msgspec.Raw(_json(np.stack((_weights(walls), walls, indexes), axis=1)).encode())


def _offsets(instrument: Instrument, timezone: str, times: Ints) -> Ints:
    name = instrument.calendar.timezone if timezone == EXCHANGE_TIMEZONE else timezone
    days, places = np.unique(times // DAY, return_inverse=True)
    return np.array([utc_offset_seconds(name, int(day)) for day in days], dtype=np.int64)[places]


def _weights(walls: Ints) -> Ints:
    """The first bar's is its own: as if a bar had ended the second before."""
    before = np.concatenate((walls[:1] - 1, walls[:-1]))
    weights = np.full(len(walls), _TIMES_WITH_WEIGHTS[0][1])
    for length, weight in _TIMES_WITH_WEIGHTS:
        weights[walls // length != before // length] = weight
    weights[(walls - _MONDAY) // (7 * DAY) != (before - _MONDAY) // (7 * DAY)] = _WEEK
    for unit, weight in (("M", _MONTH), ("Y", _YEAR)):
        weights[_calendar_unit(walls, unit) != _calendar_unit(before, unit)] = weight
    return weights


def _calendar_unit(walls: Ints, unit: str) -> Ints:
    return walls.astype("datetime64[s]").astype(f"datetime64[{unit}]").astype(np.int64)


@lru_cache(maxsize=256)
def resolved(instrument: Instrument) -> dict[str, Any]:
    """What the server knows of a symbol."""
    calendar = instrument.calendar
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
        "session_holidays": _holidays(instrument),
        "subsession_id": "regular",
        "provider_id": instrument.exchange.lower(),
        "currency_id": instrument.currency,
        "country": instrument.country,
        "format": "price",
        "formatter": "price",
        "pro_perm": instrument.permission_group,
        "volume_type": "base",
        "measure": "price",
        "allowed_adjustment": "splits" if instrument.type == "stock" else "none",
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
        "session": calendar.session,
        "session_display": calendar.session,
        "subsessions": [
            {
                "description": "Regular Trading Hours",
                "id": "regular",
                "private": False,
                "session": calendar.session,
                "session-correction": "",
                "session-display": calendar.session,
            }
        ],
        "type": instrument.type,
        "typespecs": list(instrument.typespecs),
        "resolutions": [],
        "has_intraday": instrument.has_intraday,
        "fractional": False,
        "listed_exchange": instrument.exchange,
        "legs": [instrument.name],
        "is_tradable": True,
        "minmove2": 0,
        "timezone": calendar.timezone,
        "aliases": [],
        "alternatives": [],
        "is_replayable": True,
        "has_adjustment": instrument.type == "stock",
        "has_extended_hours": False,
        "bar_source": "trade",
        "bar_transform": "none",
        "bar_fillgaps": False,
        "visible_plots_set": "ohlcv" if instrument.has_volume else "ohlc",
        "is-tickbars-available": True,
        "exchange_listed_name": instrument.ticker,
        **({"delay": instrument.delay_seconds} if instrument.delay_seconds else {}),
    }


def _holidays(instrument: Instrument) -> str:
    return ",".join(
        f"{year}{month:02}{day:02}"
        for year in range(2000, 2040)
        for month, day in instrument.calendar.holidays
    )


def update_mode(instrument: Instrument) -> str:
    """How fresh the symbol's data is."""
    delay = instrument.delay_seconds
    return f"delayed_streaming_{delay}" if delay else "streaming"


def call_text(method: str, params: Sequence[object]) -> str:
    """A call as critical errors quote it: without the session, and without quotes."""
    return f'method: {method}. args: "[{", ".join(str(param) for param in params[1:])}]"'


def unknown_session_text(method: str, params: Sequence[object]) -> str:
    """An Erlang term."""
    session, *others = params
    texts = ",".join(_erlang(other) for other in others)
    return (
        f"{{unknown_session_id,{_erlang(method)},{_erlang(session)},\n"
        f"                    [{texts}]}}"
    )


def _erlang(value: object) -> str:
    return f'<<"{value}">>' if isinstance(value, str) else str(value)


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()
