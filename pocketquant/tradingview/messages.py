"""Encodes method calls to TradingView, and decodes its messages into typed values.

Both are JSON: `{"m": method, "p": [parameters]}`; the server often adds the time, `t` in seconds
and `t_ms` in milliseconds. Only fields that PocketQuant uses are decoded.

A used field of the wrong type makes the message `Unreadable`; it still names its session, so that
other sessions on the connection go on. Descriptive texts may be of any type.
"""

import json
import math
import re
from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypedDict, cast

import msgspec
import numpy as np

from pocketquant.domain.bars import LATEST_TIME, Floats
from pocketquant.domain.errors import ProtocolViolation
from pocketquant.domain.quotes import QuoteChanges
from pocketquant.tradingview import frames

_NO_VALUE = 1e100  # the server's number for a missing value
_BAR_VALUES = 6  # time, open, high, low, close, volume
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


class MethodCall(NamedTuple):
    """A method call of a client."""

    method: str
    params: list[Any]


class Hello(NamedTuple):
    """The first message of a connection, the only one without a method.

    It carries the server's clock in seconds and milliseconds; 0 if it gives no time.
    """

    timestamp: int = 0
    timestamp_ms: int = 0


class Heartbeat(msgspec.Struct, frozen=True):
    """A heartbeat; the client must send the payload back."""

    payload: str


class Resolved(msgspec.Struct, frozen=True):
    """The server's description of a symbol; `visible_plots_set` is `ohlc` if it has no volume."""

    description: Any = None
    type: Any = None
    currency_code: Any = None
    timezone: Any = None
    session: Any = None
    session_holidays: Any = None
    corrections: Any = None
    subsession_id: Any = None
    subsessions: Any = None
    full_name: Any = None
    pricescale: Any = None
    minmov: Any = None
    delay: Any = None
    allowed_adjustment: Any = None
    has_adjustment: Any = None
    has_extended_hours: Any = None
    visible_plots_set: str | None = None


class _OfSession(msgspec.Struct, array_like=True, frozen=True):
    """The parameters of a message about a session."""

    session: str


class SymbolResolved(_OfSession, frozen=True):
    """The server has found the symbol."""

    symbol_id: str
    symbol: Resolved


class BlockBar(msgspec.Struct, frozen=True, gc=False):
    """One bar: open time, open, high, low, close and, if the symbol has volume, volume."""

    v: list[float | None]


class NewestBar(msgspec.Struct, frozen=True, gc=False):
    """When the newest bar closes; the last bar of a session says one second too early."""

    bar_close_time: float | None = None


class Block(msgspec.Struct, frozen=True):
    """Bars of one series, oldest first; `bars` is None if the message has none."""

    bars: list[BlockBar] | None = msgspec.field(default=None, name="s")
    turnaround: str | None = msgspec.field(default=None, name="t")
    newest: NewestBar | None = msgspec.field(default=None, name="lbs")

    @property
    def has_volume(self) -> bool:
        """Whether any bar has a sixth value that is not the number for a missing one."""
        return any(
            len(bar.v) >= _BAR_VALUES and (bar.v[-1] is None or bar.v[-1] < _NO_VALUE)
            for bar in self.bars or ()
        )

    def columns(self) -> Floats:
        """Return the bars as a (6, n) array in the order sent; NaN for a missing value."""
        rows = [
            bar.v if len(bar.v) == _BAR_VALUES else _six_values(bar.v) for bar in self.bars or ()
        ]
        values = np.fromiter(chain.from_iterable(rows), np.float64, _BAR_VALUES * len(rows))
        values[values >= _NO_VALUE] = np.nan
        return values.reshape(-1, _BAR_VALUES).T


class TimescaleUpdate(NamedTuple):
    """New or older bars by series id; `time` is the server's clock.

    `unreadable` holds the fault of each block that could not be decoded, by series id.
    """

    session: str
    blocks: dict[str, Block]
    time: int | None
    unreadable: Mapping[str, str] = MappingProxyType({})


class Du(NamedTuple):
    """A data update: the whole newest bar again, by series id; `unreadable` as above."""

    session: str
    blocks: dict[str, Block]
    unreadable: Mapping[str, str] = MappingProxyType({})


class SeriesLoading(_OfSession, frozen=True):
    """The answer to a request for bars begins."""

    series: str
    turnaround: str


class SeriesCompleted(_OfSession, frozen=True):
    """All requested bars were sent; `update_mode` is `streaming`, `delayed_streaming_900`…

    `data_completed` in the `state` says why there are no older bars: `end`, or `limit` of the plan.
    """

    series: str
    update_mode: str | None
    turnaround: str
    state: Any = None

    @property
    def data_completed(self) -> str:
        """`end`, `limit`, or empty while there may be older bars."""
        state = self.state if isinstance(self.state, dict) else {}
        return text_or_empty(state.get("data_completed"))


