"""The contract between web, beat and workers: queues, task names, Celery's settings.

A message holds one id, and headers for log lines and metrics. All else is in the ledger, so a
message that is lost, late or delivered twice does no harm.
"""

from collections.abc import Mapping
from typing import Any

from celery import Celery

from pocketquant.domain.syncs import QueueName
from pocketquant.messaging.brokers import broker_settings

__all__ = ["PLAN_JOB", "SYNC_UNIT", "TICK", "QueueName", "celery_app"]

SYNC_UNIT = "pocketquant.sync_unit"
PLAN_JOB = "pocketquant.plan_job"
TICK = "pocketquant.tick"


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
}


def celery_app(broker_url: str, settings: Mapping[str, Any] | None = None) -> Celery:
    """Return a Celery application that follows the contract; it is not connected yet."""
    app = Celery("pocketquant", set_as_current=False)
    app.conf.update(_COMMON_SETTINGS, **broker_settings(broker_url, QueueName), **(settings or {}))
    return app
