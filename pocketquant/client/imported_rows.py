"""Convert a frame of bars to the JSON rows of an import."""

import math
from typing import Any

from pocketquant.client.transport import Json
from pocketquant.domain.errors import InvalidRequest

_PRICES = ("open", "high", "low", "close")


def rows_of(frame: Any) -> list[Json]:
    """Return the bars of a frame as JSON rows; InvalidRequest for a frame without bars."""
    bars = _pandas(frame)
    missing = [name for name in _PRICES if name not in bars.columns]
    if missing or getattr(bars.index, "tz", None) is None:
        absent = ", ".join(missing) or "datetime with a time zone"
        raise InvalidRequest(f"the frame has no {absent}; bars have datetime, {', '.join(_PRICES)}")
    if bars.empty:
        raise InvalidRequest("the frame has no bars")
    if bars.index.hasnans:
        raise InvalidRequest(f"bar {int(bars.index.isna().argmax()) + 1} has no open time")
    names = [*_PRICES, *(["volume"] if "volume" in bars.columns else [])]
    times = bars.index.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%S.%fZ").tolist()
    columns = {"datetime": times, **{name: _numbers(bars, name) for name in names}}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _numbers(bars: Any, name: str) -> list[float | None]:
    """Return a column of finite numbers; only a volume may be NaN, and becomes None."""
    column = bars[name]
    if column.ndim != 1:
        raise InvalidRequest(f"the frame has {column.shape[1]} columns {name}")
    try:
        numbers = column.astype("float64").tolist()
    except (ValueError, TypeError) as error:
        raise InvalidRequest(f"{name} is no column of numbers: {error}") from error
    for time, number in zip(bars.index, numbers, strict=True):
        if not math.isfinite(number) and not (name == "volume" and math.isnan(number)):
            raise InvalidRequest(f"the bar of {time} has {name} {number}; drop such rows")
    return [None if math.isnan(number) else number for number in numbers]


def _pandas(frame: Any) -> Any:
    """Return the bars as a pandas DataFrame with their open times as the index."""
    bars = frame.to_pandas() if hasattr(frame, "to_pandas") else frame
    if not hasattr(bars, "columns") or not hasattr(bars, "index"):
        raise InvalidRequest(
            f"bars come as a DataFrame or an Arrow table, not {type(frame).__name__}"
        )
    return bars.set_index("datetime") if "datetime" in bars.columns else bars
