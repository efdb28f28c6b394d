"""Counts the commands that this thread sends to MongoDB."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from pymongo import monitoring


class _Counting(monitoring.CommandListener):
    """Counts the commands of threads that want it."""

    def __init__(self) -> None:
        self.here = threading.local()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        counted: Counter[str] | None = getattr(self.here, "counted", None)
        if counted is not None:
            counted[f"{event.command_name} {event.command[event.command_name]}"] += 1

    def succeeded(self, event: object) -> None: ...

    def failed(self, event: object) -> None: ...


_COUNTING = _Counting()
monitoring.register(_COUNTING)  # of each client that is made from now on


@contextmanager
def counted_commands() -> Iterator[Counter[str]]:
    """Yield the number of this thread's commands by name and collection."""
    _COUNTING.here.counted = counted = Counter()
    try:
        yield counted
    finally:
        _COUNTING.here.counted = None
