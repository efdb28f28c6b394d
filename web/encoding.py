"""Columns of bars → the JSON of an answer, as bytes. No object is made for a bar."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars
from pocketquant.domain.dates import to_date
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import FormingBar

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
_BAR = b'{"datetime":%b,"open":%b,"high":%b,"low":%b,"close":%b,"volume":%b}\n'
_FIELDS = 6
_PRICES = ("open", "high", "low", "close", "volume")
_FORMING = b',"forming":'

NO_FORMING = b"null"


@dataclass(frozen=True, slots=True)
class Page:
    """Fields of an answer beside its bars."""

    interval: str | None = None  # where it differs from the series'
    next_cursor: str | None = None
    resampled_from: str | None = None
    as_columns: bool = False


@dataclass(frozen=True, slots=True)
class LivePart:
    """Which bars of an answer are live: the newest `count`, and stretches before history.

    `partial` are the open times of bars that do not cover all their time.
    """

    count: int = 0
    partial: tuple[int, ...] = ()
    stretches: tuple[tuple[int, int], ...] = ()

    def document(self) -> dict[str, object]:
        document: dict[str, object] = {
            "count": self.count,
            "partial": [to_date(time) for time in self.partial],
        }
        if self.stretches:
            document["stretches"] = [[to_date(time) for time in each] for each in self.stretches]
        return document


def encode_ohlcv(
    series: Series,
    bars: Bars,
    newest_first: bool,
    forming: FormingBar | None,
    live: LivePart = LivePart(),
    page: Page = Page(),
    rows: list[bytes] | None = None,
) -> bytes:
    """Return the document `{symbol, exchange, interval, data, count, …, live, forming}`.

    As columns it has `columns` instead of `data`. Its last field is always `forming`. `rows` is the
    result of `encode_rows` for these bars, where it is known.
    """
    head = {
        "symbol": series.symbol.ticker,
        "exchange": series.symbol.exchange,
        "interval": page.interval or series.interval.value,
    }
    tail = {
        "count": len(bars),
        "next_cursor": page.next_cursor,
        "resampled_from": page.resampled_from,
        "live": live.document(),
        "forming": forming and _forming(forming),
    }
    if page.as_columns:
        name, data = b"columns", encode_columns(bars, newest_first)
    else:
        name, data = b"data", _array(rows or encode_rows(bars), newest_first)
    return b'%b,"%b":%b,%b' % (
        orjson.dumps(head)[:-1],
        name,
        data,
        orjson.dumps(tail, option=_OPTIONS)[1:],
    )


def encode_live_forming(bar: LiveBar, as_of: int) -> bytes:
    """Return the JSON of `forming` for a bar that is built from quotes."""
    document = {
        "bar_start": to_date(bar.start),
        "bar_end": to_date(bar.end),
        **{name: getattr(bar, name) for name in _PRICES},
        "partial": bar.is_partial,
        "as_of": to_date(as_of),
        "source": "live",
    }
    return orjson.dumps(document, option=_OPTIONS)


def split_forming(body: bytes) -> tuple[bytes, bytes]:
    """Return the encoded document up to its last field, and the forming bar in that."""
    start = body.rindex(_FORMING)
    return body[:start], body[start + len(_FORMING) : -1]


def forming_field(forming: bytes) -> bytes:
    """Return the end of a document with this forming bar."""
    return b"%b%b}" % (_FORMING, forming)


def encode_columns(bars: Bars, newest_first: bool) -> bytes:
    """Return a JSON object of six lists of one length: `datetime` and the numbers."""
    columns = bars.columns[:, ::-1] if newest_first else bars.columns
    values = [np.ascontiguousarray(column) for column in columns]
    times = values[0].astype("datetime64[s]")
    named = {"datetime": times, **dict(zip(_PRICES, values[1:], strict=True))}
    return orjson.dumps(named, option=_OPTIONS)


def encode_csv(bars: Bars, newest_first: bool) -> bytes:
    """Return a line for each bar, without a header line; an unknown volume is empty."""
    if not len(bars):
        return b""
    columns = bars.columns[:, ::-1] if newest_first else bars.columns
    times = orjson.dumps(columns[0].astype("datetime64[s]"), option=_OPTIONS)
    tokens = [b""] * (_FIELDS * len(bars))
    tokens[0::_FIELDS] = times[1:-1].replace(b'"', b"").split(b",")
    for field in range(1, _FIELDS):
        numbers = _tokens(np.ascontiguousarray(columns[field]))
        tokens[field::_FIELDS] = [b"" if each == b"null" else each for each in numbers]
    return b"%b,%b,%b,%b,%b,%b\r\n" * len(bars) % tuple(tokens)


def encode_bars(bars: Bars, newest_first: bool) -> bytes:
    """Return a JSON array of `{datetime, open, high, low, close, volume}`.

    Numbers read back as the same float64; a volume of NaN is `null`; times are UTC with `Z`.
    """
    return _array(encode_rows(bars), newest_first)


def encode_rows(bars: Bars) -> list[bytes]:
    """Return the JSON object of each bar, in order of time."""
    tokens = [b""] * (_FIELDS * len(bars))
    if tokens:
        tokens[0::_FIELDS] = _tokens(bars.columns[0].astype("datetime64[s]"))
        for field in range(1, _FIELDS):
            tokens[field::_FIELDS] = _tokens(np.ascontiguousarray(bars.columns[field]))
    return (_BAR * len(bars) % tuple(tokens)).splitlines()


def _array(rows: list[bytes], newest_first: bool) -> bytes:
    return b"[%b]" % b",".join(rows[::-1] if newest_first else rows)


def _tokens(column: NDArray[Any]) -> list[bytes]:
    """Return each value of a column as JSON, which never contains a comma."""
    return orjson.dumps(column, option=_OPTIONS)[1:-1].split(b",")


def _forming(bar: FormingBar) -> dict[str, object]:
    prices = asdict(bar)
    start, end, as_of = (to_date(prices.pop(name)) for name in ("time", "close_time", "as_of"))
    seen = {"partial": False, "as_of": as_of, "source": "history"}
    return {"bar_start": start, "bar_end": end, **prices, **seen}
