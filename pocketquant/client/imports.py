"""Bars of one's own, brought to the API."""

import math
from collections import Counter
from typing import Any

from pocketquant.client.asking import Asking, symbol_path
from pocketquant.client.transport import Json
from pocketquant.domain.errors import InvalidRequest

_BARS_A_PIECE = 5000
_PRICES = ("open", "high", "low", "close")
_COUNTS = ("inserted", "changed", "unchanged", "refused")


class Imports(Asking):
    """Calls that store bars from elsewhere."""

    def import_bars(self, symbol: str, interval: str, frame: Any) -> Json:
        """Store the bars of a pandas or polars DataFrame or an Arrow table.

        Its columns: `datetime` (or an index of that kind) with a zone, open, high, low, close, and
        volume where there is one. A stored bar of the same time is replaced, so that doing it
        again changes nothing. The counts `inserted`, `changed`, `unchanged`, `refused`, and
        `refusals` with index, datetime and reason of each refused bar. InvalidRequest for a frame
        that holds no bars; 5000 bars are sent at a time, and those before an error are stored.
        """
        path = f"/market-data/ohlcv/{symbol_path(symbol)}"
        rows, counts = _rows(frame), Counter[str]()
        report: Json = {}
        refusals: list[Json] = []
        for begin in range(0, len(rows), _BARS_A_PIECE):
            body = {"interval": interval, "bars": rows[begin : begin + _BARS_A_PIECE]}
            report = self._call("POST", path, json=body, is_repeatable=True)
            counts.update({name: report[name] for name in _COUNTS})
            refusals += [{**each, "index": begin + each["index"]} for each in report["refusals"]]
        return {**report, **{name: counts[name] for name in _COUNTS}, "refusals": refusals}


def _rows(frame: Any) -> list[Json]:
    """The bars as the API takes them."""
    bars = _pandas(frame)
    missing = [name for name in _PRICES if name not in bars.columns]
    if missing or getattr(bars.index, "tz", None) is None:
        wanted = ", ".join(missing) or "datetime that tells its zone"
        raise InvalidRequest(f"the frame has no {wanted}; bars have datetime, {', '.join(_PRICES)}")
    if bars.empty:
        raise InvalidRequest("the frame has no bars")
    if bars.index.hasnans:
        raise InvalidRequest(f"bar {int(bars.index.isna().argmax()) + 1} has no open time")
    names = [*_PRICES, *(["volume"] if "volume" in bars.columns else [])]
    times = bars.index.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%S.%fZ").tolist()
    columns = {"datetime": times, **{name: _numbers(bars, name) for name in names}}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _numbers(bars: Any, name: str) -> list[float | None]:
    """A column of finite numbers; a volume may be missing."""
    column = bars[name]
    if column.ndim != 1:
        raise InvalidRequest(f"the frame has {column.shape[1]} columns {name}")
    try:
        numbers = column.astype("float64").tolist()
    except (ValueError, TypeError) as error:
        raise InvalidRequest(f"{name} is no column of numbers: {error}") from error
    for time, number in zip(bars.index, numbers, strict=True):
        if not math.isfinite(number) and not (name == "volume" and math.isnan(number)):
            raise InvalidRequest(f"the bar of {time} has {name} {number}; drop what is no bar")
    return [None if math.isnan(number) else number for number in numbers]


def _pandas(frame: Any) -> Any:
    """The same bars with their open times as the index."""
    bars = frame.to_pandas() if hasattr(frame, "to_pandas") else frame
    if not hasattr(bars, "columns") or not hasattr(bars, "index"):
        raise InvalidRequest(
            f"bars come as a DataFrame or an Arrow table, not {type(frame).__name__}"
        )
    return bars.set_index("datetime") if "datetime" in bars.columns else bars
