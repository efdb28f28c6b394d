"""Read CSV and Parquet files of bars from other programs as one frame."""

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pocketquant.client.failures import missing_library
from pocketquant.domain.errors import InvalidRequest

if TYPE_CHECKING:
    import pandas

_TIMES = ("datetime", "time", "date", "timestamp")
UNUSED = "unused columns"
_PRICES = ("open", "high", "low", "close")
_COLUMNS = (*_PRICES, "volume")
_ZONE = r"[T ].*(?:Z|[+-]\d\d(?::?\d\d)?)$"  # after a time of day
_SECONDS_BEFORE_MILLISECONDS = 100_000_000_000  # the year 5138; as milliseconds 1973


def read_bars(file: Path, timezone: str | None) -> "pandas.DataFrame":
    """Return the bars of a file as a frame, with their open times (UTC) as its index `datetime`.

    A missing number becomes NaN. `attrs[UNUSED]` lists the other columns. InvalidRequest for a file
    that holds no bars: it names the column and the first wrong row.
    """
    frame = _read(file)
    frame.columns = [str(name).strip().lower() for name in frame.columns]
    if str(frame.index.name).lower() in _TIMES:
        frame = frame.reset_index(names=str(frame.index.name).lower())
    repeated = sorted({name for name in frame.columns if list(frame.columns).count(name) > 1})
    if repeated:
        raise InvalidRequest(f"{file} has more than one column {', '.join(repeated)}")
    time = next((name for name in _TIMES if name in frame.columns), None)
    missing = [name for name in _PRICES if name not in frame.columns]
    if time is None or missing:
        absent = ", ".join([*([] if time else ["datetime"]), *missing])
        raise InvalidRequest(f"{file} has no column {absent}; it has {', '.join(frame.columns)}")
    if frame.empty:
        raise InvalidRequest(f"{file} has no bars")
    columns = {name: _numbers(frame[name]) for name in _COLUMNS if name in frame.columns}
    bars = _frame(_times(frame[time], timezone), columns)
    bars.attrs[UNUSED] = [name for name in frame.columns if name not in {time, *_COLUMNS}]
    return bars


def _read(file: Path) -> "pandas.DataFrame":
    import pandas

    try:
        if file.suffix.lower() == ".parquet":
            return pandas.read_parquet(file)
        source: Any = sys.stdin if str(file) == "-" else file
        with warnings.catch_warnings(action="error", category=pandas.errors.ParserWarning):
            # without index_col=False, rows of too many values turn the first column into an index
            return pandas.read_csv(source, skipinitialspace=True, index_col=False)
    except ImportError:
        raise missing_library(f"a Parquet file such as {file}", "pyarrow", "arrow") from None
    except FileNotFoundError:
        raise InvalidRequest(f"there is no file {file}") from None
    except pandas.errors.ParserWarning:
        raise InvalidRequest(f"{file} has rows of more values than it has columns") from None
    except (OSError, ValueError) as error:  # pandas' and pyarrow's own errors are ValueErrors
        raise InvalidRequest(f"{file} cannot be read: {error}") from error


def _frame(times: "pandas.DatetimeIndex", columns: dict[str, Any]) -> "pandas.DataFrame":
    import pandas

    return pandas.DataFrame(columns).set_index(times.rename("datetime"))


def _numbers(column: Any) -> Any:
    import pandas

    try:
        numbers = pandas.to_numeric(column, errors="coerce")
    except TypeError as error:
        raise InvalidRequest(f"{column.name} is no column of numbers: {error}") from error
    wrong = numbers.isna() & column.notna()
    if wrong.any():
        row = _first(wrong)
        raise InvalidRequest(f"row {row}: {column.name} is no number: {column.iloc[row - 1]!r}")
    return numbers.astype("float64")


def _times(column: Any, timezone: str | None) -> "pandas.DatetimeIndex":
    import pandas

    if column.isna().any():
        raise InvalidRequest(f"row {_first(column.isna())} has no open time")
    try:
        if pandas.api.types.is_numeric_dtype(column):
            unit = "s" if column.abs().max() < _SECONDS_BEFORE_MILLISECONDS else "ms"
            return pandas.DatetimeIndex(pandas.to_datetime(column, unit=unit, utc=True))
        if pandas.api.types.is_datetime64_any_dtype(column):
            moments = pandas.DatetimeIndex(column)
            return _in_zone(moments, timezone) if moments.tz is None else moments.tz_convert("UTC")
        has_zone = column.astype("str").str.contains(_ZONE)
        moments = pandas.DatetimeIndex(pandas.to_datetime(column, format="ISO8601", utc=True))
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidRequest(f"open times must be ISO 8601 or epoch seconds: {error}") from error
    if has_zone.all():
        return moments
    if has_zone.any():
        raise InvalidRequest(f"row {_first(~has_zone)} has no time zone, and others have one")
    return _in_zone(moments.tz_localize(None), timezone)


def _first(wrong: Any) -> int:
    """Return the number of the first row that is wrong, counted from 1."""
    return int(wrong.to_numpy().argmax()) + 1


def _in_zone(times: "pandas.DatetimeIndex", timezone: str | None) -> "pandas.DatetimeIndex":
    if timezone is None:
        raise InvalidRequest(f"{times[0]} has no time zone; name it, such as --timezone UTC")
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise InvalidRequest(f"there is no time zone {timezone!r}") from None
    localized = times.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    if localized.hasnans:
        ambiguous = times[localized.isna().argmax()]
        raise InvalidRequest(f"{ambiguous} is no one moment in {timezone}, where clocks changed")
    return localized.tz_convert("UTC")
