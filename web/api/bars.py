"""Stored bars."""

from http import HTTPStatus

from flask import Response

from web.schemas.bars import OhlcvOut, OhlcvQuery
from web.schemas.given import SymbolPath
from web.site import current_site
from web.smorest_pydantic import PydanticBlueprint, schema_of

_STORAGE_DOWN = HTTPStatus.SERVICE_UNAVAILABLE

blueprint = PydanticBlueprint(
    "bars", __name__, url_prefix="/market-data", description="bars of any symbol, as they are kept"
)


@blueprint.route("/ohlcv/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(OhlcvQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(OhlcvOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND, _STORAGE_DOWN)
def get_ohlcv(path: SymbolPath, query: OhlcvQuery, **_: str) -> Response:
    """Stored bars of a series

    Closed bars only, the newest first unless `order=asc`: those of the provider's history, and
    after its end those built from quotes, if the symbol is subscribed; `live` says how many. The
    bar that is still being built is beside them in `forming`. A series of which nothing was synced
    or seen is 404.
    """
    site, series, window = current_site(), path.series(query.interval), query.window()
    body = site.ohlcv.cached(series, window)
    if body is None:
        with site.storage():
            body = site.ohlcv.read(series, window)
    return Response(site.live_forming.beside(series, body), mimetype="application/json")
