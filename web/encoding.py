"""Columns of bars → the JSON of an answer, as bytes. No object is made for a bar."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import FormingBar
from web.times import UTC_TIMES, TimeFormat

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
_BAR = b'{"datetime":%b,"open":%b,"high":%b,"low":%b,"close":%b,"volume":%b}\n'
_BAR_OF_DAYS = _BAR.replace(b"}", b',"trading_day":%b}')
_PRICES = ("open", "high", "low", "close", "volume")
_FORMING = b',"forming":'

NO_FORMING = b"null"


@dataclass(frozen=True, slots=True)
class Page:
    """Fields of an answer beside its bars, and how it shows these."""

    interval: str | None = None  # where it differs from the series'
    next_cursor: str | None = None
    resampled_from: str | None = None
    as_columns: bool = False
    times: TimeFormat = UTC_TIMES
    as_of: datetime | None = None
    reason: str | None = None  # why there is no bar, with `as_of`


@dataclass(frozen=True, slots=True)
class LivePart:
    """Which bars of an answer are live: the newest `count`, and stretches before history.

    `partial` are the open times of bars that do not cover all their time.
    """

    count: int = 0
    partial: tuple[int, ...] = ()
    stretches: tuple[tuple[int, int], ...] = ()

    def document(self, times: TimeFormat = UTC_TIMES) -> dict[str, object]:
        partial = times.array(np.array(self.partial))
        document: dict[str, object] = {"count": self.count, "partial": partial}
        if self.stretches:
            document["stretches"] = [times.array(np.array(each)) for each in self.stretches]
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
        "symbol": series.symbol.name,
        "exchange": series.symbol.exchange,
        "interval": page.interval or series.interval.value,
    }
    tail = {
        "count": len(bars),
        "next_cursor": page.next_cursor,
        "resampled_from": page.resampled_from,
        "live": live.document(page.times),
        **({"as_of": page.as_of, "reason": page.reason} if page.as_of else {}),
        "forming": forming and _forming(forming, page.times),
    }
    if page.as_columns:
        name, data = b"columns", encode_columns(bars, newest_first, page.times)
    else:
        rows = rows or encode_rows(bars, page.times)
        name, data = b"data", b"[%b]" % b",".join(rows[::-1] if newest_first else rows)
    return b'%b,"%b":%b,%b' % (
        orjson.dumps(head)[:-1],
        name,
        data,
        orjson.dumps(tail, option=_OPTIONS)[1:],
    )


def encode_live_forming(bar: LiveBar, as_of: int, times: TimeFormat = UTC_TIMES) -> bytes:
    """Return the JSON of `forming` for a bar that is built from quotes."""
    prices = {name: getattr(bar, name) for name in _PRICES}
    seen = {"partial": bar.is_partial, "as_of": times.text(as_of), "source": "live"}
    return orjson.dumps(_unclosed(bar.start, bar.end, prices, seen, times), option=_OPTIONS)


def split_forming(body: bytes) -> tuple[bytes, bytes]:
    """Return the encoded document up to its last field, and the forming bar in that."""
    start = body.rindex(_FORMING)
    return body[:start], body[start + len(_FORMING) : -1]


def forming_field(forming: bytes) -> bytes:
    """Return the end of a document with this forming bar."""
    return b"%b%b}" % (_FORMING, forming)


def encode_columns(bars: Bars, newest_first: bool, times: TimeFormat = UTC_TIMES) -> bytes:
    """Return a JSON object of lists of one length: `datetime`, the numbers, `trading_day`."""
    columns = bars.columns[:, ::-1] if newest_first else bars.columns
    values = [np.ascontiguousarray(column) for column in columns]
    named: dict[str, object] = {"datetime": times.array(values[0])}
    named |= dict(zip(_PRICES, values[1:], strict=True))
    if times.has_trading_days:
        named["trading_day"] = orjson.Fragment(b"[%b]" % times.trading_day_texts(values[0]))
    return orjson.dumps(named, option=_OPTIONS)


def encode_csv(bars: Bars, newest_first: bool, times: TimeFormat = UTC_TIMES) -> bytes:
    """Return a line for each bar, without a header line; an unknown value is empty."""
    if not len(bars):
        return b""
    columns = bars.columns[:, ::-1] if newest_first else bars.columns
    fields = [times.texts(columns[0]).replace(b'"', b"").split(b",")]
    for column in columns[1:]:
        numbers = _tokens(np.ascontiguousarray(column))
        fields.append([b"" if each == b"null" else each for each in numbers])
    if times.has_trading_days:
        days = times.trading_day_texts(columns[0]).replace(b'"', b"")
        fields.append(days.replace(b"null", b"").split(b","))
    return _filled(b",".join([b"%b"] * len(fields)) + b"\r\n", fields)


def encode_rows(bars: Bars, times: TimeFormat = UTC_TIMES) -> list[bytes]:
    """Return `{datetime, open, high, low, close, volume}` of each bar as JSON, in order of time.

    Numbers read back as the same float64; a volume of NaN is `null`.
    """
    if not len(bars):
        return []
    fields = [times.texts(bars.time).split(b",")]
    fields += [_tokens(np.ascontiguousarray(column)) for column in bars.columns[1:]]
    if times.has_trading_days:
        fields.append(times.trading_day_texts(bars.time).split(b","))
    return _filled(_BAR_OF_DAYS if times.has_trading_days else _BAR, fields).splitlines()


def _filled(template: bytes, fields: Sequence[list[bytes]]) -> bytes:
    """Return the template filled in once for each bar."""
    tokens = [b""] * (len(fields) * len(fields[0]))
    for number, field in enumerate(fields):
        tokens[number :: len(fields)] = field
    return template * len(fields[0]) % tuple(tokens)


def _tokens(column: NDArray[Any]) -> list[bytes]:
    """Return each value of a column as JSON, which never contains a comma."""
    return orjson.dumps(column, option=_OPTIONS)[1:-1].split(b",")


def _forming(bar: FormingBar, times: TimeFormat) -> dict[str, object]:
    prices = asdict(bar)
    start, end, as_of = (prices.pop(name) for name in ("time", "close_time", "as_of"))
    seen = {"partial": False, "as_of": times.text(as_of), "source": "history"}
    return _unclosed(start, end, prices, seen, times)


def _unclosed(
    start: int, end: int, prices: dict[str, Any], seen: dict[str, object], times: TimeFormat
) -> dict[str, object]:
    bounds = {"bar_start": times.text(start), "bar_end": times.text(end)}
    days = {"trading_day": times.trading_day(start)} if times.has_trading_days else {}
    return {**bounds, **prices, **seen, **days}
