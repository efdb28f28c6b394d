"""Rate limits: each key, or each address without a live key, gets so many requests a window.

Requests of this machine in development, and `/health/live`, have no limit. Requests that watch the
platform count apart, so that a caller who has used up its requests can still be watched.
"""

import time

from flask import Flask, Response, g, request
from limits import RateLimitItem, parse_many

from pocketquant.domain.errors import InvalidSettings, TooManyRequests
from pocketquant.settings import Settings
from web.current import current_state
from web.guard.gate import LIVENESS
from web.guard.shared_counts import Count, SharedCounts

HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

_WATCHING = frozenset(
    {"metrics.get_metrics", "fleet.get_fleet", "health.get_health", "health.get_readiness"}
)


def install(app: Flask, settings: Settings) -> None:
    """Count each request, refuse it with TooManyRequests beyond a limit, report what is left."""
    if not settings.api_rate_limit:
        return
    limits = sorted(_parsed(settings.api_rate_limit))
    counts = SharedCounts(settings.redis_url)

    def count() -> None:
        state, endpoint = current_state(), request.endpoint
        state.rate_limit = None
        if state.is_local or endpoint == LIVENESS:
            return
        caller = f"{state.counts_for}:watching" if endpoint in _WATCHING else state.counts_for
        for limit in limits:
            counted = counts.add(limit.key_for(caller, "global"), limit.get_expiry())
            is_breached = counted.requests > limit.amount
            if state.rate_limit is None or is_breached:
                state.rate_limit = limit, counted
            if is_breached:
                raise TooManyRequests(f"no more than {limit}; Retry-After says in how many seconds")

    def report(response: Response) -> Response:
        found = g.get("rate_limit")
        if found is not None:
            _report(response, *found)
        return response

    app.before_request(count)
    app.after_request(report)


def _parsed(text: str) -> list[RateLimitItem]:
    try:
        return parse_many(text)
    except ValueError as error:
        raise InvalidSettings(f"API_RATE_LIMIT: {text!r} is not like `6000/minute`") from error


def _report(response: Response, limit: RateLimitItem, counted: Count) -> None:
    seconds = str(max(1, counted.ends_at - int(time.time())))
    left = max(0, limit.amount - counted.requests)
    response.headers.extend(zip(HEADERS, (str(limit.amount), str(left), seconds), strict=True))
    if counted.requests > limit.amount:
        response.headers["Retry-After"] = seconds
