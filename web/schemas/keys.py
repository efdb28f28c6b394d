"""Requests and responses about API keys."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from pocketquant.domain.dates import to_date
from pocketquant.storage.access import ApiKey, Scope
from web.schemas.fields import KeyName, LifeSeconds
from web.schemas.requests import PageQuery, RequestModel

_NAME = "who or what uses it"
_SCOPE = (
    "`read` may read; `sync` may also sync, watch, cancel and retry; `admin` may also remove,"
    " change schedules, and make and revoke keys"
)
_EXPIRES_AT = "when it stops working; null: never"


class KeysQuery(PageQuery):
    """Which keys to list."""

    live: bool | None = Field(
        None, description="only keys that work now, or (false) only revoked and expired ones"
    )


class KeyIn(RequestModel):
    """A key to make."""

    name: KeyName = Field(description=f"{_NAME}; visible characters", examples=["charts"])
    scope: Scope = Field(Scope.READ, description=_SCOPE, examples=["read"])
    expires_in_seconds: LifeSeconds | None = Field(
        None, description="how long it works; null: until it is revoked", examples=[7_776_000]
    )


class KeyOut(BaseModel):
    """A key, without its text."""

    id: str = Field(description="names it in lists and logs", examples=["3f1c0a9b7d2e"])
    name: str = Field(description=_NAME, examples=["charts"])
    scope: Scope = Field(description=_SCOPE, examples=["read"])
    live: bool = Field(description="whether it works now", examples=[True])
    created_at: datetime = Field(description="when it was made")
    expires_at: datetime | None = Field(description=_EXPIRES_AT)
    revoked_at: datetime | None = Field(description="when it was revoked; null: it is not")
    last_used_at: datetime | None = Field(
        description="when it was last used, to a minute; null: never"
    )

    @classmethod
    def of(cls, made: ApiKey, now: float, **text: str) -> Self:
        return cls(
            id=made.id,
            name=made.name,
            scope=made.scope,
            live=made.is_live(now),
            created_at=to_date(made.created_at),
            expires_at=to_date(made.expires_at),
            revoked_at=to_date(made.revoked_at),
            last_used_at=to_date(made.last_used_at),
            **text,
        )


class NewKeyOut(KeyOut):
    """A new key with its text."""

    key: str = Field(
        description="the text to send as `X-API-Key`; only its hash is stored, so save it now",
        examples=[f"pq_3f1c0a9b7d2e_{'an-example-' * 4}"[:59]],
    )


class AccessOut(BaseModel):
    """What the caller may do."""

    scope: Scope = Field(description=_SCOPE, examples=["read"])
    id: str | None = Field(
        description="id of the key; null: none was sent, and none is needed",
        examples=["3f1c0a9b7d2e"],
    )
    name: str | None = Field(description=f"name of the key: {_NAME}", examples=["charts"])
    expires_at: datetime | None = Field(description=_EXPIRES_AT)

    @classmethod
    def of(cls, key: ApiKey | None) -> Self:
        """Return the rights of this key; those of an admin if none is needed."""
        if key is None:
            return cls(scope=Scope.ADMIN, id=None, name=None, expires_at=None)
        return cls(scope=key.scope, id=key.id, name=key.name, expires_at=to_date(key.expires_at))
