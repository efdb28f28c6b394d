"""`Idempotency-Key`: a request repeated with the same key within a day returns the same job.

Each API key has idempotency keys of its own, so two callers may choose the same text.
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
    "description": "a text of your choice, such as a UUID. For 24 hours, repeating the request with"
    " this key returns the same job, and another request with it is refused with 422"
    " `idempotency_key_reused`. Each API key has keys of its own",
    "example": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}

_ALLOWED = re.compile(r"[!-~]{1,200}")


def key_of(body: BaseModel) -> Key | None:
    """Return the request's key with a hash of its content; None without the header."""
    text = request.headers.get(HEADER)
    if text is None:
        return None
    if not _ALLOWED.fullmatch(text):
        raise InvalidRequest(f"{HEADER} must be 1 to 200 visible ASCII characters")
    content = f"{request.endpoint}\n{body.model_dump_json()}"
    return Key(f"request:{_owner()}:{text}", hashlib.sha256(content.encode()).hexdigest())


def _owner() -> str:
    """Return the id of the API key (it has no colon); empty for local requests without a key."""
    key: ApiKey | None = g.key
    return key.id if key else ""
