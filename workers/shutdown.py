"""Shutdown of a worker: it starts no fetch, and hands back the units that it cannot finish."""

from collections.abc import Callable
from threading import Timer

import structlog
from celery.signals import worker_shutting_down

from pocketquant.history.syncer import Syncer

_log = structlog.get_logger(__name__)


def hand_back_at_shutdown(syncer: Callable[[], Syncer], grace_seconds: float) -> None:
    """At SIGTERM stop starting fetches; after the grace abort the running ones.

    Celery itself then takes no new messages, and waits for the running tasks.
    """

    def begin(**_: object) -> None:
        _log.info("worker_ending", grace_seconds=grace_seconds)
        provider = syncer().provider
        provider.drain()
        deadline = Timer(grace_seconds, provider.hang_up)
        deadline.daemon = True  # a worker that finishes earlier does not wait for it
        deadline.start()

    worker_shutting_down.connect(begin, weak=False)
