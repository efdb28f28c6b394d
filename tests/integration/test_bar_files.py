"""Files and frames of bars from other programs: formats that can be read, and errors."""

import re
from pathlib import Path
from typing import Any

import numpy
import pandas
import polars
import pytest

from pocketquant.client import Client
from pocketquant.commands.bar_files import read_bars
from pocketquant.domain.errors import InvalidRequest

HEAD = "datetime,open,high,low,close,volume\n"
PRICES = {"open": [1.0], "high": [2.0], "low": [1.0], "close": [2.0]}
TIMES = pandas.DatetimeIndex(["2024-01-02T00:00:00Z"], name="datetime")


def _file(folder: Path, content: str | bytes) -> Path:
    file = folder / "bars.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize(
    "content",
    [
        HEAD + "2024-01-02T00:00:00Z,1,2,1,2,\n",
        "\ufeff" + HEAD + "2024-01-02T00:00:00Z,1,2,1,2,\r\n",
        HEAD + "2024-01-02T01:00:00+01:00,1,2,1,2,",
        HEAD + "1704153600,1,2,1,2,\n",
        HEAD + "1704153600000,1,2,1,2,\n",
        "Date, Open, High, Low, Close, Volume\n2024-01-02, 1, 2, 1, 2, \n",
        "close,low,high,open,time,note\n2,1,2,1,2024-01-02,bought\n",
    ],
)
def test_a_bar_is_read_from_many_formats(tmp_path: Path, content: str) -> None:
    """Byte order marks, zones, epochs, any order and case of columns, unknown columns."""
    frame = read_bars(_file(tmp_path, content), "UTC")
    assert [TIMES[0]] == list(frame.index)
    assert [1, 2, 1, 2] == frame[["open", "high", "low", "close"]].iloc[0].tolist()
    assert frame.get("volume", pandas.Series([numpy.nan])).isna().all()


