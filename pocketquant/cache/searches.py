"""`SearchCache`: pages of symbol search, stored for ten minutes.

`search:{hash of the request}` → the page as JSON. A page that another version of the program stored
and this one cannot read counts as absent.
"""

import hashlib
from typing import cast

import msgspec
import redis

from pocketquant.domain.searches import SearchPage, SearchRequest

_TTL_SECONDS = 600


class SearchCache:
    """Pages by request; the driver's errors pass through."""

    def __init__(self, cache: redis.Redis) -> None:
        self._redis = cache

    def get(self, request: SearchRequest) -> SearchPage | None:
        """The stored page, or None."""
        body = cast(bytes | None, self._redis.get(_key(request)))
        try:
            return msgspec.json.decode(body, type=SearchPage) if body else None
        except msgspec.DecodeError:
            return None

    def put(self, request: SearchRequest, page: SearchPage) -> None:
        """Store the page for ten minutes."""
        self._redis.set(_key(request), msgspec.json.encode(page), ex=_TTL_SECONDS)


def _key(request: SearchRequest) -> str:
    return f"search:{hashlib.sha256(msgspec.json.encode(request)).hexdigest()[:32]}"
