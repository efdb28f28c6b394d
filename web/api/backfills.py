"""Backfills: bars as far back as the provider serves them, estimated before and reported after."""

from http import HTTPStatus

from flask import Response

from pocketquant.domain.backfills import Total
from pocketquant.history.backfilling import Estimate
from pocketquant.messaging.queues import QueueName
from pocketquant.storage.access import Scope
from pocketquant.wiring import Platform
from web import idempotency
from web.api.jobs import LOCATION, accepted_as, job_of
from web.schemas.backfills import BackfillIn, BackfillOut, total
from web.schemas.estimates import EstimateOut
from web.services import current_services
from web.smorest_pydantic import PydanticBlueprint, schema_of

blueprint = PydanticBlueprint(
    "backfills",
    __name__,
    url_prefix="/market-data/backfill",
    description="bars as far back as TradingView serves them",
)


@blueprint.route("", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(BackfillIn))
@blueprint.response(HTTPStatus.ACCEPTED, schema_of(BackfillOut), headers=LOCATION)
@blueprint.takes_headers(idempotency.DOCUMENTED)
def backfill(body: BackfillIn) -> Response:
    """Fetch all bars since a moment, or all that there are, as one job

    Bars are stored page by page, from new to old, and a backfill gives way to all other work. It
    survives the end of any process, and can be paused, resumed and cancelled. The answer estimates
    the bars; `GET /jobs/{job_id}` says how far it is, and `GET /jobs/{job_id}/units` has the bars
    of each series, where it stopped and why.
    """
    key = idempotency.key_of(body)
    with current_services().storage(timeout_seconds=None) as platform:
        estimate, sums = _estimate(platform, body)
        job_id = platform.intake.submit_large(
            "backfill", body.requests(), QueueName.BACKFILL, key, sums
        )
        out = EstimateOut.of_estimate(estimate, sums)
        return accepted_as(BackfillOut.of_job(job_of(platform.jobs, job_id), out))


@blueprint.route("/estimate", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(BackfillIn))
@blueprint.response(HTTPStatus.OK, schema_of(EstimateOut))
def estimate_backfill(body: BackfillIn) -> EstimateOut:
    """Estimate the bars of a backfill, without beginning it

    When history begins is known of series that were fetched to their end, and TradingView is asked
    for the others, at most 400 symbols and a few seconds. Bars are counted by each symbol's
    calendar. Whether the plan of the account serves that many is known once a sync has met its
    limit.
    """
    with current_services().storage(timeout_seconds=None) as platform:
        return EstimateOut.of_estimate(*_estimate(platform, body))


def _estimate(platform: Platform, body: BackfillIn) -> tuple[Estimate, Total]:
    """Return the estimate; the provider is not asked if too many requests wait already."""
    with current_services().waiting_slot() as may_wait:
        estimate = platform.estimating.estimate(body.to_estimate(), may_ask=may_wait)
    return estimate, total(body, estimate)
