"""Bodies arrive in time or not at all on push; on web, slow ones hold only some of the threads.

gunicorn has no limit of its own. Each body is read by a thread (a greenlet there) while the
request's waits; who is late is answered 408, and the server closes the connection. granian keeps
it, and while another thread reads it serves nobody else: there a slow body holds its own thread,
so no more than some may arrive at a time, and the other threads serve those who ask without a body.
"""

from threading import BoundedSemaphore, Event, Thread

from flask import Flask, Request, request

from pocketquant.domain.errors import SlowRequest, TooManyStreams

_PLACE_SECONDS = 1.0  # a body that lies there already is read in far less


def install(app: Flask, most_seconds: float, most_at_a_time: int) -> None:
    """Read each body before its view begins: SlowRequest, or what the reading met."""
    places = BoundedSemaphore(most_at_a_time)

    def read() -> None:
        if not request.url_rule or not _has_body(request):
            return
        if not places.acquire(timeout=_PLACE_SECONDS):
            raise TooManyStreams("as many bodies as may are arriving at this time")
        try:
            _read(request._get_current_object(), most_seconds)  # type: ignore[attr-defined]
        finally:
            places.release()

    app.before_request(read)


def limit(app: Flask, most_at_a_time: int) -> None:
    """Read each body before its view begins, so many at a time: TooManyStreams for the others."""
    places = BoundedSemaphore(most_at_a_time)

    def read() -> None:
        if not request.url_rule or not _has_body(request):
            return
        if not places.acquire(timeout=_PLACE_SECONDS):
            raise TooManyStreams("as many bodies as may are arriving at this time")
        try:
            request.get_data()
        finally:
            places.release()

    app.before_request(read)


def _has_body(asked: Request) -> bool:
    return bool(asked.content_length) or "Transfer-Encoding" in asked.headers


def _read(asked: Request, most_seconds: float) -> None:
    asked.stream  # noqa: B018  # made here, for its limit is the application's
    has_arrived, failures = Event(), list[Exception]()

    def receive() -> None:
        try:
            asked.get_data()
        except Exception as error:  # noqa: BLE001  # raised again below
            failures.append(error)
        finally:
            has_arrived.set()

    Thread(target=receive, name="body", daemon=True).start()
    if not has_arrived.wait(most_seconds):
        raise SlowRequest(f"the body did not arrive within {most_seconds:g} seconds")
    for failure in failures:
        raise failure
