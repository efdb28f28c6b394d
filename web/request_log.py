"""An id for every request, in its log lines and its answer, and one closing line."""

import re
import time
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

HEADER = "X-Request-ID"

_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LONGEST_PATH = 200

_log = structlog.get_logger(__name__)


def install(app: Flask) -> None:
    """Bind ids before each request and log after it."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.began = time.perf_counter()
    given = request.headers.get(HEADER, "")
    g.request_id = given if _SANE.fullmatch(given) else uuid4().hex
    clear_contextvars()
    bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    _log.info(
        "request_completed",
        method=request.method,
        path=request.path[:_LONGEST_PATH],
        status=response.status_code,
        milliseconds=round((time.perf_counter() - g.began) * 1000, 2),
    )
    return response
