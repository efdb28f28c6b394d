"""Whether the servers behind the API answer, known within seconds even where one hangs."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import kombu
import pymongo
import redis
from kombu.exceptions import OperationalError
from pymongo.errors import PyMongoError

from pocketquant.connections import Mongo, open_redis

OK = "ok"
DOWN = "does not answer"

_PROBE_SECONDS = 2.0
_PATIENCE_SECONDS = 2.5

_FAILURES = (PyMongoError, redis.RedisError, OperationalError, OSError)


class Probes:
    """Asks all servers at once; a probe that hangs counts as failed and ends by itself."""

    def __init__(self, mongo: Mongo, redis_url: str, broker_url: str) -> None:
        self._probes: dict[str, Callable[[], object]] = {
            "mongodb": lambda: _ping_mongodb(mongo),
            "redis": lambda: _ping_redis(redis_url),
            "broker": lambda: _ping_broker(broker_url),
        }
        self._threads = ThreadPoolExecutor(2 * len(self._probes), thread_name_prefix="probe")

    def ask(self) -> dict[str, str]:
        """`ok`, or what is wrong, for each server."""
        asked = {name: self._threads.submit(probe) for name, probe in self._probes.items()}
        wait(asked.values(), timeout=_PATIENCE_SECONDS)
        return {name: _outcome(future) for name, future in asked.items()}


def _outcome(future: "Future[object]") -> str:
    if not future.done():
        future.cancel()
        return DOWN
    try:
        future.result()
    except _FAILURES:
        return DOWN
    return OK


def _ping_mongodb(mongo: Mongo) -> None:
    with pymongo.timeout(_PROBE_SECONDS):
        mongo.client.admin.command("ping")


def _ping_redis(url: str) -> None:
    with open_redis(url, _PROBE_SECONDS) as client:
        client.ping()


def _ping_broker(url: str) -> None:
    limits = {"socket_timeout": _PROBE_SECONDS, "socket_connect_timeout": _PROBE_SECONDS}
    with kombu.Connection(url, connect_timeout=_PROBE_SECONDS, transport_options=limits) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0)