class ClearData(_OfSession, frozen=True):
    """The client must drop all bars of these series that it was sent."""

    series: dict[str, Any]


class SymbolError(_OfSession, frozen=True):
    """The symbol is unknown or not permitted."""

    symbol_id: str
    reason: Any = ""


class SeriesError(_OfSession, frozen=True):
    """The server refuses the series."""

    series: str
    turnaround: str
    reason: Any = ""


class CriticalError(_OfSession, frozen=True):
    """The server refused a call and ended its session."""

    reason: Any = ""
    detail: Any = ""


class ProtocolError(msgspec.Struct, array_like=True, frozen=True):
    """The server ends the whole connection."""

    reason: Any = ""


# A name with a hyphen can't be written as an attribute.
_HyphenatedFields = TypedDict(
    "_HyphenatedFields", {"market-status": Any, "prev-daily-bar": Any}, total=False
)


class QuoteFields(_HyphenatedFields, total=False):
    """Changed fields of a quote by TradingView's names.

    `lp` is the last price and `lp_time` its time in whole seconds; `volume` is the day's total,
    1e100 for a symbol without; `ch` and `chp` are the change since yesterday's close. `open_time`
    and `tradingday` in `market-status` name the day of the total. `first_bar_time_…` is when the
    history of days and of minutes begins. `dividend_…` name the last dividend and the next one,
    and `prev-daily-bar` is the last day that is over.
    """

    lp: float | None
    lp_time: float | None
    volume: float | None
    bid: float | None
    ask: float | None
    ch: float | None
    chp: float | None
    open_price: float | None
    high_price: float | None
    low_price: float | None
    prev_close_price: float | None
    update_mode: str | None
    current_session: str | None
    open_time: Any
    first_bar_time_1d: Any
    first_bar_time_1m: Any
    dividend_ex_date_recent: Any
    dividend_amount_recent: Any
    dividend_ex_date_upcoming: Any


FIRST_DAY: Final = "first_bar_time_1d"
FIRST_MINUTE: Final = "first_bar_time_1m"
QUOTE_FIELDS = tuple(
    name for name in QuoteFields.__annotations__ if name not in (FIRST_DAY, FIRST_MINUTE)
)
PREVIOUS_DAY: Final = "prev-daily-bar"
REPORT_FIELDS = frozenset(
    name
    for name in QuoteFields.__annotations__
    if name == PREVIOUS_DAY or name.startswith("dividend_")
)
_OUR_NAMES = {name: name for name in QuoteFields.__annotations__ if name not in REPORT_FIELDS} | {
    "lp": "last_price",
    "lp_time": "time",
    "volume": "day_volume",
    "ch": "change",
    "chp": "change_percent",
    "prev_close_price": "prev_close",
    "market-status": "trading_day",
}


class QuoteAnswer(msgspec.Struct, frozen=True, gc=False):
    """The changed fields of one symbol, or the error why it has none."""

    name: str = msgspec.field(name="n")
    status: str = msgspec.field(name="s")
    fields: QuoteFields = msgspec.field(name="v", default_factory=QuoteFields)
    error: Any = msgspec.field(name="errmsg", default=None)

    @property
    def is_ok(self) -> bool:
        return self.status == "ok"

    def changes(self) -> QuoteChanges:
        """The fields by our names; None for a total or an open time that is no number.

        A status that names no trading day is left out.
        """
        changes: dict[str, Any] = {
            _OUR_NAMES[name]: each for name, each in self.fields.items() if name in _OUR_NAMES
        }
        total = changes.get("day_volume")
        if total is not None and not 0 <= total < _NO_VALUE:
            changes["day_volume"] = None
        if "open_time" in changes and not isinstance(changes["open_time"], int | float):
            changes["open_time"] = None
        if "trading_day" in changes:
            status = changes.pop("trading_day")
            day = status.get("tradingday") if isinstance(status, dict) else None
            if isinstance(day, str):
                changes["trading_day"] = day
        return cast(QuoteChanges, changes)


class Qsd(_OfSession, frozen=True, gc=False):
    """Quote session data of one symbol, named by the exact text that added it."""

    answer: QuoteAnswer


class QuoteCompleted(_OfSession, frozen=True):
    """The full state or the error of a symbol was sent; only changes follow."""

    name: str


class Unreadable(NamedTuple):
    """A message in which a used field has the wrong type.

    `session` and `subject` (a symbol or series) are None if they could not be read either.
    """

    method: str
    session: str | None
    subject: str | None
    fault: str


class Other(msgspec.Struct, frozen=True):
    """A message of an unused or unknown kind."""

    method: str


