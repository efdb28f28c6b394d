"""An answer of `GET /market-data/ohlcv` in plain values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.chaos.witness import Rows

_VALUES = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Answered:
    """The bars of an answer; the newest `live` ones are live, those in `partial` incomplete."""

    bars: Rows
    partial: frozenset[int]
    live: int

    @property
    def whole(self) -> Rows:
        """Return the bars that are not marked partial."""
        return {at: bar for at, bar in self.bars.items() if at not in self.partial}


def read(document: dict[str, Any]) -> Answered:
    """Read the answer's body."""
    return Answered(
        {
            seconds_of(bar["datetime"]): tuple(float(bar[name]) for name in _VALUES)
            for bar in document["data"]
        },
        frozenset(map(seconds_of, document["live"]["partial"])),
        document["live"]["count"],
    )


def seconds_of(date: str) -> int:
    """Return the epoch seconds of a moment."""
    return int(datetime.fromisoformat(date).timestamp())
