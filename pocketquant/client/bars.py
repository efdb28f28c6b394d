"""Stored bars: read, as frames and pages, and written to files."""

import os
import uuid
from pathlib import Path
from typing import IO, Any, Literal

import requests

from pocketquant.client.asking import Asking, Moment, asked, symbol_path
from pocketquant.client.failures import strange
from pocketquant.client.frames import Frame, framed, require_known
from pocketquant.client.transport import Json
from pocketquant.domain.errors import Unavailable

_PIECE_BYTES = 256 * 1024
_TYPES = {
    "arrow": "application/vnd.apache.arrow.stream",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}


class Bars(Asking):
    """Calls that read bars of a symbol, `EXCHANGE:TICKER`."""

    def bars(
        self,
        symbol: str,
        interval: str = "1d",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        frame: Frame = "pandas",
    ) -> Any:
        """Stored bars that open in [start, end), or the newest `limit` of them, in order of time.

        A pandas DataFrame with the open times (UTC) as its index `datetime`, a polars one or an
        Arrow table with a column of that name; open, high, low, close, volume are float64, and a
        volume that does not exist is null. NotFound for a series that was never synced,
        Unavailable where the answer broke off.
        """
        require_known(frame)
        query = asked({"start_date": start, "end_date": end, "limit": limit})
        answer = self._bars_file(symbol, interval, "arrow", order="desc", **query)
        return framed(answer.content, frame)

    def ohlcv(self, symbol: str, interval: str, **query: str | int) -> Json:
        """One page of bars as JSON, the newest first unless `order="asc"`.

        `start_date`, `end_date`, `limit`, and the `cursor` that the page before told.
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
        """Write stored bars to a file as they come, and tell how many bytes.

        In order of time; with a `limit` the newest so many, newest first. At a path the whole file
        appears at once, in place of one that is there; where it breaks off, nothing does, and
        Unavailable is raised. A file that is handed in may then hold the beginning.
        """
        query = asked({"start_date": start, "end_date": end, "limit": limit})
        order = "asc" if limit is None else "desc"
        answer = self._bars_file(symbol, interval, format, stream=True, order=order, **query)
        with answer, self._transport.reading():
            _require_length(answer)
            if isinstance(file_or_path, (str, os.PathLike)):
                return _write_at(Path(file_or_path), answer)
            return _write(file_or_path, answer)

    def _bars_file(
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
    """A file must tell its end, or one that is cut could not be told from a whole one."""
    is_chunked = answer.headers.get("Transfer-Encoding", "").lower() == "chunked"
    if not is_chunked and "Content-Length" not in answer.headers:
        raise Unavailable(f"{answer.url} does not tell how long its file is; a proxy hides that")


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
    """A file without a buffer, such as standard output may be, takes a part at a time."""
    left = memoryview(piece)
    while left:
        left = left[file.write(left) :]
    return len(piece)
