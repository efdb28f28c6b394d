"""`Shard`: a fixed part of all symbols, watched by one streamer."""

from dataclasses import dataclass
from zlib import crc32


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `count`, from 1. Each symbol always belongs to the same part."""

    number: int
    count: int

    @property
    def name(self) -> str:
        """`1-of-2`: shards of different splits have different names."""
        return f"{self.number}-of-{self.count}"

    def holds(self, symbol: str) -> bool:
        """Whether the symbol is in this part."""
        return crc32(symbol.encode()) % self.count == self.number - 1


def all_shards(count: int) -> tuple[Shard, ...]:
    """All parts of a split."""
    return tuple(Shard(number, count) for number in range(1, count + 1))
