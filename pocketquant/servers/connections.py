"""Connect to MongoDB and Redis: lazily, with time-outs, and with errors of our own."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

import kombu.exceptions
import pymongo
import redis
from pymongo import ReadPreference
from pymongo.database import Database
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    WriteConcernError,
)
from pymongo.uri_parser import parse_uri
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from pocketquant.domain.errors import InvalidSettings, StorageUnavailable
from pocketquant.pausing import pause
from pocketquant.servers.sentinel_url import SentinelUrl, names_sentinels
from pocketquant.servers.server_clock import ServerClock

Mongo = Database[dict[str, Any]]

_OPERATION_MILLISECONDS = 20_000
_MOST_REDIS_CONNECTIONS = 512  # per process; each blocked call holds one
_POLL_SECONDS = 0.05
_MONGO_DOWN = (ConnectionFailure, ExecutionTimeout, WriteConcernError)
# MongoDB's error codes.
_UNAUTHORIZED = frozenset({13, 18})
_CHANGES_PRIMARY = frozenset({91, 189, 10058, 10107, 11600, 11602, 13435, 13436})
_REDIS_DOWN = (redis.ConnectionError, redis.TimeoutError)
_REDIS_REFUSES = (redis.ReadOnlyError, redis.exceptions.OutOfMemoryError)
# Errors without a class in redis-py; pipelines, and scripts before Redis 7, quote them.
_REFUSAL_CODE = re.compile(
    r"(?:^|caused error: |-)"
    r"(?:OOM|MISCONF|READONLY|LOADING|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY)\b"
)


def open_mongo(
    url: str, database: str, timeout_seconds: float = 5.0, clock: ServerClock | None = None
) -> Mongo:
    """Return the database, without connecting yet; InvalidSettings for an unreadable URL.

    Reads go to the primary whatever the URL prefers, since most of them decide something. Writes
    are acknowledged by the majority and journalled unless the URL says otherwise. Dates are read as
    aware datetimes in UTC. An operation fails after `timeout_seconds` if no server is found, and
    after 20 s if the server does not answer. The clock is compared with the server's.
    """
    with _unquoted_errors("MongoDB"):
        chosen = {option.lower() for option in parse_uri(url)["options"]}
    durable: dict[str, Any] = (
        {} if chosen & {"w", "journal"} else {"w": "majority", "journal": True}
    )
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        url,
        appname="pocketquant",
        connect=False,
        tz_aware=True,
        serverSelectionTimeoutMS=int(timeout_seconds * 1000),
        connectTimeoutMS=int(timeout_seconds * 1000),
        socketTimeoutMS=_OPERATION_MILLISECONDS,
        event_listeners=[] if clock is None else [clock],
        **durable,
    )
    return client.get_database(database, read_preference=ReadPreference.PRIMARY)


def open_redis(url: str, timeout_seconds: float = 5.0) -> redis.Redis:
    """Return a pooled client, without connecting yet; InvalidSettings for an unreadable URL.

    The URL may name Sentinels. Values are bytes. The client never retries: callers decide that.
    """
    options: dict[str, Any] = {
        "socket_connect_timeout": timeout_seconds,
        "socket_timeout": timeout_seconds,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "max_connections": _MOST_REDIS_CONNECTIONS,
        "retry": Retry(NoBackoff(), 0),
    }
    if not names_sentinels(url):
        with _unquoted_errors("Redis"):
            return redis.Redis.from_url(url, **options)
    parsed = SentinelUrl.parse(url)
    master = {"username": parsed.username, "password": parsed.password, "db": parsed.database}
    sentinel_options = {
        "retry": Retry(NoBackoff(), 0),  # the next Sentinel is tried instead
        "socket_connect_timeout": timeout_seconds,
        "socket_timeout": timeout_seconds,
    }
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        parsed.sentinels, sentinel_kwargs=sentinel_options, **options, **master
    )
    client: redis.Redis = sentinel.master_for(parsed.master_name)  # type: ignore[no-untyped-call]
    return client


@contextmanager
def _unquoted_errors(server: str) -> Iterator[None]:
    """Raise InvalidSettings for an unreadable URL; the parser's own text may quote the password."""
    try:
        yield
    except (ValueError, ConfigurationError):
        raise InvalidSettings(
            f"the URL of {server} can't be read; in a password, %, /, ?, #, @ and : are written as"
            " %25, %2F, %3F, %23, %40 and %3A"
        ) from None


def server_now(mongo: Mongo) -> datetime:
    """Return the time of MongoDB's clock, which decides about leases and due times."""
    local_time = cast(datetime, mongo.client.admin.command("hello")["localTime"])
    return local_time.replace(tzinfo=UTC)  # the driver leaves it naive


@contextmanager
def translating_driver_errors() -> Iterator[None]:
    """Raise StorageUnavailable for a driver's error: the server is away, or refuses the call."""
    try:
        yield
    except _MONGO_DOWN as error:
        raise StorageUnavailable(f"MongoDB does not answer: {error}") from error
    except OperationFailure as error:
        reason = _passing_trouble(error)
        if reason is None:
            raise
        raise StorageUnavailable(reason) from error
    except _REDIS_DOWN as error:
        raise StorageUnavailable(f"Redis does not answer: {error}") from error
    except redis.ResponseError as error:
        if not _is_refusal(error):
            raise
        raise StorageUnavailable(f"Redis refuses to write: {error}") from error
    except kombu.exceptions.OperationalError as error:
        raise StorageUnavailable(f"the message broker does not answer: {error}") from error


def _passing_trouble(error: OperationFailure) -> str | None:
    """Return why MongoDB cannot do now what it can do later; None for a defect of the call.

    The driver has classes for a primary that steps down, but not where it fails single writes.
    """
    if error.code in _UNAUTHORIZED:
        return "MongoDB refuses the user of MONGODB_URL; `pocketquant doctor` says more"
    failures = [{"code": error.code, "errmsg": str(error)}]
    if isinstance(error, BulkWriteError):
        unacknowledged = error.details["writeConcernErrors"]
        if unacknowledged:
            return f"MongoDB did not acknowledge a write: {unacknowledged[0]['errmsg']}"
        failures = error.details["writeErrors"]
    reasons = [failed["errmsg"] for failed in failures if failed["code"] in _CHANGES_PRIMARY]
    return f"MongoDB changes its primary: {reasons[0]}" if reasons else None


def _is_refusal(error: redis.ResponseError) -> bool:
    """Whether the server can't write now: it or its disk is full, or it is read-only."""
    return isinstance(error, _REDIS_REFUSES) or bool(_REFUSAL_CODE.search(str(error)))


def wait_until(
    what: str,
    is_so: Callable[[], object],
    transient: type[Exception] | tuple[type[Exception], ...],
    timeout_seconds: float,
) -> None:
    """Poll `is_so` until it is true; `transient` errors count as false. TimeoutError has `what`."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        cause: Exception | None = None
        try:
            if is_so():
                return
        except transient as error:
            cause = error
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_seconds:.0f} s in vain until {what}") from cause
        pause(_POLL_SECONDS)
