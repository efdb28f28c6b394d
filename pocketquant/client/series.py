"""Stored bars as frames, pages and files, and imports of other bars."""

import os
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, cast, overload

import requests

from pocketquant.client.calls import Calls, Filter, Moment, calendar_path, query_of, symbol_path
from pocketquant.client.failures import unexpected_response
from pocketquant.client.frames import Floats, Frame, decode_columns, make_frame, require_usable
from pocketquant.client.imported_rows import rows_of
from pocketquant.client.responses import (
    BarsPage,
    Coverage,
    Differences,
    Events,
    HolesReport,
    ImportResult,
    OutliersReport,
    Provenance,
    Revision,
    SeriesQuality,
)
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
        as_of: Moment | None = None,
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
        as_of: Moment | None = None,
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
        as_of: Moment | None = None,
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
        as_of: Moment | None = None,
        frame: Frame = "pandas",
    ) -> Any:
        """Return stored bars that open in [start, end), or the newest `limit` of them, by time.

        A pandas DataFrame with the open times as its index `datetime`, a polars one or an Arrow
        table with a column of that name; open, high, low, close and volume are float64, and a
        missing volume is null. Times are in the zone `tz`, or the exchange's own if it is
        `exchange`. For several symbols the frame holds
        all of them, one after the other: its index (pandas) or its columns (polars, Arrow) begin
        with `symbol`, and `limit` is that of each symbol. With `as_of` the bars are those that were
        stored at that moment, as they were then, without live bars.

        NotFound: a series was never synced. NoLongerKept: `as_of` lies too long ago. Unavailable:
        the response broke off. Misconfigured: the library of the frame is not installed.
        """
        names = [symbols] if isinstance(symbols, str) else list(symbols)
        if not names:
            raise InvalidRequest("name at least one symbol")
        if tz == "exchange":
            tz = self._exchange_zone(names)
        require_usable(frame, tz)
        query = query_of({"start_date": start, "end_date": end, "limit": limit, "as_of": as_of})
        series = [self._columns(name, interval, query) for name in names]
        return make_frame(series, None if isinstance(symbols, str) else names, frame, tz)

    def _exchange_zone(self, names: Iterable[str]) -> str:
        zones = {self._call("GET", calendar_path(name))["timezone"] for name in names}
        if len(zones) > 1:
            raise InvalidRequest(f"these symbols have several zones: {', '.join(sorted(zones))}")
        return str(zones.pop())

    def page(self, symbol: str, interval: str, **query: str | int) -> BarsPage:
        """Return one page of bars as JSON, the newest first unless `order="asc"`.

        Parameters: `start_date`, `end_date`, `limit`, `tz` (a zone, or `exchange`), `as_of`, and
        `cursor`, which is the `next_cursor` of the previous page.
        """
        path = f"/market-data/ohlcv/{symbol_path(symbol)}"
        return self._call("GET", path, params={"interval": interval, **query})

    def export(
        self,
        symbol: str,
        interval: str,
        file_or_path: str | os.PathLike[str] | IO[bytes],
        *,
        format: Literal["parquet", "arrow", "csv"] = "parquet",  # noqa: A002  # as in the API
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        tz: str = "UTC",
        as_of: Moment | None = None,
    ) -> int:
        """Write stored bars to a file as they arrive, and return the number of bytes.

        Bars are in order of time; with a `limit` the file holds only the newest bars, newest first.
        Times are in the zone `tz`, or the exchange's own if it is `exchange`. With `as_of` the bars
        are those that were stored at that moment, as they were then.
        A path receives the file once it is complete, in place of an existing one. If the response
        breaks off, Unavailable is raised and the path is untouched; an open file may hold the
        first part.
        """
        query = query_of(
            {"start_date": start, "end_date": end, "limit": limit, "tz": tz, "as_of": as_of}
        )
        order = "asc" if limit is None else "desc"
        response = self._file(symbol, interval, format, stream=True, order=order, **query)
        with response, self._transport.translating_errors():
            _require_length(response)
            if isinstance(file_or_path, (str, os.PathLike)):
                return _write_at(Path(file_or_path), response)
            return _write(file_or_path, response)

    def coverage(self, symbol: str, interval: str) -> Coverage:
        """Return the stretches of a series that were fetched; NotFound if it was never synced."""
        return self._of_series("coverage", symbol, {"interval": interval})

    def events(self, symbol: str) -> Events:
        """Return the splits and dividends of a symbol, those found last first."""
        return self._call("GET", f"/market-data/events/{symbol_path(symbol)}")

    def holes(
        self,
        symbol: str,
        interval: str,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int = 1000,
    ) -> HolesReport:
        """Return the bars that a series lacks by its calendar, and apart those without a trade.

        At most the newest `limit` stretches of each kind. NotFound if it was never synced.
        """
        query = query_of({"interval": interval, "start": start, "end": end, "limit": limit})
        return self._of_series("holes", symbol, query)

    def provenance(
        self,
        symbol: str,
        interval: str,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        as_of: Moment | None = None,
    ) -> Provenance:
        """Return where the stored bars of a range come from, and whether they are whole.

        Keep it beside a result: its `as_of` reads the same bars again.
        """
        query = query_of({"start_date": start, "end_date": end, "as_of": as_of, "limit": 1})
        page = self.page(symbol, interval, provenance="true", **query)
        return cast(Provenance, page["provenance"])

    def revisions(self, symbol: str, interval: str) -> Iterator[Revision]:
        """Yield how stored bars of a series changed, the newest change first, over all pages.

        NotFound if it was never synced or imported.
        """
        path = f"/market-data/revisions/{symbol_path(symbol)}"
        return self._pages(path, {"interval": interval})

    def quality(self, **filters: Filter) -> Iterator[SeriesQuality]:
        """Yield how whole each series is, over all pages.

        Filters: `exchange`, `symbol` (the ticker), `interval`, `stale_before`, and as flags `gaps`,
        `doubtful`, `stale`, `at_risk`, `never_synced`, `refused`, `outliers`,
        `differences`. With `strip`, each row has its time in so many cells.
        """
        return self._pages("/market-data/quality", filters)

    def outliers(
        self,
        symbol: str,
        interval: str,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int = 1000,
    ) -> OutliersReport:
        """Return the newest bars that may be bad prints; NotFound if it was never synced."""
        query = query_of({"interval": interval, "start": start, "end": end, "limit": limit})
        return self._of_series("outliers", symbol, query)

    def differences(self, symbol: str) -> Differences:
        """Return the values of daily bars that intraday bars or quotes contradict.

        NotFound if its daily bars were never synced.
        """
        return self._call("GET", f"/market-data/differences/{symbol_path(symbol)}")

    def import_bars(self, symbol: str, interval: str, frame: Any) -> ImportResult:
        """Store the bars of a pandas or polars DataFrame or an Arrow table.

        Its columns: `datetime` with a time zone (or an index of that kind), open, high, low, close,
        and optionally volume. A stored bar of the same time is replaced, so that repeating the call
        changes nothing. Returns the counts `inserted`, `changed`, `unchanged`, `refused`, and
        `refusals` with index, datetime and reason of each refused bar. InvalidRequest for a frame
        without bars. 5000 bars are sent at a time; after an error the earlier ones stay stored.
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

    def _of_series(self, what: str, symbol: str, query: dict[str, Any]) -> Any:
        return self._call("GET", f"/market-data/{what}/{symbol_path(symbol)}", params=query)

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
        response = self._transport.send("GET", path, params=params, stream=stream)
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        if kind != _TYPES.get(form, kind):
            with response:
                raise unexpected_response(response)
        return response


def _require_length(response: requests.Response) -> None:
    """Raise Unavailable for a response that could break off without a sign of it."""
    is_chunked = response.headers.get("Transfer-Encoding", "").lower() == "chunked"
    if not is_chunked and "Content-Length" not in response.headers:
        raise Unavailable(f"{response.url} does not say how long its file is; a proxy hides it")


def _write_at(path: Path, response: requests.Response) -> int:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with temporary.open("xb") as file:
            written = _write(file, response)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return written


def _write(file: IO[bytes], response: requests.Response) -> int:
    return sum(_write_whole(file, piece) for piece in response.iter_content(_PIECE_BYTES))


def _write_whole(file: IO[bytes], piece: bytes) -> int:
    """Write a whole piece, also to an unbuffered file, which may accept only a part at once."""
    left = memoryview(piece)
    while left:
        left = left[file.write(left) :]
    return len(piece)
