"""`Nudges`: pub/sub messages without content that wake waiting processes.

What has changed is stored in MongoDB. A listener that misses a nudge finds the change when it next
reads MongoDB.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
import structlog

SUBSCRIPTIONS_CHANNEL = "streamer:wish"  # the subscribed symbols have changed
JOBS_CHANNEL = "changed:jobs"  # a job was requested, cancelled or tried again
SCHEDULES_CHANNEL = "changed:schedules"  # a schedule has changed, or has begun a run

_log = structlog.get_logger(__name__)


def unit_channel(unit_id: str) -> str:
    """The channel for "an attempt of this unit has ended"."""
    return f"unit:{unit_id}"


class Nudges:
    """Nudges over Redis."""

    def __init__(self, cache: redis.Redis) -> None:
        self._redis = cache

    def announce(self, channel: str) -> None:
        """Wake all listeners of the channel. A failure of Redis is only logged."""
        try:
            self._redis.publish(channel, b"")
        except redis.RedisError as error:
            _log.warning("nudge_lost", channel=channel, cause=str(error))

    @contextmanager
    def listening(self, channel: str) -> Iterator["NudgeListener"]:
        """Listen to the channel until the end of the block; the driver's errors pass through."""
        with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:  # type: ignore[no-untyped-call]  # redis-py
            pubsub.subscribe(channel)
            pubsub.get_message(timeout=None)  # the confirmation: no later nudge is missed
            yield NudgeListener(pubsub)


class NudgeListener:
    """Receives the nudges of one channel; the driver's errors pass through."""

    def __init__(self, pubsub: "redis.client.PubSub") -> None:
        self._pubsub = pubsub

    def wait(self, timeout_seconds: float) -> bool:
        """Return at the next nudge or after the time-out; whether there was a nudge.

        A time-out of 0 would take half a message for a failure of the connection.
        """
        return self._pubsub.get_message(timeout=timeout_seconds) is not None
