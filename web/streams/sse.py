"""Server-sent events: the form of a stream, its slot, its heartbeat and its longest duration."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial

from flask import Response, g

from web.slots import Slots

POLL_SECONDS = 1.0  # `Events` yield at least this often
RETRY = b"retry: 2000\n\n"  # sent first: clients reconnect after 2000 ms

_HEARTBEAT_SECONDS = 15.0
_LONGEST_SECONDS = 3600.0  # then clients connect again by themselves
_HEARTBEAT = b": still there\n\n"
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

Events = Generator[bytes | None, None, None]  # None: nothing has changed since the last yield


def respond(slots: Slots, events: Events) -> Response:
    """Return the stream; raise TooManyStreams where process or caller has no slot left."""
    caller = None if g.is_local else g.counts_for
    slots.take(caller)
    body = _kept_open(events, g.may_go_on)
    response = Response(body, mimetype="text/event-stream", headers=_HEADERS)
    response.call_on_close(partial(slots.give_back, caller))
    return response


def event(name: str, body: bytes) -> bytes:
    """Encode one event; its body must be a single line."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), body)


def _kept_open(events: Events, may_go_on: Callable[[], bool]) -> Iterator[bytes]:
    """Yield the events for an hour at most, and only while the caller's key is valid."""
    sent_at = time.monotonic()
    ends_at = sent_at + _LONGEST_SECONDS
    with closing(events):
        for each in events:
            now = time.monotonic()
            if now >= ends_at or not may_go_on():
                return
            if each is not None or now - sent_at >= _HEARTBEAT_SECONDS:
                sent_at = now
                yield each or _HEARTBEAT
