"""Stored bars: read, exported and imported; and how they changed."""

from http import HTTPStatus

from flask import Response, json

from pocketquant.domain.errors import NotFound
from pocketquant.domain.symbols import Series
from pocketquant.storage.access import Scope
from web import paging
from web.bars import answers
from web.bars.exports import Contents
from web.bars.ohlcv import BarsQuery, OhlcvReader
from web.schemas.bars import Format, OhlcvColumnsOut, OhlcvOut, OhlcvQuery
from web.schemas.imports import ImportIn, ImportOut
from web.schemas.provenance import ProvenanceOut
from web.schemas.requests import SymbolPath, VariantFields
from web.schemas.revisions import RevisionOut, RevisionsQuery
from web.services import current_services
from web.smorest_pydantic import PydanticBlueprint, schema_of

_JSON, _COLUMNS = schema_of(OhlcvOut), schema_of(OhlcvColumnsOut)
_TEXT = {"schema": {"type": "string"}}
_FILE = {"schema": {"type": "string", "format": "binary"}}
_ETAG = {"ETag": {"description": "send it as `If-None-Match` next time", **_TEXT}}
_HEADERS = {
    **_ETAG,
    "X-Next-Cursor": {"description": "`next_cursor`, if there is a next page", **_TEXT},
}
_OTHER_FORMS = {
    "text/csv": _TEXT,
    "application/vnd.apache.parquet": _FILE,
    "application/vnd.apache.arrow.stream": _FILE,
    "application/vnd.pocketquant.bars": _FILE,
}

_IN_FILE_NAMES = str.maketrans("|:;/=", "___--")

blueprint = PydanticBlueprint(
    "bars", __name__, url_prefix="/market-data", description="stored bars of any symbol"
)


@blueprint.route("/ohlcv/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(OhlcvQuery), location="query")
@blueprint.takes_headers(*answers.DOCUMENTED)
@blueprint.alt_response(
    HTTPStatus.NOT_MODIFIED,
    description="the bars have not changed since `If-None-Match`",
    headers=_ETAG,
)
@blueprint.fails_with(HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
@blueprint.answers_as(HTTPStatus.OK, (_JSON, _COLUMNS), _OTHER_FORMS, _HEADERS)
def get_ohlcv(path: SymbolPath, query: OhlcvQuery, **_: str) -> Response:
    """Get stored bars of a series

    Returns closed bars, newest first unless `order=asc`: bars of the provider's history, and where
    history has none, bars built from quotes if the symbol is subscribed (`live` says which). The
    bar that has not closed yet is in `forming`. 404: the series was never synced or streamed, and
    its bars cannot be computed from a shorter interval.

    JSON comes in pages: pass `next_cursor` as `cursor` to get the next one. It has an `ETag` and is
    compressed if you accept gzip. CSV, Parquet and Arrow hold the whole range in one file. Bars of
    days and longer have their `trading_day`, in files as the last column.
    """
    services, window = current_services(), query.window()
    as_columns = query.format is Format.COLUMNS
    as_of, ohlcv, provenance = query.as_of, services.ohlcv.at(query.as_of), None
    bars_query = BarsQuery(
        path.to_symbol(query), query.interval, window, as_columns, query.tz, as_of
    )
    if query.provenance:
        provenance = _provenance(ohlcv, bars_query)
    if query.format.is_streamed:
        with services.storage():
            contents = Contents(window.newest_first, ohlcv.times(bars_query))
            reason = ohlcv.why_empty(bars_query)
        blocks = ohlcv.blocks(bars_query, is_whole=query.limit is None)
        name = bars_query.name.translate(_IN_FILE_NAMES)
        said = {"X-Reason": reason, "X-Provenance": provenance}
        headers = {header: text for header, text in said.items() if text}
        return services.exports.respond(blocks, query.format, contents, name, headers)
    if query.cursor is not None:
        bars_query = bars_query.at(query.cursor)
    is_gzip = answers.wants_gzip() and provenance is None
    looked = ohlcv.look(bars_query, is_gzip)
    answer = looked.answer
    if answer is None:
        with services.storage():
            answer = ohlcv.read(bars_query, is_gzip, looked.token)
    if provenance is not None:
        answer = answers.with_field(answer, "provenance", provenance)
    series, forming = bars_query.series, None
    if series is not None and as_of is None:
        forming = services.live_forming.of(series, answer.zone)
    return answers.respond(answer, forming, services.clock())


def _provenance(ohlcv: OhlcvReader, query: BarsQuery) -> str:
    """Return the JSON of the provenance of the whole range."""
    with current_services().storage() as platform:
        origin = ohlcv.origin(query)
        found = platform.provenances.of(origin.series, origin.start, origin.end, query.as_of)
    return json.dumps(ProvenanceOut.of(found, query.interval_name).model_dump(mode="json"))


@blueprint.route("/revisions/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(RevisionsQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(RevisionOut, many=True), headers=paging.DOCUMENTED)
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def list_revisions(
    path: SymbolPath, query: RevisionsQuery, **_: str
) -> tuple[list[RevisionOut], dict[str, str]]:
    """List how stored bars of a series changed

    The newest changes come first, as far back as replaced values are kept (`REVISION_DAYS`). New
    bars are no change. A change of bars that lie far apart is listed in parts. 404: the series was
    never synced, imported or streamed.
    """
    series, services = query.series(path), current_services()
    with services.storage() as platform:
        if platform.statuses.get(series) is None and not services.ohlcv.present.has_any(series):
            raise NotFound(f"{series} was never synced, imported or streamed")
        found, total = platform.revisions.page(series, query.offset, query.page_size)
    return [RevisionOut.of(each) for each in found], paging.headers_of(query, total)


@blueprint.route("/ohlcv/<exchange>/<path:symbol>", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(VariantFields), location="query")
@blueprint.arguments(schema_of(ImportIn))
@blueprint.response(HTTPStatus.OK, schema_of(ImportOut), description="The result for each bar")
def import_bars(path: SymbolPath, query: VariantFields, body: ImportIn, **_: str) -> ImportOut:
    """Import bars of your own

    They are stored beside the provider's bars: an imported bar replaces the stored bar of the same
    time, and a later sync replaces it in turn. Invalid bars are refused as in a sync. A bar is also
    refused if it has not closed yet, does not open at a whole minute, ends after a live bar begins,
    or opens less than a bar's length from another bar. Importing the same bars again changes
    nothing. An unknown symbol is registered, but no schedule syncs it.
    """
    series = Series(path.to_symbol(query), body.interval)
    with current_services().storage() as platform:
        return ImportOut.of(platform.importing.do(series, body.columns()))
