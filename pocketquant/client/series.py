"""Stored bars: frames, pages, files, and bars of one's own."""

import os
import uuid
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, cast, overload

import requests

from pocketquant.client.answers import BarsPage, ImportResult
from pocketquant.client.calls import Calls, Moment, query_of, symbol_path
from pocketquant.client.failures import strange
from pocketquant.client.frames import Floats, Frame, decode_columns, framed, require_usable
from pocketquant.client.imported_rows import rows_of
from pocketquant.domain.errors import InvalidRequest, Unavailable

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

_PIECE_BYTES = 256 * 1024
_BARS_A_REQUEST = 5000
_COUNTS = ("inserted", "changed", "unchanged", "refused")
_TYPES = {
    "raw": "application/vnd.pocketquant.bars",
    "arrow": "application/vnd.apache.arrow.stream",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}


class SeriesCalls(Calls):
    """Calls about the stored bars of symbols, each named `EXCHANGE:TICKER`."""

    @overload
    def bars(
        self,
        symbols: str | Iterable[str],
        interval: str = "1d",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        tz: str = "UTC",
        frame: Literal["pandas"] = "pandas",
    ) -> "pandas.DataFrame": ...

    @overload
    def bars(
        self,
        symbols: str | Iterable[str],
        interval: str = "1d",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        tz: str = "UTC",
        frame: Literal["polars"],
    ) -> "polars.DataFrame": ...

    @overload
    def bars(
        self,
        symbols: str | Iterable[str],
        interval: str = "1d",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        tz: str = "UTC",
        frame: Literal["arrow"],
    ) -> "pyarrow.Table": ...

    def bars(
        self,
        symbols: str | Iterable[str],
        interval: str = "1d",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        tz: str = "UTC",
        frame: Frame = "pandas",
    ) -> Any:
        """Return stored bars that open in [start, end), or the newest `limit` of them, by time.

        A pandas DataFrame with the open times as its index `datetime`, a polars one or an Arrow
        table with a column of that name; open, high, low, close and volume are float64, and a
        missing volume is null. Times are in the zone `tz`. For several symbols the frame holds
        all of them, one after the other: its index (pandas) or its columns (polars, Arrow) begin
        with `symbol`, and `limit` is that of each symbol.

        NotFound for a series that was never synced, Unavailable where the answer broke off,
        Misconfigured where the library of the frame is not installed.
        """
        require_usable(frame, tz)
        names = [symbols] if isinstance(symbols, str) else list(symbols)
        if not names:
            raise InvalidRequest("name at least one symbol")
        query = query_of({"start_date": start, "end_date": end, "limit": limit})
        found = [self._columns(name, interval, query) for name in names]
        return framed(found, None if isinstance(symbols, str) else names, frame, tz)

    def page(self, symbol: str, interval: str, **query: str | int) -> BarsPage:
        """Return one page of bars as JSON, the newest first unless `order="asc"`.

        Parameters: `start_date`, `end_date`, `limit`, and `cursor`, the `next_cursor` of the page
        before.
        """
        path = f"/market-data/ohlcv/{symbol_path(symbol)}"
        return self._call("GET", path, params={"interval": interval, **query})

    def export(
        self,
        symbol: str,
        interval: str,
        file_or_path: str | os.PathLike[str] | IO[bytes],
        *,
        format: Literal["parquet", "arrow", "csv"] = "parquet",  # noqa: A002  # as the API says
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
    ) -> int:
        """Write stored bars to a file as they arrive, and return the number of bytes.

        In order of time; with a `limit` the newest so many, newest first. A path gets the whole
        file at once, replacing one that is there; if the answer breaks off, nothing is replaced
        and Unavailable is raised. An open file may then hold the first part.
        """
        query = query_of({"start_date": start, "end_date": end, "limit": limit})
        order = "asc" if limit is None else "desc"
        answer = self._file(symbol, interval, format, stream=True, order=order, **query)
        with answer, self._transport.reading():
            _require_length(answer)
            if isinstance(file_or_path, (str, os.PathLike)):
                return _write_at(Path(file_or_path), answer)
            return _write(file_or_path, answer)

    def import_bars(self, symbol: str, interval: str, frame: Any) -> ImportResult:
        """Store the bars of a pandas or polars DataFrame or an Arrow table.

        Its columns: `datetime` with a time zone (or an index of that kind), open, high, low, close,
        and optionally volume. A stored bar of the same time is replaced, so that repeating the call
        changes nothing. Returns the counts `inserted`, `changed`, `unchanged`, `refused`, and
        `refusals` with index, datetime and reason of each refused bar. InvalidRequest for a frame
        that holds no bars. 5000 bars are sent at a time, and those before an error are stored.
        """
        path = f"/market-data/ohlcv/{symbol_path(symbol)}"
        rows, counts = rows_of(frame), Counter[str]()
        report: Any = {}
        refusals: list[Any] = []
        for begin in range(0, len(rows), _BARS_A_REQUEST):
            body = {"interval": interval, "bars": rows[begin : begin + _BARS_A_REQUEST]}
            report = self._call("POST", path, json=body, is_repeatable=True)
            counts.update({name: report[name] for name in _COUNTS})
            refusals += [{**each, "index": begin + each["index"]} for each in report["refusals"]]
        return cast(ImportResult, {**report, **counts, "refusals": refusals})

    def _columns(self, symbol: str, interval: str, query: dict[str, Any]) -> Floats:
        """Return the (6, n) columns of a series in order of time."""
        if "limit" not in query:
            return decode_columns(self._file(symbol, interval, "raw", order="asc", **query).content)
        newest = self._file(symbol, interval, "raw", order="desc", **query).content
        return decode_columns(newest)[:, ::-1]

    def _file(
        self, symbol: str, interval: str, form: str, *, stream: bool = False, **query: Any
    ) -> requests.Response:
        path = f"/market-data/ohlcv/{symbol_path(symbol)}"
        params = {"interval": interval, "format": form, **query}
        answer = self._transport.answer("GET", path, params=params, stream=stream)
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        if kind != _TYPES.get(form, kind):
            with answer:
                raise strange(answer)
        return answer


def _require_length(answer: requests.Response) -> None:
    """Unavailable where a cut file would look like a whole one."""
    is_chunked = answer.headers.get("Transfer-Encoding", "").lower() == "chunked"
    if not is_chunked and "Content-Length" not in answer.headers:
        raise Unavailable(f"{answer.url} does not say how long its file is; a proxy hides it")


def _write_at(path: Path, answer: requests.Response) -> int:
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with beside.open("xb") as file:
            written = _write(file, answer)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return written


def _write(file: IO[bytes], answer: requests.Response) -> int:
    return sum(_write_whole(file, piece) for piece in answer.iter_content(_PIECE_BYTES))


def _write_whole(file: IO[bytes], piece: bytes) -> int:
    """Write all of a piece: an unbuffered file may take a part of it."""
    left = memoryview(piece)
    while left:
        left = left[file.write(left) :]
    return len(piece)
