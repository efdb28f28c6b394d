"""`Metronome`: Celery's scheduler, which logs the loss of the broker once, and its return once."""

from typing import Any

import structlog
from celery.beat import Scheduler

_log = structlog.get_logger(__name__)


class Metronome(Scheduler):
    """Publishes ticks. A tick that fails is skipped: the next one comes in seconds.

    Celery's own scheduler logs a stack and a traceback for each failure.
    """

    _is_broker_away = False

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:  # noqa: BLE001  # no error may end beat
            self._note_away(error)
            return
        if self._is_broker_away:
            _log.info("ticks_published_again")
        self._is_broker_away = False

    def _ensure_connected(self) -> Any:
        most = self.app.conf.broker_connection_max_retries
        return self.connection.ensure_connection(lambda error, _: self._note_away(error), most)

    def _note_away(self, error: Exception) -> None:
        if not self._is_broker_away:
            _log.warning("ticks_not_published", cause=str(error))
        self._is_broker_away = True
