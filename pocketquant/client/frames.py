"""Frames of pandas, polars and Arrow from the raw columns of the API.

A raw response is a sequence of blocks: the number of bars as a little-endian uint64, then six
columns of that many little-endian float64: open time (epoch seconds, UTC), open, high, low, close,
volume (NaN: none). A block without bars ends it.
"""

from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pocketquant.client.failures import missing_library
from pocketquant.domain.errors import InvalidRequest, Unavailable

Frame = Literal["pandas", "polars", "arrow"]
Floats = NDArray[np.float64]

_NAMES = ("open", "high", "low", "close", "volume")
_COUNT_BYTES = 8
_MODULES = {"pandas": "pandas", "polars": "polars", "arrow": "pyarrow"}


def decode_columns(raw: bytes) -> Floats:
    """Return the (6, n) columns of a raw response, uncopied if it is one block.

    Unavailable: the response is cut off.
    """
    blocks: list[Floats] = []
    offset = 0
    while offset + _COUNT_BYTES <= len(raw):
        count = int.from_bytes(raw[offset : offset + _COUNT_BYTES], "little")
        offset += _COUNT_BYTES
        if count == 0 and offset == len(raw):
            return blocks[0] if len(blocks) == 1 else np.hstack([np.empty((6, 0)), *blocks])
        end = offset + 6 * 8 * count
        if count == 0 or end > len(raw):
            break
        blocks.append(np.frombuffer(raw, "<f8", 6 * count, offset).reshape(6, count))
        offset = end
    raise Unavailable("the bars broke off before their end; ask again")


def make_frame(series: Sequence[Floats], names: Sequence[str] | None, frame: Frame, tz: str) -> Any:
    """Return the columns of several series, each in order of time, as one frame.

    With `names`, the symbol of each series, the frame has the symbol of each bar.
    """
    columns = series[0] if len(series) == 1 else np.hstack(series)
    symbols = (
        None if names is None else np.repeat(np.arange(len(names)), [c.shape[1] for c in series])
    )
    library = _library(frame)
    make = {"pandas": _pandas, "polars": _polars, "arrow": _arrow}[frame]
    return make(library, columns, tz, names or (), symbols)


def require_usable(frame: str, tz: str) -> None:
    """Raise InvalidRequest for an unknown frame or zone, Misconfigured for a missing library."""
    if frame not in _MODULES:
        raise InvalidRequest(f"frame is {frame!r}; it is one of {', '.join(_MODULES)}")
    _library(frame)
    try:
        ZoneInfo(tz)
    except (KeyError, ValueError, OSError):
        raise InvalidRequest(f"there is no time zone {tz!r}") from None


def _library(frame: str) -> ModuleType:
    name = _MODULES[frame]
    try:
        return import_module(name)
    except ImportError:
        raise missing_library(f"frame={frame!r}", name, frame) from None


def _times(columns: Floats, unit: str) -> NDArray[np.datetime64]:
    return columns[0].astype("datetime64[s]").astype(f"datetime64[{unit}]")


def _pandas(
    pandas: Any, columns: Floats, tz: str, names: Sequence[str], symbols: NDArray[np.int64] | None
) -> Any:
    index = pandas.DatetimeIndex(_times(columns, "s"), tz="UTC", name="datetime").tz_convert(tz)
    values = dict(zip(_NAMES, columns[1:], strict=True))
    if symbols is None:
        return pandas.DataFrame(values, index=index)
    symbol = pandas.Categorical.from_codes(symbols, categories=list(names))
    both = pandas.MultiIndex.from_arrays([symbol, index], names=["symbol", "datetime"])
    return pandas.DataFrame(values, index=both)


def _polars(
    polars: Any, columns: Floats, tz: str, names: Sequence[str], symbols: NDArray[np.int64] | None
) -> Any:
    times = polars.Series("datetime", _times(columns, "ms")).dt.replace_time_zone("UTC")
    values = [polars.Series(name, column) for name, column in zip(_NAMES, columns[1:], strict=True)]
    frame = polars.DataFrame([times.dt.convert_time_zone(tz), *values]).with_columns(
        polars.col("volume").fill_nan(None)
    )
    if symbols is None:
        return frame
    return frame.insert_column(0, polars.Series("symbol", np.array(names, dtype=object)[symbols]))


def _arrow(
    pyarrow: Any, columns: Floats, tz: str, names: Sequence[str], symbols: NDArray[np.int64] | None
) -> Any:
    times = pyarrow.array(_times(columns, "s"), pyarrow.timestamp("s", tz=tz))
    volume = pyarrow.array(columns[5], mask=np.isnan(columns[5]))
    values = {
        "datetime": times,
        **dict(zip(_NAMES[:4], columns[1:5], strict=True)),
        "volume": volume,
    }
    if symbols is not None:
        values = {"symbol": pyarrow.array(names).take(pyarrow.array(symbols)), **values}
    return pyarrow.table(values)
