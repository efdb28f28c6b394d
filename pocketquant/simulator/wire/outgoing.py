"""What the server's half of a conversation wants sent, and how it refuses a call."""

from dataclasses import dataclass

from pocketquant.tradingview import messages

_WITHOUT_TIME = frozenset(
    {"qsd", "quote_completed", "du", "series_timeframe", "critical_error", "protocol_error"}
)


@dataclass(frozen=True, slots=True)
class Send:
    """Send one WebSocket text."""

    text: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait before what follows. Other answers and heartbeats do not wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection, with a closing handshake or without."""

    is_abrupt: bool = False


Action = Send | Pause | Close


@dataclass(frozen=True, slots=True)
class Event:
    """One message of the server, not yet text."""

    method: str
    params: tuple[object, ...]

    def framed(self, now_ms: int) -> str:
        """Its frame; the kinds that carry the server's time get it."""
        has_time = self.method not in _WITHOUT_TIME
        return messages.event(self.method, self.params, now_ms if has_time else None)


class CallRefused(Exception):
    """A call that ends its chart session: `critical_error`."""


class ConnectionEnded(Exception):
    """A call that ends the connection: `protocol_error`."""
