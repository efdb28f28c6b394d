"""What each kind of message broker wants to be told; the scheme of its URL chooses.

Redis, also behind TLS or Sentinel, and RabbitMQ, whose queues are quorum queues.
"""

from collections.abc import Iterable
from typing import Any

from kombu import Queue

from pocketquant.domain.errors import InvalidSettings

_REDIS = ("redis", "rediss")
_RABBITMQ = ("amqp", "amqps")

_REDIS_OPTIONS: dict[str, Any] = {
    "visibility_timeout": 300,
    "queue_order_strategy": "priority",
    "priority_steps": [0],
    "global_keyprefix": "pocketquant:",
    "socket_connect_timeout": 5,
    "socket_timeout": 15,
    "socket_keepalive": True,
    "health_check_interval": 10,
}

_RABBITMQ_OPTIONS: dict[str, Any] = {
    "confirm_publish": True,  # publishing ends when most members of the queue have the message
    "read_timeout": 15,
    "write_timeout": 15,
}


def broker_settings(url: str, queues: Iterable[str]) -> dict[str, Any]:
    """Celery's settings for these queues on the broker at `url`; nothing is connected."""
    scheme = url.partition("://")[0]
    if scheme in _REDIS:
        return {
            "task_queues": [Queue(name, routing_key=name) for name in queues],
            "broker_transport_options": _REDIS_OPTIONS,
        }
    if scheme in _RABBITMQ:
        quorum = {"x-queue-type": "quorum"}
        return {
            "task_queues": [
                Queue(name, routing_key=name, queue_arguments=quorum) for name in queues
            ],
            "broker_transport_options": _RABBITMQ_OPTIONS,
        }
    raise InvalidSettings(
        f"no message broker speaks {scheme}://; CELERY_BROKER_URL begins with"
        f" {', '.join(f'{one}://' for one in (*_REDIS, *_RABBITMQ))}"
    )
