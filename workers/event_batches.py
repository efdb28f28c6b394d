"""Task events for Flower are sent in batches every half second, not two messages a task."""

from typing import Any

from celery import Celery, bootsteps
from kombu.common import ignore_errors

_SECONDS = 0.5
_MOST_EVENTS = 1000


def send_events_in_batches(app: Celery) -> None:
    """Send a batch earlier if it is full, or if the worker ends."""
    app.steps["consumer"].add(_EventBatches)


class _EventBatches(bootsteps.StartStopStep):
    requires = ("celery.worker.consumer.events:Events",)

    def start(self, consumer: Any) -> None:
        dispatcher = consumer.event_dispatcher
        dispatcher.on_send_buffered = None  # would flush at each turn of the loop
        dispatcher.buffer_limit = _MOST_EVENTS
        self._flushing = consumer.timer.call_repeatedly(_SECONDS, dispatcher.flush)

    def stop(self, consumer: Any) -> None:
        self._flushing.cancel()
        if consumer.event_dispatcher:
            ignore_errors(consumer, consumer.event_dispatcher.flush)  # the broker may be away
