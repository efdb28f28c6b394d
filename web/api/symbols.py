"""The registry of symbols."""

from http import HTTPStatus

from web import paging
from web.schemas.symbols import SymbolOut, SymbolsQuery
from web.site import current_site
from web.smorest_pydantic import PydanticBlueprint, schema_of

_STORAGE_DOWN = HTTPStatus.SERVICE_UNAVAILABLE

blueprint = PydanticBlueprint(
    "symbols", __name__, url_prefix="/market-data", description="the symbols that are kept"
)


@blueprint.route("/symbols")
@blueprint.arguments(schema_of(SymbolsQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(SymbolOut, many=True), headers=paging.DOCUMENTED)
@blueprint.fails_with(_STORAGE_DOWN)
def list_symbols(query: SymbolsQuery) -> tuple[list[SymbolOut], dict[str, str]]:
    """Symbols that were synced, in order of their name"""
    with current_site().storage() as platform:
        found, total = platform.symbols.page(
            query.exchange, paging.offset_of(query), query.page_size
        )
    return [SymbolOut.of(symbol) for symbol in found], paging.headers_of(query, total)
