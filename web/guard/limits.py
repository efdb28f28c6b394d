"""How often a caller may ask: Flask-Limiter, counting for each key, else for each address.

Requests of this machine in development, and `/health/live`, count for nobody. What watches the
platform counts apart, so that a caller who has used up its requests can still be watched.
"""

import time

from flask import Flask, Response, g, request
from flask_limiter import Limiter, RequestLimit
from limits import parse_many

from pocketquant.domain.errors import InvalidSettings, TooManyRequests
from pocketquant.settings import Settings
from web.guard.gate import OPEN_ENDPOINTS
from web.guard.shared_counts import SCHEME

HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

_WATCHING = frozenset(
    {"metrics.get_metrics", "fleet.get_fleet", "health.get_health", "health.get_readiness"}
)


def install(app: Flask, settings: Settings) -> None:
    """Count each request, refuse those that are too many, tell how many are left."""
    if not settings.api_rate_limit:
        return
    limiter = Limiter(
        _counted_for,
        application_limits=[_checked(settings.api_rate_limit)],
        storage_uri=f"{SCHEME}://",
        storage_options={"redis_url": settings.redis_url},
        strategy="fixed-window",
        on_breach=_refuse,
        headers_enabled=False,
        request_identifier=_place,
    )
    limiter.request_filter(_is_free)
    limiter.init_app(app)

    @app.after_request
    def tell(response: Response) -> Response:
        if not g.get("is_local") and limiter.current_limit:
            _tell(response, limiter.current_limit)
        return response


def _checked(text: str) -> str:
    try:
        parse_many(text)
    except ValueError as error:
        raise InvalidSettings(f"API_RATE_LIMIT: {text!r} is not like `6000/minute`") from error
    return text


def _counted_for() -> str:
    return f"{g.counts_for}:watching" if request.endpoint in _WATCHING else str(g.counts_for)


def _place() -> str:
    """Flask-Limiter counts neither static files nor paths without a route unless they look so."""
    return (request.endpoint or "nowhere").replace(".static", ".file")


def _is_free() -> bool:
    return bool(g.is_local) or request.endpoint in OPEN_ENDPOINTS


def _refuse(limit: RequestLimit) -> None:
    raise TooManyRequests(f"no more than {limit.limit}; Retry-After says in how many seconds")


def _tell(response: Response, limit: RequestLimit) -> None:
    seconds = str(max(1, limit.reset_at - int(time.time())))
    told = (str(limit.limit.amount), str(limit.remaining), seconds)
    response.headers.extend(zip(HEADERS, told, strict=True))
    if limit.breached:
        response.headers["Retry-After"] = seconds
