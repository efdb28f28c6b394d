"""The alive file of a worker: a thread touches it each second while the worker is well.

The worker's timer notes each second that the worker's event loop turns. Without a broker the loop
rightly waits for one, and the timer stands still. So the thread touches the file if the loop turns
or waits for a broker.
"""

import time
from typing import Any

from celery import Celery, bootsteps

from pocketquant.presence.alive_file import AliveFile
from pocketquant.presence.repeating import Loop, Loops

_EVERY_SECONDS = 1.0
_LONGEST_TURN_SECONDS = 45.0  # each user of a hanging broker takes 15 s to notice


def keep_alive_file(app: Celery, file: AliveFile) -> None:
    """Have each worker of this application touch the file, and remove it at its end."""

    class PulseStep(bootsteps.StartStopStep):
        requires = ("celery.worker.components:Timer",)

        def __init__(self, worker: Any, **_: object) -> None:
            self._pulse = Pulse(worker, file)

        def start(self, worker: Any) -> None:
            self._pulse.begin()
            worker.timer.call_repeatedly(_EVERY_SECONDS, self._pulse.note_turn)

        def stop(self, _worker: Any) -> None:
            self._pulse.end()

    app.steps["worker"].add(PulseStep)


class Pulse:
    """The thread that touches the file while the worker is well."""

    def __init__(
        self, worker: Any, file: AliveFile, longest_turn_seconds: float = _LONGEST_TURN_SECONDS
    ) -> None:
        self._worker = worker
        self._file = file
        self._longest_turn_seconds = longest_turn_seconds
        self._turned_at = time.monotonic()
        self._loops = Loops()  # its own: if this loop fails, the file is not touched anyway
        self._touching: Loop | None = None

    def begin(self) -> None:
        """Create the file and start. An OSError makes the start of the worker fail."""
        self._file.make()
        self.note_turn()
        self._touching = self._loops.begin(
            "alive-file", lambda _: self._touch_if_well(), _EVERY_SECONDS
        )

    def note_turn(self) -> None:
        """Note that the worker's loop turns."""
        self._turned_at = time.monotonic()

    def end(self) -> None:
        if self._touching is not None:
            self._touching.end()
        self._file.remove()

    def _touch_if_well(self) -> None:
        is_turning = time.monotonic() - self._turned_at < self._longest_turn_seconds
        if is_turning or self._is_without_broker():
            self._file.touch()

    def _is_without_broker(self) -> bool:
        consumer = getattr(self._worker, "consumer", None)
        return consumer is None or consumer.connection is None
