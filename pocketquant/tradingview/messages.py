"""Method calls to TradingView, and its messages as typed values.

Both are JSON: `{"m": method, "p": [parameters]}`, the server's often with the time `t` in seconds
and `t_ms` in milliseconds. Only what PocketQuant uses is decoded, the rest is skipped unread.

A used value of another type makes the message `Unreadable`, which still names its session, so that
the rest of the connection goes on. Texts that only describe something may be of any type.
"""

import json
import math
import re
from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import numpy as np

from pocketquant.domain.bars import LATEST_TIME, Floats
from pocketquant.domain.errors import ProtocolViolation
from pocketquant.domain.quotes import QuoteFields
from pocketquant.tradingview import frames

_NO_VALUE = 1e100  # the server's number for one that there is not
_BAR_VALUES = 6  # time, open, high, low, close, volume
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


class MethodCall(NamedTuple):
    """What a client asks of the server."""

    method: str
    params: list[Any]


class Hello(NamedTuple):
    """The first text of a connection, the only object without a method.

    The server's clock, in seconds and milliseconds; 0 where it does not tell the time.
    """

    timestamp: int = 0
    timestamp_ms: int = 0


class Heartbeat(msgspec.Struct, frozen=True):
    """Asks for its own payload back."""

    payload: str


class Resolved(msgspec.Struct, frozen=True):
    """What the server knows of a symbol; `visible_plots_set` is `ohlc` where there is no volume."""

    description: Any = None
    type: Any = None
    currency_code: Any = None
    timezone: Any = None
    session: Any = None
    visible_plots_set: str | None = None


class SymbolResolved(msgspec.Struct, array_like=True, frozen=True):
    """The server has found the symbol."""

    session: str
    symbol_id: str
    symbol: Resolved


class BlockBar(msgspec.Struct, frozen=True, gc=False):
    """One bar: open time, open, high, low, close and, unless the symbol has none, volume."""

    v: list[float | None]


class NewestBar(msgspec.Struct, frozen=True, gc=False):
    """When the newest bar is over: at its end, or a second before its session's."""

    bar_close_time: float | None = None


class Block(msgspec.Struct, frozen=True):
    """Bars of one series, oldest first. `bars` is None where a message says nothing of them."""

    bars: list[BlockBar] | None = msgspec.field(default=None, name="s")
    turnaround: str | None = msgspec.field(default=None, name="t")
    newest: NewestBar | None = msgspec.field(default=None, name="lbs")

    @property
    def has_volume(self) -> bool:
        """Whether any of the bars carries a sixth value that does not mean none."""
        return any(
            len(bar.v) >= _BAR_VALUES and (bar.v[-1] is None or bar.v[-1] < _NO_VALUE)
            for bar in self.bars or ()
        )

    def columns(self) -> Floats:
        """The bars as a (6, n) array in the order sent; NaN for a value that is not there."""
        rows = [
            bar.v if len(bar.v) == _BAR_VALUES else _six_values(bar.v) for bar in self.bars or ()
        ]
        values = np.fromiter(chain.from_iterable(rows), np.float64, _BAR_VALUES * len(rows))
        values[values >= _NO_VALUE] = np.nan
        return values.reshape(-1, _BAR_VALUES).T


class TimescaleUpdate(NamedTuple):
    """New or older bars, by series id. `time` is the server's clock.

    `unreadable` says by series id why a block is not among the others.
    """

    session: str
    blocks: dict[str, Block]
    time: int | None
    unreadable: Mapping[str, str] = MappingProxyType({})


class Du(NamedTuple):
    """A data update: the newest bar as a whole, once more, by series id; `unreadable` as above."""

    session: str
    blocks: dict[str, Block]
    unreadable: Mapping[str, str] = MappingProxyType({})


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
    reason: Any = ""


class SeriesError(msgspec.Struct, array_like=True, frozen=True):
    """The series cannot be had."""

    session: str
    series: str
    turnaround: str
    reason: Any = ""


class CriticalError(msgspec.Struct, array_like=True, frozen=True):
    """A call was refused, and the session it was made in is gone."""

    session: str
    reason: Any = ""
    detail: Any = ""


class ProtocolError(msgspec.Struct, array_like=True, frozen=True):
    """The server gives up the whole connection."""

    reason: Any = ""


class QuoteAnswer(msgspec.Struct, frozen=True, gc=False):
    """What is said of one symbol: its fields that have changed, or why it has none."""

    name: str = msgspec.field(name="n")
    status: str = msgspec.field(name="s")
    fields: QuoteFields = msgspec.field(name="v", default_factory=QuoteFields)
    error: Any = msgspec.field(name="errmsg", default=None)

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


class Unreadable(NamedTuple):
    """A message of which a value that is used is not what it should be.

    `session` and `subject`, a symbol or a series, are None where they could not be read either.
    """

    method: str
    session: str | None
    subject: str | None
    fault: str


class Other(msgspec.Struct, frozen=True):
    """A message of no concern here, or of a kind not known yet."""

    method: str


