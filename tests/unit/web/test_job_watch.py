"""Reads of jobs, shared by those who watch them."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest

from web.schemas.jobs import JobProgressOut
from web.streams.job_watch import JobWatch, Seen


class Jobs:
    """A server that holds jobs, and holds the answers to some of them back."""

    def __init__(self) -> None:
        self.asked = Counter[str]()
        self.held: dict[str, Event] = {}
        self.has_begun = Event()

    def read(self, job_id: str) -> JobProgressOut | None:
        self.asked[job_id] += 1
        if job_id in self.held:
            self.has_begun.set()
            assert self.held[job_id].wait(60)
        if job_id == "gone":
            return None
        return JobProgressOut.model_construct(job_id=job_id, finished_at=None)


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@contextmanager
def being_read(watch: JobWatch, jobs: Jobs, job_id: str) -> Iterator[None]:
    """A thread waits for the answer to this job."""
    jobs.held[job_id] = Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(watch.look, job_id)
        assert jobs.has_begun.wait(60)
        try:
            yield
        finally:
            jobs.held.pop(job_id).set()


def test_a_slow_job_keeps_no_other_waiting(jobs: Jobs) -> None:
    """It is read while the first one waits for its answer."""
    watch = JobWatch(jobs.read)
    with being_read(watch, jobs, "slow"):
        assert job_of(watch.look("quick"))


def test_watchers_of_a_slow_job_get_what_was_last_seen(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one of them waits for the next answer."""
    watch = JobWatch(jobs.read)
    monkeypatch.setattr("web.streams.job_watch.PERIOD_SECONDS", 0.0)
    before = watch.look("slow")
    with being_read(watch, jobs, "slow"):
        assert before == watch.look("slow")
    assert 2 == jobs.asked["slow"]


def test_a_job_is_read_once_for_all_watchers(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until its period is over."""
    monkeypatch.setattr("web.streams.job_watch.PERIOD_SECONDS", 3600.0)
    watch = JobWatch(jobs.read)
    assert 1 == len({job_of(watch.look("job")) for _ in range(5)})
    assert 1 == jobs.asked["job"]


def test_a_job_that_is_gone_is_none(jobs: Jobs) -> None:
    """Each time that it is looked for."""
    watch = JobWatch(jobs.read)
    assert [None, None] == [watch.look("gone") for _ in range(2)]


def test_a_read_that_fails_is_done_again(jobs: Jobs) -> None:
    """By the next watcher; nobody is taken to be still reading."""
    failures = [OSError("away")]

    def read(job_id: str) -> JobProgressOut | None:
        if failures:
            raise failures.pop()
        return jobs.read(job_id)

    watch = JobWatch(read)
    with pytest.raises(OSError, match="away"):
        watch.look("job")
    assert job_of(watch.look("job"))


def job_of(seen: Seen | None) -> str:
    assert seen is not None
    return seen.body
