"""Telling the streamers that what is to be watched has changed.

Only a nudge by pub/sub: the wish itself stands in MongoDB. A nudge that is lost costs the streamer
one more look at the wish's version there.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
import structlog

_CHANNEL = "streamer:wish"

_log = structlog.get_logger(__name__)


class WishNudges:
    """Nudges over Redis."""

    def __init__(self, cache: redis.Redis) -> None:
        self._redis = cache

    def announce(self) -> None:
        """Wake all streamers; without Redis they look for themselves, later."""
        try:
            self._redis.publish(_CHANNEL, b"")
        except redis.RedisError as error:
            _log.warning("wish_nudge_lost", cause=str(error))

    @contextmanager
    def listening(self) -> Iterator["WishEar"]:
        """Nudges from the moment the block begins."""
        with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:  # type: ignore[no-untyped-call]  # redis-py
            pubsub.subscribe(_CHANNEL)
            pubsub.get_message(timeout=None)  # the confirmation: from here on nothing is missed
            yield WishEar(pubsub)


class WishEar:
    """What arrives while listening; the driver's errors pass through."""

    def __init__(self, pubsub: "redis.client.PubSub") -> None:
        self._pubsub = pubsub

    def has_heard(self, timeout_seconds: float = 0.001) -> bool:
        """Whether there was a nudge since this was last asked, or comes within the time-out.

        Of several, each is told. A time-out of zero would take half a message for a failure.
        """
        return self._pubsub.get_message(timeout=timeout_seconds) is not None
