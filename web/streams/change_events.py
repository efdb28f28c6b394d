"""The kinds of changed things as server-sent events."""

import orjson
from flask import Response

from pocketquant.pausing import pause
from web.slots import Slots
from web.streams import sse
from web.streams.change_feed import ChangeFeed

_PERIOD_SECONDS = 1.0


def stream(slots: Slots, feed: ChangeFeed) -> Response:
    """Return the stream; raise TooManyStreams where process or caller has no slot left."""
    return sse.respond(slots, _events(feed))


def _events(feed: ChangeFeed) -> sse.Events:
    with feed.listening() as listener:
        yield sse.RETRY
        while True:
            kinds = listener.take(sse.POLL_SECONDS)
            yield sse.event("changed", orjson.dumps(kinds)) if kinds else None
            if kinds:
                pause(_PERIOD_SECONDS)
