"""Changed quotes as server-sent events."""

import time
from collections.abc import Collection, Iterator

from flask import Response

from web.site import Site
from web.streams import sse
from web.streams.quote_feed import QuoteFeed


def stream(site: Site, symbols: Collection[str]) -> Response:
    """The events; TooManyStreams where this process serves as many as it should."""
    return sse.respond(site, _events(site.quote_feed, symbols))


def _events(feed: QuoteFeed, symbols: Collection[str]) -> Iterator[bytes]:
    ends_at = time.monotonic() + sse.LONGEST_SECONDS
    with feed.listening(symbols) as listener:
        yield sse.RETRY
        while time.monotonic() < ends_at:
            quotes = listener.take(sse.HEARTBEAT_SECONDS)
            yield b"".join(sse.event("quote", each) for each in quotes) or sse.HEARTBEAT
