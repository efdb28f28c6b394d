"""`ApiKeys`: the keys of the API. A secret is shown once; only its hash is stored."""

import secrets
from typing import Any

from pymongo import ASCENDING, DESCENDING

from pocketquant.domain.dates import to_date, to_seconds
from pocketquant.domain.errors import NotFound
from pocketquant.servers.connections import Mongo
from pocketquant.storage.access import ApiKey, KeyText, Scope

USE_NOTED_EVERY_SECONDS = 60


class ApiKeys:
    """One document a key; revoked keys stay, so that lists and logs can name them."""

    def __init__(self, mongo: Mongo) -> None:
        self._keys = mongo["api_keys"]

    def create(
        self, name: str, scope: Scope, now: int, expires_at: int | None = None
    ) -> tuple[ApiKey, KeyText]:
        """Store a new key; return it with its text, which cannot be read again."""
        text = KeyText(secrets.token_hex(6), secrets.token_urlsafe(32))
        key = ApiKey(text.id, name, scope, text.fingerprint, now, expires_at)
        self._keys.insert_one(
            {
                "_id": key.id,
                "name": name,
                "scope": scope.value,
                "fingerprint": key.fingerprint,
                "created_at": to_date(now),
                "expires_at": None if expires_at is None else to_date(expires_at),
                "revoked_at": None,
                "last_used_at": None,
            }
        )
        return key, text

    def get(self, key_id: str) -> ApiKey | None:
        """Return the key, live or not; None if there is none of this id."""
        document = self._keys.find_one({"_id": key_id})
        return _read(document) if document else None

    def all(self) -> list[ApiKey]:
        """Return all keys, also revoked and expired ones, the oldest first."""
        return [_read(each) for each in self._keys.find().sort("created_at", ASCENDING)]

    def page(
        self, offset: int, count: int, are_live: bool | None, now: int
    ) -> tuple[list[ApiKey], int]:
        """Return some keys, the newest first, and the number of all.

        `are_live` chooses those that are live at `now`, or (False) the others.
        """
        chosen = {None: {}, True: _live(now), False: {"$nor": [_live(now)]}}[are_live]
        newest_first = [("created_at", DESCENDING), ("_id", DESCENDING)]
        found = self._keys.find(chosen).sort(newest_first).skip(offset).limit(count)
        return [_read(each) for each in found], self._keys.count_documents(chosen)

    def has_live(self, now: int) -> bool:
        """Whether any key is live."""
        return self._keys.find_one(_live(now)) is not None

    def revoke(self, key_id: str, now: int) -> ApiKey:
        """Revoke the key and return it; NotFound if there is none. A revoked key keeps its time."""
        self._keys.update_one(
            {"_id": key_id, "revoked_at": None}, {"$set": {"revoked_at": to_date(now)}}
        )
        key = self.get(key_id)
        if key is None:
            raise NotFound(f"there is no key {key_id[:40]!r}; `pocketquant keys list` shows all")
        return key

    def note_use(self, key: ApiKey, now: int) -> None:
        """Store that the key was used, at most once a minute for all processes together."""
        long_ago = now - USE_NOTED_EVERY_SECONDS
        if key.last_used_at is None or key.last_used_at <= long_ago:
            unnoted = [{"last_used_at": None}, {"last_used_at": {"$lte": to_date(long_ago)}}]
            self._keys.update_one(
                {"_id": key.id, "$or": unnoted}, {"$set": {"last_used_at": to_date(now)}}
            )


def _live(now: int) -> dict[str, Any]:
    """Return the filter of `ApiKey.is_live`."""
    lasting = [{"expires_at": None}, {"expires_at": {"$gt": to_date(now)}}]
    return {"revoked_at": None, "$or": lasting}


def _read(document: dict[str, Any]) -> ApiKey:
    return ApiKey(
        id=document["_id"],
        name=document["name"],
        scope=Scope(document["scope"]),
        fingerprint=bytes(document["fingerprint"]),
        created_at=int(document["created_at"].timestamp()),
        expires_at=to_seconds(document["expires_at"]),
        revoked_at=to_seconds(document["revoked_at"]),
        last_used_at=to_seconds(document["last_used_at"]),
    )
