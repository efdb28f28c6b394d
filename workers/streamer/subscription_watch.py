"""What is to be watched, kept up to date beside the loop."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
import structlog

from pocketquant.coordination.wish_nudges import WishEar, WishNudges
from pocketquant.domain.errors import StorageUnavailable
from pocketquant.presence.repeating import Loop, Loops
from pocketquant.servers.connections import translating_driver_errors
from pocketquant.storage.subscriptions import Subscriptions, Wish

_LOOK_SECONDS = 1.0  # for a nudge, and where none could come, for a new version
_PIECES = 5  # in which the end is looked for
_PATIENCE_SECONDS = 1.0
_LOOKS_A_FULL_ONE = 30  # a version that was counted before its change is noticed then

_log = structlog.get_logger(__name__)


class WishWatch:
    """`wish` is the newest one that is known: a thread looks at each nudge, and every few seconds.

    None until MongoDB has told it once.
    """

    def __init__(self, subscriptions: Subscriptions, nudges: WishNudges, loops: Loops) -> None:
        self._subscriptions = subscriptions
        self._nudges = nudges
        self._loops = loops
        self.wish: Wish | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep it up to date until the end of the block."""
        loop = self._loops.begin("wish-watch", self._listen)
        try:
            yield
        finally:
            loop.end(_PATIENCE_SECONDS)

    def _listen(self, loop: Loop) -> None:
        try:
            with self._nudges.listening() as ear:
                self._look_at_each_nudge(loop, ear)
        except redis.RedisError:
            self._look(is_full=False)
            loop.wait(_LOOK_SECONDS)

    def _look_at_each_nudge(self, loop: Loop, ear: WishEar) -> None:
        looks = 0
        while not loop.is_ending:
            self._look(is_full=looks % _LOOKS_A_FULL_ONE == 0)
            loop.note_success()
            looks += 1
            self._await_nudge(loop, ear)

    def _await_nudge(self, loop: Loop, ear: WishEar) -> None:
        """Return at the next nudge, at the end, or when it is time to look anyway."""
        for _ in range(_PIECES):
            if loop.is_ending or ear.has_heard(_LOOK_SECONDS / _PIECES):
                return

    def _look(self, is_full: bool) -> None:
        try:
            with translating_driver_errors():
                if (
                    is_full
                    or self.wish is None
                    or self._subscriptions.version() != self.wish.version
                ):
                    self._take(self._subscriptions.all())
        except StorageUnavailable as error:
            _log.warning("wish_unknown", cause=str(error))

    def _take(self, wish: Wish) -> None:
        if wish != self.wish:
            self.wish = wish
