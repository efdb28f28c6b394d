"""`BarQueue`: closed bars, due repairs and reports wait here until MongoDB has them.

    put, repair, note_reports → a thread: stores bars, submits repairs, keeps reports → finished

Only the thread waits for MongoDB, so ticks are never held up. The queue is bounded: beyond its
limit the oldest bars are dropped and their series repaired. Failures are retried.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event
from typing import NamedTuple, TypeVar

import structlog

from pocketquant.domain.errors import LeaseLost, StorageUnavailable
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.reports import Report
from pocketquant.domain.symbols import Series
from pocketquant.presence.repeating import Loop, Loops
from pocketquant.servers.connections import translating_driver_errors

_BARS_A_WRITE = 20_000
_PAUSE_SECONDS = 1.0  # after a failure

_log = structlog.get_logger(__name__)

T = TypeVar("T")

Reports = Mapping[str, Report]  # by symbol


class Batch(NamedTuple):
    """Bars that closed together, under a unique name."""

    name: str
    bars: list[LiveBar]


@dataclass(frozen=True, slots=True)
class Finished:
    """Names of batches that left the queue, and how many of their bars were stored or dropped."""

    batches: tuple[str, ...]
    stored: int = 0
    dropped: int = 0


class BarQueue:
    """Calls `store`, `submit` and `keep`; all may raise StorageUnavailable or LeaseLost.

    After LeaseLost the thread ends, and `is_fenced` is true.
    """

    def __init__(
        self,
        store: Callable[[list[LiveBar]], None],
        submit: Callable[[Mapping[Series, int]], None],
        most_waiting: int,
        loops: Loops | None = None,
        keep: Callable[[Reports], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._submit = submit
        self._keep = keep
        self._most_waiting = most_waiting
        self._incoming: SimpleQueue[Batch] = SimpleQueue()
        self._requested: SimpleQueue[Mapping[Series, int]] = SimpleQueue()
        self._finished: SimpleQueue[Finished] = SimpleQueue()
        self._waiting: deque[Batch] = deque()
        self._repairs: dict[Series, int] = {}
        self._reported: SimpleQueue[Reports] = SimpleQueue()
        self._reports: dict[str, Report] = {}
        self._has_work = Event()
        self._is_ending = Event()
        self._is_failing = False
        self.is_fenced = False
        self._loops = loops or Loops()
        self._loop: Loop | None = None

    def begin(self) -> None:
        self._loop = self._loops.begin("bar-keeper", self._work)

    def put(self, batch: Batch) -> None:
        """Store these bars soon."""
        self._incoming.put(batch)
        self._has_work.set()

    def repair(self, since: Mapping[Series, int]) -> None:
        """Sync these series from the given times, after all bars in the queue are stored."""
        self._requested.put(since)
        self._has_work.set()

    def note_reports(self, reports: Reports) -> None:
        """Keep these reports soon; a later one of a symbol replaces an earlier one that waits."""
        self._reported.put(reports)
        self._has_work.set()

    def finished(self) -> list[Finished]:
        """The batches that have left the queue since the last call."""
        return list(_drained(self._finished))

    def end(self, seconds: float) -> None:
        """Work for at most `seconds` more, then return."""
        self._is_ending.set()
        self._has_work.set()
        if self._loop is not None:
            self._loop.join(seconds)

    def _work(self, loop: Loop) -> None:
        self._has_work.wait()
        self._has_work.clear()
        if self._is_ending.is_set():
            loop.stop()
        self._drain()
        has_succeeded = False
        try:
            has_succeeded = self._try_all(loop)
        finally:
            if not has_succeeded:
                self._has_work.set()  # try again

    def _drain(self) -> None:
        self._waiting.extend(_drained(self._incoming))
        for since in _drained(self._requested):
            self._note_repairs(since.items())
        for reports in _drained(self._reported):
            self._reports |= reports
        self._drop_oldest()

    def _try_all(self, loop: Loop) -> bool:
        try:
            with translating_driver_errors():
                self._do_all()
        except LeaseLost:
            self.is_fenced = True
            loop.stop()
            return True
        except StorageUnavailable as error:
            self._note_failure(error)
            self._is_ending.wait(_PAUSE_SECONDS)
            return False
        if self._is_failing:
            _log.info("bars_stored_again")
            self._is_failing = False
        return True

    def _do_all(self) -> None:
        while batches := list(_first(_BARS_A_WRITE, self._waiting)):
            self._store([bar for batch in batches for bar in batch.bars])
            for _ in batches:
                self._waiting.popleft()
            self._note_finished(batches, is_stored=True)
        if self._repairs:
            self._submit(self._repairs)
            self._repairs = {}
        if self._reports:
            self._keep(self._reports)
            self._reports = {}

    def _drop_oldest(self) -> None:
        waiting = sum(len(batch.bars) for batch in self._waiting)
        while waiting > self._most_waiting:
            batch = self._waiting.popleft()
            waiting -= len(batch.bars)
            self._note_repairs((bar.series, bar.start) for bar in batch.bars)
            self._note_finished([batch], is_stored=False)
            _log.error("live_bars_dropped", bars=len(batch.bars))

    def _note_repairs(self, since: Iterable[tuple[Series, int]]) -> None:
        for series, time in since:
            self._repairs[series] = min(time, self._repairs.get(series, time))

    def _note_finished(self, batches: list[Batch], is_stored: bool) -> None:
        bars = sum(len(batch.bars) for batch in batches)
        names = tuple(batch.name for batch in batches)
        self._finished.put(
            Finished(names, stored=bars) if is_stored else Finished(names, dropped=bars)
        )

    def _note_failure(self, error: StorageUnavailable) -> None:
        if not self._is_failing:
            _log.warning("bars_not_stored", cause=str(error))
        self._is_failing = True


def _drained(queue: "SimpleQueue[T]") -> Iterator[T]:
    """Empty a queue that only this thread reads."""
    while not queue.empty():
        yield queue.get_nowait()


def _first(bars: int, batches: Iterable[Batch]) -> Iterator[Batch]:
    """The first batches, with at least `bars` bars together or all there are."""
    for batch in batches:
        yield batch
        bars -= len(batch.bars)
        if bars <= 0:
            return
