"""Bars of one's own, brought to the API."""

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
    names = [*_PRICES, *(["volume"] if "volume" in bars.columns else [])]
    times = bars.index.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    values = bars[names].astype("float64").to_numpy().tolist()
    return [
        {
            "datetime": time,
            **{name: _told(name, value) for name, value in zip(names, row, strict=True)},
        }
        for time, row in zip(times, values, strict=True)
    ]


def _pandas(frame: Any) -> Any:
    """The same bars with their open times as the index."""
    bars = frame.to_pandas() if hasattr(frame, "to_pandas") else frame
    if not hasattr(bars, "columns") or not hasattr(bars, "index"):
        raise InvalidRequest(
            f"bars come as a DataFrame or an Arrow table, not {type(frame).__name__}"
        )
    return bars.set_index("datetime") if "datetime" in bars.columns else bars


def _told(name: str, value: float) -> float | None:
    """JSON has no number for a volume that does not exist."""
    if value == value:
        return value
    if name != "volume":
        raise InvalidRequest(f"a bar has no {name}; drop what is no bar")
    return None
