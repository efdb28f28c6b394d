"""What answers tell browsers: whose pages may ask, and what our own pages may do."""

import base64
import hashlib
import re

from flask import Flask, Response
from flask_cors import CORS

from web import paging, request_log
from web.guard import limits

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
_SERVER = "PocketQuant"  # no server's own name and version: they would help only attackers
_NOTHING = "default-src 'none'; frame-ancestors 'none'"
_PAGE = (
    "default-src 'none'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_ASKED_WITH = ("Authorization", "X-API-Key", "Content-Type", "Idempotency-Key", "X-Request-ID")
_TOLD = (
    *("Location", "Retry-After", "ETag", "X-Next-Cursor", "Content-Disposition"),
    *(paging.HEADER, request_log.HEADER, *limits.HEADERS),
)
_FOR_A_DAY = 86_400


def install(app: Flask, origins: frozenset[str]) -> None:
    """Add headers to every answer; without origins no page of another site may read any."""
    if origins:
        CORS(
            app,
            origins=sorted(origins),
            allow_headers=_ASKED_WITH,
            expose_headers=_TOLD,
            max_age=_FOR_A_DAY,
        )
    app.after_request(lambda response: _hardened(response, bool(origins)))


def name_no_server(app: Flask) -> None:
    """granian takes the `Server` of an answer in place of its own."""

    @app.after_request
    def name(response: Response) -> Response:
        response.headers["Server"] = _SERVER
        return response


def name_no_gunicorn() -> None:
    """gunicorn writes its `Server` whatever an answer says."""
    import gunicorn.http.wsgi  # which the other server does not need

    gunicorn.http.wsgi.SERVER = _SERVER


def _hardened(response: Response, is_asked_by_others: bool) -> Response:
    is_page = response.mimetype == "text/html" and not response.is_streamed
    response.headers.extend(
        {
            **_HEADERS,
            "Cross-Origin-Resource-Policy": "cross-origin" if is_asked_by_others else "same-origin",
            "Content-Security-Policy": _of_page(response) if is_page else _NOTHING,
        }
    )
    return response


def _of_page(response: Response) -> str:
    """Our own scripts alone: those in files of ours, and those that the page came with."""
    found = _INLINE_SCRIPT.findall(response.get_data())
    digests = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in found]
    return _PAGE.format(scripts="".join(f" 'sha256-{digest}'" for digest in digests))
