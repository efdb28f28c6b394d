"""API keys: made, listed and revoked; and what the caller's own key may do.

No cache may store these answers. A key's text is in one answer, and in no log line.
"""

import time
from http import HTTPStatus

import structlog

from pocketquant.domain.errors import Conflict
from pocketquant.storage.access import ApiKey, Scope
from web import paging
from web.current import current_state
from web.schemas.keys import AccessOut, KeyIn, KeyOut, KeysQuery, NewKeyOut
from web.services import current_services
from web.smorest_pydantic import PydanticBlueprint, schema_of

blueprint = PydanticBlueprint(
    "keys", __name__, url_prefix="/keys", description="who may call the API"
)

_UNCACHED = {"Cache-Control": "no-store"}

_log = structlog.get_logger(__name__)


@blueprint.route("", scope=Scope.ADMIN)
@blueprint.arguments(schema_of(KeysQuery), location="query")
@blueprint.response(HTTPStatus.OK, schema_of(KeyOut, many=True), headers=paging.DOCUMENTED)
def list_keys(query: KeysQuery) -> tuple[list[KeyOut], dict[str, str]]:
    """List keys, the newest first

    Revoked and expired keys stay in the list.
    """
    now = int(time.time())
    with current_services().storage() as platform:
        found, total = platform.api_keys.page(query.offset, query.page_size, query.live, now)
    shown = [KeyOut.of(key, now) for key in found]
    return shown, {**paging.headers_of(query, total), **_UNCACHED}


@blueprint.route("", methods=["POST"], scope=Scope.ADMIN)
@blueprint.arguments(schema_of(KeyIn))
@blueprint.response(HTTPStatus.CREATED, schema_of(NewKeyOut))
def create_key(body: KeyIn) -> tuple[NewKeyOut, dict[str, str]]:
    """Make a key

    The answer has its text, `key`, which cannot be read again. If the answer was lost, revoke the
    key and make another one. Making a first key does not close the API: whether requests without
    a key are served depends on `ENVIRONMENT` and on where the API listens.
    """
    now = int(time.time())
    expires_at = None if body.expires_in_seconds is None else now + body.expires_in_seconds
    with current_services().storage() as platform:
        key, text = platform.api_keys.create(body.name, body.scope, now, expires_at)
    _log.info("key_made", made=key.id, scope=key.scope.value)
    return NewKeyOut.of(key, now, key=str(text)), _UNCACHED


@blueprint.route("/current")
@blueprint.response(HTTPStatus.OK, schema_of(AccessOut))
def get_current_key() -> tuple[AccessOut, dict[str, str]]:
    """Get what the key of this request may do

    In development, requests of this machine need no key, and may do everything.
    """
    return AccessOut.of(_own_key()), _UNCACHED


@blueprint.route("/<key_id>", methods=["DELETE"], scope=Scope.ADMIN)
@blueprint.response(HTTPStatus.OK, schema_of(KeyOut))
@blueprint.fails_with(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
def revoke_key(key_id: str) -> tuple[KeyOut, dict[str, str]]:
    """Revoke a key

    Every process refuses it within 3 seconds, and its open streams end within 5. A key that was
    revoked before keeps its time. 409: it is the key of this request, which revokes only others.
    """
    own, now = _own_key(), int(time.time())
    if own is not None and own.id == key_id:
        raise Conflict(
            "a key cannot revoke itself: use another admin key, or `pocketquant keys revoke`"
        )
    with current_services().storage() as platform:
        key = platform.api_keys.revoke(key_id, now)
    _log.info("key_revoked", revoked=key.id)
    return KeyOut.of(key, now), _UNCACHED


def _own_key() -> ApiKey | None:
    """Return the key of this request; None if it needs none."""
    key: ApiKey | None = current_state().key
    return key
