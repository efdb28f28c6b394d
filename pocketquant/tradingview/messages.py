"""Method calls to TradingView, and its messages as typed values.

Both are JSON: `{"m": method, "p": [parameters]}`, the server's often with the time `t` in seconds
and `t_ms` in milliseconds. Only what PocketQuant uses is decoded, the rest is skipped unread.
"""

import json
import re
from itertools import chain
from typing import Any, NamedTuple

import msgspec
import numpy as np

from pocketquant.domain.bars import Floats
from pocketquant.domain.errors import ProtocolViolation
from pocketquant.domain.quotes import QuoteFields
from pocketquant.tradingview import frames

_BAR_VALUES = 6  # time, open, high, low, close, volume
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


class Call(NamedTuple):
    """What a client asks of the server."""

    method: str
    params: list[Any]


class Hello(msgspec.Struct, frozen=True):
    """The first text of a connection, the only object without a method."""

    session_id: str = ""
    timestamp: int = 0
    timestamp_ms: int = msgspec.field(default=0, name="timestampMs")
    release: str = ""
    studies_metadata_hash: str = ""
    auth_scheme_vsn: int = 0
    protocol: str = ""
    via: str = ""
    javastudies: list[str] = []


class Heartbeat(msgspec.Struct, frozen=True):
    """Asks for its own payload back."""

    payload: str


class SeriesLoading(msgspec.Struct, array_like=True, frozen=True):
    """The server has begun to work on a series."""

    session: str
    series: str
    turnaround: str


class Resolved(msgspec.Struct, frozen=True):
    """What the server knows of a symbol; `visible_plots_set` is `ohlc` where there is no volume."""

    description: str | None = None
    type: str | None = None
    currency_code: str | None = None
    timezone: str | None = None
    session: str | None = None
    visible_plots_set: str | None = None


class SymbolResolved(msgspec.Struct, array_like=True, frozen=True):
    """The server has found the symbol."""

    session: str
    symbol_id: str
    symbol: Resolved


class SeriesTimeframe(msgspec.Struct, array_like=True, frozen=True):
    """Which bars a range holds, by index; first the whole span, then what is to be shown."""

    session: str
    series: str
    turnaround: str
    first: int | None
    last: int | None
    range: str
    is_visible_part: bool


class Bar(msgspec.Struct, frozen=True, gc=False):
    """One bar: open time, open, high, low, close and, unless the symbol has none, volume."""

    v: list[float | None]


class NewestBar(msgspec.Struct, frozen=True, gc=False):
    """When the newest bar is over: at its end, or a second before its session's."""

    bar_close_time: float | None = None


class Block(msgspec.Struct, frozen=True):
    """Bars of one series, oldest first. `bars` is None where a message says nothing of them."""

    bars: list[Bar] | None = msgspec.field(default=None, name="s")
    turnaround: str | None = msgspec.field(default=None, name="t")
    newest: NewestBar | None = msgspec.field(default=None, name="lbs")

    @property
    def has_volume(self) -> bool:
        """Whether any of the bars carries a sixth value."""
        return any(len(bar.v) >= _BAR_VALUES for bar in self.bars or ())

    def columns(self) -> Floats:
        """The bars as a (6, n) array in the order sent; NaN for a value that is not there."""
        rows = [
            bar.v if len(bar.v) == _BAR_VALUES else _six_values(bar.v) for bar in self.bars or ()
        ]
        values = np.fromiter(chain.from_iterable(rows), np.float64, _BAR_VALUES * len(rows))
        return values.reshape(-1, _BAR_VALUES).T


class TimescaleUpdate(msgspec.Struct, frozen=True):
    """New or older bars, by series id. `time` is the server's clock."""

    session: str
    blocks: dict[str, Block]
    time: int | None


class Du(msgspec.Struct, array_like=True, frozen=True):
    """A data update: the newest bar as a whole, once more, by series id."""

    session: str
    blocks: dict[str, Block]


class SeriesCompleted(msgspec.Struct, array_like=True, frozen=True):
    """All bars asked for have been sent; `update_mode` is `streaming`, `delayed_streaming_900`…"""

    session: str
    series: str
    update_mode: str | None
    turnaround: str


class SymbolError(msgspec.Struct, array_like=True, frozen=True):
    """The symbol is unknown or not permitted."""

    session: str
    symbol_id: str
    reason: str


class SeriesError(msgspec.Struct, array_like=True, frozen=True):
    """The series cannot be had."""

    session: str
    series: str
    turnaround: str
    reason: str


class CriticalError(msgspec.Struct, array_like=True, frozen=True):
    """A call was refused, and the session it was made in is gone."""

    session: str
    reason: str
    detail: str = ""


class ProtocolError(msgspec.Struct, array_like=True, frozen=True):
    """The server gives up the whole connection."""

    reason: str


class QuoteAnswer(msgspec.Struct, frozen=True, gc=False):
    """What is said of one symbol: its fields that have changed, or why it has none."""

    name: str = msgspec.field(name="n")
    status: str = msgspec.field(name="s")
    fields: QuoteFields = msgspec.field(name="v", default_factory=QuoteFields)
    error: str | None = msgspec.field(name="errmsg", default=None)

    @property
    def is_ok(self) -> bool:
        return self.status == "ok"


