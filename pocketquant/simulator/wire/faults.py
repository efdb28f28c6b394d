"""The faults that the simulator can be ordered to produce, for one symbol or all."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Lock
from typing import Self


class FaultKind(StrEnum):
    """The kinds of faults; comments name the meaning of a fault's `value`, if it takes one."""

    # the handshake
    RATE_LIMIT = "rate_limit"  # HTTP 429
    REFUSE = "refuse"  # HTTP 403
    CONNECTION_LIMIT = "connection_limit"  # HTTP 429 while `value` connections are open
    HANDSHAKE_LIMIT = "handshake_limit"  # HTTP 429 after `value` handshakes within a second
    # tokens and signing in
    BAD_TOKEN = "bad_token"  # noqa: S105  # every token is refused
    TOKEN_EXPIRY = "token_expiry"  # noqa: S105  # new tokens are good for `value` seconds
    CAPTCHA = "captcha"
    TWO_FACTOR = "two_factor"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105
    # the answer of a series
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
    COMPLETED_TWICE = "completed_twice"
    CLEARED = "cleared"  # `clear_data` after wrong bars, before the right ones
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
    GLUE = "glue"  # all in one text, with a heartbeat in the middle
    EACH_ALONE = "each_alone"  # a text for each message
    # the plan, and answers to requests for more bars or another range
    BAR_LIMIT = "bar_limit"  # `value`: the most intraday bars of a series, 0: no limit
    PAGE_SILENT = "page_silent"  # no answer after `value` pages
    PAGE_REPEATED = "page_repeated"  # the bars of the answer before
    PAGE_NEWER = "page_newer"  # with the newest bar, changed
    RANGE_THROTTLED = "range_throttled"  # no `series_completed` for another range
    # connections with quotes, when an update is due; `symbol` is ignored
    QUOTES_DROP = "quotes_drop"  # the connection is aborted
    QUOTES_STALL = "quotes_stall"  # the connection stays silent for ever, without heartbeats
    QUOTES_SPLIT = "quotes_split"  # frames are cut anywhere
    QUOTES_GLUE = "quotes_glue"  # all in one text, with a heartbeat in the middle
    QUOTES_EACH_ALONE = "quotes_each_alone"
    # the quotes of a symbol, from the first on
    QUOTES_MUTE = "quotes_mute"  # none; heartbeats go on
    QUOTES_UNKNOWN = "quotes_unknown"  # the symbol is unknown until it is added again
    QUOTES_PERMISSION = "quotes_permission"  # `value`: the group that has the permission
    # each quote with a trade
    QUOTES_REPEATED = "quotes_repeated"  # sent twice
    QUOTES_UNORDERED = "quotes_unordered"  # sent after the next
    QUOTES_UNREADABLE = "quotes_unreadable"  # its volume is a text
    TIME_ALONE = "time_alone"  # followed by an update of a later time alone
    VOLUME_FALLS = "volume_falls"  # `value`: by how much, as after a cancelled trade
    VOLUME_RESET = "volume_reset"  # the day's volume restarts at zero


_ELSEWHERE = frozenset(
    {
        FaultKind.RATE_LIMIT,
        FaultKind.REFUSE,
        FaultKind.CONNECTION_LIMIT,
        FaultKind.HANDSHAKE_LIMIT,
        FaultKind.BAD_TOKEN,
        FaultKind.TOKEN_EXPIRY,
        FaultKind.CAPTCHA,
        FaultKind.TWO_FACTOR,
        FaultKind.WRONG_PASSWORD,
        FaultKind.BAR_LIMIT,
        FaultKind.RANGE_THROTTLED,
    }
)
_NUMBERED = frozenset(
    {
        FaultKind.CONNECTION_LIMIT,
        FaultKind.HANDSHAKE_LIMIT,
        FaultKind.LATENCY,
        FaultKind.TOKEN_EXPIRY,
        FaultKind.VOLUME_FALLS,
        FaultKind.BAR_LIMIT,
        FaultKind.PAGE_SILENT,
    }
)
OF_A_PAGE = (
    FaultKind.PAGE_SILENT,
    FaultKind.PAGE_REPEATED,
    FaultKind.PAGE_NEWER,
)
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
    if kind not in {*_ELSEWHERE, *OF_A_PAGE, *OF_A_CONNECTION, *OF_TRADES}
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One ordered fault; without a symbol for all, without `times` until it is lifted.

    ValueError if the value must be a number and is not.
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
        """Parse `KIND[=VALUE][:SYMBOL]`: `stall`, `latency=2`, `series_error:NASDAQ:AAPL`."""
        order, _, symbol = text.partition(":")
        kind, _, value = order.partition("=")
        return cls(FaultKind(kind), symbol.upper() or None, value or None)

    def number(self, default: float) -> float:
        """Return the value as a number."""
        return default if self.value is None else float(self.value)

    def text(self, default: str) -> str:
        """Return the value as text."""
        return default if self.value is None else str(self.value)


class Faults:
    """The faults ordered now; safe to change while the simulator runs."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []
        self._lock = Lock()

    def order(self, fault: Fault) -> None:
        """Order a fault; it replaces one of the same kind for the same symbol."""
        fault = replace(fault, symbol=fault.symbol and fault.symbol.upper())
        with self._lock:
            self._ordered = [*self._others(fault), fault]

    def lift(self, kind: FaultKind | None = None, symbol: str | None = None) -> None:
        """Cancel the faults of this kind (all kinds) for this symbol (every symbol)."""
        symbol = symbol and symbol.upper()
        with self._lock:
            self._ordered = [
                fault
                for fault in self._ordered
                if kind not in (None, fault.kind) or symbol not in (None, fault.symbol)
            ]

    @property
    def are_ordered(self) -> bool:
        """Whether any fault is ordered now."""
        return bool(self._ordered)

    def ordered(self) -> list[Fault]:
        """Return all faults ordered now."""
        return list(self._ordered)

    def triggered(self, kinds: Iterable[FaultKind], symbol: str = "") -> dict[FaultKind, Fault]:
        """Return the ordered faults of these kinds, and use up one of the `times` of each."""
        if not self._ordered:
            return {}
        found = ((kind, self.trigger(kind, symbol)) for kind in kinds)
        return {kind: fault for kind, fault in found if fault}

    def trigger(self, kind: FaultKind, symbol: str = "") -> Fault | None:
        """Return the fault of this kind if it is ordered, and use up one of its `times`."""
        if not self._ordered:
            return None
        with self._lock:
            for fault in self._ordered:
                if fault.kind is kind and fault.symbol in (None, symbol):
                    self._use_up(fault)
                    return fault
        return None

    def _use_up(self, fault: Fault) -> None:
        if fault.times is not None:
            remaining = replace(fault, times=fault.times - 1)
            self._ordered = [*self._others(fault), *([remaining] if remaining.times else [])]

    def _others(self, fault: Fault) -> list[Fault]:
        return [
            other
            for other in self._ordered
            if (other.kind, other.symbol) != (fault.kind, fault.symbol)
        ]
