"""Reads of jobs that many watch, done once for all of them."""

import time
from dataclasses import dataclass
from threading import Lock

from pocketquant.storage.units import Job
from pocketquant.wiring import Platform
from web import clock
from web.schemas.jobs import JobProgressOut

PERIOD_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A job's progress as JSON, and when it was read."""

    body: str
    has_ended: bool
    read_at: float


class JobWatch:
    """Reads jobs for all who watch them in this process, each at most once a second."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._lock = Lock()
        self._seen: dict[str, Seen] = {}

    def look(self, job_id: str) -> Seen | None:
        """The job's progress; None where there is no such job any more."""
        with self._lock:
            now = time.monotonic()
            fresh = {
                each: seen
                for each, seen in self._seen.items()
                if now - seen.read_at < PERIOD_SECONDS
            }
            self._seen = fresh
            if job_id not in fresh:
                job = self._platform.jobs.get(job_id)
                if job is None:
                    return None
                body = progress_of(self._platform, job).model_dump_json()
                fresh[job_id] = Seen(body, job.finished_at is not None, now)
            return fresh[job_id]


def progress_of(platform: Platform, job: Job) -> JobProgressOut:
    """The job as it is shown, its rate and end as of now."""
    return JobProgressOut.with_progress(job, platform.jobs.progress(job, clock.now()))
