"""Server-sent events: how every stream looks, and how many a process holds open."""

from collections.abc import Iterator
from functools import partial

from flask import Response, g

from web.site import Site

HEARTBEAT_SECONDS = 15.0
LONGEST_SECONDS = 3600.0  # then the client connects again, by itself

RETRY = b"retry: 2000\n\n"
HEARTBEAT = b": still there\n\n"

_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def respond(site: Site, events: Iterator[bytes]) -> Response:
    """The events; TooManyStreams where this process, or this caller, has as many as it should."""
    caller = None if g.is_local else g.counts_for
    site.streams.take(caller)
    response = Response(events, mimetype="text/event-stream", headers=_HEADERS)
    response.call_on_close(partial(site.streams.give_back, caller))
    return response


def event(name: str, body: bytes) -> bytes:
    """One event, whose body is a line."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), body)