class Qsd(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Quote session data: of one symbol, named by the very text that it was added by."""

    session: str
    answer: QuoteAnswer


class QuoteCompleted(msgspec.Struct, array_like=True, frozen=True):
    """All that is known of a symbol was sent, or why nothing is; what follows are changes."""

    session: str
    name: str


class Other(msgspec.Struct, frozen=True):
    """A message of no concern here, or of a kind not known yet."""

    method: str


Message = (
    Hello
    | Heartbeat
    | SeriesLoading
    | SymbolResolved
    | SeriesTimeframe
    | TimescaleUpdate
    | Du
    | SeriesCompleted
    | SymbolError
    | SeriesError
    | CriticalError
    | ProtocolError
    | Qsd
    | QuoteCompleted
    | Other
)


def call(method: str, *params: object) -> str:
    """The framed call of a method."""
    return frames.encode(_compact({"m": method, "p": params}))


def event(method: str, params: object, time_ms: int | None) -> str:
    """The framed message of a server; `time_ms` is its clock, for the kinds that carry it."""
    message: dict[str, object] = {"m": method, "p": params}
    if time_ms is not None:
        message |= {"t": time_ms // 1000, "t_ms": time_ms}
    return frames.encode(_compact(message))


def read(payload: str) -> Message:
    """The server's message in a payload. `ProtocolViolation` if there is none."""
    try:
        if payload.startswith(_QSD_BEGINS):  # nearly all of them
            return _QUOTE.decode(payload).p
        if frames.is_heartbeat(payload):
            return Heartbeat(payload)
        return _decode(payload)
    except _UNREADABLE:
        return _decode_with_nulls(payload)


def read_call(payload: str) -> Call:
    """The client's call in a payload. `ProtocolViolation` if there is none."""
    try:
        asked = _ASKED.decode(payload)
    except _UNREADABLE as error:
        raise ProtocolViolation(f"no call: {payload[:80]!r}") from error
    return Call(asked.m, asked.p)


class _Envelope(msgspec.Struct, frozen=True):
    m: str | None = None
    p: msgspec.Raw = msgspec.Raw(b"null")
    t: int | None = None


class _Quote(msgspec.Struct, frozen=True, gc=False):
    p: Qsd


class _Update(msgspec.Struct, array_like=True, frozen=True):
    session: str
    blocks: dict[str, Block]


class _Asked(msgspec.Struct, frozen=True):
    m: str
    p: list[Any]


_UNREADABLE = (ValueError, RecursionError)  # msgspec's and json's own errors are ValueErrors
_ENVELOPE = msgspec.json.Decoder(_Envelope)
_QSD_BEGINS = '{"m":"qsd",'
_QUOTE = msgspec.json.Decoder(_Quote)
_HELLO = msgspec.json.Decoder(Hello)
_ASKED = msgspec.json.Decoder(_Asked)
_PARAMS: dict[str, msgspec.json.Decoder[Any]] = {
    "series_loading": msgspec.json.Decoder(SeriesLoading),
    "symbol_resolved": msgspec.json.Decoder(SymbolResolved),
    "series_timeframe": msgspec.json.Decoder(SeriesTimeframe),
    "timescale_update": msgspec.json.Decoder(_Update),
    "du": msgspec.json.Decoder(Du),
    "series_completed": msgspec.json.Decoder(SeriesCompleted),
    "symbol_error": msgspec.json.Decoder(SymbolError),
    "series_error": msgspec.json.Decoder(SeriesError),
    "critical_error": msgspec.json.Decoder(CriticalError),
    "protocol_error": msgspec.json.Decoder(ProtocolError),
    "qsd": msgspec.json.Decoder(Qsd),
    "quote_completed": msgspec.json.Decoder(QuoteCompleted),
}


def _decode(payload: str | bytes) -> Message:
    envelope = _ENVELOPE.decode(payload)
    if envelope.m is None:
        return _HELLO.decode(payload)
    if envelope.m not in _PARAMS:
        return Other(envelope.m)
    params = _PARAMS[envelope.m].decode(envelope.p)
    if isinstance(params, _Update):
        return TimescaleUpdate(params.session, params.blocks, envelope.t)
    message: Message = params
    return message


def _decode_with_nulls(payload: str) -> Message:
    """Decode what holds a NaN, or a number beyond float64, as if it were null."""
    try:
        return _decode(msgspec.json.encode(json.loads(payload)))
    except _UNREADABLE as error:
        raise ProtocolViolation(f"no message: {payload[:80]!r}") from error


def _six_values(values: list[float | None]) -> list[float | None]:
    return [*values, *[None] * _BAR_VALUES][:_BAR_VALUES]


def _compact(message: dict[str, object]) -> str:
    """JSON without spaces and in ASCII, so that every way to count its length agrees."""
    text = msgspec.json.encode(message).decode()
    return text if text.isascii() else _NOT_ASCII.sub(_escaped, text)


def _escaped(character: re.Match[str]) -> str:
    return json.dumps(character[0])[1:-1]
