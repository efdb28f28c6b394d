"""Jobs: how far that is what was asked for; cancelled and tried again by hand."""

from http import HTTPStatus

from flask import Response, url_for

from pocketquant.domain.dates import to_date
from pocketquant.domain.errors import Conflict, NotFound
from pocketquant.domain.syncs import JobState
from pocketquant.storage.access import Scope
from pocketquant.storage.units import Job
from pocketquant.wiring import Platform
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

_STORAGE_DOWN = HTTPStatus.SERVICE_UNAVAILABLE

blueprint = PydanticBlueprint(
    "jobs", __name__, url_prefix="/jobs", description="what was asked for, and how far it is"
)


@blueprint.route("")
@blueprint.arguments(schema_of(JobsQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(JobOut, many=True), headers=paging.DOCUMENTED)
@blueprint.fails_with(_STORAGE_DOWN)
def list_jobs(query: JobsQuery) -> tuple[list[JobOut], dict[str, str]]:
    """Jobs, the newest first

    A job is kept for 30 days after its end.
    """
    with current_services().storage() as platform:
        found, total = platform.jobs.page(
            query.state,
            query.kind,
            to_date(query.since),
            paging.offset_of(query),
            query.page_size,
        )
    return [JobOut.of(job) for job in found], paging.headers_of(query, total)


@blueprint.route("/<job_id>")
@blueprint.response(HTTPStatus.OK, schema_of(JobProgressOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND, _STORAGE_DOWN)
def get_job(job_id: str) -> JobProgressOut:
    """How far a job is, how fast it goes, and what went wrong first"""
    with current_services().storage() as platform:
        job = _job(platform, job_id)
        return progress_of(platform, job)


@blueprint.route("/<job_id>", methods=["DELETE"], scope=Scope.SYNC)
@blueprint.response(HTTPStatus.OK, schema_of(CancellationOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, _STORAGE_DOWN)
def cancel_job(job_id: str) -> CancellationOut:
    """Cancel a job

    What has not begun is cancelled; what has begun is stopped before it stores anything, or
    completes if it is quicker; what another job wants too goes on for that one.
    `GET /jobs/{job_id}/units?state=cancelled` lists the units. 409 when the job has ended.
    """
    with current_services().storage() as platform:
        return CancellationOut.of(job_id, platform.intake.cancel(job_id))


@blueprint.route("/<job_id>/units")
@blueprint.arguments(schema_of(UnitsQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(UnitOut, many=True), headers=paging.DOCUMENTED)
@blueprint.fails_with(HTTPStatus.NOT_FOUND, _STORAGE_DOWN)
def list_units(query: UnitsQuery, job_id: str) -> tuple[list[UnitOut], dict[str, str]]:
    """The syncs of a job; `state=failed` lists its dead letters"""
    with current_services().storage() as platform:
        _job(platform, job_id)
        found, total = platform.jobs.units(
            job_id, query.state, query.code, paging.offset_of(query), query.page_size
        )
    return [UnitOut.of(unit) for unit in found], paging.headers_of(query, total)


@blueprint.route("/<job_id>/retry", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(RetryQuery), location="query")
@blueprint.response(HTTPStatus.ACCEPTED, schema_of(JobOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, _STORAGE_DOWN)
def retry_job(query: RetryQuery, job_id: str) -> Response:
    """Try failed syncs of a job again

    All of them, those with one error code, or one. They are queued with all their attempts, and
    the job is open again. One whose series is being synced for another job joins that sync. 409
    when there is none to try, or the job was cancelled.
    """
    with current_services().storage(patience_seconds=None) as platform:
        if _job(platform, job_id).state is JobState.CANCELLED:
            raise Conflict(f"job {job_id} was cancelled; ask for a new one")
        if not platform.intake.retry(query.wanted(job_id)):
            raise Conflict("no failed sync of this job is like that")
        return accepted(platform, job_id)


@blueprint.route("/<job_id>/events")
@blueprint.response(HTTPStatus.OK, content_type="text/event-stream")
@blueprint.fails_with(HTTPStatus.NOT_FOUND, _STORAGE_DOWN)
def stream_job(job_id: str) -> Response:
    """Watch a job, as server-sent events

    Each `progress` event holds what `GET /jobs/{job_id}` answers, whenever that changes, at most
    once a second; `end` is the last one. A comment comes each 15 seconds where nothing else does.
    Streams are best asked of the push process (PUSH_PORT), which is made for thousands of them;
    the API's own process serves a few and then answers 503.
    """
    services = current_services()
    with services.storage() as platform:
        _job(platform, job_id)
    return job_events.stream(services.streams, services.job_watch, job_id)


def accepted(platform: Platform, job_id: str) -> Response:
    """202 with the job and where to ask for it again."""
    return Response(
        JobOut.of(_job(platform, job_id)).model_dump_json(),
        HTTPStatus.ACCEPTED,
        {"Location": url_for("jobs.get_job", job_id=job_id)},
        mimetype="application/json",
    )


def _job(platform: Platform, job_id: str) -> Job:
    job = platform.jobs.get(job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id[:40]!r}")
    return job
