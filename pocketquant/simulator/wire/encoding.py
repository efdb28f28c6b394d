"""Encodes bars and their time scale as the JSON of a `timescale_update`.

Encoded texts are cached, so that repeated requests cost little.
"""

from functools import lru_cache

import msgspec
import numpy as np
import orjson

from pocketquant.domain.bars import Floats
from pocketquant.domain.intervals import DAY, HOUR, MINUTE
from pocketquant.simulator.market.calendars import Ints, sessions, utc_offset_seconds
from pocketquant.simulator.market.world import Instrument
from pocketquant.simulator.wire.answers import POD

EXCHANGE_TIMEZONE = "exchange"
EMPTY_SCALE: dict[str, object] = {
    "index": 0,
    "zoffset": 0,
    "changes": [],
    "marks": [],
    "index_diff": [],
}

_LENGTHS_WITH_WEIGHTS = (
    (MINUTE, 20),
    (5 * MINUTE, 21),
    (30 * MINUTE, 22),
    (HOUR, 30),
    (3 * HOUR, 31),
    (6 * HOUR, 32),
    (12 * HOUR, 33),
    (DAY, 40),
)
_WEEK_WEIGHT, _MONTH_WEIGHT, _YEAR_WEIGHT = 50, 60, 70
_FIRST_MONDAY = 4 * DAY


def block(columns: Floats, first_index: int, turnaround: str, close_time: int) -> msgspec.Raw:
    """Encode the bars of a series; the first has the index `first_index`."""
    rows = np.ascontiguousarray(columns.T)
    older = _bars_text(rows[:-1].tobytes(), rows.shape[1], first_index)
    newest = _bars_text(rows[-1:].tobytes(), rows.shape[1], first_index + len(rows) - 1)
    return msgspec.Raw(
        f'{{"node":"{POD}","s":[{older}{"," if older else ""}{newest}],'
        f'"ns":{{"d":"","indexes":[]}},"t":{_json(turnaround)},'
        f'"lbs":{{"bar_close_time":{close_time}}}}}'.encode()
    )


def scale(
    instrument: Instrument,
    timezone: str,
    is_intraday: bool,
    times: Floats,
    first_index: int,
    newer: Floats | None = None,
) -> dict[str, object]:
    """Return the time scale of the bars; with the `newer` bars that follow them, marks for all.

    A mark consists of the weight of the largest time boundary since the bar before, the bar's local
    time written as if in UTC, and its index. The time of a daily bar is its trading date.
    """
    marked = times if newer is None else np.concatenate((times, newer))
    changes = msgspec.Raw(_json(times).encode())
    marks = _marks_text(instrument, timezone, is_intraday, marked.tobytes(), first_index)
    return {
        "index": min(first_index, 0),
        "zoffset": max(-first_index, 0),
        "changes": changes,
        "marks": marks,
        "index_diff": [],
    }


@lru_cache(maxsize=32)
def _bars_text(values: bytes, width: int, first_index: int) -> str:
    if not values:
        return ""
    rows = _json(np.frombuffer(values).reshape(-1, width))[2:-2].split("],[")
    bars = [f'"i":{index},"v":[{row}' for index, row in enumerate(rows, first_index)]
    return f"{{{']},{'.join(bars)}]}}"


@lru_cache(maxsize=32)
def _marks_text(
    instrument: Instrument, timezone: str, is_intraday: bool, values: bytes, first_index: int
) -> msgspec.Raw:
    seconds = np.frombuffer(values).astype(np.int64)
    if is_intraday:
        walls = seconds + _offsets(instrument, timezone, seconds)
    else:
        walls = sessions(instrument.official).midnights(seconds)
    indexes = np.arange(first_index, first_index + len(walls))
    marks = np.stack((_weights(walls), walls, indexes), axis=1)
    return msgspec.Raw(_json(marks).encode())


def _offsets(instrument: Instrument, timezone: str, times: Ints) -> Ints:
    name = instrument.calendar.timezone if timezone == EXCHANGE_TIMEZONE else timezone
    days, indexes = np.unique(times // DAY, return_inverse=True)
    return np.array([utc_offset_seconds(name, int(day)) for day in days], dtype=np.int64)[indexes]


def _weights(walls: Ints) -> Ints:
    """Return the weights of the marks; the first bar counts as if one ended a second before it."""
    before = np.concatenate((walls[:1] - 1, walls[:-1]))
    weights = np.full(len(walls), _LENGTHS_WITH_WEIGHTS[0][1])
    for length, weight in _LENGTHS_WITH_WEIGHTS:
        weights[walls // length != before // length] = weight
    weights[_weeks(walls) != _weeks(before)] = _WEEK_WEIGHT
    for unit, weight in (("M", _MONTH_WEIGHT), ("Y", _YEAR_WEIGHT)):
        weights[_calendar_unit(walls, unit) != _calendar_unit(before, unit)] = weight
    return weights


def _weeks(walls: Ints) -> Ints:
    return (walls - _FIRST_MONDAY) // (7 * DAY)


def _calendar_unit(walls: Ints, unit: str) -> Ints:
    return walls.astype("datetime64[s]").astype(f"datetime64[{unit}]").astype(np.int64)


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()
