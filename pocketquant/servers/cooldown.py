"""`Cooldown`: after a failure a server is left alone for a while, so that not every call waits."""

import math
from collections.abc import Callable

COOLDOWN_SECONDS = 5.0


class Cooldown:
    """The time after the last failure of one server in which it is not called."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends_at = -math.inf

    @property
    def is_active(self) -> bool:
        """Whether the server failed less than `COOLDOWN_SECONDS` ago."""
        return self._clock() < self._ends_at

    def start(self) -> None:
        """Note a failure of the server."""
        self._ends_at = self._clock() + COOLDOWN_SECONDS
