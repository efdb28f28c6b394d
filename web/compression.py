"""Compresses JSON that is made anew for each request, where the caller accepts it."""

import gzip

from flask import Flask, Response

from web.bars.answers import COMPRESSED_FROM_BYTES, accepts_gzip
from web.current import current_request

_LEVEL = 1


def install(app: Flask) -> None:
    """Compress every whole JSON answer of a kilobyte or more that is not compressed yet."""
    app.after_request(_compress)


def _compress(response: Response) -> Response:
    is_json = response.mimetype == "application/json" and not response.is_streamed
    if not is_json or "Content-Encoding" in response.headers:
        return response
    body = response.get_data()
    if len(body) >= COMPRESSED_FROM_BYTES:
        response.vary.add("Accept-Encoding")
        if accepts_gzip(current_request().environ.get("HTTP_ACCEPT_ENCODING", "")):
            response.set_data(gzip.compress(body, _LEVEL, mtime=0))
            response.headers["Content-Encoding"] = "gzip"
    return response
