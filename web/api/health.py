"""Health checks: of this process, of the servers, of the whole fleet."""

import time
from http import HTTPStatus

from web.fleet.readiness import fleet_problems
from web.schemas.health import CheckOut, HealthOut, LivenessOut, ReadinessOut, Wellness
from web.services import current_services
from web.smorest_pydantic import PydanticBlueprint, schema_of

blueprint = PydanticBlueprint("health", __name__, description="whether requests can be served")


@blueprint.route("/health")
@blueprint.response(HTTPStatus.OK, schema_of(HealthOut))
@blueprint.alt_response(HTTPStatus.SERVICE_UNAVAILABLE, schema=schema_of(HealthOut))
def get_health() -> tuple[HealthOut, HTTPStatus]:
    """Check whether requests can be served: 200, or 503 with the reasons"""
    replies = current_services().server_probes.ping()
    found = {name: reply.problem or Wellness.OK for name, reply in replies.items()}
    is_well = all(reply.problem is None for reply in replies.values())
    status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return HealthOut(status=Wellness.OK if is_well else Wellness.DOWN, **found), status


@blueprint.route("/health/live", needs_key=False)
@blueprint.response(HTTPStatus.OK, schema_of(LivenessOut))
@blueprint.alt_response(HTTPStatus.SERVICE_UNAVAILABLE, schema=schema_of(LivenessOut))
def get_liveness() -> tuple[LivenessOut, HTTPStatus]:
    """Check this process alone: 200, or 503 if it has to be restarted"""
    if current_services().platform.loops.are_well:
        return LivenessOut(status=Wellness.OK), HTTPStatus.OK
    return LivenessOut(status=Wellness.DOWN), HTTPStatus.SERVICE_UNAVAILABLE


@blueprint.route("/health/ready")
@blueprint.response(HTTPStatus.OK, schema_of(ReadinessOut))
@blueprint.alt_response(HTTPStatus.SERVICE_UNAVAILABLE, schema=schema_of(ReadinessOut))
def get_readiness() -> tuple[ReadinessOut, HTTPStatus]:
    """Check each server and each part of the fleet: 503 if a server is away"""
    services = current_services()
    pings = services.server_probes.start()
    started_at = time.monotonic()
    snapshot = services.fleet_probe.take_snapshot()
    snapshot_seconds = time.monotonic() - started_at
    servers = {ping.server: CheckOut.of(ping.wait()) for ping in pings}
    found = ReadinessOut.of(servers, fleet_problems(snapshot), snapshot_seconds)
    is_down = found.status is Wellness.DOWN
    return found, HTTPStatus.SERVICE_UNAVAILABLE if is_down else HTTPStatus.OK
