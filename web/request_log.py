"""An id for every request, in its log lines and its answer; one closing line, one measurement."""

import re
import time
from typing import Any
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from pocketquant import metrics

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


def install(app: Flask) -> None:
    """Bind ids before each request and log after it."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def _begin() -> None:
    g.began = time.perf_counter()
    given = request.headers.get(HEADER, "")
    g.request_id = given if _SANE.fullmatch(given) else uuid4().hex
    clear_contextvars()
    bind_contextvars(request_id=g.request_id)


def _forget(_: BaseException | None) -> None:
    clear_contextvars()


def _end(response: Response) -> Response:
    seconds = time.perf_counter() - g.began
    response.headers[HEADER] = g.request_id
    _measure(response.status_code, seconds)
    _log.info(
        "request_completed",
        method=request.method,
        path=request.path[:_LONGEST_PATH],
        status=response.status_code,
        milliseconds=round(seconds * 1000, 2),
    )
    return response


def _measure(status: int, seconds: float) -> None:
    """Callers choose paths and methods as they like; there are few routes, and few real methods."""
    route = request.url_rule.rule if request.url_rule else "unmatched"
    method = request.method if request.method in _METHODS else "other"
    metrics.HTTP_REQUEST_SECONDS.labels(method, route, str(status)).observe(seconds)
