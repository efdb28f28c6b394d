"""Counts of requests that all processes share through Redis.

Calling Redis for each request would cost as much as a cached answer. So each process counts by
itself and exchanges its new requests for everybody's sum a few times a second: a limit may be
overrun by what the processes count between two exchanges. While Redis is away each counts alone.

Windows begin at multiples of their length, as everybody's clock shows them.
"""

import time
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

import redis
import structlog

from pocketquant.servers.connections import open_redis
from pocketquant.servers.cooldown import Cooldown

_EXCHANGE_SECONDS = 0.25
_ANSWER_SECONDS = 0.25
_MOST_WINDOWS = 20_000  # at a time; ended ones are removed first

_log = structlog.get_logger(__name__)


class Count(NamedTuple):
    """Requests of one window, as far as they are known here, and its end in epoch seconds."""

    requests: int
    ends_at: int


@dataclass(slots=True)
class _Window:
    number: int
    ends_at: int
    shared: int = 0  # requests that Redis has counted
    fresh: int = 0  # requests that Redis has not been sent yet
    next_exchange_at: float = 0.0


class SharedCounts:
    """Counts requests by key and window; it never fails."""

    def __init__(self, redis_url: str) -> None:
        self._redis = open_redis(redis_url, _ANSWER_SECONDS)
        self._windows: dict[str, _Window] = {}
        self._lock = Lock()
        self._cooldown = Cooldown(time.monotonic)

    def add(self, key: str, seconds: int) -> Count:
        """Count one request in the window of `seconds` that is now."""
        now = time.time()
        with self._lock:
            window = self._current(key, seconds, now)
            window.fresh += 1
            is_due = window.next_exchange_at <= now and not self._cooldown.is_active
            if is_due:
                window.next_exchange_at = now + _EXCHANGE_SECONDS
        if is_due:
            self._exchange(key, window, seconds)
        return Count(window.shared + window.fresh, window.ends_at)

    def _current(self, key: str, seconds: int, now: float) -> _Window:
        number = int(now) // seconds
        window = self._windows.get(key)
        if window is None or window.number != number:
            if len(self._windows) >= _MOST_WINDOWS:
                self._remove_ended(now)
            window = self._windows[key] = _Window(number, (number + 1) * seconds)
        return window

    def _remove_ended(self, now: float) -> None:
        """Remove ended windows, or all where none has ended: memory matters more than counts."""
        self._windows = {name: one for name, one in self._windows.items() if one.ends_at > now}
        if len(self._windows) >= _MOST_WINDOWS:
            self._windows.clear()

    def _exchange(self, key: str, window: _Window, seconds: int) -> None:
        with self._lock:
            sent, window.fresh = window.fresh, 0
            window.shared += sent
        name = f"limit:{key}:{window.number}"
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.incrby(name, sent)
                pipeline.expire(name, 2 * seconds)
                shared = int(pipeline.execute()[0])
        except redis.RedisError as error:
            self._cooldown.start()
            _log.warning("request_counts_not_shared", cause=type(error).__name__)
            return
        with self._lock:
            window.shared = max(window.shared, shared)
