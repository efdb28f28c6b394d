"""Dead letters: failed syncs of all jobs, listed, counted and tried again."""

from http import HTTPStatus

from pocketquant.storage.access import Scope
from web import paging
from web.schemas.jobs import (
    CodeCountOut,
    DeadLettersQuery,
    RetriedOut,
    RetryDeadLettersQuery,
    UnitOut,
)
from web.services import current_services
from web.smorest_pydantic import PydanticBlueprint, schema_of

blueprint = PydanticBlueprint(
    "dead-letters", __name__, url_prefix="/dead-letters", description="syncs that failed for good"
)


@blueprint.route("")
@blueprint.arguments(schema_of(DeadLettersQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(UnitOut, many=True), headers=paging.DOCUMENTED)
def list_dead_letters(query: DeadLettersQuery) -> tuple[list[UnitOut], dict[str, str]]:
    """List syncs that failed for good, newest first

    They are kept for 30 days.
    """
    with current_services().storage() as platform:
        found, total = platform.jobs.dead_letters(query.code, query.offset, query.page_size)
    return [UnitOut.of(unit) for unit in found], paging.headers_of(query, total)


@blueprint.route("/codes")
@blueprint.response(HTTPStatus.OK, schema_of(CodeCountOut, many=True))
def count_dead_letters() -> list[CodeCountOut]:
    """Count dead letters by error code"""
    with current_services().storage() as platform:
        counts = platform.jobs.dead_letter_codes()
    return [CodeCountOut(code=code, count=counts[code]) for code in sorted(counts)]


@blueprint.route("/retry", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(RetryDeadLettersQuery), location="query")
@blueprint.response(HTTPStatus.ACCEPTED, schema_of(RetriedOut))
def retry_dead_letters(query: RetryDeadLettersQuery) -> RetriedOut:
    """Retry one dead letter, or all with one error code

    Their jobs are open again. Dead letters of cancelled jobs are not retried.
    """
    with current_services().storage(timeout_seconds=None) as platform:
        return RetriedOut(retried=platform.intake.retry(query.selection(None)))
