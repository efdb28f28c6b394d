"""`ChangeFeed`: passes on which kinds of things have changed, from one Redis subscription.

A listener keeps kinds, not changes, so a slow one misses no kind and its memory does not grow.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from threading import Event, Lock

import redis
import structlog

from pocketquant.coordination.nudges import (
    JOBS_CHANNEL,
    SCHEDULES_CHANNEL,
    SUBSCRIPTIONS_CHANNEL,
)
from pocketquant.presence.repeating import Loop, Loops

KINDS = {
    JOBS_CHANNEL: "jobs",
    SCHEDULES_CHANNEL: "schedules",
    SUBSCRIPTIONS_CHANNEL: "subscriptions",
}

_POLL_SECONDS = 1.0  # how soon the loop notices that nobody listens any more
_PAUSE_SECONDS = 1.0  # after a failure of Redis

_log = structlog.get_logger(__name__)


class ChangeListener:
    """Keeps the kinds of changes until a stream takes them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kinds: set[str] = set()
        self._has_kinds = Event()

    def offer(self, kind: str) -> None:
        with self._lock:
            self._kinds.add(kind)
            self._has_kinds.set()

    def take(self, timeout_seconds: float) -> list[str]:
        """Return the kinds that changed since the last call; wait for the first one if needed."""
        self._has_kinds.wait(timeout_seconds)
        with self._lock:
            self._has_kinds.clear()
            kinds, self._kinds = self._kinds, set()
        return sorted(kinds)


class ChangeFeed:
    """Runs a loop with a Redis subscription while this process has listeners."""

    def __init__(self, cache: redis.Redis, loops: Loops) -> None:
        self._redis = cache
        self._loops = loops
        self._lock = Lock()
        self._listeners: set[ChangeListener] = set()
        self._is_running = False
        self._is_subscribed = False

    @contextmanager
    def listening(self) -> Iterator[ChangeListener]:
        """Yield a listener. It gets every kind once it misses no change, and after a gap."""
        listener = ChangeListener()
        self._add(listener)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def _add(self, listener: ChangeListener) -> None:
        with self._lock:
            self._listeners.add(listener)
            if self._is_subscribed:
                _offer([listener], KINDS.values())
            if not self._is_running:
                self._is_running = True
                self._loops.begin("change-feed", self._listen)

    def _listen(self, loop: Loop) -> None:
        try:
            with self._redis.pubsub() as pubsub:  # type: ignore[no-untyped-call]  # redis-py
                pubsub.subscribe(*KINDS)
                self._pass_on(pubsub, loop)
        except redis.RedisError as error:
            self._is_subscribed = False
            _log.warning("change_feed_lost", cause=str(error))
            loop.wait(_PAUSE_SECONDS)

    def _pass_on(self, pubsub: "redis.client.PubSub", loop: Loop) -> None:
        """Pass each change on to the listeners, until there are none.

        Redis confirms the subscription to each kind, which is passed on as a change of it.
        """
        while self._has_listeners(loop):
            message = pubsub.get_message(timeout=_POLL_SECONDS)
            loop.note_success()
            if message is not None:
                with self._lock:
                    self._is_subscribed = True
                    _offer(self._listeners, [KINDS[message["channel"].decode()]])

    def _has_listeners(self, loop: Loop) -> bool:
        """Return whether there are listeners; if not, stop the loop until the next one comes."""
        with self._lock:
            self._is_running = bool(self._listeners)
            if not self._is_running:
                self._is_subscribed = False
                loop.stop()
            return self._is_running


def _offer(listeners: Iterable[ChangeListener], kinds: Iterable[str]) -> None:
    for listener, kind in product(listeners, kinds):
        listener.offer(kind)
