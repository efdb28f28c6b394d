"""The market's clock: the real one, or one that starts elsewhere or runs faster."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


def market_clock(speed: float = 1.0, start: float | None = None) -> Callable[[], float]:
    """Gives epoch seconds; the market's time is `start`, or now, at this moment."""
    if speed == 1.0 and start is None:
        return time.time
    begun, first = time.monotonic(), time.time() if start is None else start
    return lambda: first + speed * (time.monotonic() - begun)


def read_moment(text: str) -> float:
    """The epoch seconds of an ISO 8601 moment; without a zone it is in UTC. ValueError if none."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
