"""`SubscriptionWatch`: a thread that keeps the subscriptions up to date beside the loop."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
import structlog

from pocketquant.coordination.nudges import SUBSCRIPTIONS_CHANNEL, NudgeListener, Nudges
from pocketquant.domain.errors import StorageUnavailable
from pocketquant.presence.repeating import Loop, Loops
from pocketquant.servers.connections import translating_driver_errors
from pocketquant.storage.subscriptions import Subscriptions, SubscriptionSet

_LOOK_SECONDS = 1.0  # between two reads of the version, unless a nudge comes earlier
_PIECES = 5  # parts of that time after which the loop's end is noticed
_PATIENCE_SECONDS = 1.0
_LOOKS_A_FULL_ONE = 30  # every 30th read takes all: it finds changes without a new version

_log = structlog.get_logger(__name__)


class SubscriptionWatch:
    """`newest` is None until MongoDB has answered once; then it follows each change within 1 s."""

    def __init__(self, subscriptions: Subscriptions, nudges: Nudges, loops: Loops) -> None:
        self._subscriptions = subscriptions
        self._nudges = nudges
        self._loops = loops
        self.newest: SubscriptionSet | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep `newest` up to date until the end of the block."""
        loop = self._loops.begin("wish-watch", self._listen)
        try:
            yield
        finally:
            loop.end(_PATIENCE_SECONDS)

    def _listen(self, loop: Loop) -> None:
        try:
            with self._nudges.listening(SUBSCRIPTIONS_CHANNEL) as listener:
                self._read_at_each_nudge(loop, listener)
        except redis.RedisError:
            self._read(is_full=False)
            loop.wait(_LOOK_SECONDS)

    def _read_at_each_nudge(self, loop: Loop, listener: NudgeListener) -> None:
        reads = 0
        while not loop.is_ending:
            self._read(is_full=reads % _LOOKS_A_FULL_ONE == 0)
            loop.note_success()
            reads += 1
            for _ in range(_PIECES):
                if loop.is_ending or listener.wait(_LOOK_SECONDS / _PIECES):
                    break

    def _read(self, is_full: bool) -> None:
        """Read the version, and all subscriptions if it is a new one or `is_full`."""
        known = self.newest
        try:
            with translating_driver_errors():
                if is_full or known is None or self._subscriptions.version() != known.version:
                    found = self._subscriptions.all()
                    self.newest = known if found == known else found  # readers compare by `is`
        except StorageUnavailable as error:
            _log.warning("subscriptions_unknown", cause=str(error))
