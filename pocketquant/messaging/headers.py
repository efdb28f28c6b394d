"""Headers of messages: the ids for log lines, and the time of publishing."""

import time
from typing import Any

import structlog
from celery.signals import before_task_publish, task_postrun, task_prerun

from pocketquant import metrics
from pocketquant.messaging.queues import QueueName

ENQUEUED_AT_HEADER = "enqueued_at"
LOG_CONTEXT_HEADER = "log_context"
LOG_CONTEXT_KEYS = ("request_id", "job_id")


def carry_log_context() -> None:
    """Pass request and job ids with each message, to bind them to the log lines of its task."""
    before_task_publish.connect(_pack_log_context, weak=False)
    task_prerun.connect(_bind_log_context, weak=False)
    task_postrun.connect(_clear_log_context, weak=False)


def _pack_log_context(headers: dict[str, Any], **_: object) -> None:
    bound = structlog.contextvars.get_contextvars()
    headers[LOG_CONTEXT_HEADER] = {key: bound[key] for key in LOG_CONTEXT_KEYS if key in bound}


def _bind_log_context(task: Any, **_: object) -> None:
    structlog.contextvars.clear_contextvars()
    context = getattr(task.request, LOG_CONTEXT_HEADER, None) or {}
    structlog.contextvars.bind_contextvars(
        **{key: str(context[key])[:64] for key in LOG_CONTEXT_KEYS if key in context}
    )


def _clear_log_context(**_: object) -> None:
    structlog.contextvars.clear_contextvars()


def measure_queue_waits() -> None:
    """Stamp each message when it is published, and observe how long it waited for its task."""
    before_task_publish.connect(_stamp, weak=False)
    task_prerun.connect(_observe_wait, weak=False)


def _stamp(headers: dict[str, Any], **_: object) -> None:
    headers[ENQUEUED_AT_HEADER] = time.time()


def _observe_wait(task: Any, **_: object) -> None:
    """Count a negative wait as zero: clocks of two machines may differ by more than it."""
    enqueued_at = getattr(task.request, ENQUEUED_AT_HEADER, None)
    queue = (task.request.delivery_info or {}).get("routing_key")
    if isinstance(enqueued_at, int | float) and queue in set(QueueName):
        waited = max(0.0, time.time() - enqueued_at)
        metrics.QUEUE_WAIT_SECONDS.labels(queue).observe(waited)
