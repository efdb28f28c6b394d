"""Changed quotes as server-sent events."""

import time
from collections.abc import Collection, Iterator

from flask import Response

from web import streams
from web.quote_feed import QuoteFeed
from web.site import Site


def stream(site: Site, symbols: Collection[str]) -> Response:
    """The events; TooManyStreams where this process serves as many as it should."""
    return streams.respond(site, _events(site.quote_feed, symbols))


def _events(feed: QuoteFeed, symbols: Collection[str]) -> Iterator[bytes]:
    ends_at = time.monotonic() + streams.LONGEST_SECONDS
    with feed.listening(symbols) as listener:
        yield streams.RETRY
        while time.monotonic() < ends_at:
            quotes = listener.take(streams.HEARTBEAT_SECONDS)
            yield b"".join(streams.event("quote", each) for each in quotes) or streams.HEARTBEAT
