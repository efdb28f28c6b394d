"""Live quotes: what to watch, what is seen, and a stream of it."""

from http import HTTPStatus

from flask import Response

from pocketquant.storage.access import Scope
from pocketquant.wiring import Platform
from web.schemas.given import SymbolPath
from web.schemas.quotes import (
    CurrentBarOut,
    CurrentBarQuery,
    QuoteOut,
    QuotesStatusOut,
    StreamQuery,
    SymbolsIn,
    WatchOut,
)
from web.services import current_services
from web.smorest_pydantic import BODY_REFUSED, PydanticBlueprint, schema_of
from web.streams import quote_events

_STORAGE_DOWN = HTTPStatus.SERVICE_UNAVAILABLE

blueprint = PydanticBlueprint(
    "quotes", __name__, url_prefix="/quotes", description="what is traded at this moment"
)


@blueprint.route("/start", methods=["POST"], scope=Scope.SYNC)
@blueprint.response(HTTPStatus.OK, schema_of(WatchOut))
@blueprint.fails_with(_STORAGE_DOWN)
def start_quotes() -> WatchOut:
    """Watch what is subscribed

    This is so from the first; it undoes `stop`.
    """
    with current_services().storage() as platform:
        platform.watching.start()
        return _watched(platform, changed=0)


@blueprint.route("/stop", methods=["POST"], scope=Scope.SYNC)
@blueprint.response(HTTPStatus.OK, schema_of(WatchOut))
@blueprint.fails_with(_STORAGE_DOWN)
def stop_quotes() -> WatchOut:
    """Watch nothing

    What is subscribed stays so, for the next start.
    """
    with current_services().storage() as platform:
        platform.watching.stop()
        return _watched(platform, changed=0)


@blueprint.route("/subscribe", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(SymbolsIn))
@blueprint.response(HTTPStatus.OK, schema_of(WatchOut))
@blueprint.fails_with(*BODY_REFUSED, _STORAGE_DOWN)
def subscribe(body: SymbolsIn) -> WatchOut:
    """Watch up to 10,000 symbols more

    Written down before it is answered. One malformed symbol refuses the whole request; those that
    the provider does not know are listed in `status`.
    """
    with current_services().storage() as platform:
        return _watched(platform, platform.watching.subscribe(body.wanted()))


@blueprint.route("/unsubscribe", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(SymbolsIn))
@blueprint.response(HTTPStatus.OK, schema_of(WatchOut))
@blueprint.fails_with(*BODY_REFUSED, _STORAGE_DOWN)
def unsubscribe(body: SymbolsIn) -> WatchOut:
    """Watch these symbols no more"""
    with current_services().storage() as platform:
        return _watched(platform, platform.watching.unsubscribe(body.wanted()))


@blueprint.route("/latest/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.response(HTTPStatus.OK, schema_of(QuoteOut))
@blueprint.fails_with(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, _STORAGE_DOWN)
def get_latest_quote(path: SymbolPath, **_: str) -> Response:
    """The latest quote of a symbol

    404: it is not subscribed, or the provider does not know it. 503: it is subscribed, but there is
    no live quote of it; the message says why.
    """
    with current_services().storage() as platform:
        return _json(platform.watching.latest(path.named()))


@blueprint.route("/all")
@blueprint.response(HTTPStatus.OK, schema_of(QuoteOut, many=True))
@blueprint.fails_with(_STORAGE_DOWN)
def list_latest_quotes() -> Response:
    """All live quotes, in order of the symbol"""
    with current_services().storage() as platform:
        return _json(b"[%b]" % b",".join(platform.board.all_latest()))


@blueprint.route("/current-bar/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(CurrentBarQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(CurrentBarOut))
@blueprint.fails_with(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, _STORAGE_DOWN)
def get_current_bar(path: SymbolPath, query: CurrentBarQuery, **_: str) -> CurrentBarOut:
    """The bar of a symbol that is being built, at any interval

    404 also where nothing was traded in it yet; 503 as for the latest quote.
    """
    with current_services().storage() as platform:
        return CurrentBarOut.of(platform.watching.current_bar(path.named(), query.interval))


@blueprint.route("/status")
@blueprint.response(HTTPStatus.OK, schema_of(QuotesStatusOut))
@blueprint.fails_with(_STORAGE_DOWN)
def get_quotes_status() -> QuotesStatusOut:
    """What is to be watched, who watches it, and what cannot be"""
    with current_services().storage() as platform:
        wishes = platform.subscriptions
        statuses = platform.board.statuses()
        return QuotesStatusOut.of(wishes.is_on(), wishes.count(), statuses)


@blueprint.route("/stream")
@blueprint.arguments(schema_of(StreamQuery), location="query")
@blueprint.response(
    HTTPStatus.OK,
    content_type="text/event-stream",
    description="an event `quote` at first and with each change of a symbol, its data a quote;"
    " a comment line each 15 s",
)
@blueprint.fails_with(_STORAGE_DOWN)
def stream_quotes(query: StreamQuery) -> Response:
    """Changed quotes as server-sent events

    Who reads slowly gets the newest quote of each symbol, not all that lay between. A symbol that
    is not subscribed is silent until it is. A stream ends after an hour, and browsers come back by
    themselves. 503 where the process has as many streams as it should (the push process has more),
    or half of them are the caller's own.
    """
    services = current_services()
    return quote_events.stream(services.streams, services.quote_feed, query.symbols)


def _watched(platform: Platform, changed: int) -> WatchOut:
    wishes = platform.subscriptions
    return WatchOut(streaming=wishes.is_on(), subscribed=wishes.count(), changed=changed)


def _json(body: bytes) -> Response:
    return Response(body, mimetype="application/json")
