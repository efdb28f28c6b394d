"""What was fetched of each series, what it lacks, and how that is filled."""

import time
from http import HTTPStatus

from flask import Response

from pocketquant.domain.errors import NotFound
from pocketquant.domain.intervals import Interval
from pocketquant.domain.outliers import outliers
from pocketquant.domain.symbols import Series
from pocketquant.messaging.queues import QueueName
from pocketquant.storage.access import Scope
from web import idempotency, paging
from web.api.jobs import LOCATION, accepted
from web.bars.stored_bars import Window
from web.schemas.differences import DifferencesOut
from web.schemas.events import EventOut, EventsOut
from web.schemas.holes import (
    CoverageOut,
    CoverageQuery,
    HolesOut,
    HolesQuery,
    QualityOut,
    QualityQuery,
    RepairIn,
)
from web.schemas.jobs import JobOut
from web.schemas.outliers import OutliersOut
from web.schemas.requests import SymbolPath, VariantFields
from web.services import current_services
from web.smorest_pydantic import PydanticBlueprint, schema_of

_MOST_JUDGED = 100_000  # bars: 0.3 s

blueprint = PydanticBlueprint(
    "coverage",
    __name__,
    url_prefix="/market-data",
    description="what was fetched of each series, and the bars that are missing",
)


@blueprint.route("/coverage/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(CoverageQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(CoverageOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def get_coverage(path: SymbolPath, query: CoverageQuery, **_: str) -> CoverageOut:
    """Get the stretches of a series that were fetched

    Between two stretches the provider was not asked, and bars may be missing: `GET
    /market-data/holes/…` names them. Series that were synced by an older release have no stretch
    until their next sync.
    """
    series = query.series(path)
    with current_services().storage() as platform:
        kept = platform.statuses.coverage(series)
    if kept is None:
        raise NotFound(f"{series} was never requested")
    return CoverageOut.of(series, kept)


@blueprint.route("/holes/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(HolesQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(HolesOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def get_holes(path: SymbolPath, query: HolesQuery, **_: str) -> HolesOut:
    """Find the bars that a series lacks

    They are bars that the symbol's calendar has, that have closed, and that are not stored.
    Stretches that were fetched and have no bar are listed apart, in `untraded`. `POST
    /market-data/repair` fills the holes.
    """
    with current_services().storage() as platform:
        examined = platform.holes.find(query.series(path), query.start, query.end)
    return HolesOut.of(examined, query.limit)


@blueprint.route("/outliers/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(HolesQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(OutliersOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def get_outliers(path: SymbolPath, query: HolesQuery, **_: str) -> OutliersOut:
    """Find bars that may be bad prints

    They have a high or a low that lies far from the prices of the ten bars before and the ten
    after, which agree with each other: a price that stays is none. Only the newest 100,000 bars of
    the range are read. Outliers are shown, never changed.
    """
    series, services = query.series(path), current_services()
    window = Window(query.start, query.end, _MOST_JUDGED, newest_first=True)
    with services.storage() as platform:
        if platform.statuses.get(series) is None:
            raise NotFound(f"{series} was never requested")
        bars = services.ohlcv.present.joined(series, window)[0].bars
    return OutliersOut.of(series, bars, outliers(bars), query.limit)


@blueprint.route("/differences/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(VariantFields), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(DifferencesOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def get_differences(path: SymbolPath, query: VariantFields, **_: str) -> DifferencesOut:
    """Compare daily bars with other sources

    Soon after daily bars have changed, the newest ten are compared with stored intraday bars, where
    those of the whole session were fetched, and with the day that the quote reported as over.
    Prices that differ by more than 1 %, and volumes by more than a half, are listed; nothing is
    changed.
    """
    series = Series(path.to_symbol(query), Interval.D1)
    with current_services().storage() as platform:
        if platform.statuses.get(series) is None:
            raise NotFound(f"{series} was never requested")
        return DifferencesOut.of(series.symbol, platform.findings.differences(series))


@blueprint.route("/events/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(VariantFields), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(EventsOut))
def get_events(path: SymbolPath, query: VariantFields, **_: str) -> EventsOut:
    """Get the splits and dividends of a symbol

    A split multiplies the whole past at the provider, which a sync sees in the bars that are stored
    already: one entry a split, with all series that have found it. Splits of before the first sync
    are not known. Bars that are adjusted for dividends show those. Dividends are also named by
    quotes, which are seen of subscribed symbols and when a range is synced; they are kept.
    """
    symbol = path.to_symbol(query)
    with current_services().storage() as platform:
        events = platform.events.of(symbol)
    return EventsOut(
        symbol=symbol.name,
        exchange=symbol.exchange,
        events=[EventOut.of(each) for each in events],
    )


@blueprint.route("/quality")
@blueprint.arguments(schema_of(QualityQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(QualityOut, many=True), headers=paging.DOCUMENTED)
def list_qualities(query: QualityQuery) -> tuple[list[QualityOut], dict[str, str]]:
    """List how whole each series is

    By what was fetched and how many bars are stored; no bar is read for it. `GET
    /market-data/holes/…` compares the bars themselves.
    """
    with current_services().storage() as platform:
        now, thresholds = int(time.time()), platform.guard.thresholds
        wanted = query.chosen(thresholds, now)
        page = (query.offset, query.page_size, query.strip)
        found, total = platform.holes.qualities(wanted, *page)
    leaves_before = thresholds.leaves_before(now)
    return [QualityOut.of(each, leaves_before) for each in found], paging.headers_of(query, total)


@blueprint.route("/repair", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(RepairIn))
@blueprint.response(HTTPStatus.ACCEPTED, schema_of(JobOut), headers=LOCATION)
@blueprint.takes_headers(idempotency.DOCUMENTED)
def repair(body: RepairIn) -> Response:
    """Fill the holes of up to 500 symbols, as one job

    The job has a sync for each series with a hole, which fetches back to its oldest one. A job
    without syncs means that no series has a hole.
    """
    key = idempotency.key_of(body)
    with current_services().storage(timeout_seconds=None) as platform:
        requests = platform.holes.repairs(body.chosen(), body.intervals)
        job_id = platform.intake.submit_large("repair", requests, QueueName.BULK, key)
        return accepted(platform.jobs, job_id)
