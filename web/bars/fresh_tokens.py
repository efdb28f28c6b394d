"""`FreshTokens`: valid tokens without a call of Redis for each request.

Redis publishes which series were written, before the writer gets its reply, and unread messages are
read before a token is returned: a caller that knows of a write gets no answer from before it. A
token is used for a second at most, so a lost message has no longer effect.
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

_VALID_SECONDS = 1.0
_READ_SECONDS = 0.1  # for the rest of a message that has begun
_MOST_UNREAD = 200  # reading more costs more than to subscribe again
_MOST_KNOWN = 10_000

_log = structlog.get_logger(__name__)


class _Known(NamedTuple):
    token: bytes
    until: float


class FreshTokens:
    """The tokens of `ResponseCache`; `subscriber` is a Redis client with a short time-out."""

    def __init__(
        self,
        responses: ResponseCache,
        subscriber: redis.Redis,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._responses = responses
        self._redis = subscriber
        self._clock = clock
        self._lock = Lock()
        self._subscription: redis.client.PubSub | None = None
        self._is_subscribed = False  # Redis has confirmed it
        self._messages = 0  # read so far
        self._cooldown = Cooldown(clock)  # meanwhile each token is read from Redis
        self._known: dict[str, _Known] = {}

    def get(self, series: Series) -> bytes | None:
        """Return the valid token, None where there is none; the driver's errors pass through."""
        key = key_of(series)
        if self._is_quiet():
            known = self._known.get(key)
            if known is not None and known.until > self._clock():
                return known.token
        else:
            self._read()
        messages = self._messages
        token = self._responses.token(series)
        if token is not None:
            self._note(key, token, messages)
        return token

    def _is_quiet(self) -> bool:
        """Return whether every message that arrived was applied.

        A reading thread holds the lock from the first byte until all messages are applied.
        """
        subscription = self._subscription
        if subscription is None or not self._is_subscribed:
            return False
        try:
            return not _has_more(subscription) and not self._lock.locked()
        except (redis.RedisError, AttributeError):  # another thread has closed it
            return False

    def _note(self, key: str, token: bytes, messages: int) -> None:
        """Keep the token, unless a message was read since it was requested."""
        with self._lock:
            if self._is_subscribed and self._messages == messages:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[key] = _Known(token, self._clock() + _VALID_SECONDS)

    def _read(self) -> None:
        """Subscribe if needed, and apply the messages that arrived."""
        with self._lock:
            try:
                subscription = self._subscription or self._subscribe()
                if subscription is not None:
                    self._apply_messages(subscription)
            except redis.RedisError as error:
                self._cooldown.start()
                self._unsubscribe()
                _log.debug("writes_not_heard", cause=type(error).__name__)

    def _subscribe(self) -> "redis.client.PubSub | None":
        if self._cooldown.is_active:
            return None
        self._subscription = self._redis.pubsub()  # type: ignore[no-untyped-call]  # redis-py
        self._subscription.subscribe(DROPS)
        return self._subscription

    def _apply_messages(self, subscription: "redis.client.PubSub") -> None:
        for _ in range(_MOST_UNREAD):
            if not _has_more(subscription):
                return
            message = subscription.get_message(timeout=_READ_SECONDS)
            self._messages += 1
            if message and message["type"] == "message":
                for key in dropped_keys(message["data"]):
                    self._known.pop(key, None)
            elif message and message["type"] == "subscribe":  # also after a connection was lost
                self._known.clear()
                self._is_subscribed = True
        self._unsubscribe()

    def _unsubscribe(self) -> None:
        subscription, self._subscription = self._subscription, None
        self._is_subscribed = False
        self._messages += 1
        self._known.clear()
        if subscription is not None:
            subscription.close()


def _has_more(subscription: "redis.client.PubSub") -> bool:
    connection: Any = subscription.connection
    return bool(connection.can_read(0))
