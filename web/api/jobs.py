"""Jobs: how far that is what was asked for."""

from http import HTTPStatus

from flask import Response, url_for

from pocketquant.domain.errors import NotFound
from pocketquant.wiring import Platform
from web.schemas.answers import JobOut
from web.site import current_site
from web.smorest_pydantic import PydanticBlueprint, schema_of

blueprint = PydanticBlueprint(
    "jobs", __name__, url_prefix="/jobs", description="what was asked for, and how far it is"
)


@blueprint.route("/<job_id>")
@blueprint.response(HTTPStatus.OK, schema_of(JobOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
def get_job(job_id: str) -> JobOut:
    """How far a job is"""
    with current_site().storage() as platform:
        return _job(platform, job_id)


def accepted(platform: Platform, job_id: str) -> Response:
    """202 with the job and where to ask for it again."""
    return Response(
        _job(platform, job_id).model_dump_json(),
        HTTPStatus.ACCEPTED,
        {"Location": url_for("jobs.get_job", job_id=job_id)},
        mimetype="application/json",
    )


def _job(platform: Platform, job_id: str) -> JobOut:
    job = platform.ledger.get_job(job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id[:40]!r}")
    return JobOut.of(job)
