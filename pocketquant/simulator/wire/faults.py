"""How the simulator can be ordered to misbehave, for one symbol or for all."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Lock
from typing import Self


class FaultKind(StrEnum):
    """What goes wrong. `value` is what a fault may be given besides."""

    # the handshake
    RATE_LIMIT = "rate_limit"  # HTTP 429
    REFUSE = "refuse"  # HTTP 403
    # tokens and signing in
    BAD_TOKEN = "bad_token"  # noqa: S105  # every token is refused
    TOKEN_EXPIRY = "token_expiry"  # noqa: S105  # new tokens are good for `value` seconds
    CAPTCHA = "captcha"
    TWO_FACTOR = "two_factor"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105
    # what answers a series
    CRITICAL_ERROR = "critical_error"  # `value`: the reason
    PROTOCOL_ERROR = "protocol_error"  # `value`: the reason
    SERIES_ERROR = "series_error"  # `value`: the reason
    SYMBOL_ERROR = "symbol_error"
    PERMISSION = "permission"
    # its bars
    NAN_BAR = "nan_bar"
    HIGH_BELOW_LOW = "high_below_low"
    REPEATED_TIME = "repeated_time"
    UNORDERED_TIME = "unordered_time"
    NEGATIVE_VOLUME = "negative_volume"
    # its messages
    NO_COMPLETED = "no_completed"
    EMPTY_COMPLETED = "empty_completed"
    STALE_TURNAROUND = "stale_turnaround"
    UNKNOWN_MESSAGE = "unknown_message"
    BIG_MESSAGE = "big_message"
    NON_ASCII = "non_ascii"  # `value`: "bytes" counts the length in UTF-8 bytes
    UNORDERED_CLOCK = "unordered_clock"
    # how they are sent
    LATENCY = "latency"  # `value`: seconds before the answer
    STALL = "stall"  # nothing after `series_loading` but heartbeats
    SILENCE = "silence"  # not even heartbeats
    DROP = "drop"  # the connection closes after `series_loading`
    DROP_BUNDLE = "drop_bundle"  # the connection closes in the middle of a frame
    BAD_FRAME = "bad_frame"
    SPLIT = "split"  # frames are cut anywhere
    GLUE = "glue"  # all in one text, a heartbeat in the midst
    EACH_ALONE = "each_alone"  # a text for each message
    # connections with quotes, when some are due; `symbol` does not matter
    QUOTES_DROP = "quotes_drop"  # the connection is aborted
    QUOTES_STALL = "quotes_stall"  # nothing more on it, ever, not even heartbeats
    QUOTES_SPLIT = "quotes_split"  # frames are cut anywhere
    QUOTES_GLUE = "quotes_glue"  # all in one text, a heartbeat in the midst
    QUOTES_EACH_ALONE = "quotes_each_alone"
    # the quotes of a symbol, its first included
    QUOTES_MUTE = "quotes_mute"  # none; heartbeats go on
    QUOTES_UNKNOWN = "quotes_unknown"  # no such symbol any more, until it is added again
    QUOTES_PERMISSION = "quotes_permission"  # withdrawn; `value`: the group that has it
    # each quote with a trade
    QUOTES_REPEATED = "quotes_repeated"  # sent twice
    QUOTES_UNORDERED = "quotes_unordered"  # sent after the next
    QUOTES_UNREADABLE = "quotes_unreadable"  # its volume is a text
    TIME_ALONE = "time_alone"  # another follows, of nothing but a later time
    VOLUME_FALLS = "volume_falls"  # `value`: by how much, as after a cancelled trade
    VOLUME_RESET = "volume_reset"  # the day's volume begins again from zero


_ELSEWHERE = frozenset(
    {
        FaultKind.RATE_LIMIT,
        FaultKind.REFUSE,
        FaultKind.BAD_TOKEN,
        FaultKind.TOKEN_EXPIRY,
        FaultKind.CAPTCHA,
        FaultKind.TWO_FACTOR,
        FaultKind.WRONG_PASSWORD,
    }
)
_NUMBERED = frozenset({FaultKind.LATENCY, FaultKind.TOKEN_EXPIRY, FaultKind.VOLUME_FALLS})
OF_A_CONNECTION = (
    FaultKind.QUOTES_DROP,
    FaultKind.QUOTES_STALL,
    FaultKind.QUOTES_SPLIT,
    FaultKind.QUOTES_GLUE,
    FaultKind.QUOTES_EACH_ALONE,
)
OF_QUOTES = (FaultKind.QUOTES_MUTE, FaultKind.QUOTES_UNKNOWN, FaultKind.QUOTES_PERMISSION)
OF_TRADES = (
    *OF_QUOTES,
    FaultKind.QUOTES_REPEATED,
    FaultKind.QUOTES_UNORDERED,
    FaultKind.QUOTES_UNREADABLE,
    FaultKind.TIME_ALONE,
    FaultKind.VOLUME_FALLS,
    FaultKind.VOLUME_RESET,
)
OF_A_SERIES = tuple(
    kind
    for kind in FaultKind
    if kind not in _ELSEWHERE and kind not in OF_A_CONNECTION and kind not in OF_TRADES
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One order; without a symbol it holds for all, without `times` until it is taken back.

    ValueError where the value should be a number and is not.
    """

    kind: FaultKind
    symbol: str | None = None
    value: str | float | None = None
    times: int | None = None

    def __post_init__(self) -> None:
        if self.kind in _NUMBERED:
            self.number(0)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `KIND[=VALUE][:SYMBOL]`: `stall`, `latency=2`, `series_error:NASDAQ:AAPL`."""
        order, _, symbol = text.partition(":")
        kind, _, value = order.partition("=")
        return cls(FaultKind(kind), symbol.upper() or None, value or None)

    def number(self, otherwise: float) -> float:
        """The value as a number."""
        return otherwise if self.value is None else float(self.value)

    def text(self, otherwise: str) -> str:
        """The value as text."""
        return otherwise if self.value is None else str(self.value)


class Faults:
    """The orders that hold now. Safe to change while the simulator runs."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []
        self._lock = Lock()

    def order(self, fault: Fault) -> None:
        """Have this fault from now on, in place of the same kind for the same symbol."""
        fault = replace(fault, symbol=fault.symbol and fault.symbol.upper())
        with self._lock:
            self._ordered = [*self._others(fault), fault]

    def lift(self, kind: FaultKind | None = None, symbol: str | None = None) -> None:
        """Take back the faults of this kind (all kinds) for this symbol (every symbol)."""
        symbol = symbol and symbol.upper()
        with self._lock:
            self._ordered = [
                fault
                for fault in self._ordered
                if kind not in (None, fault.kind) or symbol not in (None, fault.symbol)
            ]

    @property
    def are_ordered(self) -> bool:
        """Whether any hold now."""
        return bool(self._ordered)

    def ordered(self) -> list[Fault]:
        """All that hold now."""
        return list(self._ordered)

    def triggered(self, kinds: Iterable[FaultKind], symbol: str = "") -> dict[FaultKind, Fault]:
        """The faults of these kinds that happen now; that is one of the `times` of each."""
        if not self._ordered:
            return {}
        found = ((kind, self.trigger(kind, symbol)) for kind in kinds)
        return {kind: fault for kind, fault in found if fault}

    def trigger(self, kind: FaultKind, symbol: str = "") -> Fault | None:
        """The fault of this kind that happens now, if ordered; that is one of its `times`."""
        if not self._ordered:
            return None
        with self._lock:
            for fault in self._ordered:
                if fault.kind is kind and fault.symbol in (None, symbol):
                    self._wear(fault)
                    return fault
        return None

    def _wear(self, fault: Fault) -> None:
        if fault.times is not None:
            worn = replace(fault, times=fault.times - 1)
            self._ordered = [*self._others(fault), *([worn] if worn.times else [])]

    def _others(self, fault: Fault) -> list[Fault]:
        return [
            other
            for other in self._ordered
            if (other.kind, other.symbol) != (fault.kind, fault.symbol)
        ]
