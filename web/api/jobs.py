"""Jobs: listed, watched, paused, cancelled and tried again."""

from http import HTTPStatus

from flask import Response, url_for

from pocketquant.domain.dates import to_date
from pocketquant.domain.errors import Conflict, NotFound
from pocketquant.domain.syncs import JobState
from pocketquant.storage.access import Scope
from pocketquant.storage.jobs import JobStore
from pocketquant.storage.units import Job
from web import paging
from web.schemas.jobs import (
    CancellationOut,
    JobOut,
    JobProgressOut,
    JobsQuery,
    RetryQuery,
    UnitOut,
    UnitsQuery,
)
from web.services import current_services
from web.smorest_pydantic import PydanticBlueprint, schema_of
from web.streams import job_events
from web.streams.job_watch import progress_of

LOCATION = {"Location": {"schema": {"type": "string"}, "description": "path of the job"}}

blueprint = PydanticBlueprint(
    "jobs", __name__, url_prefix="/jobs", description="progress of requested syncs"
)


@blueprint.route("")
@blueprint.arguments(schema_of(JobsQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(JobOut, many=True), headers=paging.DOCUMENTED)
def list_jobs(query: JobsQuery) -> tuple[list[JobOut], dict[str, str]]:
    """List jobs, newest first

    A job is kept for 30 days after its end.
    """
    with current_services().storage() as platform:
        found, total = platform.jobs.page(
            query.state,
            query.kind,
            to_date(query.since),
            query.offset,
            query.page_size,
        )
    return [JobOut.of(job) for job in found], paging.headers_of(query, total)


@blueprint.route("/<job_id>")
@blueprint.response(HTTPStatus.OK, schema_of(JobProgressOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def get_job(job_id: str) -> JobProgressOut:
    """Get a job: its progress, its speed, and the first failures"""
    with current_services().storage() as platform:
        return progress_of(platform.jobs, job_of(platform.jobs, job_id))


@blueprint.route("/<job_id>", methods=["DELETE"], scope=Scope.SYNC)
@blueprint.response(HTTPStatus.OK, schema_of(CancellationOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
def cancel_job(job_id: str) -> CancellationOut:
    """Cancel a job

    Syncs that have not begun are cancelled. Syncs in progress stop before they store anything, or
    complete if they are quicker. Syncs that another job requested too go on.
    `GET /jobs/{job_id}/units?state=cancelled` lists the cancelled syncs. 409: the job has ended.
    """
    with current_services().storage() as platform:
        return CancellationOut.of(job_id, platform.intake.cancel(job_id))


@blueprint.route("/<job_id>/pause", methods=["POST"], scope=Scope.SYNC)
@blueprint.response(HTTPStatus.OK, schema_of(JobOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
def pause_job(job_id: str) -> JobOut:
    """Pause a job

    Syncs that have not begun wait until the job is resumed. Syncs in progress complete, and those
    with a `start` stop after their next page. Syncs that another job requested too go on. Other
    syncs of the same series do not wait. 409: the job has ended.
    """
    with current_services().storage(timeout_seconds=None) as platform:
        platform.intake.pause(job_id)
        return JobOut.of(job_of(platform.jobs, job_id))


@blueprint.route("/<job_id>/resume", methods=["POST"], scope=Scope.SYNC)
@blueprint.response(HTTPStatus.OK, schema_of(JobOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
def resume_job(job_id: str) -> JobOut:
    """Resume a paused job

    Its syncs go on where they were, as there is room for them. 409: the job has ended.
    """
    with current_services().storage(timeout_seconds=None) as platform:
        platform.intake.resume(job_id)
        return JobOut.of(job_of(platform.jobs, job_id))


@blueprint.route("/<job_id>/units")
@blueprint.arguments(schema_of(UnitsQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(UnitOut, many=True), headers=paging.DOCUMENTED)
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def list_units(query: UnitsQuery, job_id: str) -> tuple[list[UnitOut], dict[str, str]]:
    """List the syncs of a job; `state=failed` lists its dead letters"""
    with current_services().storage() as platform:
        job_of(platform.jobs, job_id)
        found, total = platform.jobs.units(
            job_id, query.state, query.code, query.offset, query.page_size
        )
    return [UnitOut.of(unit) for unit in found], paging.headers_of(query, total)


@blueprint.route("/<job_id>/retry", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(RetryQuery), location="query")
@blueprint.response(HTTPStatus.ACCEPTED, schema_of(JobOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
def retry_job(query: RetryQuery, job_id: str) -> Response:
    """Retry failed syncs of a job

    Retries all of them, those with one error code, or a single one. They are queued with all their
    attempts, and the job is open again. If another job is syncing the same series, its sync is
    joined. 409: no failed sync matches, or the job was cancelled.
    """
    with current_services().storage(timeout_seconds=None) as platform:
        if job_of(platform.jobs, job_id).state is JobState.CANCELLED:
            raise Conflict(f"job {job_id} was cancelled; ask for a new one")
        if not platform.intake.retry(query.selection(job_id)):
            raise Conflict("no failed sync of this job matches")
        return accepted(platform.jobs, job_id)


@blueprint.route("/<job_id>/events")
@blueprint.response(HTTPStatus.OK, content_type="text/event-stream")
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def stream_job(job_id: str) -> Response:
    """Stream a job's progress as server-sent events

    Whenever the job changes, at most once a second, a `progress` event holds what
    `GET /jobs/{job_id}` returns; the last event is `end`. If nothing changes for 15 seconds, a
    comment is sent. Open streams at the push process (PUSH_PORT), which serves thousands of them;
    the API's own process serves a few, then answers 503.
    """
    services = current_services()
    with services.storage() as platform:
        job_of(platform.jobs, job_id)
    return job_events.stream(services.streams, services.job_watch, job_id)


def accepted(jobs: JobStore, job_id: str) -> Response:
    """Return 202 with the job, and its URL in `Location`."""
    return accepted_as(JobOut.of(job_of(jobs, job_id)))


def accepted_as(job: JobOut) -> Response:
    """Return 202 with this description of a job, and its URL in `Location`."""
    return Response(
        job.model_dump_json(),
        HTTPStatus.ACCEPTED,
        {"Location": url_for("jobs.get_job", job_id=job.job_id)},
        mimetype="application/json",
    )


def job_of(jobs: JobStore, job_id: str) -> Job:
    job = jobs.get(job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id[:40]!r}")
    return job
