"""Tokens that Redis need not be asked for at each request, since it tells of every write at once.

One subscription hears which series were written. Redis sends that before the writer gets its
answer, and whatever lies unread is read before a token is given out: who was told of a write meets
its effect. A token is believed for a second, which bounds what a lost message could cost.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

import redis
import structlog

from pocketquant.cache.responses import DROPS, ResponseCache, dropped_keys, key_of
from pocketquant.domain.symbols import Series
from pocketquant.servers.cooldown import Cooldown

_BELIEVED_SECONDS = 1.0
_READ_SECONDS = 0.1  # for the rest of a message that has begun
_MOST_UNREAD = 200  # more of them cost more than to ask again
_MOST_KNOWN = 10_000

_log = structlog.get_logger(__name__)


class _Known(NamedTuple):
    token: bytes
    until: float


class FreshTokens:
    """The tokens of `ResponseCache`; `ear` is a client of a short time-out."""

    def __init__(
        self,
        responses: ResponseCache,
        ear: redis.Redis,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._responses = responses
        self._redis = ear
        self._clock = clock
        self._lock = Lock()
        self._subscription: redis.client.PubSub | None = None
        self._is_heard = False  # Redis has said so
        self._heard = 0  # messages, ever
        self._cooldown = Cooldown(clock)  # meanwhile Redis is asked for each token
        self._known: dict[str, _Known] = {}

    def get(self, series: Series) -> bytes | None:
        """The token that holds now; None where there is none. The driver's errors pass through."""
        key = key_of(series)
        if self._is_quiet():
            known = self._known.get(key)
            if known is not None and known.until > self._clock():
                return known.token
        else:
            self._listen()
        heard = self._heard
        token = self._responses.token(series)
        if token is not None:
            self._note(key, token, heard)
        return token

    def _is_quiet(self) -> bool:
        """Whether all messages that have come were taken in.

        Who reads them holds the lock from the first byte until all of them have their effect.
        """
        subscription = self._subscription
        if subscription is None or not self._is_heard:
            return False
        try:
            return not _has_more(subscription) and not self._lock.locked()
        except (redis.RedisError, AttributeError):  # another thread has closed it
            return False

    def _note(self, key: str, token: bytes, heard: int) -> None:
        """Believe the token, unless anything was heard since it was asked for."""
        with self._lock:
            if self._is_heard and self._heard == heard:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[key] = _Known(token, self._clock() + _BELIEVED_SECONDS)

    def _listen(self) -> None:
        """Subscribe, and take in what has come."""
        with self._lock:
            try:
                subscription = self._subscription or self._subscribe()
                if subscription is not None:
                    self._take_in(subscription)
            except redis.RedisError as error:
                self._cooldown.start()
                self._hang_up()
                _log.debug("writes_not_heard", cause=type(error).__name__)

    def _subscribe(self) -> "redis.client.PubSub | None":
        if self._cooldown.is_active:
            return None
        self._subscription = self._redis.pubsub()  # type: ignore[no-untyped-call]  # redis-py
        self._subscription.subscribe(DROPS)
        return self._subscription

    def _take_in(self, subscription: "redis.client.PubSub") -> None:
        for _ in range(_MOST_UNREAD):
            if not _has_more(subscription):
                return
            message = subscription.get_message(timeout=_READ_SECONDS)
            self._heard += 1
            if message and message["type"] == "message":
                for key in dropped_keys(message["data"]):
                    self._known.pop(key, None)
            elif message and message["type"] == "subscribe":  # also after a connection was lost
                self._known.clear()
                self._is_heard = True
        self._hang_up()

    def _hang_up(self) -> None:
        subscription, self._subscription = self._subscription, None
        self._is_heard = False
        self._heard += 1
        self._known.clear()
        if subscription is not None:
            subscription.close()


def _has_more(subscription: "redis.client.PubSub") -> bool:
    connection: Any = subscription.connection
    return bool(connection.can_read(0))
