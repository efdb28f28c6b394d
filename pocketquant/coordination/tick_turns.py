"""`TickTurns`: of ticks that come close together, one is done.

    tick:turn      taken by the latest tick that was done, for as long as no other is wanted

Ticks that nobody took pile up in the queue. They carry no time at which they expire: that would be
of the clock of one machine, and judged by that of another.
"""

import redis
import structlog

_KEY = "tick:turn"

_log = structlog.get_logger(__name__)


class TickTurns:
    """Whose turn it is, in Redis."""

    def __init__(self, cache: redis.Redis) -> None:
        self._redis = cache

    def take(self, seconds: float) -> bool:
        """Take the next so many seconds; False where another tick has them.

        Without Redis every tick is done: that costs some queries, and does no harm.
        """
        try:
            return bool(self._redis.set(_KEY, "", nx=True, px=max(1, int(seconds * 1000))))
        except redis.RedisError as error:
            _log.warning("tick_turn_not_taken", cause=str(error))
            return True
