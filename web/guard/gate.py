"""The gate before each request: who asks, and whether that may be.

Every route wants a key but `/health/live`, which tells nothing, and, in development on loopback,
requests of this machine. Those must not come by way of a web page of somebody else: a browser
would send them along, so their Host and Origin must be names of this machine too. Nor may a proxy
on this machine have forwarded them, whoever sent them first.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request
from structlog.contextvars import bind_contextvars

from pocketquant.domain.errors import Forbidden, StorageUnavailable, Unauthorized
from pocketquant.servers.addresses import is_loopback, names_this_machine
from pocketquant.storage.access import ApiKey, KeyText, Scope
from web.guard.keyring import KeyRing
from web.smorest_pydantic import PydanticBlueprint, default_scope

OPEN_ENDPOINTS = frozenset({"health.get_liveness"})

_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)
_FORWARDED_BEGINS = "x-forwarded"
_FORWARDED = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip"})
_HOW_TO_GET_ONE = (
    "send a key as X-API-Key or as a bearer token; `pocketquant keys create` makes one"
)


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may come in; `is_open` lets this machine's own requests in without a key."""

    keyring: KeyRing
    is_open: bool
    origins: frozenset[str]

    def install(self, app: Flask) -> None:
        """Recognise callers now, judge them by `admit` later: who asks too often comes between."""
        app.before_request(self._recognize)

    def install_judgement(self, app: Flask) -> None:
        """Called once all blueprints are there."""
        scopes = _scopes_of(app)
        app.before_request(lambda: self._admit(scopes))

    def _recognize(self) -> None:
        """Note whom this request counts for: its key, if that is a live one, else its address."""
        given = _given_key()
        g.is_local = given is None and self.is_open and _comes_from_here(self.origins)
        g.given_key, g.key, g.key_trouble = given, None, None
        text = KeyText.parse(given) if given else None
        if request.endpoint not in OPEN_ENDPOINTS:
            self._open(text)
        g.may_go_on = partial(self._is_still_open, text)  # for an answer that lasts
        g.counts_for = f"key:{g.key.id}" if g.key else f"address:{request.remote_addr}"

    def _open(self, text: KeyText | None) -> None:
        """Look the key up; trouble with that is told only to a caller within its limit."""
        try:
            g.key = self.keyring.open(text) if text else None
        except StorageUnavailable as error:
            g.key_trouble = error

    def _is_still_open(self, text: KeyText | None) -> bool:
        """Whether the key is live, as far as anybody knows; without a key it is no question."""
        with suppress(StorageUnavailable):
            return text is None or self.keyring.open(text) is not None
        return True

    def _admit(self, scopes: Mapping[str, Scope]) -> Response | None:
        if request.endpoint in OPEN_ENDPOINTS or g.is_local:
            return None
        if g.given_key is None:
            return self._without_key()
        if g.key_trouble is not None:
            raise g.key_trouble
        key: ApiKey | None = g.key
        if key is None:
            raise Unauthorized("this key is unknown, revoked or expired")
        needed = scopes.get(request.endpoint or "") or default_scope((request.method,))
        bind_contextvars(api_key=key.id)
        if not key.scope.includes(needed):
            raise Forbidden(f"this needs a key of scope {needed}; yours is of {key.scope}")
        return None

    def _without_key(self) -> Response:
        """Browsers ask beforehand, without a key, whether a page may ask."""
        asks = request.headers.get("Access-Control-Request-Method")
        if request.method == "OPTIONS" and asks and request.headers.get("Origin") in self.origins:
            return current_app.make_default_options_response()
        if self.is_open and is_loopback(request.remote_addr or "") and not _was_forwarded():
            raise Forbidden(
                "without a key this API answers to names of this machine alone, such as localhost,"
                " and to no other web site's pages"
            )
        raise Unauthorized(_HOW_TO_GET_ONE)


def _given_key() -> str | None:
    """What was sent as a key, if anything was."""
    given = request.headers.get("X-API-Key")
    if given is not None:
        return given
    bearer = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    return bearer[1] if bearer else None


def _comes_from_here(origins: frozenset[str]) -> bool:
    """Whether no other machine and no other web site is behind this request."""
    if not names_this_machine(request.headers.get("Host", "")):
        return False
    if not is_loopback(request.remote_addr or "") or _was_forwarded():
        return False
    origin = request.headers.get("Origin")
    return origin is None or origin in origins or _is_local_origin(origin)


def _was_forwarded() -> bool:
    """Whether a proxy says that it sends this for somebody else."""
    names = [name.lower() for name, _ in request.headers]
    return any(name in _FORWARDED or name.startswith(_FORWARDED_BEGINS) for name in names)


def _is_local_origin(origin: str) -> bool:
    try:
        return is_loopback(urlsplit(origin).hostname or "")
    except ValueError:
        return False


def _scopes_of(app: Flask) -> dict[str, Scope]:
    """What each endpoint needs, where its blueprint says so."""
    return {
        f"{blueprint.name}.{view}": scope
        for blueprint in app.blueprints.values()
        if isinstance(blueprint, PydanticBlueprint)
        for view, scope in blueprint.scopes.items()
    }
