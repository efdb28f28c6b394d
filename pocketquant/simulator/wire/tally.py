"""`Tally`: counts of what the simulator received and sent, for tests."""

from collections import Counter
from copy import copy
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class Tally:
    """Counts since the start; `requested` and `served` count the series of each symbol.

    `connections` counts the handshakes that were accepted, `most_connections` how many connections
    were open at once.
    `quotes` counts the frames of quote sessions without those of tapes; `replay_began_at` is the
    time at which the last tape started, by the real clock.
    """

    connections: int = 0
    open_connections: int = 0
    most_connections: int = 0
    refused_handshakes: int = 0
    unanswered_heartbeats: int = 0
    sign_ins: int = 0
    bars: int = 0
    quotes: int = 0
    replay_began_at: float | None = None
    requested: Counter[str] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """Return a copy of the counts, with the sums of `requested` and `served`."""
        counts = {each.name: copy(getattr(self, each.name)) for each in fields(self)}
        totals = {"series_requested": self.requested.total(), "series_served": self.served.total()}
        return counts | totals
