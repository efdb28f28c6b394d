"""A worker that is told to end: it begins nothing, and what it cannot finish it hands back."""

from collections.abc import Callable
from threading import Timer

import structlog
from celery.signals import worker_shutting_down

from pocketquant.history.syncer import Syncer

_log = structlog.get_logger(__name__)


def hand_back_at_shutdown(syncer: Callable[[], Syncer], grace_seconds: float) -> None:
    """From SIGTERM on no fetch begins; after the grace those in progress are given up.

    Celery itself takes no new messages then, and waits for the tasks that run.
    """

    def begin(**_: object) -> None:
        _log.info("worker_ending", grace_seconds=grace_seconds)
        provider = syncer().provider
        provider.drain()
        deadline = Timer(grace_seconds, provider.hang_up)
        deadline.daemon = True  # a worker that is done earlier does not wait for it
        deadline.start()

    worker_shutting_down.connect(begin, weak=False)
