"""`GET /metrics`: counters of the processes at this address, and gauges of the fleet.

The OpenAPI document does not list it: its format is that of Prometheus.
"""

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from pocketquant import metrics
from web.services import current_services

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def get_metrics() -> Response:
    """Return all metrics as text."""
    text = generate_latest(metrics.registry()) + generate_latest(current_services().fleet_metrics)
    return Response(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)
