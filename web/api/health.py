"""Whether requests can be served."""

from http import HTTPStatus

from web.probes import OK
from web.schemas.answers import HealthOut
from web.site import current_site
from web.smorest_pydantic import PydanticBlueprint, schema_of

blueprint = PydanticBlueprint("health", __name__, description="whether requests can be served")


@blueprint.route("/health")
@blueprint.response(HTTPStatus.OK, schema_of(HealthOut))
@blueprint.alt_response(HTTPStatus.SERVICE_UNAVAILABLE, schema=schema_of(HealthOut))
def get_health() -> tuple[HealthOut, HTTPStatus]:
    """200 once requests can be served, else 503 with what is missing"""
    found = current_site().probes.ask()
    is_well = all(state == OK for state in found.values())
    status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return HealthOut(status=OK if is_well else "down", **found), status
