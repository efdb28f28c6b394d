"""The registry of symbols, and the search for new ones."""

import time
from http import HTTPStatus

from flask import Response, url_for

from pocketquant.domain.errors import NotFound
from pocketquant.domain.symbols import Symbol
from pocketquant.storage.access import Scope
from web import paging
from web.schemas.given import SymbolPath
from web.schemas.searches import SearchOut, SearchQuery
from web.schemas.symbols import RemovalQuery, SymbolChange, SymbolIn, SymbolOut, SymbolsQuery
from web.services import current_services
from web.smorest_pydantic import BODY_REFUSED, PydanticBlueprint, schema_of

_STORAGE_DOWN = HTTPStatus.SERVICE_UNAVAILABLE
_WHERE_IT_IS = {
    "Location": {"schema": {"type": "string"}, "description": "where to ask for the symbol"}
}

blueprint = PydanticBlueprint(
    "symbols", __name__, url_prefix="/market-data", description="the symbols that are kept"
)


@blueprint.route("/symbols")
@blueprint.arguments(schema_of(SymbolsQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(SymbolOut, many=True), headers=paging.DOCUMENTED)
@blueprint.fails_with(_STORAGE_DOWN)
def list_symbols(query: SymbolsQuery) -> tuple[list[SymbolOut], dict[str, str]]:
    """Registered symbols, in order of their name"""
    with current_services().storage() as platform:
        found, total = platform.symbols.page(
            query.wanted(), paging.offset_of(query), query.page_size
        )
    return [SymbolOut.of(symbol) for symbol in found], paging.headers_of(query, total)


@blueprint.route("/symbols", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(SymbolIn))
@blueprint.response(HTTPStatus.CREATED, schema_of(SymbolOut), headers=_WHERE_IT_IS)
@blueprint.fails_with(*BODY_REFUSED, HTTPStatus.CONFLICT, _STORAGE_DOWN)
def add_symbol(body: SymbolIn) -> tuple[SymbolOut, dict[str, str]]:
    """Register a symbol, to be synced by the schedules

    The provider is not asked; what it says of the symbol comes with the first sync. A sync
    registers its symbol too, so this is for symbols that need not be here at once. 409: it is
    registered already.
    """
    symbol = Symbol(body.exchange, body.symbol)
    with current_services().storage() as platform:
        added = platform.symbols.add(symbol, body.intervals, body.active, int(time.time()))
    return SymbolOut.of(added), {"Location": _place_of(symbol)}


@blueprint.route("/symbols/search")
@blueprint.arguments(schema_of(SearchQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(SearchOut))
@blueprint.fails_with(HTTPStatus.BAD_GATEWAY, _STORAGE_DOWN, HTTPStatus.GATEWAY_TIMEOUT)
def search_symbols(query: SearchQuery) -> SearchOut:
    """Look for symbols at TradingView

    What is found can be synced as it is, by `exchange` and `symbol`. Answers are kept for some
    minutes. 502 and 504: TradingView refuses or does not answer; 503: too many searches at a time.
    """
    return SearchOut.of(current_services().platform.searching.find(query.request()), query)


@blueprint.route("/symbols/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.response(HTTPStatus.OK, schema_of(SymbolOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND, _STORAGE_DOWN)
def get_symbol(path: SymbolPath, **_: str) -> SymbolOut:
    """One registered symbol"""
    with current_services().storage() as platform:
        found = platform.symbols.get(path.named())
    if found is None:
        raise _unregistered(path.named())
    return SymbolOut.of(found)


@blueprint.route("/symbols/<exchange>/<path:symbol>", methods=["PATCH"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(SymbolChange))
@blueprint.response(HTTPStatus.OK, schema_of(SymbolOut))
@blueprint.fails_with(*BODY_REFUSED, HTTPStatus.NOT_FOUND, _STORAGE_DOWN)
def change_symbol(path: SymbolPath, body: SymbolChange, **_: str) -> SymbolOut:
    """Choose what schedules sync of a symbol

    An inactive symbol and an untracked interval keep their bars, and are synced when somebody asks,
    but by no schedule. A sync tracks its interval the first time; one that was taken out here stays
    out, however often it is synced, until it is named here again.
    """
    with current_services().storage() as platform:
        changed = platform.symbols.change(path.named(), body.active, body.intervals)
    if changed is None:
        raise _unregistered(path.named())
    return SymbolOut.of(changed)


@blueprint.route("/symbols/<exchange>/<path:symbol>", methods=["DELETE"], scope=Scope.ADMIN)
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(RemovalQuery), location="query")
@blueprint.response(HTTPStatus.NO_CONTENT)
@blueprint.fails_with(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, _STORAGE_DOWN)
def remove_symbol(path: SymbolPath, query: RemovalQuery, **_: str) -> Response:
    """Forget a symbol, with its bars or without

    409 while a sync of it waits or runs, or where one began meanwhile: ask again after its end, or
    cancel its job. A later sync registers the symbol anew. A subscription to its quotes stays;
    `POST /quotes/unsubscribe` ends it, and with it new live bars.
    """
    with current_services().storage(patience_seconds=30.0) as platform:
        platform.removal.remove(path.named(), query.with_bars)
    return Response(status=HTTPStatus.NO_CONTENT)


def _place_of(symbol: Symbol) -> str:
    return url_for("symbols.get_symbol", exchange=symbol.exchange, symbol=symbol.ticker)


def _unregistered(symbol: Symbol) -> NotFound:
    return NotFound(f"{symbol} is not registered")
