"""The contract between web, beat and workers: queues, task names, what a message holds.

A message holds the id of a unit and, in a header, the ids that log lines carry. Everything else
stands in the ledger, so a message that is lost, late or doubled does no harm.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import structlog
from celery import Celery
from celery.signals import before_task_publish, task_postrun, task_prerun
from kombu import Queue
from kombu.transport import TRANSPORT_ALIASES

from pocketquant.storage.units import Unit

SYNC_UNIT = "pocketquant.sync_unit"
PLAN_JOB = "pocketquant.plan_job"
TICK = "pocketquant.tick"

LOG_CONTEXT_HEADER = "log_context"
LOG_CONTEXT_KEYS = ("request_id", "job_id")


class QueueName(StrEnum):
    """Where messages wait, in the order in which workers look."""

    INTERACTIVE = "interactive"
    BULK = "bulk"
    SCHEDULED = "scheduled"


_COMMON_SETTINGS: dict[str, Any] = {
    "accept_content": ["json"],
    "task_serializer": "json",
    "result_accept_content": ["json"],
    "enable_utc": True,
    "timezone": "UTC",
    "task_ignore_result": True,
    "task_create_missing_queues": False,
    "task_default_queue": QueueName.BULK,
    "task_default_exchange": "pocketquant",
    "task_queues": [Queue(name, routing_key=name) for name in QueueName],
    "broker_transport_options": {
        "visibility_timeout": 300,
        "queue_order_strategy": "priority",
        "priority_steps": [0],
        "global_keyprefix": "pocketquant:",
        "socket_connect_timeout": 5,
        "socket_timeout": 15,
        "socket_keepalive": True,
        "health_check_interval": 10,
    },
}


def celery_app(broker_url: str, settings: Mapping[str, Any] | None = None) -> Celery:
    """A Celery application that speaks the contract; nothing is connected yet."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = "pocketquant.redis_transport:Transport"
    app = Celery("pocketquant", broker=broker_url, set_as_current=False)
    app.conf.update(_COMMON_SETTINGS, **(settings or {}))
    return app


_ONE_MORE_TRY = {"max_retries": 1, "interval_start": 0}  # a pooled connection may have gone stale


class Dispatcher:
    """Publishes messages; a broker that is away raises kombu's OperationalError at once."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def publish(self, units: Iterable[Unit], queue: str | None = None) -> None:
        """Tell the workers that units are due, on `queue` or each on its own."""
        with self._app.producer_pool.acquire(block=True) as producer:
            for unit in units:
                self._app.send_task(
                    SYNC_UNIT,
                    args=[unit.id],
                    queue=queue or unit.queue,
                    producer=producer,
                    retry=True,
                    retry_policy=_ONE_MORE_TRY,
                )

    def is_empty(self, queue: str) -> bool:
        """Whether no message waits in the queue."""
        # Declared again as it is: kombu's passive question forgets the key prefix on Redis.
        with self._app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
            channel: Any = connection.channel()
            arguments = self._app.amqp.queues[queue].queue_arguments
            declared = channel.queue_declare(queue=queue, durable=True, arguments=arguments)
            return bool(declared.message_count == 0)


def carry_log_context() -> None:
    """Let request and job ids travel with messages into the log lines of the tasks."""
    before_task_publish.connect(_pack_log_context, weak=False)
    task_prerun.connect(_bind_log_context, weak=False)
    task_postrun.connect(_clear_log_context, weak=False)


def _pack_log_context(headers: dict[str, Any], **_: object) -> None:
    bound = structlog.contextvars.get_contextvars()
    headers[LOG_CONTEXT_HEADER] = {key: bound[key] for key in LOG_CONTEXT_KEYS if key in bound}


def _bind_log_context(task: Any, **_: object) -> None:
    structlog.contextvars.clear_contextvars()
    carried = getattr(task.request, LOG_CONTEXT_HEADER, None) or {}
    structlog.contextvars.bind_contextvars(
        **{key: str(carried[key])[:64] for key in LOG_CONTEXT_KEYS if key in carried}
    )


def _clear_log_context(**_: object) -> None:
    structlog.contextvars.clear_contextvars()
