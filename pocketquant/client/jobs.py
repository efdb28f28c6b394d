"""Jobs and dead letters: progress, pause, cancel, retry."""

from collections.abc import Iterator

from pocketquant.client import events, waiting
from pocketquant.client.calls import Calls, Filter, job_path, query_of
from pocketquant.client.responses import Cancellation, CodeCount, Job, JobProgress, Retried, Unit


class Jobs(Calls):
    """Calls about submitted jobs."""

    def list(self, **filters: Filter) -> Iterator[Job]:
        """Yield jobs, the newest first, over all pages. Filters: `state`, `kind`, `since`."""
        return self._pages("/jobs", filters)

    def get(self, job_id: str) -> JobProgress:
        """Return a job with its counts, rate and first errors; NotFound for an unknown id."""
        return self._call("GET", job_path(job_id))

    def units(self, job_id: str, **filters: Filter) -> Iterator[Unit]:
        """Yield the syncs of a job over all pages. Filters: `state`, and error `code`."""
        return self._pages(f"{job_path(job_id)}/units", filters)

    def cancel(self, job_id: str) -> Cancellation:
        """Cancel a job: queued syncs end, running ones stop. Conflict: it has ended."""
        return self._call("DELETE", job_path(job_id))

    def pause(self, job_id: str) -> Job:
        """Pause a job: its syncs wait until it is resumed. Conflict: it has ended."""
        return self._call("POST", f"{job_path(job_id)}/pause")

    def resume(self, job_id: str) -> Job:
        """Resume a paused job. Conflict: it has ended."""
        return self._call("POST", f"{job_path(job_id)}/resume")

    def retry(self, job_id: str, code: str | None = None) -> Job:
        """Queue the failed syncs of a job again, or those with one error code.

        Conflict: none has failed, or the job was cancelled.
        """
        return self._call("POST", f"{job_path(job_id)}/retry", params=query_of({"code": code}))

    def wait(self, job_id: str, *, progress: bool = False) -> JobProgress:
        """Wait until a job has ended, and return it; `progress` shows a bar on stderr.

        Waits up to five minutes for a server that does not respond, such as one that restarts.
        Ctrl-C ends the wait, not the job.
        """
        return waiting.wait_for_job(lambda: self.get(job_id), job_id, progress)

    def watch(self, job_id: str) -> Iterator[JobProgress]:
        """Yield a job whenever it changes, until it has ended.

        Use it on a client of the push process, which serves streams; `wait` needs no stream. A
        broken stream is resumed.
        """
        for event, job in events.follow(self._transport, f"{job_path(job_id)}/events", {}):
            yield job
            if event == "end":
                return


class DeadLetters(Calls):
    """Calls about failed syncs of all jobs."""

    def list(self, **filters: Filter) -> Iterator[Unit]:
        """Yield failed syncs over all pages. Filter: error `code`."""
        return self._pages("/dead-letters", filters)

    def codes(self) -> Iterator[CodeCount]:
        """Yield each error code with its number of failed syncs."""
        return iter(self._list("/dead-letters/codes"))

    def retry(self, *, code: str | None = None, unit_id: str | None = None) -> Retried:
        """Queue the failed syncs with one error code, or one of them, again."""
        params = query_of({"code": code, "unit_id": unit_id})
        return self._call("POST", "/dead-letters/retry", params=params)
