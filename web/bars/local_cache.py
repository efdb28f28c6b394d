"""`LocalCache`: answers and what they are made of, kept in this process and in Redis.

Everything is kept with the token it was computed under, and is valid while that token is. A look-up
of a copy reads only the token from Redis. Without the Redis of the tokens nothing is cached and
answers come from the store; without the Redis of the answers only those of this process are found.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import NamedTuple, TypeVar, cast

import redis
import structlog

from pocketquant import metrics
from pocketquant.cache.responses import Put, ResponseCache
from pocketquant.domain.symbols import Series
from pocketquant.servers.cooldown import Cooldown
from web.bars.answers import Answer, unpack
from web.bars.fresh_tokens import FreshTokens

_MOST_COPIED_BYTES = 32 * 1024 * 1024
_SMALL_BYTES = 1024  # counted for a value without `weigh`
_MOST_FULL = 1000  # series

_T = TypeVar("_T")
_lookups = cache(metrics.RESPONSE_CACHE_LOOKUPS.labels)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Looked:
    """The valid token of a series, and the answer that is kept under it."""

    token: bytes | None = None
    answer: Answer | None = None


class LocalCache:
    """`ResponseCache` with copies in this process; it never fails, and returns None instead."""

    def __init__(
        self,
        responses: ResponseCache,
        tokens: FreshTokens,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._responses = responses
        self._tokens = tokens
        self._token_server = _Server("tokens", clock)
        self._answer_server = _Server("answers", clock)
        self._copies = Copies(_MOST_COPIED_BYTES)
        self._full: dict[Series, bytes] = {}  # the token under which Redis has no room for more

    def look(self, series: Series, query: str) -> Looked:
        """Return the valid token and the answer under it, as far as there are such."""
        looked = self._token_server.attempt(lambda: self._look(series, query))
        if self._token_server.is_lost:
            _count("redis", "away")
        return looked or Looked()

    def begin(self, series: Series) -> bytes | None:
        """Return the token to take before reading the store; None where nothing can be kept."""
        return self._token_server.attempt(lambda: self._responses.begin(series))

    def put(self, series: Series, query: str, token: bytes, answer: Answer) -> None:
        """Keep the answer here, and in Redis unless the series was written since `begin`.

        An answer kept here under an outdated token is never returned.
        """
        self._copies.keep(_name(series, query), token, answer, answer.weight)
        if self._full.get(series) != token and not self._token_server.is_resting:
            self._answer_server.attempt(lambda: self._put(series, query, token, answer.packed()))

    def under(
        self,
        token: bytes | None,
        name: str,
        compute: Callable[[], _T],
        weigh: Callable[[_T], int] = lambda _: _SMALL_BYTES,
    ) -> _T:
        """Return what `compute` gave under this token before, else compute and keep it."""
        if token is None:
            return compute()
        known = self.kept(token, name)
        if known is None:
            known = compute()
            if known is not None:
                self.keep(token, name, known, weigh(known))
        return cast(_T, known)

    def kept(self, token: bytes, name: str) -> object | None:
        """Return the value of this name that was kept under this token."""
        return self._copies.get(name, token)

    def keep(self, token: bytes, name: str, value: object, size: int) -> None:
        """Keep a value of `size` bytes under a token that was taken before it was read."""
        self._copies.keep(name, token, value, size)

    def _look(self, series: Series, query: str) -> Looked:
        token = self._tokens.get(series)
        if token is None:
            _count("near", "miss")
            _count("redis", "miss")
            return Looked()
        name = _name(series, query)
        answer = cast(Answer | None, self._copies.get(name, token))
        _count("near", "hit" if answer else "miss")
        if answer is None and self._full.get(series) != token:
            answer = self._fetched(series, query, token)
            if answer is not None:
                self._copies.keep(name, token, answer, answer.weight)
        return Looked(token, answer)

    def _fetched(self, series: Series, query: str, token: bytes) -> Answer | None:
        packed = self._answer_server.attempt(lambda: self._responses.get(series, query, token))
        found = "hit" if packed else "miss"
        _count("redis", "away" if self._answer_server.is_lost else found)
        return unpack(packed) if packed else None

    def _put(self, series: Series, query: str, token: bytes, packed: bytes) -> None:
        if self._responses.put(series, query, token, packed) is Put.FULL:
            if len(self._full) >= _MOST_FULL:
                self._full.clear()
            self._full[series] = token


class _Server:
    """A Redis that is not called for a while after a failure, which is logged once."""

    def __init__(self, holds: str, clock: Callable[[], float]) -> None:
        self._holds = holds
        self._cooldown = Cooldown(clock)
        self.is_lost = False

    @property
    def is_resting(self) -> bool:
        return self.is_lost and self._cooldown.is_active

    def attempt(self, call: Callable[[], _T]) -> _T | None:
        """Return the call's result; None where it fails, or the server is resting."""
        if self.is_resting:
            return None
        try:
            outcome = call()
        except redis.RedisError as error:
            self._note_loss(error)
            return None
        if self.is_lost:
            self.is_lost = False
            _log.info("response_cache_back", holds=self._holds)
        return outcome

    def _note_loss(self, error: redis.RedisError) -> None:
        self._cooldown.start()
        if not self.is_lost:
            self.is_lost = True
            _log.warning("response_cache_lost", holds=self._holds, cause=str(error))


class Copies:
    """Values with their tokens, up to so many bytes; the least recently used ones are removed."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, _Copy] = OrderedDict()
        self._lock = Lock()

    def get(self, name: str, token: bytes) -> object | None:
        """Return the value that was kept under this token, if any."""
        with self._lock:
            kept = self._kept.get(name)
            if kept is None or kept.token != token:
                return None
            self._kept.move_to_end(name)
            return kept.value

    def keep(self, name: str, token: bytes, value: object, size: int) -> None:
        with self._lock:
            self._remove(name)
            self._kept[name] = _Copy(token, value, size)
            self._bytes += size
            while self._bytes > self._most_bytes:
                self._remove(next(iter(self._kept)))

    def _remove(self, name: str) -> None:
        if name in self._kept:
            self._bytes -= self._kept.pop(name).size


class _Copy(NamedTuple):
    token: bytes
    value: object
    size: int


def _name(series: Series, query: str) -> str:
    return f"{series} {query}"


def _count(layer: str, outcome: str) -> None:
    _lookups(layer, outcome).inc()
