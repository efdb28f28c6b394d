"""Request bodies have to arrive in time: a late one is answered 408.

Neither server has such a limit. Each body is read by a thread of its own (a greenlet on push) while
the request's thread waits. Only some are read at a time, so other threads serve requests without.
A thread that reads can't be woken: gunicorn's is ended with its connection, and granian, which
names no request's connection, keeps it until the sender leaves (docs/adr/0017).
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import BoundedSemaphore, Event, Thread

from flask import Flask, Request, Response, after_this_request

from pocketquant.domain.errors import SlowRequest, TooManyBodies
from web.current import current_request

AnswerLate = Callable[[Response, Event], Response]

_SLOT_SECONDS = 1.0  # a body that has arrived already is read in far less


def install(app: Flask, most_seconds: float, most_at_a_time: int, answer_late: AnswerLate) -> None:
    """Read each body before its view begins; raise SlowRequest, or the error of the reading.

    `answer_late` gets the answer to a late request, and the event that its reading has ended.
    """
    slots = BoundedSemaphore(most_at_a_time)

    def read() -> None:
        arriving = current_request()
        if not arriving.url_rule or not _has_body(arriving):
            return
        arriving.stream  # noqa: B018  # made here, for its limit is the application's
        if not slots.acquire(timeout=_SLOT_SECONDS):
            raise TooManyBodies("too many other request bodies are arriving; try again later")
        has_ended, failures = _read(arriving, slots)
        if not has_ended.wait(most_seconds):
            after_this_request(lambda response: answer_late(response, has_ended))
            raise SlowRequest(f"the body did not arrive within {most_seconds:g} seconds")
        for failure in failures:
            raise failure

    app.before_request(read)


def hang_up(response: Response, has_ended: Event) -> Response:
    """End the reading on gunicorn: shut the side of the connection that is read."""
    with suppress(OSError):  # the sender has left
        current_request().environ["gunicorn.socket"].shutdown(socket.SHUT_RD)
    has_ended.wait()
    return response


def leave_open(response: Response, has_ended: Event) -> Response:
    """Answer at once, and keep the request until its reading has ended.

    granian would wait for the reader with Python's lock held if the request ended sooner.
    """
    response.call_on_close(has_ended.wait)
    return response


def _has_body(request: Request) -> bool:
    """Return whether there is a body to wait for; one of HEAD does not matter."""
    environ = request.environ
    if "CONTENT_LENGTH" not in environ and "HTTP_TRANSFER_ENCODING" not in environ:
        return False
    has_length = bool(request.content_length) or "HTTP_TRANSFER_ENCODING" in environ
    return has_length and request.method != "HEAD"


def _read(request: Request, slots: BoundedSemaphore) -> tuple[Event, list[Exception]]:
    """Start to read the body; its slot is released when the reading ends."""
    has_ended, failures = Event(), list[Exception]()

    def receive() -> None:
        try:
            request.get_data()
        except Exception as error:  # noqa: BLE001  # raised by the request's own thread
            failures.append(error)
        finally:
            slots.release()
            has_ended.set()

    try:
        Thread(target=receive, name="body", daemon=True).start()
    except RuntimeError:  # the system allows no more threads
        slots.release()
        raise
    return has_ended, failures
