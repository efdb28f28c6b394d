"""Jobs: how far they are, to their end."""

from collections.abc import Iterator

from pocketquant.client import events, waiting
from pocketquant.client.asking import Asking, Filter, asked, job_path
from pocketquant.client.transport import Json


class Jobs(Asking):
    """Calls about what was asked for."""

    def jobs(self, **filters: Filter) -> Iterator[Json]:
        """Jobs, the newest first, all pages of them; filtered by `state`, `kind`, `since`."""
        return self._pages("/jobs", filters)

    def job(self, job_id: str) -> Json:
        """How far a job is, how fast it goes, what failed first; NotFound where there is none."""
        return self._call("GET", job_path(job_id))

    def units(self, job_id: str, **filters: Filter) -> Iterator[Json]:
        """The syncs of a job, all pages of them; filtered by `state` and error `code`."""
        return self._pages(f"{job_path(job_id)}/units", filters)

    def cancel(self, job_id: str) -> Json:
        """Cancel what has not begun of a job, and what became of the rest.

        Conflict: it has ended.
        """
        return self._call("DELETE", job_path(job_id))

    def retry(self, job_id: str, code: str | None = None) -> Json:
        """The job, open again: its failed syncs, or those with one error code, are queued anew.

        Conflict: there is none to try, or the job was cancelled.
        """
        return self._call("POST", f"{job_path(job_id)}/retry", params=asked({"code": code}))

    def wait(self, job_id: str, *, progress: bool = False) -> Json:
        """The job once it has ended; `progress` shows a bar on stderr meanwhile.

        A server that restarts is waited for, five minutes at most. Ctrl-C ends the waiting, not
        the job.
        """
        return waiting.until_it_ends(lambda: self.job(job_id), job_id, progress)

    def watch(self, job_id: str) -> Iterator[Json]:
        """The job whenever it changes, until it has ended.

        Ask a client of the push process, which is made for streams; `wait` needs none. A stream
        that breaks is taken up again.
        """
        for event, job in events.follow(self._transport, f"{job_path(job_id)}/events", {}):
            yield job
            if event == "end":
                return
