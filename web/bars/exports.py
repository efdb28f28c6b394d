"""Exports: bars as a file, in bounded memory.

The file is written to disk block by block, then sent with its length: granian ends an answer whose
iterator fails as if it were whole, so everything that can fail comes before the first byte. The
temporary file has no name and is removed with its answer.

Each format turns blocks of bars into pieces of the file. pyarrow is imported by the first export
that needs it, to save the memory of processes without exports.

Files of at most `MAX_BARS` bars are made in memory. Of larger ones only some are written at a time,
since each takes memory, and only some are open at a time, since an unread one holds a thread.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from tempfile import TemporaryFile
from threading import BoundedSemaphore
from typing import Any

import numpy as np
from flask import Response, g
from numpy.typing import NDArray

from pocketquant.domain.bars import COLUMNS, Bars
from pocketquant.domain.errors import TooManyExports
from pocketquant.domain.syncs import MAX_BARS
from web.encoding import encode_csv
from web.slots import Slots
from web.storage import Storage
from web.times import UTC_TIMES, TimeFormat

_TRADING_DAY = "trading_day"
_CSV_ROWS = 8192
_PIECE_BYTES = 256 * 1024
_LONGEST_WAIT_SECONDS = 10.0  # for other exports to be written
_COUNT_BYTES = 8

Blocks = Iterator[Bars]


@dataclass(frozen=True, slots=True)
class Contents:
    """How the file has its bars: in which order, and their times in which format."""

    newest_first: bool
    times: TimeFormat = UTC_TIMES


class Exports:
    """Answers exports: a few at a time are written, some at a time are open."""

    def __init__(self, storage: Storage, slots: Slots, most_written: int) -> None:
        self._storage = storage
        self.slots = slots
        self.writing = BoundedSemaphore(most_written)

    def respond(
        self,
        blocks: Blocks,
        form: str,
        contents: Contents,
        name: str,
        more_headers: Mapping[str, str],
    ) -> Response:
        """Return the file; raise TooManyExports where process or caller has no slot left."""
        write, mimetype = _FORMATS[form]
        headers = {
            "Content-Disposition": f'attachment; filename="{name}.{form}"',
            "Cache-Control": "no-store",
            **more_headers,
        }
        with self._storage(None):
            first, has_more = _first(blocks)
            if not has_more:
                body = b"".join(write(iter(first), contents))
                return Response(body, mimetype=mimetype, headers=headers)
        return self._large(write(chain(first, blocks), contents), mimetype, headers)

    def _large(self, pieces: Iterator[bytes], mimetype: str, headers: dict[str, str]) -> Response:
        caller = None if g.is_local else g.counts_for
        with ExitStack() as ends:
            self.slots.take(caller)
            ends.callback(self.slots.give_back, caller)
            spool = ends.enter_context(TemporaryFile())
            with self._slot_to_write(), self._storage(None):
                for piece in pieces:
                    spool.write(piece)
            length = {"Content-Length": str(spool.tell())}
            spool.seek(0)
            body = iter(partial(spool.read, _PIECE_BYTES), b"")
            response = Response(body, mimetype=mimetype, headers=headers | length)
            response.call_on_close(ends.pop_all().close)
        return response

    @contextmanager
    def _slot_to_write(self) -> Iterator[None]:
        if not self.writing.acquire(timeout=_LONGEST_WAIT_SECONDS):
            raise TooManyExports(
                "other exports are being written here all the time; try again later"
            )
        try:
            yield
        finally:
            self.writing.release()


def _first(blocks: Blocks) -> tuple[list[Bars], bool]:
    """Return the blocks of the first page, and whether there may be more."""
    first: list[Bars] = []
    for block in blocks:
        first.append(block)
        if sum(map(len, first)) > MAX_BARS:
            return first, True
    return first, False


def write_csv(blocks: Blocks, contents: Contents) -> Iterator[bytes]:
    """Lines of text, thousands at a time."""
    newest_first, times = contents.newest_first, contents.times
    names = ("datetime", *COLUMNS[1:], *([_TRADING_DAY] if times.has_trading_days else []))
    yield f"{','.join(names)}\r\n".encode()
    for block in blocks:
        starts = range(0, len(block), _CSV_ROWS)
        for start in reversed(starts) if newest_first else starts:
            yield encode_csv(Bars(block.columns[:, start : start + _CSV_ROWS]), newest_first, times)


def write_raw(blocks: Blocks, contents: Contents) -> Iterator[bytes]:
    """Blocks of float64 columns, each after its number of bars; a block of no bars is the end."""
    for block in blocks:
        if len(block):
            columns = block.columns[:, ::-1] if contents.newest_first else block.columns
            yield len(block).to_bytes(_COUNT_BYTES, "little")
            yield np.ascontiguousarray(columns, "<f8").tobytes()
    yield bytes(_COUNT_BYTES)


def write_parquet(blocks: Blocks, contents: Contents) -> Iterator[bytes]:
    """A row group for each block."""
    import pyarrow.parquet

    drain = _Drain()
    schema, pool = _schema("ms", contents.times), pyarrow.system_memory_pool()
    options = {"use_dictionary": False, "memory_pool": pool}  # prices hardly repeat
    with pyarrow.parquet.ParquetWriter(drain, schema, **options) as writer:
        for block in blocks:
            if len(block):
                writer.write_batch(_batch(block, contents, schema))
            yield drain.take()
    yield drain.take()


def write_arrow(blocks: Blocks, contents: Contents) -> Iterator[bytes]:
    """An IPC stream, a record batch for each block."""
    import pyarrow

    drain, schema = _Drain(), _schema("s", contents.times)
    with pyarrow.ipc.new_stream(drain, schema) as writer:
        for block in blocks:
            if len(block):
                writer.write_batch(_batch(block, contents, schema))
            yield drain.take()
    yield drain.take()


class _Drain:
    """A file for pyarrow whose written bytes are taken out piece by piece."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._written = 0

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        self._written += len(self._pieces[-1])
        return len(self._pieces[-1])

    def tell(self) -> int:
        return self._written

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken

    def flush(self) -> None:
        """Do nothing: no byte is buffered."""

    def close(self) -> None:
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False


