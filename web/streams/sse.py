"""Server-sent events: how every stream looks, how many a process holds open, and for how long."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial

from flask import Response, g

from web.slots import Slots

LOOK_SECONDS = 1.0  # the longest time between two events, or None, of `Events`
RETRY = b"retry: 2000\n\n"  # the first of each stream

_HEARTBEAT_SECONDS = 15.0
_LONGEST_SECONDS = 3600.0  # then the client connects again, by itself
_HEARTBEAT = b": still there\n\n"
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

Events = Generator[bytes | None, None, None]  # None: nothing has happened for a while


def respond(slots: Slots, events: Events) -> Response:
    """The events; TooManyStreams where this process, or this caller, has as many as it should."""
    caller = None if g.is_local else g.counts_for
    slots.take(caller)
    body = _kept_open(events, g.may_go_on)
    response = Response(body, mimetype="text/event-stream", headers=_HEADERS)
    response.call_on_close(partial(slots.give_back, caller))
    return response


def event(name: str, body: bytes) -> bytes:
    """One event, whose body is a line."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), body)


def _kept_open(events: Events, may_go_on: Callable[[], bool]) -> Iterator[bytes]:
    """The events until they end, for an hour at most, and as long as the caller's key is live."""
    told_at = time.monotonic()
    ends_at = told_at + _LONGEST_SECONDS
    with closing(events):
        for each in events:
            now = time.monotonic()
            if now >= ends_at or not may_go_on():
                return
            if each is not None or now - told_at >= _HEARTBEAT_SECONDS:
                told_at = now
                yield each or _HEARTBEAT
