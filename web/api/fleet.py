"""The fleet: processes, queues, pace and schedules."""

from http import HTTPStatus

from pocketquant.domain.errors import StorageUnavailable
from web.schemas.fleet import FleetOut
from web.services import current_services
from web.smorest_pydantic import PydanticBlueprint, schema_of

blueprint = PydanticBlueprint(
    "fleet", __name__, url_prefix="/fleet", description="the state of all processes and queues"
)


@blueprint.route("")
@blueprint.response(HTTPStatus.OK, schema_of(FleetOut))
def get_fleet() -> FleetOut:
    """Get the state of workers, streamers, queues, pace, breaker and schedules

    If a server is away, the values read from it are null and `problems` names the server. If both
    MongoDB and Redis are away, the answer is 503.
    """
    snapshot = current_services().fleet_probe.take_snapshot()
    if snapshot.is_empty:
        raise StorageUnavailable("neither MongoDB nor Redis answers")
    return FleetOut.of(snapshot)
