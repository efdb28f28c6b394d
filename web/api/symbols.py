"""Registered symbols, and the search for new ones."""

import time
from http import HTTPStatus

from flask import Response, url_for

from pocketquant.domain.errors import NotFound
from pocketquant.domain.symbols import Symbol
from pocketquant.storage.access import Scope
from web import paging
from web.schemas.requests import SymbolPath, VariantFields
from web.schemas.searches import SearchOut, SearchQuery
from web.schemas.symbols import RemovalQuery, SymbolChange, SymbolIn, SymbolOut, SymbolsQuery
from web.services import current_services
from web.smorest_pydantic import PydanticBlueprint, schema_of

_LOCATION = {"Location": {"schema": {"type": "string"}, "description": "path of the symbol"}}

blueprint = PydanticBlueprint(
    "symbols", __name__, url_prefix="/market-data", description="registered symbols"
)


@blueprint.route("/symbols")
@blueprint.arguments(schema_of(SymbolsQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(SymbolOut, many=True), headers=paging.DOCUMENTED)
def list_symbols(query: SymbolsQuery) -> tuple[list[SymbolOut], dict[str, str]]:
    """List registered symbols, ordered by name"""
    with current_services().storage() as platform:
        found, total = platform.symbols.page(query.filters(), query.offset, query.page_size)
    return [SymbolOut.of(symbol) for symbol in found], paging.headers_of(query, total)


@blueprint.route("/symbols", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(SymbolIn))
@blueprint.response(HTTPStatus.CREATED, schema_of(SymbolOut), headers=_LOCATION)
@blueprint.fails_with(HTTPStatus.CONFLICT)
def add_symbol(body: SymbolIn) -> tuple[SymbolOut, dict[str, str]]:
    """Register a symbol, which schedules then keep up to date

    The provider is not called; its name and type of the symbol come with the first sync. A sync
    registers its symbol too, so use this for symbols that can wait for the next schedule. 409: the
    symbol is registered already.
    """
    symbol = body.of(body.exchange, body.symbol)
    with current_services().storage() as platform:
        added = platform.symbols.add(symbol, body.intervals, body.active, int(time.time()))
    return SymbolOut.of(added), {"Location": _path_of(symbol)}


@blueprint.route("/symbols/search")
@blueprint.arguments(schema_of(SearchQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(SearchOut))
@blueprint.fails_with(HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)
def search_symbols(query: SearchQuery) -> SearchOut:
    """Search for symbols at TradingView

    Each result can be synced by its `exchange` and `symbol`. Results are cached for some minutes.
    502 or 504: TradingView refuses or does not answer. 503: too many searches are in progress.
    """
    return SearchOut.of(current_services().platform.searching.find(query.request()), query)


@blueprint.route("/symbols/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(VariantFields), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(SymbolOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def get_symbol(path: SymbolPath, query: VariantFields, **_: str) -> SymbolOut:
    """Get a registered symbol"""
    with current_services().storage() as platform:
        found = platform.symbols.get(path.to_symbol(query))
    if found is None:
        raise _unregistered(path.to_symbol(query))
    return SymbolOut.of(found)


@blueprint.route("/symbols/<exchange>/<path:symbol>", methods=["PATCH"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(VariantFields), location="query")
@blueprint.arguments(schema_of(SymbolChange))
@blueprint.response(HTTPStatus.OK, schema_of(SymbolOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def change_symbol(
    path: SymbolPath, query: VariantFields, body: SymbolChange, **_: str
) -> SymbolOut:
    """Change which intervals of a symbol schedules sync

    Schedules skip inactive symbols and untracked intervals; their bars are kept, and they can still
    be synced on request. The first sync of an interval tracks it. An interval that was removed here
    stays untracked, however often it is synced, until it is added here again.
    """
    with current_services().storage() as platform:
        changed = platform.symbols.change(path.to_symbol(query), body.active, body.intervals)
    if changed is None:
        raise _unregistered(path.to_symbol(query))
    return SymbolOut.of(changed)


@blueprint.route("/symbols/<exchange>/<path:symbol>", methods=["DELETE"], scope=Scope.ADMIN)
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(RemovalQuery), location="query")
@blueprint.response(HTTPStatus.NO_CONTENT)
@blueprint.fails_with(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
def remove_symbol(path: SymbolPath, query: RemovalQuery, **_: str) -> Response:
    """Remove a symbol, with or without its bars

    409: a sync of it is waiting or running; wait for its end or cancel its job, then try again. A
    later sync registers the symbol again. A subscription to its quotes stays, and with it new live
    bars; `POST /quotes/unsubscribe` ends it.
    """
    with current_services().storage(timeout_seconds=30.0) as platform:
        platform.removal.remove(path.to_symbol(query), query.with_bars)
    return Response(status=HTTPStatus.NO_CONTENT)


def _path_of(symbol: Symbol) -> str:
    return url_for("symbols.get_symbol", exchange=symbol.exchange, symbol=symbol.name)


def _unregistered(symbol: Symbol) -> NotFound:
    return NotFound(f"{symbol} is not registered")
