"""Bars as frames of pandas, polars and Arrow."""

from typing import Any, Literal

from pocketquant.domain.errors import InvalidRequest, Unavailable

Frame = Literal["pandas", "polars", "arrow"]

_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def framed(stream: bytes, frame: Frame) -> Any:
    """The bars of an Arrow stream, in order of time; Unavailable where it is not whole."""
    import pyarrow

    if not stream.endswith(_END_OF_STREAM):  # pyarrow takes one that was cut between two batches
        raise Unavailable("the bars broke off before their end; ask again")
    try:
        table = pyarrow.ipc.open_stream(stream).read_all().sort_by("datetime")
    except (pyarrow.ArrowException, KeyError, OSError) as error:
        raise Unavailable(f"what was answered are no bars: {error}") from error
    if frame == "arrow":
        return table
    if frame == "polars":
        import polars

        return polars.from_arrow(table)
    return table.to_pandas().set_index("datetime")


def require_known(frame: str) -> None:
    if frame not in ("pandas", "polars", "arrow"):
        raise InvalidRequest(f"frame is {frame!r}; it is one of pandas, polars, arrow")
