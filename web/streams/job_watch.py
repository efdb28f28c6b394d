"""`JobWatch`: one read of a job serves all of its watchers."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from pocketquant.domain.dates import to_date
from pocketquant.storage.jobs import JobStore
from pocketquant.storage.units import Job
from web.schemas.jobs import JobProgressOut

PERIOD_SECONDS = 1.0

_KEPT_SECONDS = 10.0  # of a job that nobody watches any more

Read = Callable[[str], JobProgressOut | None]


@dataclass(frozen=True, slots=True)
class ReadProgress:
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
        self._latest: dict[str, ReadProgress] = {}
        self._being_read: set[str] = set()

    def progress(self, job_id: str) -> ReadProgress | None:
        """Return the job's progress, at most about a second old; None if there is no such job."""
        with self._lock:
            latest = self._latest.get(job_id)
            is_fresh = latest is not None and time.monotonic() - latest.read_at < PERIOD_SECONDS
            if latest is not None and (is_fresh or job_id in self._being_read):
                return latest
            self._being_read.add(job_id)
        try:
            progress = self._read(job_id)
        finally:
            with self._lock:
                self._being_read.discard(job_id)
        return self._store(job_id, progress)

    def _store(self, job_id: str, progress: JobProgressOut | None) -> ReadProgress | None:
        now = time.monotonic()
        with self._lock:
            kept = {
                each: latest
                for each, latest in self._latest.items()
                if each != job_id and now - latest.read_at < _KEPT_SECONDS
            }
            if progress is not None:
                has_ended = progress.finished_at is not None
                kept[job_id] = ReadProgress(progress.model_dump_json(), has_ended, now)
            self._latest = kept
        return kept.get(job_id)


def read_progress(jobs: JobStore, job_id: str) -> JobProgressOut | None:
    """Read a job and its progress; None if there is no such job."""
    job = jobs.get(job_id)
    return progress_of(jobs, job) if job else None


def progress_of(jobs: JobStore, job: Job) -> JobProgressOut:
    """Return the job with its speed and estimated end as of now."""
    return JobProgressOut.with_progress(job, jobs.progress(job, to_date(time.time())))
