"""Dead letters: the syncs of all jobs that were given up."""

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
    "dead-letters", __name__, url_prefix="/dead-letters", description="syncs that were given up"
)


@blueprint.route("")
@blueprint.arguments(schema_of(DeadLettersQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(UnitOut, many=True), headers=paging.DOCUMENTED)
@blueprint.fails_with(HTTPStatus.SERVICE_UNAVAILABLE)
def list_dead_letters(query: DeadLettersQuery) -> tuple[list[UnitOut], dict[str, str]]:
    """Syncs that failed for good, the newest first

    Each is kept for 30 days.
    """
    with current_services().storage() as platform:
        found, total = platform.jobs.dead_letters(
            query.code, paging.offset_of(query), query.page_size
        )
    return [UnitOut.of(unit) for unit in found], paging.headers_of(query, total)


@blueprint.route("/codes")
@blueprint.response(HTTPStatus.OK, schema_of(CodeCountOut, many=True))
@blueprint.fails_with(HTTPStatus.SERVICE_UNAVAILABLE)
def count_dead_letters() -> list[CodeCountOut]:
    """How many there are of each error"""
    with current_services().storage() as platform:
        counts = platform.jobs.dead_letter_codes()
    return [CodeCountOut(code=code, count=counts[code]) for code in sorted(counts)]


@blueprint.route("/retry", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(RetryDeadLettersQuery), location="query")
@blueprint.response(HTTPStatus.ACCEPTED, schema_of(RetriedOut))
@blueprint.fails_with(HTTPStatus.SERVICE_UNAVAILABLE)
def retry_dead_letters(query: RetryDeadLettersQuery) -> RetriedOut:
    """Try one of them again, or all with one error code; their jobs are open again

    Those of cancelled jobs stay as they are.
    """
    with current_services().storage(patience_seconds=None) as platform:
        return RetriedOut(retried=platform.intake.retry(query.wanted(None)))
