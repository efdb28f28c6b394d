"""Celery's settings for each kind of message broker, chosen by the scheme of its URL.

Brokers are Redis, also with TLS or behind Sentinels, and RabbitMQ with quorum queues.
"""

import ssl
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from kombu import Connection, Queue
from kombu.transport import TRANSPORT_ALIASES
from kombu.utils.url import parse_url

from pocketquant.domain.errors import InvalidSettings
from pocketquant.servers.sentinel_url import SCHEME as SENTINEL
from pocketquant.servers.sentinel_url import SentinelUrl

_REDIS = ("redis", "rediss", SENTINEL)
_RABBITMQ = ("amqp", "amqps")

_TRANSPORTS = {
    "redis": "pocketquant.messaging.redis_transport:RedisTransport",
    "rediss": "pocketquant.messaging.redis_transport:RedisTransport",
    SENTINEL: "pocketquant.messaging.redis_transport:SentinelTransport",
}

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
    "confirm_publish": True,  # publishing returns once a majority of the queue has the message
    "read_timeout": 15,
    "write_timeout": 15,
}


def broker_settings(url: str, queues: Iterable[str]) -> dict[str, Any]:
    """Return Celery's settings for these queues on the broker at `url`, without connecting.

    InvalidSettings for an unknown scheme or an unreadable URL.
    """
    arguments = {"x-queue-type": "quorum"} if _scheme(url) in _RABBITMQ else None
    settings = _connection_settings(url)
    return {
        **settings,
        # Without these two Celery would prefer CELERY_BROKER_URL of the environment.
        "broker_read_url": settings["broker_url"],
        "broker_write_url": settings["broker_url"],
        "task_queues": [
            Queue(name, routing_key=name, queue_arguments=arguments) for name in queues
        ],
    }


def open_broker(url: str, timeout_seconds: float) -> Connection:
    """Return a connection for a check of the broker; it is not connected yet."""
    settings = _connection_settings(url)
    limits = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), timeout_seconds)
    return Connection(
        settings["broker_url"],
        ssl=settings["broker_use_ssl"],
        connect_timeout=timeout_seconds,
        transport_options={**settings["broker_transport_options"], **limits},
    )


def _connection_settings(url: str) -> dict[str, Any]:
    TRANSPORT_ALIASES.update(_TRANSPORTS)
    scheme = _scheme(url)
    settings = {"broker_url": url, "broker_use_ssl": False}
    if scheme == SENTINEL:
        return {**settings, **_sentinel_settings(SentinelUrl.parse(url))}
    if scheme == "rediss":  # without `ssl_…` in the URL kombu would not use TLS
        tls = parse_url(url).get("ssl") or {"ssl_cert_reqs": ssl.CERT_REQUIRED}
        return {**settings, "broker_use_ssl": tls, "broker_transport_options": _REDIS_OPTIONS}
    if scheme in _REDIS:
        return {**settings, "broker_transport_options": _REDIS_OPTIONS}
    return {**settings, "broker_transport_options": _RABBITMQ_OPTIONS}


def _sentinel_settings(url: SentinelUrl) -> dict[str, Any]:
    """kombu's URL names one Sentinel; the list of all, and the master's name, are options."""
    host, port = url.sentinels[0]
    user, password = (quote(text or "", safe="") for text in (url.username, url.password))
    timeouts = {name: _REDIS_OPTIONS[name] for name in ("socket_connect_timeout", "socket_timeout")}
    return {
        "broker_url": f"{SENTINEL}://{user}:{password}@{host}:{port}/{url.database}",
        "broker_transport_options": {
            **_REDIS_OPTIONS,
            "sentinels": url.sentinels,
            "master_name": url.master_name,
            "sentinel_kwargs": timeouts,
        },
    }


def _scheme(url: str) -> str:
    scheme = url.partition("://")[0]
    known = (*_REDIS, *_RABBITMQ)
    if scheme not in known:
        raise InvalidSettings(
            f"no message broker speaks {scheme}://; CELERY_BROKER_URL begins with"
            f" {', '.join(f'{each}://' for each in known)}"
        )
    return scheme
