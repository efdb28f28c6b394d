"""Columns of bars → the JSON of an answer, as bytes. No object is made for a bar."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import FormingBar
from pocketquant.storage.dates import to_date

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
_BAR = b'{"datetime":%b,"open":%b,"high":%b,"low":%b,"close":%b,"volume":%b},'
_FIELDS = 6
_PRICES = ("open", "high", "low", "close", "volume")
_FORMING = b',"forming":'


@dataclass(frozen=True, slots=True)
class LivePart:
    """How many bars of an answer are live, and the open times of those seen only in part."""

    count: int = 0
    partial: tuple[int, ...] = ()


def encode_ohlcv(
    series: Series,
    bars: Bars,
    newest_first: bool,
    forming: FormingBar | None,
    live: LivePart = LivePart(),
) -> bytes:
    """The document `{symbol, exchange, interval, data, count, live, forming}`."""
    head = {
        "symbol": series.symbol.ticker,
        "exchange": series.symbol.exchange,
        "interval": series.interval.value,
    }
    tail = {
        "count": len(bars),
        "live": {"count": live.count, "partial": [to_date(time) for time in live.partial]},
        "forming": forming and _forming(forming),
    }
    data = encode_bars(bars, newest_first)
    return b'%b,"data":%b,%b' % (
        orjson.dumps(head)[:-1],
        data,
        orjson.dumps(tail, option=_OPTIONS)[1:],
    )


def encode_live_forming(bar: LiveBar, as_of: int) -> bytes:
    """The JSON of `forming` for a bar that is built from quotes."""
    document = {
        "bar_start": to_date(bar.start),
        "bar_end": to_date(bar.end),
        **{name: getattr(bar, name) for name in _PRICES},
        "partial": bar.is_partial,
        "as_of": to_date(as_of),
        "source": "live",
    }
    return orjson.dumps(document, option=_OPTIONS)


def with_forming(body: bytes, forming: bytes) -> bytes:
    """The encoded document with another forming bar, which is its last field."""
    return b"%b%b%b}" % (body[: body.rindex(_FORMING)], _FORMING, forming)


def encode_bars(bars: Bars, newest_first: bool) -> bytes:
    """A JSON array of `{datetime, open, high, low, close, volume}`.

    Numbers read back as the same float64; a volume of NaN is `null`; times are UTC with `Z`.
    """
    if not len(bars):
        return b"[]"
    columns = bars.columns[:, ::-1] if newest_first else bars.columns
    tokens = [b""] * (_FIELDS * len(bars))
    tokens[0::_FIELDS] = _tokens(columns[0].astype("datetime64[s]"))
    for field in range(1, _FIELDS):
        tokens[field::_FIELDS] = _tokens(np.ascontiguousarray(columns[field]))
    return b"[%b]" % (_BAR * len(bars) % tuple(tokens))[:-1]


def _tokens(column: NDArray[Any]) -> list[bytes]:
    """Each value of a column as JSON; none of them holds a comma."""
    return orjson.dumps(column, option=_OPTIONS)[1:-1].split(b",")


def _forming(bar: FormingBar) -> dict[str, object]:
    prices = asdict(bar)
    start, end, as_of = (to_date(prices.pop(name)) for name in ("time", "close_time", "as_of"))
    seen = {"partial": False, "as_of": as_of, "source": "history"}
    return {"bar_start": start, "bar_end": end, **prices, **seen}
