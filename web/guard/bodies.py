"""Bodies arrive in time or not at all: who is late is answered 408, and the connection ends.

Neither server has a limit of its own. Each body is read by a thread (a greenlet on push) while the
request's waits, and no more than some at a time, so that other threads serve who sends none.
"""

from collections.abc import Callable
from threading import BoundedSemaphore, Event, Thread

from flask import Flask, Request, Response, after_this_request, request

from pocketquant.domain.errors import SlowRequest, TooManyBodies

HangUp = Callable[[Response, Event], Response]

_PLACE_SECONDS = 1.0  # a body that lies there already is read in far less


def install(app: Flask, most_seconds: float, most_at_a_time: int, hang_up: HangUp) -> None:
    """Read each body before its view begins: SlowRequest, or what the reading met.

    `hang_up` gets the answer to who is late, and the event that its reading has ended.
    """
    places = BoundedSemaphore(most_at_a_time)

    def read() -> None:
        if not request.url_rule or not _has_body(request):
            return
        asked = request._get_current_object()  # type: ignore[attr-defined]
        asked.stream  # noqa: B018  # made here, for its limit is the application's
        if not places.acquire(timeout=_PLACE_SECONDS):
            raise TooManyBodies("as many bodies as may are arriving at this time")
        has_ended, failures = _read(asked, places)
        if not has_ended.wait(most_seconds):
            after_this_request(lambda response: hang_up(response, has_ended))
            raise SlowRequest(f"the body did not arrive within {most_seconds:g} seconds")
        for failure in failures:
            raise failure

    app.before_request(read)


def _has_body(asked: Request) -> bool:
    """HEAD has none that matters, and its answer would have no document."""
    has_length = bool(asked.content_length) or "Transfer-Encoding" in asked.headers
    return has_length and asked.method != "HEAD"


def _read(asked: Request, places: BoundedSemaphore) -> tuple[Event, list[Exception]]:
    """Begin to; the place is given back at the end."""
    has_ended, failures = Event(), list[Exception]()

    def receive() -> None:
        try:
            asked.get_data()
        except Exception as error:  # noqa: BLE001  # raised by the request's own thread
            failures.append(error)
        finally:
            places.release()
            has_ended.set()

    try:
        Thread(target=receive, name="body", daemon=True).start()
    except RuntimeError:  # as many threads as the system allows
        places.release()
        raise
    return has_ended, failures
