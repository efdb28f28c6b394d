"""The gate before each request: it recognizes the caller and decides whether it may come in.

Every route needs a key except those that reveal nothing: `/health/live` and the API's own
documentation, whose page asks for a key and sends it with each request. In development on loopback,
requests of this machine need none either. A browser would send such requests for a page of another
web site too, so their Host and Origin must be names of this machine, and no proxy may have
forwarded them.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, current_app
from structlog.contextvars import bind_contextvars

from pocketquant.domain.errors import Forbidden, StorageUnavailable, Unauthorized
from pocketquant.servers.addresses import is_loopback, names_this_machine
from pocketquant.storage.access import ApiKey, KeyText, Scope
from web import documentation
from web.current import current_request, current_state
from web.guard.keyring import KeyRing
from web.smorest_pydantic import PydanticBlueprint, default_scope

LIVENESS = "health.get_liveness"
_OPEN_ENDPOINTS = frozenset({LIVENESS, *documentation.ENDPOINTS})

_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)
_FORWARDED_BEGINS = "HTTP_X_FORWARDED"
_FORWARDED = frozenset({"HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "HTTP_X_CLIENT_IP"})
_HOW_TO_GET_ONE = (
    "send a key as X-API-Key or as a bearer token; `pocketquant keys create` makes one"
)

Environ = Mapping[str, Any]  # of WSGI: a header's name begins with HTTP_


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides which callers come in; with `is_open`, requests of this machine need no key."""

    keyring: KeyRing
    is_open: bool
    origins: frozenset[str]

    def install(self, app: Flask) -> None:
        """Recognize callers now, and admit them later: rate limits come between."""
        app.before_request(self._recognize)

    def install_admission(self, app: Flask) -> None:
        """Call this once all blueprints are registered."""
        scopes = _scopes_of(app)
        app.before_request(lambda: self._admit(scopes))

    def _recognize(self) -> None:
        """Note the key, and whom the request counts for: a live key, else an address."""
        request, state = current_request(), current_state()
        environ = request.environ
        given = _given_key(environ)
        state.is_local = given is None and self.is_open and _is_local(environ, self.origins)
        state.given_key, state.key, state.key_trouble = given, None, None
        text = KeyText.parse(given) if given else None
        if text is not None and request.endpoint != LIVENESS:
            try:
                state.key = self.keyring.open(text)
            except StorageUnavailable as error:  # raised later, to callers within their limit
                state.key_trouble = error
        state.may_go_on = partial(self._is_still_open, text)  # for an answer that lasts
        if state.key:
            state.counts_for = f"key:{state.key.id}"
        else:
            state.counts_for = f"address:{request.remote_addr}"

    def _is_still_open(self, text: KeyText | None) -> bool:
        """Return whether the key is live, as far as is known; True without a key."""
        with suppress(StorageUnavailable):
            return text is None or self.keyring.open(text) is not None
        return True

    def _admit(self, scopes: Mapping[str, Scope]) -> Response | None:
        request, state = current_request(), current_state()
        if state.is_local or request.endpoint in _OPEN_ENDPOINTS:
            return None
        if state.given_key is None:
            return self._without_key(request.environ)
        if state.key_trouble is not None:
            raise state.key_trouble
        key: ApiKey | None = state.key
        if key is None:
            raise Unauthorized("this key is unknown, revoked or expired")
        needed = scopes.get(request.endpoint or "") or default_scope((request.method,))
        bind_contextvars(api_key=key.id)
        if not key.scope.includes(needed):
            raise Forbidden(f"this needs a key of scope {needed}; yours is of {key.scope}")
        return None

    def _without_key(self, environ: Environ) -> Response:
        """Answer a browser's preflight request, which has no key; refuse every other request."""
        is_preflight = environ["REQUEST_METHOD"] == "OPTIONS" and environ.get(
            "HTTP_ACCESS_CONTROL_REQUEST_METHOD"
        )
        if is_preflight and environ.get("HTTP_ORIGIN") in self.origins:
            return current_app.make_default_options_response()
        address = environ.get("REMOTE_ADDR", "")
        if self.is_open and is_loopback(address) and not _was_forwarded(environ):
            raise Forbidden(
                "without a key this API answers to names of this machine alone, such as localhost,"
                " and to no other web site's pages"
            )
        raise Unauthorized(_HOW_TO_GET_ONE)


def _given_key(environ: Environ) -> str | None:
    """Return the text sent as a key, None where there is none."""
    given: str | None = environ.get("HTTP_X_API_KEY")
    if given is not None:
        return given
    bearer = _BEARER.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
    return bearer[1] if bearer else None


def _is_local(environ: Environ, origins: frozenset[str]) -> bool:
    """Return whether no other machine and no other web site is behind this request."""
    if not names_this_machine(environ.get("HTTP_HOST", "")):
        return False
    if not is_loopback(environ.get("REMOTE_ADDR", "")) or _was_forwarded(environ):
        return False
    origin = environ.get("HTTP_ORIGIN")
    return origin is None or origin in origins or _is_local_origin(origin)


def _was_forwarded(environ: Environ) -> bool:
    """Return whether a proxy says that it sends this for another machine."""
    if not _FORWARDED.isdisjoint(environ):
        return True
    return any(name.startswith(_FORWARDED_BEGINS) for name in environ)


def _is_local_origin(origin: str) -> bool:
    try:
        return is_loopback(urlsplit(origin).hostname or "")
    except ValueError:
        return False


def _scopes_of(app: Flask) -> dict[str, Scope]:
    """Return the scope that each endpoint needs, where its blueprint names one."""
    return {
        f"{blueprint.name}.{view}": scope
        for blueprint in app.blueprints.values()
        if isinstance(blueprint, PydanticBlueprint)
        for view, scope in blueprint.scopes.items()
    }
