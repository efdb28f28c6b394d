"""Syncs: requested with or without waiting, and the status of each series."""

from http import HTTPStatus

from flask import Response

from pocketquant.domain.errors import NotFound
from pocketquant.domain.syncs import UnitState
from pocketquant.history.intake import Key, Waited
from pocketquant.messaging.queues import QueueName
from pocketquant.storage.access import Scope
from pocketquant.storage.jobs import JobStore
from web import errors, idempotency, paging
from web.api.jobs import LOCATION, accepted
from web.schemas.jobs import JobOut
from web.schemas.requests import SymbolPath
from web.schemas.syncs import (
    BulkIn,
    SyncIn,
    SyncOut,
    SyncQuery,
    SyncStatusesQuery,
    SyncStatusOut,
    SyncStatusQuery,
)
from web.services import current_services
from web.smorest_pydantic import PydanticBlueprint, schema_of

blueprint = PydanticBlueprint(
    "syncs",
    __name__,
    url_prefix="/market-data",
    description="bringing series up to date from TradingView",
)


@blueprint.route("/sync", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(SyncIn))
@blueprint.arguments(schema_of(SyncQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(SyncOut), description="The series is up to date")
@blueprint.alt_response(
    HTTPStatus.ACCEPTED,
    schema=schema_of(JobOut),
    headers=LOCATION,
    description="The sync goes on; watch its job",
)
@blueprint.takes_headers(idempotency.DOCUMENTED)
@blueprint.fails_with(
    HTTPStatus.CONFLICT,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.GATEWAY_TIMEOUT,
)
def sync(body: SyncIn, query: SyncQuery) -> SyncOut | Response:
    """Bring a series up to date and wait for the result

    Fetches the newest bars and stores them; a repeated sync changes nothing. A new symbol is
    registered, and schedules sync the series from then on, unless the symbol is inactive or the
    interval was removed from its tracked intervals (`PATCH /market-data/symbols/…`). If the time
    runs out, or too many requests are waiting already, the answer is 202 and the sync goes on. If
    the provider fails (502, 504), the sync is tried again later by the job in `errors.job_id`.
    """
    services, key = current_services(), idempotency.key_of(body)
    with services.waiting_slot() as may_wait:
        if not may_wait:
            return _enqueued(body, QueueName.INTERACTIVE, key)
        with services.storage(timeout_seconds=None) as platform:
            default = platform.settings.waiting_seconds
            timeout = default if query.timeout is None else query.timeout
            waited = platform.intake.sync(body.request(), timeout, key)
            return _outcome(platform.jobs, waited)


@blueprint.route("/sync/background", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(SyncIn))
@blueprint.response(
    HTTPStatus.ACCEPTED,
    schema_of(JobOut),
    headers=LOCATION,
)
@blueprint.takes_headers(idempotency.DOCUMENTED)
def sync_in_background(body: SyncIn) -> Response:
    """Bring a series up to date in the background"""
    return _enqueued(body, QueueName.BULK, idempotency.key_of(body))


@blueprint.route("/sync/bulk", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(BulkIn))
@blueprint.response(HTTPStatus.ACCEPTED, schema_of(JobOut), headers=LOCATION)
@blueprint.takes_headers(idempotency.DOCUMENTED)
def sync_in_bulk(body: BulkIn) -> Response:
    """Bring up to 10,000 symbols up to date, at one interval or several, as one job

    The answer is sent as soon as the job is stored; workers then run its syncs. One malformed
    symbol refuses the whole request; a symbol that the provider does not know fails alone.
    `GET /jobs/{job_id}` and `GET /jobs/{job_id}/events` show the progress.
    """
    key = idempotency.key_of(body)
    with current_services().storage() as platform:
        job_id = platform.intake.submit_large("bulk", body.requests(), QueueName.BULK, key)
        return accepted(platform.jobs, job_id)


@blueprint.route("/sync-status")
@blueprint.arguments(schema_of(SyncStatusesQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(SyncStatusOut, many=True), headers=paging.DOCUMENTED)
def list_sync_statuses(query: SyncStatusesQuery) -> tuple[list[SyncStatusOut], dict[str, str]]:
    """List the sync status of each series"""
    with current_services().storage() as platform:
        found, total = platform.statuses.page(query.filters(), query.offset, query.page_size)
    return [SyncStatusOut.of(status) for status in found], paging.headers_of(query, total)


@blueprint.route("/sync-status/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(SyncStatusQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(SyncStatusOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def get_sync_status(path: SymbolPath, query: SyncStatusQuery, **_: str) -> SyncStatusOut:
    """Get the sync status of a series"""
    series = query.series(path)
    with current_services().storage() as platform:
        status = platform.statuses.get(series)
    if status is None:
        raise NotFound(f"{series} was never requested")
    return SyncStatusOut.of(status)


def _enqueued(body: SyncIn, queue: QueueName, key: Key | None) -> Response:
    with current_services().storage() as platform:
        submitted = platform.intake.submit(body.request(), queue, key)
        return accepted(platform.jobs, submitted.job_id)


def _outcome(jobs: JobStore, waited: Waited) -> SyncOut | Response:
    unit = waited.unit
    if unit.state is UnitState.COMPLETED and unit.report is not None:
        return SyncOut.of(unit, unit.report, waited.job_id)
    if waited.has_ended and unit.error is not None:
        return errors.answer(unit.error, job_id=waited.job_id)
    return accepted(jobs, waited.job_id)
