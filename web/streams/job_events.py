"""A job's progress as server-sent events."""

from flask import Response

from pocketquant.domain.errors import StorageUnavailable
from pocketquant.pausing import pause
from pocketquant.servers.connections import translating_driver_errors
from web.slots import Slots
from web.streams import sse
from web.streams.job_watch import PERIOD_SECONDS, JobWatch


def stream(slots: Slots, watch: JobWatch, job_id: str) -> Response:
    """Return the stream; raise TooManyStreams where process or caller has no slot left."""
    return sse.respond(slots, _events(watch, job_id))


def _events(watch: JobWatch, job_id: str) -> sse.Events:
    yield sse.RETRY
    last_body = b""
    while True:
        try:
            with translating_driver_errors():
                progress = watch.progress(job_id)
        except StorageUnavailable:
            yield b": the database does not answer\n\n"
            pause(PERIOD_SECONDS)
            continue
        if progress is None:
            return
        body = progress.body.encode()
        if progress.has_ended:
            yield sse.event("end", body)
            return
        yield sse.event("progress", body) if body != last_body else None
        last_body = body
        pause(PERIOD_SECONDS)