def test_times_before_and_after_a_clock_change_are_converted(tmp_path: Path) -> None:
    """Offsets in the file and a given zone have equal results."""
    rows = "2024-03-30T09:00:00+01:00,1,2,1,2,\n2024-04-01T09:00:00+02:00,1,2,1,2,\n"
    frame = read_bars(_file(tmp_path, HEAD + rows), None)
    assert [8, 7] == frame.index.hour.tolist()
    local = "2024-03-30 09:00,1,2,1,2,\n2024-04-01 09:00,1,2,1,2,\n"
    assert frame.equals(read_bars(_file(tmp_path, HEAD + local), "Europe/Berlin"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read: No columns"),
        ("\n\n\n", "cannot be read: No columns"),
        (b"\xff\xfe\x00", "cannot be read: 'utf-8' codec"),
        (b"PK\x03\x04\x00\x00\x08", "has no column datetime"),
        (HEAD, "has no bars"),
        ("datetime;open;high;low;close\n", "has no column datetime, open, high, low, close"),
        ("datetime,open,high\n", "has no column low, close; it has datetime, open, high"),
        ("open,high,low,close\n1,2,1,2\n", "has no column datetime"),
        ("time,open,Open,high,low,close\n1,1,1,2,1,2\n", "more than one column open"),
        (HEAD + "2024-01-02T00:00:00Z,1,2,1,2,3,4\n", "more values than it has columns"),
        (HEAD + "1704153600,1,2,1,2,3\n1,2,3,4,5,6,7,8\n", "cannot be read"),
        (HEAD + "2024-01-02T00:00:00Z,one,2,1,2,3\n", "row 1: open is no number: 'one'"),
        (HEAD + '2024-01-02T00:00:00Z,"1,5",2,1,2,3\n', "row 1: open is no number: '1,5'"),
        (HEAD + "2024-01-02T00:00:00Z,1,2,1,2,many\n", "row 1: volume is no number: 'many'"),
        (HEAD + ",1,2,1,2,3\n", "row 1 has no open time"),
        (HEAD + "1704153600,1,2,1,2,3\n,1,2,1,2,3\n", "row 2 has no open time"),
        (HEAD + "yesterday,1,2,1,2,3\n", "open times must be ISO 8601"),
        (HEAD + "01/02/2024,1,2,1,2,3\n", "open times must be ISO 8601"),
        (HEAD + "99999-01-01,1,2,1,2,3\n", "open times must be ISO 8601"),
        (HEAD + "1e300,1,2,1,2,3\n", "open times must be ISO 8601"),
        (HEAD + "2024-01-02,1,2,1,2,3\n2024-01-03T00:00:00Z,1,2,1,2,3\n", "row 1 has no time zone"),
        (HEAD + "2024-03-31 02:30:00,1,2,1,2,3\n", "02:30:00 is no one moment in Europe/Berlin"),
        (HEAD + "2024-10-27 02:30:00,1,2,1,2,3\n", "02:30:00 is no one moment in Europe/Berlin"),
    ],
)
def test_the_error_of_a_file_without_bars_names_the_problem(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    """Every wrong file raises InvalidRequest."""
    with pytest.raises(InvalidRequest, match=re.escape(message)):
        read_bars(_file(tmp_path, content), "Europe/Berlin")


@pytest.mark.parametrize("zone", [None, "Mars/Phobos", "", "../../etc/passwd", "\0", "a" * 300])
def test_times_without_a_zone_need_a_valid_zone(tmp_path: Path, zone: str | None) -> None:
    """No zone is guessed."""
    with pytest.raises(InvalidRequest, match="time"):
        read_bars(_file(tmp_path, HEAD + "2024-01-02,1,2,1,2,3\n"), zone)


def test_the_error_of_a_parquet_file_without_bars_names_the_problem(tmp_path: Path) -> None:
    """For cut files, and columns that are not numbers."""
    file = tmp_path / "bars.parquet"
    pandas.DataFrame(PRICES, index=TIMES).to_parquet(file)
    assert 1 == len(read_bars(file, None))
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_bars(file, None)
    pandas.DataFrame({**PRICES, "open": [[1.0, 2.0]]}, index=TIMES).to_parquet(file)
    with pytest.raises(InvalidRequest, match="open is no"):
        read_bars(file, None)
    pandas.DataFrame({**PRICES, "datetime": [[1]]}).to_parquet(file)
    with pytest.raises(InvalidRequest, match="open times must be"):
        read_bars(file, None)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pandas.DataFrame(PRICES), "no datetime with a time zone"),
        (pandas.DataFrame(PRICES, index=TIMES.tz_localize(None)), "with a time zone"),
        (pandas.DataFrame({**PRICES, "datetime": ["2024-01-02"]}), "with a time zone"),
        (pandas.DataFrame(PRICES, index=TIMES)[["open"]], "the frame has no high, low, close"),
        (pandas.DataFrame(PRICES, index=TIMES)[:0], "the frame has no bars"),
        (pandas.DataFrame({**PRICES, "open": ["one"]}, index=TIMES), "open is no column of num"),
        (pandas.DataFrame({**PRICES, "open": [[1.0]]}, index=TIMES), "open is no column of num"),
        (pandas.DataFrame({**PRICES, "low": [None]}, index=TIMES), "has low nan"),
        (pandas.DataFrame({**PRICES, "high": [numpy.inf]}, index=TIMES), "has high inf"),
        (pandas.DataFrame({**PRICES, "volume": [numpy.inf]}, index=TIMES), "has volume inf"),
        (pandas.DataFrame({**PRICES, "datetime": pandas.to_datetime([None], utc=True)}), "bar 1"),
        (pandas.concat([pandas.DataFrame(PRICES, index=TIMES)] * 2, axis=1), "2 columns open"),
        (polars.DataFrame(PRICES), "no datetime with a time zone"),
        ([{"open": 1.0}], "not list"),
        (None, "not NoneType"),
    ],
)
def test_a_frame_without_bars_is_not_sent(frame: Any, message: str) -> None:
    """The client raises before it sends a request; no API listens at this port."""
    with pytest.raises(InvalidRequest, match=re.escape(message)):
        Client("http://127.0.0.1:9").import_bars("MY:OWN", "1d", frame)
