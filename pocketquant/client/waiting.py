"""Wait for the end of a job, with a progress bar.

The job is polled: that needs no stream, and outlasts a restart of the server.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pocketquant.client.responses import JobProgress
from pocketquant.domain.errors import Unavailable
from pocketquant.pausing import growing_pauses, pause

_PAUSES_SECONDS = (0.2, 0.3, 0.5)  # a small job ends soon
_LONGEST_PAUSE_SECONDS = 1.0
_PATIENCE_SECONDS = 300.0  # with a server that does not respond

Show = Callable[[JobProgress | None], None]  # None: the server does not respond now


def wait_for_job(fetch: Callable[[], JobProgress], job_id: str, has_progress: bool) -> JobProgress:
    """Call `fetch` until the job has ended, and return it; Unavailable after five minutes of those.

    An interrupted or failed wait says how to look at the job later.
    """
    with _bar() if has_progress else _silence() as show:
        try:
            return _poll(fetch, show)
        except (KeyboardInterrupt, Unavailable) as error:
            error.add_note(_goes_on(job_id))
            if has_progress:
                _print(_goes_on(job_id))
            raise


def _poll(fetch: Callable[[], JobProgress], show: Show) -> JobProgress:
    pauses = growing_pauses(*_PAUSES_SECONDS, longest=_LONGEST_PAUSE_SECONDS)
    responded_at = time.monotonic()
    while True:
        try:
            job = fetch()
        except Unavailable:
            if time.monotonic() - responded_at > _PATIENCE_SECONDS:
                raise
            show(None)
        else:
            responded_at = time.monotonic()
            show(job)
            if job["finished_at"] is not None:
                return job
        pause(next(pauses))


@contextmanager
def _silence() -> Iterator[Show]:
    yield lambda _: None


@contextmanager
def _bar() -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("syncing"), BarColumn(), TextColumn("{task.fields[amount]}"))
    details = TextColumn("{task.fields[details]}")
    with Progress(*columns, details, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=None, amount="", details="")

        def show(job: JobProgress | None) -> None:
            if job is None:
                progress.update(task, details="PocketQuant does not respond; waiting for it")
            else:
                progress.update(task, **progress_fields(job))

        yield show


def progress_fields(job: JobProgress) -> dict[str, Any]:
    """Return the fields of the progress bar: ended of all syncs, or time walked back; and texts."""
    counts, came = job["counts"], job["backfill"]
    rate, ends_at = job.get("units_per_second"), job.get("estimated_end_at")
    ended = counts["completed"] + counts["failed"] + counts["cancelled"]
    amount = f"{ended}/{counts['total']}"
    details = [f"{counts['failed']} failed"]
    if came is not None:
        details.insert(0, f"{came['fetched']:,} bars")
        if came["reached_back_to"] is not None:
            details.insert(0, f"back to {came['reached_back_to'][:10]}")
    if job["state"] == "paused":
        details.insert(0, "paused")
    if counts["cancelled"]:
        details.append(f"{counts['cancelled']} cancelled")
    if rate is not None:
        details.append(f"{rate:.1f}/s")
    if ends_at is not None:
        details.append(f"until {ends_at[11:19]} UTC")
    done: dict[str, float] = {"completed": ended, "total": counts["total"]}
    if came is not None:
        done = {"completed": came["share_of_time"], "total": 1.0}
        amount = f"{came['share_of_time']:.0%} of the time, {amount} series"
    return {**done, "amount": amount, "details": ", ".join(details)}


def _goes_on(job_id: str) -> str:
    return f"job {job_id} goes on; `client.jobs.get({job_id!r})` returns its progress"


def _print(text: str) -> None:
    from rich.console import Console

    Console(stderr=True).print(text, highlight=False)
