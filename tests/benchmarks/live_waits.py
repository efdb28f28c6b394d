"""How long quotes took, from the moment at which the provider was due to send them."""

from collections.abc import Iterable

import msgspec

from tests.benchmarks.live_feed import Numbers, StampedTape, number_of


class _Quote(msgspec.Struct):
    symbol: str
    exchange: str
    volume: float | None = None


_read = msgspec.json.Decoder(_Quote).decode


class Waits:
    """Seconds from due to seen, of every trade on the tape that is seen, or is overtaken by one.

    A trade counts from the first that is seen of its symbol on.
    """

    def __init__(self, tape: StampedTape, began_at: float) -> None:
        self._numbers = Numbers(tape)
        self._began_at = began_at
        self._gap_seconds = tape.gap_seconds
        self._newest: dict[str, int] = {}
        self._seconds: list[float] = []

    def see(self, quote: bytes, at: float) -> None:
        """Note a quote, as the API returns it, that was seen at this epoch second."""
        seen = _read(quote)
        number = number_of(seen.volume or 0)
        if number is None:
            return
        symbol = f"{seen.exchange}:{seen.symbol}"
        for each in self._numbers.between(symbol, self._newest.get(symbol, number), number):
            self._seconds.append(at - self._began_at - each * self._gap_seconds)
        self._newest[symbol] = number

    def overdue(self, symbols: Iterable[str], at: float, seconds: float) -> int:
        """How many trades were due this many seconds ago and have not been seen."""
        due = int((at - seconds - self._began_at) / self._gap_seconds)
        return sum(
            len(self._numbers.between(symbol, self._newest[symbol], due)) for symbol in symbols
        )

    def forget(self) -> None:
        """Start anew with the next quotes."""
        self._seconds.clear()

    @property
    def count(self) -> int:
        return len(self._seconds)

    def quantile(self, part: float) -> float:
        """The seconds within which this part of the trades was seen; 1 for the longest."""
        ordered = sorted(self._seconds)
        return ordered[min(int(part * len(ordered)), len(ordered) - 1)]
