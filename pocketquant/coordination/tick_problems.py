"""`TickProblems`: the steps of ticks that failed when they were last tried, and why.

    tick:problems      a hash: step → why; forgotten when nothing has failed for `_TTL_SECONDS`

For those who look after the fleet: a step is tried again with each tick, whatever stands here.
"""

from collections.abc import Collection, Mapping
from typing import cast

import redis

_KEY = "tick:problems"
_TTL_SECONDS = 120


class TickProblems:
    """What the last tick to try each step has found; the driver's errors pass through."""

    def __init__(self, cache: redis.Redis) -> None:
        self._redis = cache

    def note(self, failed: Mapping[str, str], done: Collection[str]) -> None:
        """These steps failed, for these reasons, and those were done."""
        with self._redis.pipeline(transaction=False) as pipeline:
            if done:
                pipeline.hdel(_KEY, *done)
            if failed:
                pipeline.hset(_KEY, items=[text for pair in failed.items() for text in pair])
                pipeline.expire(_KEY, _TTL_SECONDS)
            pipeline.execute()

    def all(self) -> dict[str, str]:
        """Why each step failed that did, in order of the steps' names."""
        found = cast(dict[bytes, bytes], self._redis.hgetall(_KEY))
        return {step.decode(): found[step].decode() for step in sorted(found)}
