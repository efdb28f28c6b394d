"""The simulated market's clock: the real time, or another start or speed."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


def market_clock(speed: float = 1.0, start: float | None = None) -> Callable[[], float]:
    """Return a clock in epoch seconds that starts at `start`, or now, and runs at `speed`."""
    if speed == 1.0 and start is None:
        return time.time
    started_at, first = time.monotonic(), time.time() if start is None else start
    return lambda: first + speed * (time.monotonic() - started_at)


def parse_time(text: str) -> float:
    """Parse an ISO 8601 time, in UTC if it has no zone, to epoch seconds. ValueError if invalid."""
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
