"""`jobs`: list, show, watch, pause, resume, cancel and retry jobs."""

import sys
from itertools import islice

import click

from pocketquant.commands.options import api_options, client_of, limit_option
from pocketquant.commands.output import print_note, print_one, print_rows
from pocketquant.domain.syncs import JobState, UnitState

_JOBS = ("job_id", "kind", "state", "counts", "created_at", "finished_at")
_UNITS = ("exchange", "symbol", "interval", "state", "attempts", "error", "error_message")

_job_argument = click.argument("job_id", metavar="JOB_ID")


@click.group()
def jobs() -> None:
    """Show, watch, pause, resume, cancel and retry jobs."""


@jobs.command("list")
@click.option("--state", type=click.Choice([state.value for state in JobState]))
@click.option("--kind", default=None, help="Such as sync, bulk or schedule:all-series.")
@limit_option
@api_options
def list_jobs(
    state: str | None, kind: str | None, limit: int, url: str | None, as_json: bool
) -> None:
    """List jobs, the newest first.

    \b
    pocketquant jobs list --state running
    """
    print_rows(islice(client_of(url).jobs.list(state=state, kind=kind), limit), _JOBS, as_json)


@jobs.command()
@_job_argument
@api_options
def show(job_id: str, url: str | None, as_json: bool) -> None:
    """Show the progress, the rate and the first errors of a job."""
    print_one(client_of(url).jobs.get(job_id), as_json)


@jobs.command()
@_job_argument
@click.option("--state", type=click.Choice([state.value for state in UnitState]))
@click.option("--code", default=None, help="Only syncs with this error code.")
@limit_option
@api_options
def units(
    job_id: str, state: str | None, code: str | None, limit: int, url: str | None, as_json: bool
) -> None:
    """List the syncs of a job, each with its last error.

    \b
    pocketquant jobs units JOB_ID --state failed
    """
    found = client_of(url).jobs.units(job_id, state=state, code=code)
    print_rows(islice(found, limit), _UNITS, as_json)


@jobs.command()
@_job_argument
@api_options
def watch(job_id: str, url: str | None, as_json: bool) -> None:
    """Wait until a job has ended.

    The exit code is 1 if one of its syncs failed.
    """
    job = client_of(url).jobs.wait(job_id, progress=sys.stderr.isatty())
    print_one(job, as_json)
    sys.exit(int(job["counts"]["failed"] > 0))


@jobs.command()
@_job_argument
@api_options
def pause(job_id: str, url: str | None, as_json: bool) -> None:
    """Pause a job, also across restarts.

    Its syncs wait until it is resumed; running ones complete, or stop after their next page.
    """
    print_one(client_of(url).jobs.pause(job_id), as_json)


@jobs.command()
@_job_argument
@api_options
def resume(job_id: str, url: str | None, as_json: bool) -> None:
    """Resume a paused job where it was."""
    print_one(client_of(url).jobs.resume(job_id), as_json)


@jobs.command()
@_job_argument
@api_options
def cancel(job_id: str, url: str | None, as_json: bool) -> None:
    """Cancel a job.

    Its waiting syncs do not begin, and its running ones stop as soon as possible.
    """
    print_one(client_of(url).jobs.cancel(job_id), as_json)


@jobs.command()
@_job_argument
@click.option("--code", default=None, help="Only syncs that failed with this error code.")
@api_options
def retry(job_id: str, code: str | None, url: str | None, as_json: bool) -> None:
    """Queue the failed syncs of a job again.

    \b
    pocketquant jobs retry JOB_ID --code provider_timeout
    """
    job = client_of(url).jobs.retry(job_id, code)
    print_one(job, as_json)
    if not as_json:
        print_note(f"`pocketquant jobs watch {job_id}` waits for it")
