"""`Loops`: the threads of one process that repeat something for as long as it runs.

An unforeseen error does not end a loop: it is logged and counted, and the next turn follows after a
pause. A loop that keeps failing makes the process unwell, which its health check reports.
"""

import time
from collections.abc import Callable
from threading import Event, Lock, Thread

import structlog

from pocketquant import metrics

FAILING_SECONDS = 30.0

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 10.0
_JOIN_SECONDS = 2.0

_log = structlog.get_logger(__name__)

Turn = Callable[["Loop"], None]


class Loops:
    """The running loops of a process; one that fails for `failing_seconds` makes it unwell."""

    def __init__(self, failing_seconds: float = FAILING_SECONDS) -> None:
        self.failing_seconds = failing_seconds
        self._lock = Lock()
        self._running: set[Loop] = set()

    def begin(self, name: str, turn: Turn, seconds: float = 0.0) -> "Loop":
        """Call `turn` now, and again `seconds` after each return, until the loop ends."""
        loop = Loop(name, turn, seconds, self._discard)
        with self._lock:
            self._running.add(loop)
        loop.start()
        return loop

    @property
    def failing(self) -> tuple[str, ...]:
        """The names of the loops that have been failing for `failing_seconds`."""
        now = time.monotonic()
        with self._lock:
            names = {
                loop.name
                for loop in self._running
                if loop.is_failing and now - loop.failing_since >= self.failing_seconds
            }
        return tuple(sorted(names))

    @property
    def are_well(self) -> bool:
        return not self.failing

    def _discard(self, loop: "Loop") -> None:
        with self._lock:
            self._running.discard(loop)


class Loop:
    """A repeating thread. A long turn must check `is_ending` and call `note_success` itself."""

    def __init__(
        self, name: str, turn: Turn, seconds: float, at_end: Callable[["Loop"], None]
    ) -> None:
        self.name = name
        self._turn = turn
        self._seconds = seconds
        self._at_end = at_end
        self._ending = Event()
        self._failures = 0
        self.failing_since = 0.0
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_failing(self) -> bool:
        """Whether all turns since `failing_since` have failed."""
        return self._failures > 0

    @property
    def is_ending(self) -> bool:
        return self._ending.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait until the time is over or the loop ends; return whether it ends."""
        return self._ending.wait(seconds)

    def stop(self) -> None:
        """Begin no further turn; a turn may call this itself."""
        self._ending.set()

    def join(self, seconds: float) -> None:
        """Wait for the running turn."""
        self._thread.join(seconds)

    def end(self, seconds: float = _JOIN_SECONDS) -> None:
        """Stop, and wait at most `seconds` for the running turn."""
        self.stop()
        self.join(seconds)

    def note_success(self) -> None:
        """Note that the loop works: earlier failures no longer count."""
        if self._failures:
            _log.info("loop_works_again", loop=self.name, failures=self._failures)
        self._failures = 0

    def _run(self) -> None:
        try:
            while not self.is_ending:
                self._take_turn()
        finally:
            self._at_end(self)

    def _take_turn(self) -> None:
        try:
            self._turn(self)
        except Exception:  # noqa: BLE001  # a defect must not end the loop silently
            self._note_failure()
            pause = _FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures - 1, 10)
            self.wait(max(self._seconds, min(pause, _LONGEST_PAUSE_SECONDS)))
        else:
            self.note_success()
            self.wait(self._seconds)

    def _note_failure(self) -> None:
        if not self._failures:
            self.failing_since = time.monotonic()
        self._failures += 1
        metrics.LOOP_FAILURES.labels(loop=self.name).inc()
        _log.exception("loop_failed", loop=self.name, failures=self._failures)
