"""Headers that tell browsers whose pages may call the API, and what our own pages may do."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response
from flask_cors import CORS

from web import paging, request_log
from web.guard import limits

_POLICY = "Content-Security-Policy"
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
)
_SERVER = "PocketQuant"  # no server's own name and version: they would help only attackers
_NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
_PAGE = (
    "default-src 'none'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_REQUEST_HEADERS = ("Authorization", "X-API-Key", "Content-Type", "Idempotency-Key", "X-Request-ID")
_ANSWER_HEADERS = (
    *("Location", "Retry-After", "ETag", "X-Next-Cursor", "Content-Disposition"),
    *(paging.HEADER, request_log.HEADER, *limits.HEADERS),
)
_DAY_SECONDS = 86_400


def install(app: Flask, origins: frozenset[str]) -> None:
    """Add headers to every answer; without origins no page of another site may read any."""
    if origins:
        CORS(
            app,
            origins=sorted(origins),
            allow_headers=_REQUEST_HEADERS,
            expose_headers=_ANSWER_HEADERS,
            max_age=_DAY_SECONDS,
        )
    resources = ("Cross-Origin-Resource-Policy", "cross-origin" if origins else "same-origin")
    app.after_request(_allow_own_scripts)
    _add_headers(app, (*_HEADERS, resources, (_POLICY, _NO_PAGE)))


def name_no_server(app: Flask) -> None:
    """Name the product in `Server`; granian sends that instead of its own name."""
    _add_headers(app, (("Server", _SERVER),))


def name_no_gunicorn() -> None:
    """Name the product in `Server`; gunicorn ignores an answer's own header."""
    import gunicorn.http.wsgi  # which the other server does not need

    gunicorn.http.wsgi.SERVER = _SERVER


def _add_headers(app: Flask, constant: Iterable[tuple[str, str]]) -> None:
    """Add these headers to every answer that has none of their names, without Flask's cost."""
    serve, added = app.wsgi_app, tuple(constant)

    def wsgi_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            given = {name for name, _ in headers}
            more = [header for header in added if header[0] not in given]
            return start_response(status, [*headers, *more], *error)

        return serve(environ, start)

    app.wsgi_app = wsgi_app  # type: ignore[method-assign]


def _allow_own_scripts(response: Response) -> Response:
    """A page without a policy may run our own scripts alone: those of our files, and its own."""
    is_page = response.mimetype == "text/html" and not response.is_streamed
    if is_page and _POLICY not in response.headers:
        found = _INLINE_SCRIPT.findall(response.get_data())
        digests = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in found]
        scripts = "".join(f" 'sha256-{digest}'" for digest in digests)
        response.headers[_POLICY] = _PAGE.format(scripts=scripts)
    return response