Message = (
    Hello
    | Heartbeat
    | SymbolResolved
    | TimescaleUpdate
    | Du
    | SeriesLoading
    | SeriesCompleted
    | ClearData
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
    """Return the framed call of a method."""
    return frames.encode(_compact({"m": method, "p": params}))


def event(method: str, params: object, time_ms: int | None) -> str:
    """Return the framed message of a server; `time_ms` is its clock, None to leave it out."""
    message: dict[str, object] = {"m": method, "p": params}
    if time_ms is not None:
        message |= {"t": time_ms // 1000, "t_ms": time_ms}
    return frames.encode(_compact(message))


def read(payload: str) -> Message:
    """Decode a message of the server. `ProtocolViolation` if the payload is no JSON object."""
    try:
        if payload.startswith(_QSD_BEGINS):  # nearly all messages
            return _QUOTE.decode(payload).p
        if frames.is_heartbeat(payload):
            return Heartbeat(payload)
        return _decode(payload)
    except _UNREADABLE:
        return _decode_leniently(payload)


def read_call(payload: str) -> MethodCall:
    """Decode a call of a client. `ProtocolViolation` if the payload is no call."""
    try:
        decoded = _CALL.decode(payload)
    except _UNREADABLE as error:
        raise ProtocolViolation(f"no call: {payload[:80]!r}") from error
    return MethodCall(decoded.m, decoded.p)


def text_or_empty(value: object) -> str:
    """Return a descriptive text of the provider; empty for a value of another type."""
    return value if isinstance(value, str) else ""


class _Envelope(msgspec.Struct, frozen=True):
    m: str | None = None
    p: msgspec.Raw = msgspec.Raw(b"null")
    t: Any = None


class _Greeting(msgspec.Struct, frozen=True):
    timestamp: Any = None
    timestampMs: Any = None  # noqa: N815  # the server's name


class _Quote(msgspec.Struct, frozen=True, gc=False):
    p: Qsd


class _Update(_OfSession, frozen=True):
    blocks: dict[str, Block]


class _Call(msgspec.Struct, frozen=True):
    m: str
    p: list[Any]


_UNREADABLE = (ValueError, RecursionError)  # the errors of msgspec and json are ValueErrors
_ENVELOPE = msgspec.json.Decoder(_Envelope)
_QSD_BEGINS = '{"m":"qsd",'
_QUOTE = msgspec.json.Decoder(_Quote)
_GREETING = msgspec.json.Decoder(_Greeting)
_CALL = msgspec.json.Decoder(_Call)
_KINDS: dict[str, Any] = {
    "symbol_resolved": SymbolResolved,
    "timescale_update": _Update,
    "du": _Update,
    "series_loading": SeriesLoading,
    "series_completed": SeriesCompleted,
    "clear_data": ClearData,
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


def _decode_leniently(payload: str) -> Message:
    """Decode a message that is not valid: NaN and numbers beyond float64 become null.

    Invalid values matter only in fields that are used.
    """
    envelope = _parse_json(payload)
    method, params = envelope.get("m"), envelope.get("p")
    if "m" not in envelope:
        return _hello(msgspec.convert(envelope, _Greeting))
    if not isinstance(method, str):
        return Other("")
    if method not in _KINDS:
        return Other(method)
    unreadable = _remove_unreadable(method, params)
    try:
        converted = msgspec.convert(params, _KINDS[method])
    except msgspec.ValidationError as error:
        return _unreadable(method, params, str(error))
    return _message(method, converted, envelope.get("t"), unreadable)


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


def _parse_json(payload: str) -> dict[str, Any]:
    """Parse a JSON object; unpaired surrogates are replaced, since they cannot be encoded again."""
    try:
        parsed = json.loads(
            payload, parse_constant=lambda _: None, parse_int=_number, parse_float=_number
        )
        text = json.dumps(parsed, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
        parsed = json.loads(text.decode("utf-16-le", "replace"))
    except (ValueError, RecursionError) as error:
        raise ProtocolViolation(f"no message: {payload[:80]!r}") from error
    if not isinstance(parsed, dict):
        raise ProtocolViolation(f"no message: {payload[:80]!r}")
    return parsed


def _remove_unreadable(method: str, params: Any) -> dict[str, str]:
    """Remove the values of a quote error and the unreadable blocks; return each block's fault."""
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
    """Cut surplus values off a block's bars; return its fault, empty if it can be decoded."""
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
    """Return a time as a whole number; 0 if it is no plausible time."""
    if not isinstance(value, int | float) or not 0 < value <= LATEST_TIME * units_a_second:
        return 0
    return int(value)


def _number(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _six_values(values: list[float | None]) -> list[float | None]:
    return [*values, *[None] * _BAR_VALUES][:_BAR_VALUES]


def _compact(message: dict[str, object]) -> str:
    """Encode JSON without spaces and in ASCII: its length is equal in characters and bytes."""
    text = msgspec.json.encode(message).decode()
    return text if text.isascii() else _NOT_ASCII.sub(_escaped, text)


def _escaped(character: re.Match[str]) -> str:
    return json.dumps(character[0])[1:-1]
