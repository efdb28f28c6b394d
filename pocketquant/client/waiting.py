"""Waiting for a job, with a bar that shows how far it is.

The job is asked for again and again: that needs no stream, and a server that restarts is only one
that does not answer for a while.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pocketquant.client.answers import JobProgress
from pocketquant.domain.errors import Unavailable
from pocketquant.pausing import growing_pauses, pause

_PAUSES_SECONDS = (0.2, 0.3, 0.5)  # a small job ends soon
_LONGEST_PAUSE_SECONDS = 1.0
_PATIENCE_SECONDS = 300.0  # with a server that does not answer

Show = Callable[[JobProgress | None], None]  # None: nobody answers just now


def until_it_ends(ask: Callable[[], JobProgress], job_id: str, has_progress: bool) -> JobProgress:
    """The job as `ask` tells it once it has ended."""
    with _bar() if has_progress else _silence() as show:
        try:
            return _poll(ask, show)
        except (KeyboardInterrupt, Unavailable) as error:
            error.add_note(_goes_on(job_id))
            if has_progress:
                _say(_goes_on(job_id))
            raise


def _poll(ask: Callable[[], JobProgress], show: Show) -> JobProgress:
    pauses = growing_pauses(*_PAUSES_SECONDS, longest=_LONGEST_PAUSE_SECONDS)
    heard_at = time.monotonic()
    while True:
        try:
            job = ask()
        except Unavailable:
            if time.monotonic() - heard_at > _PATIENCE_SECONDS:
                raise
            show(None)
        else:
            heard_at = time.monotonic()
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
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("syncing"), BarColumn(), MofNCompleteColumn())
    told = TextColumn("{task.fields[told]}")
    with Progress(*columns, told, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=None, told="")

        def show(job: JobProgress | None) -> None:
            if job is None:
                progress.update(task, told="PocketQuant does not answer; waiting for it")
            else:
                progress.update(task, **shown(job))

        yield show


def shown(job: JobProgress) -> dict[str, Any]:
    """How many syncs have ended of how many, and what else is known of them."""
    counts = job["counts"]
    rate, ends_at = job.get("units_per_second"), job.get("estimated_end_at")
    told = [f"{counts['failed']} failed"]
    if counts["cancelled"]:
        told.append(f"{counts['cancelled']} cancelled")
    if rate is not None:
        told.append(f"{rate:.1f}/s")
    if ends_at is not None:
        told.append(f"until {ends_at[11:19]} UTC")
    ended = counts["completed"] + counts["failed"] + counts["cancelled"]
    return {"completed": ended, "total": counts["total"], "told": ", ".join(told)}


def _goes_on(job_id: str) -> str:
    return f"job {job_id} goes on; `client.jobs.get({job_id!r})` returns its progress"


def _say(text: str) -> None:
    from rich.console import Console

    Console(stderr=True).print(text, highlight=False)
