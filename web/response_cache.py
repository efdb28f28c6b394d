"""The response cache as a reader sees it: near, and never in the way.

Answers stay in this process too, with the token they were computed under; Redis is asked only
whether it still holds. Without Redis nothing is cached, and answers come from the store.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

import redis
import structlog

from pocketquant import metrics
from pocketquant.cache.responses import ResponseCache
from pocketquant.domain.symbols import Series

_PAUSE_SECONDS = 5.0  # after a failure Redis is left alone, so that not every read waits for it
_MOST_COPIED_BYTES = 32 * 1024 * 1024

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class NearCache:
    """`ResponseCache` that never fails: None stands for «not cached», also when Redis is away."""

    def __init__(
        self, responses: ResponseCache, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._responses = responses
        self._clock = clock
        self._copies = Copies(_MOST_COPIED_BYTES)
        self._is_lost = False
        self._next_try_at = 0.0

    def get(self, series: Series, query: str) -> bytes | None:
        """The answer as long as the series was not written since it was computed."""
        body = self._attempt(lambda: self._get(series, query))
        if self._is_lost:
            metrics.RESPONSE_CACHE_LOOKUPS.labels("redis", "away").inc()
        return body

    def begin(self, series: Series) -> bytes | None:
        """The token to take before reading the store; None where nothing can be kept."""
        return self._attempt(lambda: self._responses.begin(series))

    def put(self, series: Series, query: str, token: bytes, body: bytes) -> None:
        """Keep the answer, unless the series was written since `begin`."""
        self._attempt(lambda: self._responses.put(series, query, token, body))

    def _get(self, series: Series, query: str) -> bytes | None:
        token = self._responses.token(series)
        if token is None:
            _count("near", None)
            _count("redis", None)
            return None
        name = f"{series} {query}"
        body = self._copies.get(name, token)
        _count("near", body)
        if body is None:
            body = self._responses.get(series, query)
            _count("redis", body)
            if body is not None:  # of this token, or of a later one and then never served
                self._copies.keep(name, token, body)
        return body

    def _attempt(self, call: Callable[[], _T]) -> _T | None:
        if self._is_lost and self._clock() < self._next_try_at:
            return None
        try:
            outcome = call()
        except redis.RedisError as error:
            self._note_loss(error)
            return None
        if self._is_lost:
            self._is_lost = False
            _log.info("response_cache_back")
        return outcome

    def _note_loss(self, error: redis.RedisError) -> None:
        self._next_try_at = self._clock() + _PAUSE_SECONDS
        if not self._is_lost:
            self._is_lost = True
            _log.warning("response_cache_lost", cause=str(error))


class Copies:
    """Answers with their tokens, up to so many bytes; those not asked for longest go first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[bytes, bytes]] = OrderedDict()
        self._lock = Lock()

    def get(self, name: str, token: bytes) -> bytes | None:
        """The answer, if it was kept under this token."""
        with self._lock:
            kept = self._kept.get(name)
            if kept is None or kept[0] != token:
                return None
            self._kept.move_to_end(name)
            return kept[1]

    def keep(self, name: str, token: bytes, body: bytes) -> None:
        with self._lock:
            self._forget(name)
            self._kept[name] = (token, body)
            self._bytes += len(body)
            while self._bytes > self._most_bytes:
                self._forget(next(iter(self._kept)))

    def _forget(self, name: str) -> None:
        _token, body = self._kept.pop(name, (b"", b""))
        self._bytes -= len(body)


def _count(layer: str, body: bytes | None) -> None:
    outcome = "miss" if body is None else "hit"
    metrics.RESPONSE_CACHE_LOOKUPS.labels(layer, outcome).inc()
