"""Reads of jobs that many watch, done once for all of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from pocketquant.storage.units import Job
from pocketquant.wiring import Platform
from web import clock
from web.schemas.jobs import JobProgressOut

PERIOD_SECONDS = 1.0

_KEPT_SECONDS = 10.0  # a job that nobody watches any more

Read = Callable[[str], JobProgressOut | None]


@dataclass(frozen=True, slots=True)
class Seen:
    """A job's progress as JSON, and when it was read."""

    body: str
    has_ended: bool
    read_at: float


class JobWatch:
    """Reads jobs for all watchers in this process, each job at most once a second.

    One watcher reads a job, without holding the lock; meanwhile the others get its last progress.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._lock = Lock()
        self._seen: dict[str, Seen] = {}
        self._being_read: set[str] = set()

    def look(self, job_id: str) -> Seen | None:
        """The job's progress; None where there is no such job any more."""
        with self._lock:
            seen = self._seen.get(job_id)
            is_fresh = seen is not None and time.monotonic() - seen.read_at < PERIOD_SECONDS
            if seen is not None and (is_fresh or job_id in self._being_read):
                return seen
            self._being_read.add(job_id)
        try:
            progress = self._read(job_id)
        finally:
            with self._lock:
                self._being_read.discard(job_id)
        return self._note(job_id, progress)

    def _note(self, job_id: str, progress: JobProgressOut | None) -> Seen | None:
        now = time.monotonic()
        with self._lock:
            kept = {
                each: seen
                for each, seen in self._seen.items()
                if each != job_id and now - seen.read_at < _KEPT_SECONDS
            }
            if progress is not None:
                has_ended = progress.finished_at is not None
                kept[job_id] = Seen(progress.model_dump_json(), has_ended, now)
            self._seen = kept
        return kept.get(job_id)


def read_progress(platform: Platform, job_id: str) -> JobProgressOut | None:
    """The job as it is shown; None where there is none."""
    job = platform.jobs.get(job_id)
    return progress_of(platform, job) if job else None


def progress_of(platform: Platform, job: Job) -> JobProgressOut:
    """The job as it is shown, its rate and end as of now."""
    return JobProgressOut.with_progress(job, platform.jobs.progress(job, clock.now()))