def _schema(unit: str, times: TimeFormat) -> Any:
    import pyarrow

    fields = [("datetime", pyarrow.timestamp(unit, tz=times.zone_name))]
    fields += [(name, pyarrow.float64()) for name in COLUMNS[1:]]
    days = [(_TRADING_DAY, pyarrow.date32())] if times.has_trading_days else []
    return pyarrow.schema([*fields, *days])


def _batch(block: Bars, contents: Contents, schema: Any) -> Any:
    import pyarrow

    columns = block.columns[:, ::-1] if contents.newest_first else block.columns
    when = schema.field("datetime").type
    times = columns[0].astype("datetime64[s]").astype(f"datetime64[{when.unit}]")
    arrays = [_array(when, times, ~np.isnat(times))]
    arrays += [_array(pyarrow.float64(), each, ~np.isnan(each)) for each in columns[1:]]
    if contents.times.has_trading_days:
        days = contents.times.trading_days(columns[0])
        numbers = days.astype(np.int64).astype(np.int32)
        arrays.append(_array(pyarrow.date32(), numbers, ~np.isnat(days)))
    return pyarrow.record_batch(arrays, schema=schema)


def _array(kind: Any, values: NDArray[Any], is_known: NDArray[np.bool_]) -> Any:
    """An Arrow array; `pyarrow.array` would import pandas, which is larger than an export."""
    import pyarrow

    bits = None if is_known.all() else pyarrow.py_buffer(np.packbits(is_known, bitorder="little"))
    buffers = [bits, pyarrow.py_buffer(np.ascontiguousarray(values))]
    return pyarrow.Array.from_buffers(kind, len(values), buffers)


_FORMATS: dict[str, tuple[Callable[[Blocks, Contents], Iterator[bytes]], str]] = {
    "csv": (write_csv, "text/csv"),
    "raw": (write_raw, "application/vnd.pocketquant.bars"),
    "parquet": (write_parquet, "application/vnd.apache.parquet"),
    "arrow": (write_arrow, "application/vnd.apache.arrow.stream"),
}
