"""Changed quotes as server-sent events."""

from collections.abc import Collection

from flask import Response

from web.slots import Slots
from web.streams import sse
from web.streams.quote_feed import QuoteFeed


def stream(slots: Slots, feed: QuoteFeed, symbols: Collection[str]) -> Response:
    """Return the stream; raise TooManyStreams where process or caller has no slot left."""
    return sse.respond(slots, _events(feed, symbols))


def _events(feed: QuoteFeed, symbols: Collection[str]) -> sse.Events:
    with feed.listening(symbols) as listener:
        yield sse.RETRY
        while True:
            quotes = listener.take(sse.POLL_SECONDS)
            yield b"".join(sse.event("quote", each) for each in quotes) or None
