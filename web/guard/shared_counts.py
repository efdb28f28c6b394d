"""Counts of requests that all processes share through Redis, for Flask-Limiter.

Asking Redis twice for each request would cost as much as a cached answer. So each process counts
by itself and exchanges its new hits for everybody's a few times a second: a limit may be overrun
by what the processes count between two exchanges. While Redis is away each counts alone.

Windows begin at multiples of their length, as everybody's clock shows them.
"""

import time
from dataclasses import dataclass
from threading import Lock

import redis
import structlog
from limits.storage import Storage

from pocketquant.servers.connections import open_redis
from pocketquant.servers.cooldown import Cooldown

SCHEME = "pocketquant"

_EXCHANGE_SECONDS = 0.25
_ANSWER_SECONDS = 0.25
_MOST_WINDOWS = 20_000  # callers of one window length that are told apart; ended ones go first

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Window:
    number: int
    ends_at: int
    elsewhere: int = 0  # hits that Redis knows of
    fresh: int = 0  # hits that Redis is still to be told
    next_exchange_at: float = 0.0


class SharedCounts(Storage):
    """What Flask-Limiter keeps its counts in; it never fails."""

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012  # limits wants a list

    def __init__(self, uri: str | None = None, redis_url: str = "", **_: object) -> None:
        super().__init__(uri)
        self._redis = open_redis(redis_url, _ANSWER_SECONDS)
        self._windows: dict[str, _Window] = {}
        self._lock = Lock()
        self._cooldown = Cooldown(time.monotonic)

    @property
    def base_exceptions(self) -> type[Exception]:
        return redis.RedisError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count a hit; all hits of the window as far as they are known here."""
        now = time.time()
        with self._lock:
            window = self._current(key, int(expiry), now)
            window.fresh += amount
            is_due = window.next_exchange_at <= now and not self._cooldown.is_active
            if is_due:
                window.next_exchange_at = now + _EXCHANGE_SECONDS
        if is_due:
            self._exchange(key, window, int(expiry))
        return window.elsewhere + window.fresh

    def get(self, key: str) -> int:
        window = self._windows.get(key)
        return window.elsewhere + window.fresh if window else 0

    def get_expiry(self, key: str) -> float:
        window = self._windows.get(key)
        return window.ends_at if window else time.time()

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        return None

    def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    def _current(self, key: str, seconds: int, now: float) -> _Window:
        number = int(now) // seconds
        window = self._windows.get(key)
        if window is None or window.number != number:
            if len(self._windows) >= _MOST_WINDOWS:
                self._forget_ended(now)
            window = self._windows[key] = _Window(number, (number + 1) * seconds)
        return window

    def _forget_ended(self, now: float) -> None:
        """Where none has ended all are forgotten: memory is worth more than exact counts."""
        self._windows = {name: one for name, one in self._windows.items() if one.ends_at > now}
        if len(self._windows) >= _MOST_WINDOWS:
            self._windows.clear()

    def _exchange(self, key: str, window: _Window, seconds: int) -> None:
        with self._lock:
            told, window.fresh = window.fresh, 0
            window.elsewhere += told
        name = f"limit:{key}:{window.number}"
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.incrby(name, told)
                pipeline.expire(name, 2 * seconds)
                everybodys = int(pipeline.execute()[0])
        except redis.RedisError as error:
            self._cooldown.start()
            _log.warning("request_counts_not_shared", cause=type(error).__name__)
            return
        with self._lock:
            window.elsewhere = max(window.elsewhere, everybodys)
