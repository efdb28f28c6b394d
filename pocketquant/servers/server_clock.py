"""`ServerClock`: the time by which all hosts agree, at no further call."""

from collections.abc import Callable
from datetime import UTC

import structlog
from pymongo.monitoring import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)

MOST_SECONDS = 2.0

_log = structlog.get_logger(__name__)


class ServerClock(ServerHeartbeatListener):
    """Our own clock, or MongoDB's if they differ by more than two seconds.

    Heartbeats of the driver have MongoDB's time: one comes before the first operation, then one
    every ten seconds. They arrive some milliseconds late, so that the clocks of hosts which keep
    their time are the better ones.
    """

    def __init__(self, own: Callable[[], float]) -> None:
        self._own = own
        self._ahead = 0.0  # of our own clock

    def __call__(self) -> float:
        """Return the time in epoch seconds."""
        return self._own() + self._ahead

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Do nothing."""

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        """Compare the clocks, by the server that takes writes."""
        if not event.reply.is_writable:
            return
        theirs = event.reply.document["localTime"].replace(tzinfo=UTC)  # the driver leaves it naive
        ahead = theirs.timestamp() - self._own()
        was_right, is_right = (abs(each) <= MOST_SECONDS for each in (self._ahead, ahead))
        self._ahead = 0.0 if is_right else ahead
        if was_right and not is_right:
            _log.warning("clock_differs", seconds=round(-ahead, 1))

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        """Do nothing."""
