"""When symbols trade."""

from http import HTTPStatus

from flask import Response

from pocketquant.domain.errors import NotFound
from web import calendars
from web.schemas.calendars import CalendarOut, CalendarQuery
from web.schemas.requests import SymbolPath
from web.services import current_services
from web.smorest_pydantic import PydanticBlueprint, schema_of

blueprint = PydanticBlueprint(
    "calendars", __name__, url_prefix="/market-data", description="when symbols trade"
)


@blueprint.route("/calendar/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(CalendarQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(CalendarOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def get_calendar(path: SymbolPath, query: CalendarQuery, **_: str) -> Response:
    """When a symbol trades: its sessions, holidays, next open and close

    The hours are those that the provider sent with the last sync of the symbol. `doubts` names
    intervals at which it has sent a bar that they do not explain. 404: no sync has seen the
    symbol's hours; sync it first.
    """
    services, symbol = current_services(), path.to_symbol(query)
    with services.storage() as platform:
        kept = platform.calendars.get(symbol)
    if kept is None:
        raise NotFound(f"the hours of {symbol} are not known; sync it first")
    now = services.clock()
    body = calendars.encode(kept, query.range(now), int(now))
    return Response(body, mimetype="application/json")
