"""`SubscriptionWatch`: a thread that keeps the subscriptions up to date beside the loop.

It also reads the calendars of the subscribed symbols: of new ones before they are shown, of all
about each minute. A calendar comes with the first sync of its symbol.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count

import redis
import structlog

from pocketquant.coordination.nudges import SUBSCRIPTIONS_CHANNEL, NudgeListener, Nudges
from pocketquant.domain.errors import StorageUnavailable
from pocketquant.presence.repeating import Loop, Loops
from pocketquant.servers.connections import translating_driver_errors
from pocketquant.storage.calendars import CalendarStore, KeptCalendar
from pocketquant.storage.subscriptions import Subscriptions, SubscriptionSet

_LOOK_SECONDS = 1.0  # between two reads of the version, unless a nudge comes earlier
_PIECES = 5  # parts of that time after which the loop's end is noticed
_PATIENCE_SECONDS = 1.0
_LOOKS_A_FULL_ONE = 30  # every 30th read takes all: it finds changes without a new version
_LOOKS_FOR_MISSING_CALENDARS = 3
_LOOKS_FOR_ALL_CALENDARS = 60

_log = structlog.get_logger(__name__)


class SubscriptionWatch:
    """`newest` is None until MongoDB has answered once; then it follows each change within 1 s.

    `calendars` are the known ones of symbols that the shard `holds`; they are never older than
    `newest`. Each change makes another mapping, in which equal calendars stay the same objects.
    """

    def __init__(
        self,
        subscriptions: Subscriptions,
        calendars: CalendarStore,
        holds: Callable[[str], bool],
        nudges: Nudges,
        loops: Loops,
    ) -> None:
        self._subscriptions = subscriptions
        self._calendars = calendars
        self._holds = holds
        self._nudges = nudges
        self._loops = loops
        self.newest: SubscriptionSet | None = None
        self.calendars: Mapping[str, KeptCalendar] = {}

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
        for reads in count():
            if loop.is_ending:
                break
            self._read(is_full=reads % _LOOKS_A_FULL_ONE == 0, reads=reads)
            loop.note_success()
            for _ in range(_PIECES):
                if loop.is_ending or listener.wait(_LOOK_SECONDS / _PIECES):
                    break

    def _read(self, is_full: bool, reads: int = 1) -> None:
        """Read the version, and all subscriptions if it is a new one or `is_full`."""
        known = self.newest
        try:
            with translating_driver_errors():
                found = known
                if is_full or known is None or self._subscriptions.version() != known.version:
                    found = self._subscriptions.all()
                if found is not None:
                    self._read_calendars(found, reads)
                self.newest = known if found == known else found  # readers compare by `is`
        except StorageUnavailable as error:
            _log.warning("subscriptions_unknown", cause=str(error))

    def _read_calendars(self, subscribed: SubscriptionSet, reads: int) -> None:
        """Read the calendars that are due: of new symbols, of those without one, or of all."""
        known, before = self.calendars, self.newest.since if self.newest else {}
        mine = [each for each in subscribed.since if self._holds(str(each))]
        if reads % _LOOKS_FOR_ALL_CALENDARS == 0:
            due = mine
        elif reads % _LOOKS_FOR_MISSING_CALENDARS == 0:
            due = [each for each in mine if str(each) not in known]
        else:
            due = [each for each in mine if each not in before]
        found = {str(symbol): kept for symbol, kept in self._calendars.of(due).items()}
        changed = {name: kept for name, kept in found.items() if known.get(name) != kept}
        if changed:
            watched = set(map(str, mine))
            stay = {name: kept for name, kept in known.items() if name in watched}
            self.calendars = stay | changed
