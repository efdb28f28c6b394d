"""Calls to the servers, made at the same time; each returns or fails within seconds."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

import redis
from kombu.exceptions import OperationalError
from pymongo.errors import NotPrimaryError, OperationFailure, PyMongoError

TIMEOUT_SECONDS = 2.5

_THREADS_PER_SERVER = 4
_FAILURES = (PyMongoError, redis.RedisError, OperationalError, OSError)
_NO_ANSWER = "does not answer"
# Callers read these, so they hold no server address: it may contain a password.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (redis.AuthenticationError, "refuses the user name or password"),
    (NotPrimaryError, "has no writable primary"),
    (OperationFailure, "refuses the command"),
)

T = TypeVar("T")


class Server(StrEnum):
    """A server that the API depends on."""

    MONGODB = "mongodb"
    REDIS = "redis"
    BROKER = "broker"


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """The value a server returned, or the problem with it, and how long the call took."""

    server: Server
    value: T | None
    problem: str | None
    seconds: float


class ServerCalls:
    """Calls servers in threads; each server has its own, so one that hangs delays no other."""

    def __init__(self) -> None:
        self._threads = {
            name: ThreadPoolExecutor(_THREADS_PER_SERVER, thread_name_prefix=f"call-{name}")
            for name in Server
        }

    def start(self, server: Server, call: Callable[[], T]) -> "PendingReply[T]":
        """Start the call; it has `TIMEOUT_SECONDS` from now."""
        started_at = time.monotonic()
        future = self._threads[server].submit(lambda: _timed(call))
        return PendingReply(server, future, started_at)


@dataclass(frozen=True, slots=True)
class PendingReply(Generic[T]):
    """A call that has started."""

    server: Server
    future: "Future[tuple[T, float]]"
    started_at: float

    def wait(self) -> Reply[T]:
        """Return the reply; a time-out or a server's failure is a problem, other errors raise."""
        wait([self.future], max(0.0, self.started_at + TIMEOUT_SECONDS - time.monotonic()))
        if not self.future.done():
            self.future.cancel()
            return self._problem(_NO_ANSWER)
        try:
            value, seconds = self.future.result()
        except _FAILURES as error:
            return self._problem(_reason(error))
        return Reply(self.server, value, None, seconds)

    def _problem(self, reason: str) -> Reply[T]:
        return Reply(self.server, None, reason, time.monotonic() - self.started_at)


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    started_at = time.monotonic()
    return call(), time.monotonic() - started_at


def _reason(error: Exception) -> str:
    known = (reason for kind, reason in _REASONS if isinstance(error, kind))
    return next(known, _NO_ANSWER)
