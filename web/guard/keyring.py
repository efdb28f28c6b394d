"""`KeyRing`: API keys by their text, mostly without a call of MongoDB.

A key is looked up again after `FRESH_SECONDS`, so a revocation takes effect in every process by
then. One thread looks it up while the others use the key they have. While MongoDB is away, keys
known to this process work until they expire; other keys can be neither accepted nor refused.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

import pymongo

from pocketquant.domain.errors import StorageUnavailable
from pocketquant.servers.connections import translating_driver_errors
from pocketquant.servers.cooldown import Cooldown
from pocketquant.storage.access import ApiKey, KeyText
from pocketquant.storage.api_keys import ApiKeys

FRESH_SECONDS = 3.0

_LOOKUP_SECONDS = 1.0


@dataclass(slots=True)
class _Known:
    key: ApiKey
    fresh_until: float


class KeyRing:
    """The keys that callers have sent to this process; at most as many as the store has."""

    def __init__(
        self,
        keys: ApiKeys,
        clock: Callable[[], float] = time.monotonic,
        epoch: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._epoch = epoch
        self._known: dict[str, _Known] = {}
        self._lock = Lock()
        self._cooldown = Cooldown(clock)

    def open(self, text: KeyText) -> ApiKey | None:
        """Return the live key of this text, if any; raise StorageUnavailable while unknown."""
        key = self._kept(text.id) or self._look_up(text.id)
        return key if key and key.is_opened_by(text) and key.is_live(self._epoch()) else None

    def _kept(self, key_id: str) -> ApiKey | None:
        """Return the key while it is fresh, or while another thread looks it up again."""
        now = self._clock()
        with self._lock:
            known = self._known.get(key_id)
            if known is None:
                return None
            if now < known.fresh_until:
                return known.key
            known.fresh_until = now + _LOOKUP_SECONDS
        return None

    def _look_up(self, key_id: str) -> ApiKey | None:
        known = self._known.get(key_id)
        try:
            key = self._fetch(key_id)
        except StorageUnavailable:
            if known is None:
                raise
            return known.key
        with self._lock:
            if key is None:
                self._known.pop(key_id, None)
            else:
                self._known[key_id] = _Known(key, self._clock() + FRESH_SECONDS)
        return key

    def _fetch(self, key_id: str) -> ApiKey | None:
        if self._cooldown.is_active:
            raise StorageUnavailable("MongoDB does not answer")
        try:
            with translating_driver_errors(), pymongo.timeout(_LOOKUP_SECONDS):
                key = self._keys.get(key_id)
        except StorageUnavailable:
            self._cooldown.start()
            raise
        if key:
            self._note_use(key)
        return key

    def _note_use(self, key: ApiKey) -> None:
        """Store when the key was used, if MongoDB can be written to; the key works anyway."""
        now = int(self._epoch())
        if key.is_live(now):
            with (
                suppress(StorageUnavailable),
                translating_driver_errors(),
                pymongo.timeout(_LOOKUP_SECONDS),
            ):
                self._keys.note_use(key, now)
