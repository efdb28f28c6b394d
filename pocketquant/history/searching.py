"""Use-case: which symbols does the provider offer? Asked once in some minutes for the same words.

Searches are made by the process that is asked, a few at a time: whoever comes when all places are
taken is told so at once. A Redis that is away only costs the memory of earlier answers.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Protocol

import redis
import structlog

from pocketquant.cache.searches import SearchCache
from pocketquant.domain.errors import TooManySearches, Unavailable
from pocketquant.domain.searches import SearchPage, SearchRequest

_PLACES = 4

_log = structlog.get_logger(__name__)


class Finder(Protocol):
    """Who knows which symbols there are."""

    def find(self, request: SearchRequest) -> SearchPage:
        """A page of matches, or a typed error."""


@dataclass(frozen=True, slots=True)
class Searching:
    """Searches, remembered."""

    finder: Finder
    cache: SearchCache
    places: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(_PLACES))

    def find(self, request: SearchRequest) -> SearchPage:
        """The page, or what kept the provider from giving it."""
        with suppress(redis.RedisError):
            page = self.cache.get(request)
            if page is not None:
                return page
        page = self._asked(lambda: self.finder.find(request))
        with suppress(redis.RedisError):
            self.cache.put(request, page)
        return page

    def _asked(self, question: Callable[[], SearchPage]) -> SearchPage:
        if not self.places.acquire(blocking=False):
            raise TooManySearches("too many searches wait for TradingView; try again in a moment")
        try:
            return question()
        except Unavailable as error:
            _log.warning("search_failed", code=error.code, cause=str(error))
            raise
        finally:
            self.places.release()
