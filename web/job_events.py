"""A job's progress as server-sent events."""

import time
from collections.abc import Iterator
from threading import Event

from flask import Response

from pocketquant.connections import named_failures
from pocketquant.domain.errors import StorageUnavailable, TooManyStreams
from web.job_watch import PERIOD_SECONDS, JobWatch
from web.site import Site

_HEARTBEAT_SECONDS = 15.0
_LONGEST_SECONDS = 3600.0  # then the client connects again, by itself
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def stream(site: Site, job_id: str) -> Response:
    """The events; TooManyStreams where this process serves as many as it should."""
    if not site.streams.acquire(blocking=False):
        raise TooManyStreams("too many streams are open here; ask the push process (PUSH_PORT)")
    events = _events(site.job_watch, job_id)
    response = Response(events, mimetype="text/event-stream", headers=_HEADERS)
    response.call_on_close(site.streams.release)
    return response


def _events(watch: JobWatch, job_id: str) -> Iterator[str]:
    yield "retry: 2000\n\n"
    told, told_at, ends_at = "", time.monotonic(), time.monotonic() + _LONGEST_SECONDS
    pause = Event()  # never set: a wait that also an event loop can share
    while time.monotonic() < ends_at:
        try:
            with named_failures():
                seen = watch.look(job_id)
        except StorageUnavailable:
            yield ": the database does not answer\n\n"
            pause.wait(PERIOD_SECONDS)
            continue
        if seen is None:
            return
        if seen.has_ended:
            yield _event("end", seen.body)
            return
        if seen.body != told:
            told, told_at = seen.body, time.monotonic()
            yield _event("progress", seen.body)
        elif time.monotonic() - told_at >= _HEARTBEAT_SECONDS:
            told_at = time.monotonic()
            yield ": still there\n\n"
        pause.wait(PERIOD_SECONDS)


def _event(name: str, body: str) -> str:
    return f"event: {name}\ndata: {body}\n\n"
