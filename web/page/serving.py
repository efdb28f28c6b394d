"""Answers browsers: one document for all views of the page, and the files that it loads.

It answers before the gate: the files are the same for everybody, and the page itself asks for a
key where the API needs one. Any other request for these paths is answered as if there were no page.
"""

import re

from flask import Flask, Response
from werkzeug.wrappers import Request

from web.current import current_request
from web.page.files import PageFile, page_files

_VIEWS = re.compile(r"/(?:markets|watch|schedules|quality|keys|jobs(?:/[^/]+)?|chart(?:/.+)?)?")
_FILES = re.compile(r"/page/([0-9a-f]+)/(.+)")
_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_ASK_EACH_TIME = {"Cache-Control": "no-cache", "Vary": "Accept, Accept-Encoding"}
_KEEP = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}


def install(app: Flask) -> None:
    app.before_request(_answer_browser)


def _answer_browser() -> Response | None:
    """Return a part of the page; None for requests that are not for it."""
    request = current_request()
    if request.url_rule is not None or request.method not in {"GET", "HEAD"}:
        return None
    asked_for = _FILES.fullmatch(request.path)
    if asked_for:
        version, name = asked_for.groups()
        return _file(request, version, name)
    if _VIEWS.fullmatch(request.path) and _prefers_html(request):
        document = page_files().document
        return _respond(request, document, _ASK_EACH_TIME | {"Content-Security-Policy": _POLICY})
    return None


def _file(request: Request, version: str, name: str) -> Response | None:
    """Return a file of this version; other versions belong to other releases."""
    found = page_files()
    file = found.others.get(name)
    return _respond(request, file, _KEEP) if file and version == found.version else None


def _prefers_html(request: Request) -> bool:
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def _respond(request: Request, file: PageFile, headers: dict[str, str]) -> Response:
    response = Response(file.body, content_type=file.content_type, headers=headers)
    if request.accept_encodings["gzip"]:
        response.set_data(file.gzipped)
        response.headers["Content-Encoding"] = "gzip"
    return response