Message = (
    Hello
    | Heartbeat
    | SymbolResolved
    | TimescaleUpdate
    | Du
    | SeriesCompleted
    | SymbolError
    | SeriesError
    | CriticalError
    | ProtocolError
    | Qsd
    | QuoteCompleted
    | Unreadable
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
    """The server's message in a payload. `ProtocolViolation` if it is no JSON object."""
    try:
        if payload.startswith(_QSD_BEGINS):  # nearly all of them
            return _QUOTE.decode(payload).p
        if frames.is_heartbeat(payload):
            return Heartbeat(payload)
        return _decode(payload)
    except _UNREADABLE:
        return _decode_part_by_part(payload)


def read_call(payload: str) -> MethodCall:
    """The client's call in a payload. `ProtocolViolation` if there is none."""
    try:
        asked = _ASKED.decode(payload)
    except _UNREADABLE as error:
        raise ProtocolViolation(f"no call: {payload[:80]!r}") from error
    return MethodCall(asked.m, asked.p)


class _Envelope(msgspec.Struct, frozen=True):
    m: str | None = None
    p: msgspec.Raw = msgspec.Raw(b"null")
    t: Any = None


class _Greeting(msgspec.Struct, frozen=True):
    timestamp: Any = None
    timestampMs: Any = None  # noqa: N815  # the server's name


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
_GREETING = msgspec.json.Decoder(_Greeting)
_ASKED = msgspec.json.Decoder(_Asked)
_KINDS: dict[str, Any] = {
    "symbol_resolved": SymbolResolved,
    "timescale_update": _Update,
    "du": _Update,
    "series_completed": SeriesCompleted,
    "symbol_error": SymbolError,
    "series_error": SeriesError,
    "critical_error": CriticalError,
    "protocol_error": ProtocolError,
    "qsd": Qsd,
    "quote_completed": QuoteCompleted,
}
_DECODERS = {method: msgspec.json.Decoder(kind) for method, kind in _KINDS.items()}


def _decode(payload: str) -> Message:
    envelope = _ENVELOPE.decode(payload)
    if envelope.m is None:
        return _hello(_GREETING.decode(payload))
    if envelope.m not in _DECODERS:
        return Other(envelope.m)
    return _message(envelope.m, _DECODERS[envelope.m].decode(envelope.p), envelope.t)


def _decode_part_by_part(payload: str) -> Message:
    """Decode what is not as it should be: NaN, or a number beyond float64, is null.

    A value that cannot be used matters only where it is needed.
    """
    envelope = _parsed(payload)
    method, params = envelope.get("m"), envelope.get("p")
    if "m" not in envelope:
        return _hello(msgspec.convert(envelope, _Greeting))
    if not isinstance(method, str):
        return Other("")
    if method not in _KINDS:
        return Other(method)
    unreadable = _set_aside(method, params)
    try:
        known = msgspec.convert(params, _KINDS[method])
    except msgspec.ValidationError as error:
        return _unreadable(method, params, str(error))
    return _message(method, known, envelope.get("t"), unreadable)


def _message(
    method: str, params: Any, time: object, unreadable: dict[str, str] | None = None
) -> Message:
    if method == "timescale_update":
        return TimescaleUpdate(params.session, params.blocks, _time(time) or None, unreadable or {})
    if method == "du":
        return Du(params.session, params.blocks, unreadable or {})
    message: Message = params
    return message


def _hello(greeting: _Greeting) -> Hello:
    return Hello(_time(greeting.timestamp), _time(greeting.timestampMs, 1000))


def _parsed(payload: str) -> dict[str, Any]:
    """The object in a payload, halves of characters replaced; they are no text to anybody else."""
    try:
        parsed = json.loads(
            payload, parse_constant=_no_number, parse_int=_number, parse_float=_number
        )
        text = json.dumps(parsed, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
        parsed = json.loads(text.decode("utf-16-le", "replace"))
    except (ValueError, RecursionError) as error:
        raise ProtocolViolation(f"no message: {payload[:80]!r}") from error
    if not isinstance(parsed, dict):
        raise ProtocolViolation(f"no message: {payload[:80]!r}")
    return parsed


def _set_aside(method: str, params: Any) -> dict[str, str]:
    """Take out what is not needed, and the blocks that cannot be read: the reason of each."""
    match params:
        case [_, {"s": str(status)} as answer, *_] if method == "qsd" and status != "ok":
            answer.pop("v", None)
        case [_, dict(blocks), *_] if _KINDS[method] is _Update:
            faults = {name: _fault(block) for name, block in blocks.items()}
            unreadable = {name: fault for name, fault in faults.items() if fault}
            for name in unreadable:
                del blocks[name]
            return unreadable
    return {}


def _fault(block: Any) -> str:
    """What is wrong with a block, nothing if it can be read; values too many are cut off."""
    match block:
        case {"s": list(bars)}:
            for bar in bars:
                if isinstance(bar, dict) and isinstance(bar.get("v"), list):
                    bar["v"] = bar["v"][:_BAR_VALUES]
    try:
        msgspec.convert(block, Block)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _unreadable(method: str, params: Any, fault: str) -> Unreadable:
    match params:
        case [str(session), {"n": str(name)}, *_] | [str(session), str(name), *_]:
            return Unreadable(method, session, name, fault)
        case [str(session), *_]:
            return Unreadable(method, session, None, fault)
    return Unreadable(method, None, None, fault)


def _time(value: object, units_a_second: int = 1) -> int:
    """A time as a whole number; 0 for what is no time that can be reckoned with."""
    if not isinstance(value, int | float) or not 0 < value <= LATEST_TIME * units_a_second:
        return 0
    return int(value)


def _number(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _no_number(_: str) -> None:
    return None


def _six_values(values: list[float | None]) -> list[float | None]:
    return [*values, *[None] * _BAR_VALUES][:_BAR_VALUES]


def _compact(message: dict[str, object]) -> str:
    """JSON without spaces and in ASCII, so that every way to count its length agrees."""
    text = msgspec.json.encode(message).decode()
    return text if text.isascii() else _NOT_ASCII.sub(_escaped, text)


def _escaped(character: re.Match[str]) -> str:
    return json.dumps(character[0])[1:-1]
