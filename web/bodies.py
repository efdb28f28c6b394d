"""Bodies arrive in time or not at all, so that who sends slowly holds no thread for long.

Neither granian nor gunicorn limits how long a body may take. So each is read by a thread of its
own while the request's waits; the thread ends when the connection does, which follows the answer.
Half of a process' requests may wait for bodies, the others are for those that have none.
"""

from threading import BoundedSemaphore, Event, Thread

from flask import Flask, Request, request

from pocketquant.domain.errors import SlowRequest, TooManyStreams

_PLACE_SECONDS = 1.0  # a body that lies there already is read in far less


def install(app: Flask, most_seconds: float, most_at_a_time: int) -> None:
    """Read each body before its view begins: SlowRequest, or what the reading met."""
    places = BoundedSemaphore(most_at_a_time)

    def read() -> None:
        if request.url_rule and _has_body(request):
            _read(request._get_current_object(), places, most_seconds)  # type: ignore[attr-defined]

    app.before_request(read)


def _has_body(asked: Request) -> bool:
    return bool(asked.content_length) or "Transfer-Encoding" in asked.headers


def _read(asked: Request, places: BoundedSemaphore, most_seconds: float) -> None:
    asked.stream  # noqa: B018  # made here, for its limit is the application's
    if not places.acquire(timeout=_PLACE_SECONDS):
        raise TooManyStreams("as many bodies as may are arriving at this time")
    has_arrived, failures = Event(), list[Exception]()

    def receive() -> None:
        try:
            asked.get_data()
        except Exception as error:  # noqa: BLE001  # raised again below
            failures.append(error)
        finally:
            places.release()
            has_arrived.set()

    Thread(target=receive, name="body", daemon=True).start()
    if not has_arrived.wait(most_seconds):
        raise SlowRequest(f"the body did not arrive within {most_seconds:g} seconds")
    for failure in failures:
        raise failure
