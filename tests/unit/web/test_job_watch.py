"""JobWatch: one read of a job serves all of its watchers."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest

from web.schemas.jobs import JobProgressOut
from web.streams.job_watch import JobWatch, ReadProgress


class SlowJobs:
    """Returns jobs; a read of a job in `held` waits for its event."""

    def __init__(self) -> None:
        self.reads = Counter[str]()
        self.held: dict[str, Event] = {}
        self.has_begun = Event()

    def read(self, job_id: str) -> JobProgressOut | None:
        self.reads[job_id] += 1
        if job_id in self.held:
            self.has_begun.set()
            assert self.held[job_id].wait(60)
        if job_id == "gone":
            return None
        return JobProgressOut.model_construct(job_id=job_id, finished_at=None)


@pytest.fixture
def jobs() -> SlowJobs:
    return SlowJobs()


@contextmanager
def being_read(watch: JobWatch, jobs: SlowJobs, job_id: str) -> Iterator[None]:
    """While the block runs, another thread waits for its read of this job."""
    jobs.held[job_id] = Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(watch.progress, job_id)
        assert jobs.has_begun.wait(60)
        try:
            yield
        finally:
            jobs.held.pop(job_id).set()


def test_a_slow_read_delays_no_other_job(jobs: SlowJobs) -> None:
    """A second job is read while the read of the first one hangs."""
    watch = JobWatch(jobs.read)
    with being_read(watch, jobs, "slow"):
        assert job_of(watch.progress("quick"))


def test_watchers_of_a_slow_job_get_its_last_progress(
    jobs: SlowJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One watcher waits for the read; the others return at once."""
    watch = JobWatch(jobs.read)
    monkeypatch.setattr("web.streams.job_watch.PERIOD_SECONDS", 0.0)
    before = watch.progress("slow")
    with being_read(watch, jobs, "slow"):
        assert before == watch.progress("slow")
    assert 2 == jobs.reads["slow"]


def test_a_job_is_read_once_for_all_watchers(
    jobs: SlowJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the period, all watchers get the progress of one read."""
    monkeypatch.setattr("web.streams.job_watch.PERIOD_SECONDS", 3600.0)
    watch = JobWatch(jobs.read)
    assert 1 == len({job_of(watch.progress("job")) for _ in range(5)})
    assert 1 == jobs.reads["job"]


def test_a_missing_job_is_none(jobs: SlowJobs) -> None:
    """Each watcher gets None."""
    watch = JobWatch(jobs.read)
    assert [None, None] == [watch.progress("gone") for _ in range(2)]


def test_a_failed_read_is_repeated_by_the_next_watcher(jobs: SlowJobs) -> None:
    """The job does not count as being read after the error."""
    failures = [OSError("away")]

    def read(job_id: str) -> JobProgressOut | None:
        if failures:
            raise failures.pop()
        return jobs.read(job_id)

    watch = JobWatch(read)
    with pytest.raises(OSError, match="away"):
        watch.progress("job")
    assert job_of(watch.progress("job"))


def job_of(progress: ReadProgress | None) -> str:
    assert progress is not None
    return progress.body
