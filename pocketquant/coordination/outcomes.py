"""Telling those who wait that an attempt of a unit has come to its end.

Only a nudge by pub/sub: what the end was stands in the ledger. A nudge that is lost costs the
waiting side one more look there.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
import structlog

_log = structlog.get_logger(__name__)


class Outcomes:
    """Nudges about units over Redis."""

    def __init__(self, cache: redis.Redis) -> None:
        self._redis = cache

    def announce(self, unit_id: str) -> None:
        """Wake all who listen for this unit; without Redis they look for themselves, later."""
        try:
            self._redis.publish(_channel(unit_id), b"")
        except redis.RedisError as error:
            _log.warning("nudge_lost", unit_id=unit_id, cause=str(error))

    @contextmanager
    def listening(self, unit_id: str) -> Iterator["Nudges"]:
        """Nudges about the unit from the moment the block begins."""
        with self._redis.pubsub() as pubsub:  # type: ignore[no-untyped-call]  # redis-py
            pubsub.subscribe(_channel(unit_id))
            pubsub.get_message(timeout=None)  # the confirmation: from here on nothing is missed
            yield Nudges(pubsub)


class Nudges:
    """What arrives while listening."""

    def __init__(self, pubsub: "redis.client.PubSub") -> None:
        self._pubsub = pubsub

    def wait(self, timeout_seconds: float) -> None:
        """Return at the next nudge, at the latest after the time-out."""
        self._pubsub.get_message(timeout=timeout_seconds)


def _channel(unit_id: str) -> str:
    return f"unit:{unit_id}"
