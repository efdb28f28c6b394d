"""What the simulator has seen and done, for tests to look at."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Tally:
    """Counts since the start. `requested` and `served` count the series of each symbol.

    `quotes` counts the frames of quote sessions, a tape's not included; `replay_began_at` is when
    the last tape was begun, by the real clock.
    """

    connections: int = 0
    open_connections: int = 0
    refused_handshakes: int = 0
    unanswered_heartbeats: int = 0
    sign_ins: int = 0
    bars: int = 0
    quotes: int = 0
    replay_began_at: float | None = None
    requested: Counter[str] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        requested, served = dict(self.requested), dict(self.served)
        return {
            "connections": self.connections,
            "open_connections": self.open_connections,
            "refused_handshakes": self.refused_handshakes,
            "unanswered_heartbeats": self.unanswered_heartbeats,
            "sign_ins": self.sign_ins,
            "bars": self.bars,
            "quotes": self.quotes,
            "replay_began_at": self.replay_began_at,
            "series_requested": sum(requested.values()),
            "series_served": sum(served.values()),
            "requested": requested,
            "served": served,
        }
