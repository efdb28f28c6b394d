"""What an answer of `GET /market-data/ohlcv` says, in plain values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.chaos.witness import Rows

_VALUES = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Answered:
    """The bars of an answer; of the newest `live` ones those in `partial` were not seen wholly."""

    bars: Rows
    partial: frozenset[int]
    live: int

    @property
    def whole(self) -> Rows:
        """The bars that are told without reserve."""
        return {at: bar for at, bar in self.bars.items() if at not in self.partial}


def read(told: dict[str, Any]) -> Answered:
    """Read the answer's body."""
    return Answered(
        {
            seconds_of(bar["datetime"]): tuple(float(bar[name]) for name in _VALUES)
            for bar in told["data"]
        },
        frozenset(map(seconds_of, told["live"]["partial"])),
        told["live"]["count"],
    )


def seconds_of(date: str) -> int:
    """The epoch seconds of a moment."""
    return int(datetime.fromisoformat(date).timestamp())
