"""The server's actions on a connection, its messages, and its refusals of calls."""

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
    """Wait before the actions that follow; other answers and heartbeats do not wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection, with a closing handshake unless `is_abrupt`."""

    is_abrupt: bool = False


Action = Send | Pause | Close


@dataclass(frozen=True, slots=True)
class Event:
    """One message of the server, before it is encoded."""

    method: str
    params: tuple[object, ...]

    def framed(self, now_ms: int) -> str:
        """Return its frame, with the server's time if its kind carries it."""
        has_time = self.method not in _WITHOUT_TIME
        return messages.event(self.method, self.params, now_ms if has_time else None)


class CallRefused(Exception):
    """A call was refused: `critical_error`."""


class ConnectionEnded(Exception):
    """A call ended the connection: `protocol_error`."""
