"""Recorded quotes, so that a benchmark measures the client and not the simulator."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pocketquant.domain.batches import batched
from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.wire.faults import Faults
from pocketquant.simulator.wire.quotes import SimulatedQuoteSession

_PLACEHOLDER = "qs_000000000000"
_STEP_MS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """Texts of `quotes_each` frames for a quote session with a name of 15 letters.

    With `quotes_per_second` they are sent at that rate, otherwise as fast as the client reads.
    `until` is the market's time at the end of the tape.
    """

    texts: Sequence[str]
    quotes_each: int
    until: int
    quotes_per_second: float | None = None

    def timed(self, session: str) -> Iterator[tuple[float, str]]:
        """Yield each text for this session with its due time in seconds after the start."""
        if len(session) != len(_PLACEHOLDER):
            raise ValueError(f"a tape needs a session's name of {len(_PLACEHOLDER)} letters")
        gap = self.quotes_each / self.quotes_per_second if self.quotes_per_second else 0.0
        for number, text in enumerate(self.texts):
            yield number * gap, text.replace(_PLACEHOLDER, session)


def record(
    market: Market,
    names: Sequence[str],
    start: int,
    quotes: int,
    fields: Sequence[str] = (),
    quotes_each: int = 50,
    quotes_per_second: float | None = None,
) -> Tape:
    """Record the first `quotes` changes of these symbols after `start` on a tape.

    `names` are the texts that the client adds. The tape lacks their first states, which the client
    receives when it adds the symbols.
    """
    session = SimulatedQuoteSession(_PLACEHOLDER, market, Faults())
    session.answer("quote_set_fields", [_PLACEHOLDER, *fields], 0)
    now_ms = start * 1000
    session.answer("quote_add_symbols", [_PLACEHOLDER, *names], now_ms)
    while session.is_behind(now_ms):
        session.push(now_ms)
    if not session.is_complete:
        raise ValueError("none of these symbols has quotes")
    frames: list[str] = []
    while len(frames) < quotes:
        now_ms += _STEP_MS
        frames += session.push(now_ms)
    texts = ["".join(batch) for batch in batched(frames[:quotes], quotes_each)]
    return Tape(texts, quotes_each, now_ms // 1000, quotes_per_second)
