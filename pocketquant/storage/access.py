"""API keys, and the scopes that they grant.

A key reads `pq_<id>_<secret>`. The id names it in lists and logs. The secret is 256 random bits, of
which only the SHA-256 is stored. A slow password hash protects passwords that people choose; random
256 bits cannot be guessed at any speed, and such a hash would cost each request 0.1 s.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self


class Scope(StrEnum):
    """The actions that a key permits; each scope includes the earlier ones."""

    READ = "read"
    SYNC = "sync"
    ADMIN = "admin"

    def includes(self, other: "Scope") -> bool:
        return _RANK[self] >= _RANK[other]


LONGEST_NAME = 80
SHORTEST_LIFE_SECONDS = 60
LONGEST_LIFE_SECONDS = 99_999 * 86_400

_RANK = {scope: rank for rank, scope in enumerate(Scope)}
_FORM = re.compile(r"pq_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


def is_key_name(text: str) -> bool:
    """Whether a key may have this name: it is short, visible and in one line."""
    return bool(text.strip()) and text.isprintable() and len(text) <= LONGEST_NAME


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key as its owner sends it."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse the text; None if it has not the form of a key."""
        found = _FORM.fullmatch(text)
        return cls(*found.groups()) if found else None

    def __str__(self) -> str:
        return f"pq_{self.id}_{self.secret}"

    @property
    def fingerprint(self) -> bytes:
        """The SHA-256 of the secret."""
        return hashlib.sha256(self.secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key; times are epoch seconds."""

    id: str
    name: str
    scope: Scope
    fingerprint: bytes = field(repr=False)
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None

    def is_live(self, now: float) -> bool:
        """Whether the key is neither revoked nor expired at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def is_opened_by(self, text: KeyText) -> bool:
        """Whether `text` has the secret of this key; compared in constant time."""
        return hmac.compare_digest(self.fingerprint, text.fingerprint)
