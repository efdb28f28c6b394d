"""The fleet: who is at work, what waits, at which pace."""

from http import HTTPStatus

from pocketquant.domain.errors import StorageUnavailable
from web.schemas.fleet import FleetOut
from web.services import current_services
from web.smorest_pydantic import PydanticBlueprint, schema_of

blueprint = PydanticBlueprint(
    "fleet", __name__, url_prefix="/fleet", description="the processes and what they have to do"
)


@blueprint.route("")
@blueprint.response(HTTPStatus.OK, schema_of(FleetOut))
@blueprint.fails_with(HTTPStatus.SERVICE_UNAVAILABLE)
def get_fleet() -> FleetOut:
    """Workers, streamers, queues, pace, breaker and schedules as they are now

    What a server that is away would know is null, and `problems` names it; without MongoDB and
    Redis both there is nothing to tell: 503.
    """
    snapshot = current_services().fleet_probe.take_snapshot()
    if snapshot.is_empty:
        raise StorageUnavailable("neither MongoDB nor Redis answers")
    return FleetOut.of(snapshot)
