"""`KeyRing`: which key a text is, mostly without asking MongoDB.

A key is looked up again once it was known for `FRESH_SECONDS`; so soon does a revocation work in
every process. One thread does that while the others go on with what was known. While MongoDB is
away, keys that this process knows go on working, until they expire; the others can't be judged.
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

_ASKING_SECONDS = 1.0


@dataclass(slots=True)
class _Known:
    key: ApiKey
    fresh_until: float


class KeyRing:
    """The keys that were shown to this process: no more than there are in the store."""

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
        """The live key that `text` is; None where it is none. StorageUnavailable: who knows."""
        key = self._remembered(text.id) or self._looked_up(text.id)
        return key if key and key.is_opened_by(text) and key.is_live(self._epoch()) else None

    def _remembered(self, key_id: str) -> ApiKey | None:
        """The key while it is fresh, or while another thread asks for it again."""
        now = self._clock()
        with self._lock:
            known = self._known.get(key_id)
            if known is None:
                return None
            if now < known.fresh_until:
                return known.key
            known.fresh_until = now + _ASKING_SECONDS
        return None

    def _looked_up(self, key_id: str) -> ApiKey | None:
        known = self._known.get(key_id)
        try:
            key = self._ask(key_id)
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

    def _ask(self, key_id: str) -> ApiKey | None:
        if self._cooldown.is_active:
            raise StorageUnavailable("MongoDB does not answer")
        try:
            with translating_driver_errors(), pymongo.timeout(_ASKING_SECONDS):
                key = self._keys.get(key_id)
        except StorageUnavailable:
            self._cooldown.start()
            raise
        if key:
            self._note_use(key)
        return key

    def _note_use(self, key: ApiKey) -> None:
        """A server that can't be written to is no reason to refuse the key."""
        now = int(self._epoch())
        if key.is_live(now):
            with (
                suppress(StorageUnavailable),
                translating_driver_errors(),
                pymongo.timeout(_ASKING_SECONDS),
            ):
                self._keys.note_use(key, now)
