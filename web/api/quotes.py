"""Live quotes: subscriptions, latest values, and a stream of changes."""

from http import HTTPStatus

from flask import Response

from pocketquant.storage.access import Scope
from pocketquant.storage.subscriptions import Subscriptions
from web.schemas.quotes import (
    CurrentBarOut,
    CurrentBarQuery,
    QuoteOut,
    QuotesStatusOut,
    StreamQuery,
    SymbolsIn,
    WatchOut,
)
from web.schemas.requests import SymbolPath, VariantFields
from web.services import current_services
from web.smorest_pydantic import PydanticBlueprint, schema_of
from web.streams import quote_events

blueprint = PydanticBlueprint(
    "quotes", __name__, url_prefix="/quotes", description="live quotes of subscribed symbols"
)


@blueprint.route("/start", methods=["POST"], scope=Scope.SYNC)
@blueprint.response(HTTPStatus.OK, schema_of(WatchOut))
def start_quotes() -> WatchOut:
    """Stream the subscribed symbols

    This is the default; it undoes `POST /quotes/stop`.
    """
    with current_services().storage() as platform:
        platform.watching.start()
        return _watched(platform.subscriptions, changed=0)


@blueprint.route("/stop", methods=["POST"], scope=Scope.SYNC)
@blueprint.response(HTTPStatus.OK, schema_of(WatchOut))
def stop_quotes() -> WatchOut:
    """Stop streaming

    Subscriptions are kept for the next start.
    """
    with current_services().storage() as platform:
        platform.watching.stop()
        return _watched(platform.subscriptions, changed=0)


@blueprint.route("/subscribe", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(SymbolsIn))
@blueprint.response(HTTPStatus.OK, schema_of(WatchOut))
def subscribe(body: SymbolsIn) -> WatchOut:
    """Subscribe up to 10,000 symbols

    Subscriptions are stored before the answer is sent. One malformed symbol refuses the whole
    request; `GET /quotes/status` lists symbols that the provider does not know.
    """
    with current_services().storage() as platform:
        return _watched(platform.subscriptions, platform.watching.subscribe(body.to_symbols()))


@blueprint.route("/unsubscribe", methods=["POST"], scope=Scope.SYNC)
@blueprint.arguments(schema_of(SymbolsIn))
@blueprint.response(HTTPStatus.OK, schema_of(WatchOut))
def unsubscribe(body: SymbolsIn) -> WatchOut:
    """Unsubscribe symbols"""
    with current_services().storage() as platform:
        return _watched(platform.subscriptions, platform.watching.unsubscribe(body.to_symbols()))


@blueprint.route("/latest/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(VariantFields), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(QuoteOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def get_latest_quote(path: SymbolPath, query: VariantFields, **_: str) -> Response:
    """Get the latest quote of a symbol

    404: the symbol is not subscribed, or the provider does not know it. 503: it is subscribed, but
    there is no live quote of it; the message says why.
    """
    with current_services().storage() as platform:
        return _json(platform.watching.latest(path.to_symbol(query)))


@blueprint.route("/all")
@blueprint.response(HTTPStatus.OK, schema_of(QuoteOut, many=True))
def list_latest_quotes() -> Response:
    """List all live quotes, ordered by symbol"""
    with current_services().storage() as platform:
        return _json(b"[%b]" % b",".join(platform.board.all_latest()))


@blueprint.route("/current-bar/<exchange>/<path:symbol>")
@blueprint.arguments(schema_of(SymbolPath), location="path")
@blueprint.arguments(schema_of(CurrentBarQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(CurrentBarOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND)
def get_current_bar(path: SymbolPath, query: CurrentBarQuery, **_: str) -> CurrentBarOut:
    """Get the bar of a symbol that has not closed yet, at any interval

    404: the symbol is not subscribed or unknown, or nothing was traded in this bar yet. 503: as for
    the latest quote.
    """
    symbol = path.to_symbol(query)
    with current_services().storage() as platform:
        current = platform.watching.current_bar(symbol, query.interval)
        return CurrentBarOut.of(current, platform.cached_calendars.calendar(symbol))


@blueprint.route("/status")
@blueprint.response(HTTPStatus.OK, schema_of(QuotesStatusOut))
def get_quotes_status() -> QuotesStatusOut:
    """Get subscriptions, streamers, and symbols that cannot be streamed"""
    with current_services().storage() as platform:
        subscriptions, statuses = platform.subscriptions, platform.board.statuses()
        return QuotesStatusOut.of(subscriptions.is_on(), subscriptions.count(), statuses)


@blueprint.route("/stream")
@blueprint.arguments(schema_of(StreamQuery), location="query")
@blueprint.response(
    HTTPStatus.OK,
    content_type="text/event-stream",
    description="a `quote` event for each symbol at first, then one for each change; if nothing"
    " changes for 15 s, a comment",
)
def stream_quotes(query: StreamQuery) -> Response:
    """Stream changed quotes as server-sent events

    A slow reader gets the newest quote of each symbol and misses the quotes in between. A symbol
    that is not subscribed sends nothing until it is. A stream ends after an hour; browsers connect
    again by themselves. 503: this process serves as many streams as it can (the push process at
    PUSH_PORT serves more), or you have opened half of them.
    """
    services = current_services()
    return quote_events.stream(services.streams, services.quote_feed, query.symbols)


def _watched(subscriptions: Subscriptions, changed: int) -> WatchOut:
    return WatchOut(
        streaming=subscriptions.is_on(), subscribed=subscriptions.count(), changed=changed
    )


def _json(body: bytes) -> Response:
    return Response(body, mimetype="application/json")
