"""`BarQueue`: closed bars and due repairs, until MongoDB has them.

    keep, repair → … a thread: bars first, then the syncs that repair → results

The thread has MongoDB to itself, so that no wait for it holds up the ticks. What waits is bounded:
beyond that the oldest bars give way, and their series are synced later. What fails is tried again.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event
from typing import NamedTuple, TypeVar

import structlog

from pocketquant.domain.errors import LeaseLost, StorageUnavailable
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.symbols import Series
from pocketquant.presence.repeating import Loop, Loops
from pocketquant.servers.connections import translating_driver_errors

_BARS_AT_ONCE = 20_000
_PAUSE_SECONDS = 1.0  # after a failure

_log = structlog.get_logger(__name__)

T = TypeVar("T")


class Batch(NamedTuple):
    """Bars that closed together, under a name that no other batch ever has."""

    name: str
    bars: list[LiveBar]


@dataclass(frozen=True, slots=True)
class Done:
    """Batches that need not be kept any more: how many of their bars were stored, or given up."""

    batches: tuple[str, ...]
    stored: int = 0
    dropped: int = 0


class BarQueue:
    """Stores by `store`, submits by `submit`: both may raise StorageUnavailable, or LeaseLost."""

    def __init__(
        self,
        store: Callable[[list[LiveBar]], None],
        submit: Callable[[Mapping[Series, int]], None],
        most_waiting: int,
        loops: Loops | None = None,
    ) -> None:
        self._store = store
        self._submit = submit
        self._most_waiting = most_waiting
        self._given: SimpleQueue[Batch] = SimpleQueue()
        self._asked: SimpleQueue[Mapping[Series, int]] = SimpleQueue()
        self._done: SimpleQueue[Done] = SimpleQueue()
        self._waiting: deque[Batch] = deque()
        self._repairs: dict[Series, int] = {}
        self._is_awake = Event()
        self._is_over = Event()
        self._is_away = False
        self.is_fenced = False
        self._loops = loops or Loops()
        self._loop: Loop | None = None

    def begin(self) -> None:
        self._loop = self._loops.begin("bar-keeper", self._do_what_waits)

    def keep(self, batch: Batch) -> None:
        """Store these bars, soon."""
        self._given.put(batch)
        self._is_awake.set()

    def repair(self, since: Mapping[Series, int]) -> None:
        """Have these series synced, since those times, once all bars kept before are stored."""
        self._asked.put(since)
        self._is_awake.set()

    def done(self) -> list[Done]:
        """What has been done since this was last asked."""
        return list(_taken(self._done))

    def end(self, seconds: float) -> None:
        """Do what can be done within that time."""
        self._is_over.set()
        self._is_awake.set()
        if self._loop is not None:
            self._loop.join(seconds)

    def _do_what_waits(self, loop: Loop) -> None:
        self._is_awake.wait()
        self._is_awake.clear()
        if self._is_over.is_set():
            loop.stop()
        self._take_over()
        is_done = False
        try:
            is_done = self._try_all(loop)
        finally:
            if not is_done:
                self._is_awake.set()  # what failed still waits

    def _take_over(self) -> None:
        self._waiting.extend(_taken(self._given))
        for since in _taken(self._asked):
            self._note_repairs(since.items())
        self._drop_what_is_too_much()

    def _try_all(self, loop: Loop) -> bool:
        try:
            with translating_driver_errors():
                self._do_all()
        except LeaseLost:
            self.is_fenced = True
            loop.stop()
            return True
        except StorageUnavailable as error:
            self._tell_away(error)
            self._is_over.wait(_PAUSE_SECONDS)
            return False
        if self._is_away:
            _log.info("storing_goes_on")
            self._is_away = False
        return True

    def _do_all(self) -> None:
        while batches := list(_up_to(_BARS_AT_ONCE, self._waiting)):
            self._store([bar for batch in batches for bar in batch.bars])
            for _ in batches:
                self._waiting.popleft()
            self._tell_done(batches, is_stored=True)
        if self._repairs:
            self._submit(self._repairs)
            self._repairs = {}

    def _drop_what_is_too_much(self) -> None:
        waiting = sum(len(batch.bars) for batch in self._waiting)
        while waiting > self._most_waiting:
            batch = self._waiting.popleft()
            waiting -= len(batch.bars)
            self._note_repairs((bar.series, bar.start) for bar in batch.bars)
            self._tell_done([batch], is_stored=False)
            _log.error("live_bars_dropped", bars=len(batch.bars))

    def _note_repairs(self, since: Iterable[tuple[Series, int]]) -> None:
        for series, time in since:
            self._repairs[series] = min(time, self._repairs.get(series, time))

    def _tell_done(self, batches: list[Batch], is_stored: bool) -> None:
        bars = sum(len(batch.bars) for batch in batches)
        names = tuple(batch.name for batch in batches)
        self._done.put(Done(names, stored=bars) if is_stored else Done(names, dropped=bars))

    def _tell_away(self, error: StorageUnavailable) -> None:
        if not self._is_away:
            _log.warning("storing_waits", cause=str(error))
        self._is_away = True


def _taken(queue: "SimpleQueue[T]") -> Iterator[T]:
    """What lies in the queue now."""
    while True:
        try:
            yield queue.get_nowait()
        except Empty:
            return


def _up_to(bars: int, batches: Iterable[Batch]) -> Iterator[Batch]:
    """The first batches, of so many bars in all; at least one."""
    for batch in batches:
        yield batch
        bars -= len(batch.bars)
        if bars <= 0:
            return
