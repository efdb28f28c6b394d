"""Who may do what: scopes, and the keys that carry them.

A key reads `pq_<id>_<secret>`. Its id names it in lists and logs; its secret is 256 random bits,
of which only the SHA-256 is kept. A slow password hash would add nothing: it makes guessing what
people choose expensive, and 2**256 random values cannot be guessed at any speed. But it would cost
each request a tenth of a second.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self


class Scope(StrEnum):
    """What a key may do; each includes those before it."""

    READ = "read"
    SYNC = "sync"
    ADMIN = "admin"

    def includes(self, other: "Scope") -> bool:
        return _RANK[self] >= _RANK[other]


_RANK = {scope: rank for rank, scope in enumerate(Scope)}
_FORM = re.compile(r"pq_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key as its owner sends it."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None where the text is no key at all."""
        found = _FORM.fullmatch(text)
        return cls(*found.groups()) if found else None

    def __str__(self) -> str:
        return f"pq_{self.id}_{self.secret}"

    @property
    def fingerprint(self) -> bytes:
        """What is kept of the secret."""
        return hashlib.sha256(self.secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key; times are epoch seconds."""

    id: str
    name: str
    scope: Scope
    fingerprint: bytes = field(repr=False)
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None

    def is_live(self, now: float) -> bool:
        """Whether it opens anything at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def is_opened_by(self, text: KeyText) -> bool:
        """Whether `text` is this key; takes as long for a near miss as for a wild guess."""
        return hmac.compare_digest(self.fingerprint, text.fingerprint)
