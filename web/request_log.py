"""Every request gets an id in its log lines and its answer, a closing line and a measurement."""

import re
import secrets
import time
from functools import cache
from typing import Any

import structlog
from flask import Flask, Response
from structlog.contextvars import bind_contextvars, clear_contextvars

from pocketquant import metrics
from web.current import current_request, current_state

HEADER = "X-Request-ID"
DOCUMENTED: dict[str, Any] = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": "an id of your own for this request, in its log lines and its answer: at most 64"
    " letters, digits, dots, hyphens and underscores; another one is replaced by one of ours",
    "example": "import-2024-01-31.7",
    "schema": {"type": "string"},
}

_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LONGEST_PATH = 200
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})

_log = structlog.get_logger(__name__)
_duration = cache(metrics.HTTP_REQUEST_SECONDS.labels)


def install(app: Flask) -> None:
    """Bind an id before each request; measure and log the request after it."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_unbind)


def _begin() -> None:
    state = current_state()
    state.began = time.perf_counter()
    given = current_request().headers.get(HEADER, "")
    state.request_id = given if _SANE.fullmatch(given) else secrets.token_hex(16)
    bind_contextvars(request_id=state.request_id)


def _unbind(_: BaseException | None) -> None:
    clear_contextvars()


def _end(response: Response) -> Response:
    request, state, status = current_request(), current_state(), response.status_code
    seconds = time.perf_counter() - state.began
    response.headers.add(HEADER, state.request_id)
    # Callers choose paths and methods as they like; routes and real methods are few.
    route = request.url_rule.rule if request.url_rule else "unmatched"
    method = request.method if request.method in _METHODS else "other"
    _duration(method, route, str(status)).observe(seconds)
    _log.info(
        "request_completed",
        method=request.method,
        path=request.path[:_LONGEST_PATH],
        status=status,
        milliseconds=round(seconds * 1000, 2),
    )
    return response
