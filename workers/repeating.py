"""Something done again and again beside a worker's own work."""

from collections.abc import Callable
from threading import Event, Thread

_PATIENCE_SECONDS = 2.0


class Repeating:
    """Calls `act` at once and every so many seconds, in a thread of its own, until it ends."""

    def __init__(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        self._seconds = seconds
        self._act = act
        self._is_over = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """No call begins after this; one that hangs is left to itself."""
        self._is_over.set()
        self._thread.join(_PATIENCE_SECONDS)

    def _run(self) -> None:
        while not self._is_over.is_set():
            self._act()
            self._is_over.wait(self._seconds)
