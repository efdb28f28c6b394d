"""CSV and Parquet files of bars, as others write them, read as one frame."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketquant.domain.errors import InvalidRequest

if TYPE_CHECKING:
    import pandas

_TIMES = ("datetime", "time", "date", "timestamp")
_PRICES = ("open", "high", "low", "close")
_COLUMNS = (*_PRICES, "volume")
_SECONDS_BEFORE_MILLISECONDS = 100_000_000_000  # the year 5138; as milliseconds 1973


def read_bars(file: Path, timezone: str | None) -> "pandas.DataFrame":
    """The bars of a file, their open times (UTC) in the index `datetime`.

    InvalidRequest for what cannot be read as bars: it names the column and the first row of it.
    """
    frame = _read(file)
    frame.columns = [str(name).strip().lower() for name in frame.columns]
    if str(frame.index.name).lower() in _TIMES:
        frame = frame.reset_index(names=str(frame.index.name).lower())
    time = next((name for name in _TIMES if name in frame.columns), None)
    missing = [name for name in _PRICES if name not in frame.columns]
    if time is None or missing:
        wanted = ", ".join([*([] if time else ["datetime"]), *missing])
        raise InvalidRequest(f"{file} has no column {wanted}; it has {', '.join(frame.columns)}")
    columns = {name: _numbers(frame, name) for name in _COLUMNS if name in frame.columns}
    return _framed(_times(frame[time], timezone), columns)


def _read(file: Path) -> "pandas.DataFrame":
    import pandas

    try:
        if file.suffix.lower() == ".parquet":
            return pandas.read_parquet(file)
        source: Any = sys.stdin if str(file) == "-" else file
        return pandas.read_csv(source, skipinitialspace=True)
    except FileNotFoundError:
        raise InvalidRequest(f"there is no file {file}") from None
    except (OSError, ValueError) as error:  # pandas' and pyarrow's own errors are ValueErrors
        raise InvalidRequest(f"{file} cannot be read: {error}") from error


def _framed(times: "pandas.DatetimeIndex", columns: dict[str, Any]) -> "pandas.DataFrame":
    import pandas

    return pandas.DataFrame(columns).set_index(times)


def _numbers(frame: "pandas.DataFrame", name: str) -> Any:
    import pandas

    numbers = pandas.to_numeric(frame[name], errors="coerce")
    wrong = numbers.isna() & (frame[name].notna() if name == "volume" else True)
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise InvalidRequest(f"row {row + 1}: {name} is no number: {frame[name].iloc[row]!r}")
    return numbers.astype("float64")


def _times(given: Any, timezone: str | None) -> "pandas.DatetimeIndex":
    import pandas

    if pandas.api.types.is_numeric_dtype(given):
        unit = "s" if given.abs().max() < _SECONDS_BEFORE_MILLISECONDS else "ms"
        return pandas.DatetimeIndex(pandas.to_datetime(given, unit=unit, utc=True), name="datetime")
    try:
        times = pandas.DatetimeIndex(pandas.to_datetime(given, format="ISO8601"), name="datetime")
    except (ValueError, TypeError) as error:
        raise InvalidRequest(f"open times are to be ISO 8601 or epoch seconds: {error}") from error
    if times.hasnans:
        raise InvalidRequest(f"row {int(times.isna().argmax()) + 1} has no open time")
    if times.tz is not None:
        return times.tz_convert("UTC")
    return _in_zone(times, timezone)


def _in_zone(times: "pandas.DatetimeIndex", timezone: str | None) -> "pandas.DatetimeIndex":
    if timezone is None:
        raise InvalidRequest(f"{times[0]} has no time zone; name it, such as --timezone UTC")
    try:
        return times.tz_localize(timezone).tz_convert("UTC")
    except (KeyError, ValueError, OSError) as error:  # no such zone; an hour that is not there
        raise InvalidRequest(f"times in {timezone}: {error}") from error
