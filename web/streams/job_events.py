"""A job's progress as server-sent events."""

from flask import Response

from pocketquant.domain.errors import StorageUnavailable
from pocketquant.pausing import pause
from pocketquant.servers.connections import translating_driver_errors
from web.slots import Slots
from web.streams import sse
from web.streams.job_watch import PERIOD_SECONDS, JobWatch


def stream(slots: Slots, watch: JobWatch, job_id: str) -> Response:
    """The events; TooManyStreams where this process serves as many as it should."""
    return sse.respond(slots, _events(watch, job_id))


def _events(watch: JobWatch, job_id: str) -> sse.Events:
    yield sse.RETRY
    told = b""
    while True:
        try:
            with translating_driver_errors():
                seen = watch.look(job_id)
        except StorageUnavailable:
            yield b": the database does not answer\n\n"
            pause(PERIOD_SECONDS)
            continue
        if seen is None:
            return
        body = seen.body.encode()
        if seen.has_ended:
            yield sse.event("end", body)
            return
        yield sse.event("progress", body) if body != told else None
        told = body
        pause(PERIOD_SECONDS)
