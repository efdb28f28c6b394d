"""The API's own documentation: the OpenAPI document, and Swagger UI and ReDoc that show it."""

from importlib.resources import files

from flask import Blueprint, Flask, redirect
from werkzeug import Response

PREFIX = "/api/v1"

_DESCRIPTION = """\
Market data in a database of your own: bars of 13 intervals from TradingView, kept fresh by
schedules, and live quotes.

1. `POST /market-data/sync` brings a series up to date and waits; `/sync/bulk` does so for
   thousands, as a job.
2. `GET /market-data/ohlcv/{exchange}/{symbol}` returns its bars, also of other lengths (`90m`,
   `2d`), as JSON, CSV, Arrow or Parquet.
3. `POST /quotes/subscribe` streams symbols; `GET /quotes/stream` sends their quotes as they change.

**Keys.** Outside of development on this machine each request needs a key: *Authorize* takes one,
and `pocketquant keys create` or `POST /keys` makes one. A key of scope `read` reads, `sync` also
requests syncs and streams, `admin` may do all. `GET /keys/current` returns what yours may do.

**Times** are UTC, and a bar has the time at which it opens. Ranges include their start and exclude
their end.

**Errors** are `{"error": code, "message": sentence, ...}`: programs look at the code, people read
the sentence, which says what to do.
"""

CONFIG = {
    "API_TITLE": "PocketQuant",
    "API_VERSION": "v1",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": PREFIX,
    "OPENAPI_SWAGGER_UI_PATH": "docs",
    "OPENAPI_SWAGGER_UI_URL": f"{PREFIX}/docs/assets/",
    "OPENAPI_REDOC_PATH": "redoc",
    "OPENAPI_REDOC_URL": f"{PREFIX}/redoc/assets/redoc.standalone.js",
    "OPENAPI_SWAGGER_UI_CONFIG": {
        "deepLinking": True,
        "displayRequestDuration": True,
        "filter": True,
        "persistAuthorization": True,
        "validatorUrl": None,
    },
}

SPEC = {
    "info": {
        "description": _DESCRIPTION,
        "license": {"name": "MIT", "identifier": "MIT"},
    },
    "servers": [{"url": "/", "description": "this server"}],
}

# What a browser reads before its user has given a key; it holds nothing of any installation.
ENDPOINTS = frozenset(
    {
        "lead_to_docs",
        "api-docs.openapi_json",
        "api-docs.openapi_swagger_ui",
        "api-docs.openapi_redoc",
        "docs_assets.static",
        "redoc_assets.static",
    }
)


def install(app: Flask) -> None:
    """Serve the files of both pages, and lead `/docs` to the first."""
    for name, package, folder in (("docs", "flask_swagger_ui", "dist"), ("redoc", "web", "static")):
        app.register_blueprint(
            Blueprint(
                f"{name}_assets",
                __name__,
                static_folder=str(files(package) / folder),
                static_url_path=f"{PREFIX}/{name}/assets",
            )
        )
    app.add_url_rule("/docs", "lead_to_docs", _lead_to_docs)


def _lead_to_docs() -> Response:
    return redirect(f"{PREFIX}/docs")
