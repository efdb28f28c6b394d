"""`TickProblems`: the tick steps that failed in their last run, each with its reason.

    tick:problems      a hash: step → reason; expires `_TTL_SECONDS` after the last failure

Operators read it; each tick runs all steps again regardless.
"""

from collections.abc import Collection, Mapping
from typing import cast

import redis

_KEY = "tick:problems"
_TTL_SECONDS = 120


class TickProblems:
    """The result of the last run of each step; the driver's errors pass through."""

    def __init__(self, cache: redis.Redis) -> None:
        self._redis = cache

    def note(self, failed: Mapping[str, str], done: Collection[str]) -> None:
        """Note the steps that failed, with their reasons, and the steps that succeeded."""
        with self._redis.pipeline(transaction=False) as pipeline:
            if done:
                pipeline.hdel(_KEY, *done)
            if failed:
                pipeline.hset(_KEY, items=[text for pair in failed.items() for text in pair])
                pipeline.expire(_KEY, _TTL_SECONDS)
            pipeline.execute()

    def all(self) -> dict[str, str]:
        """Return the reason of each failed step, in order of the steps' names."""
        found = cast(dict[bytes, bytes], self._redis.hgetall(_KEY))
        return {step.decode(): found[step].decode() for step in sorted(found)}
