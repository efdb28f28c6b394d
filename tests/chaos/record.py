"""The jobs that responses promised to users, and the other responses of a run."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

Bar = tuple[float, ...]  # open time, open, high, low, close, volume


@dataclass
class Promise:
    """A job that a response promised."""

    job_id: str
    ask: str
    series: frozenset[str]
    was_cancelled: bool = False  # or may have been


@dataclass
class Record:
    """Safe to write from any thread."""

    promises: dict[str, Promise] = field(default_factory=dict)
    job_of_act: dict[int, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    seen: dict[str, set[Bar]] = field(default_factory=dict)  # by series
    live_seen: int = 0
    _lock: Lock = field(default_factory=Lock)

    def promise(self, number: int, job_id: str, ask: str, series: frozenset[str]) -> None:
        """Note the job that acknowledged an act; a repetition must return the same job."""
        with self._lock:
            before = self.job_of_act.setdefault(number, job_id)
            if before != job_id:
                self.wrong.append(f"act {number} made two jobs, {before} and {job_id}")
            self.promises.setdefault(job_id, Promise(job_id, ask, series))

    def note_cancel(self, job_id: str) -> None:
        """Note that a user is about to cancel the job."""
        with self._lock:
            self.promises[job_id].was_cancelled = True

    def note_seen(self, series: str, bars: Iterable[Bar], live: int) -> None:
        """Note closed bars that a response contained as complete ones, some of them live."""
        with self._lock:
            self.seen.setdefault(series, set()).update(bars)
            self.live_seen += live

    def count(self, outcome: str) -> None:
        """Count a response of this kind."""
        with self._lock:
            self.statuses[outcome] = self.statuses.get(outcome, 0) + 1

    def note_wrong(self, text: str) -> None:
        """Note a response that must never occur."""
        with self._lock:
            self.wrong.append(text)
