"""`Idempotency-Key`: a request that is sent again within a day gives the job it gave before.

It belongs to the API key that it came with: two callers may choose the same text.
"""

import hashlib
import re
from typing import Any

from flask import g, request
from pydantic import BaseModel

from pocketquant.domain.errors import InvalidRequest
from pocketquant.history.intake import Key
from pocketquant.storage.access import ApiKey

HEADER = "Idempotency-Key"
DOCUMENTED: dict[str, Any] = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": "a key of your own, such as a UUID: the same one gives the same job for 24"
    " hours, and 422 `idempotency_key_reused` with another request; other API keys have their own",
    "example": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}

_SANE = re.compile(r"[!-~]{1,200}")


def key_of(body: BaseModel) -> Key | None:
    """The key that came with this request, with what tells the request from others."""
    given = request.headers.get(HEADER)
    if given is None:
        return None
    if not _SANE.fullmatch(given):
        raise InvalidRequest(f"{HEADER} must be 1 to 200 visible ASCII characters")
    content = f"{request.endpoint}\n{body.model_dump_json()}"
    return Key(f"request:{_owner()}:{given}", hashlib.sha256(content.encode()).hexdigest())


def _owner() -> str:
    """The id of the API key, which has no colon; requests of this machine have none."""
    key: ApiKey | None = g.key
    return key.id if key else ""
