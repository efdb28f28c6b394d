"""Questions to servers, asked at once and answered within seconds even where one hangs."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

import redis
from kombu.exceptions import OperationalError
from pymongo.errors import NotPrimaryError, OperationFailure, PyMongoError

PATIENCE_SECONDS = 2.5

_THREADS = 4  # of one server: one that hangs keeps nobody from asking the others
_FAILURES = (PyMongoError, redis.RedisError, OperationalError, OSError)
_DOES_NOT_ANSWER = "does not answer"
# What a caller may read: never an address, which may hold a password.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (redis.AuthenticationError, "refuses the user name or password"),
    (NotPrimaryError, "has no writable primary"),
    (OperationFailure, "refuses the command"),
)

T = TypeVar("T")


class Server(StrEnum):
    """What the API depends on."""

    MONGODB = "mongodb"
    REDIS = "redis"
    BROKER = "broker"


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """What a server answered, or the problem; and how long it took."""

    server: Server
    value: T | None
    problem: str | None
    seconds: float


class Asker:
    """Puts questions to servers; one that hangs counts as away and ends by itself."""

    def __init__(self) -> None:
        self._threads = {
            name: ThreadPoolExecutor(_THREADS, thread_name_prefix=f"ask-{name}") for name in Server
        }

    def ask(self, server: Server, question: Callable[[], T]) -> "Pending[T]":
        """Begin to ask; the reply has to come within `PATIENCE_SECONDS` from now."""
        asked_at = time.monotonic()
        asking = self._threads[server].submit(lambda: _timed(question))
        return Pending(server, asking, asked_at)


@dataclass(frozen=True, slots=True)
class Pending(Generic[T]):
    """A question that was asked."""

    server: Server
    asking: "Future[tuple[T, float]]"
    asked_at: float

    def reply(self) -> Reply[T]:
        """Wait for the reply, once; what is no failure of a server is raised."""
        wait([self.asking], max(0.0, self.asked_at + PATIENCE_SECONDS - time.monotonic()))
        if not self.asking.done():
            self.asking.cancel()
            return self._problem(_DOES_NOT_ANSWER)
        try:
            value, seconds = self.asking.result()
        except _FAILURES as error:
            return self._problem(_reason(error))
        return Reply(self.server, value, None, seconds)

    def _problem(self, reason: str) -> Reply[T]:
        return Reply(self.server, None, reason, time.monotonic() - self.asked_at)


def _timed(question: Callable[[], T]) -> tuple[T, float]:
    began = time.monotonic()
    return question(), time.monotonic() - began


def _reason(error: Exception) -> str:
    known = (reason for kind, reason in _REASONS if isinstance(error, kind))
    return next(known, _DOES_NOT_ANSWER)
