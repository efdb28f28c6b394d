"""Use-case: search the provider's symbols. Redis caches each result for some minutes.

The web process makes the search itself, a few at a time; further searches fail at once with
TooManySearches. Without Redis every search goes to the provider.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Protocol

import redis
import structlog

from pocketquant.cache.searches import SearchCache
from pocketquant.domain.errors import TooManySearches, Unavailable
from pocketquant.domain.searches import SearchPage, SearchRequest

_SEARCHES_AT_A_TIME = 4

_log = structlog.get_logger(__name__)


class Finder(Protocol):
    """A source of symbols."""

    def find(self, request: SearchRequest) -> SearchPage:
        """Return a page of matches, or raise a typed error."""


@dataclass(frozen=True, slots=True)
class Searching:
    """Cached searches."""

    finder: Finder
    cache: SearchCache
    slots: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(_SEARCHES_AT_A_TIME))

    def find(self, request: SearchRequest) -> SearchPage:
        """Return the page; raise the provider's error, or TooManySearches."""
        with suppress(redis.RedisError):
            page = self.cache.get(request)
            if page is not None:
                return page
        page = self._find(request)
        with suppress(redis.RedisError):
            self.cache.put(request, page)
        return page

    def _find(self, request: SearchRequest) -> SearchPage:
        if not self.slots.acquire(blocking=False):
            raise TooManySearches("too many searches wait for TradingView; try again in a moment")
        try:
            return self.finder.find(request)
        except Unavailable as error:
            _log.warning("search_failed", code=error.code, cause=str(error))
            raise
        finally:
            self.slots.release()
