"""`RecentChunks`: the chunks that this process wrote last, so that updates need not read them."""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from bson import ObjectId

from pocketquant.domain.revisions import Versions
from pocketquant.storage.revisions import Kept

_MOST_CHUNKS = 64  # of up to 48 kB, and of up to twice that of replaced values


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk as it was read or written; the stored one is unchanged if it has the same `rev`.

    A chunk that is not stored has none.
    """

    versions: Versions
    kept: Kept
    rev: ObjectId | None


class RecentChunks:
    """The most recently used chunks by id; safe for several threads."""

    def __init__(self) -> None:
        self._chunks: OrderedDict[str, Chunk] = OrderedDict()
        self._lock = Lock()

    def get(self, chunk_id: str) -> Chunk | None:
        with self._lock:
            known = self._chunks.get(chunk_id)
            if known is not None:
                self._chunks.move_to_end(chunk_id)
            return known

    def keep(self, chunk_id: str, chunk: Chunk) -> None:
        with self._lock:
            self._chunks[chunk_id] = chunk
            self._chunks.move_to_end(chunk_id)
            if len(self._chunks) > _MOST_CHUNKS:
                self._chunks.popitem(last=False)

    def forget(self, chunk_id: str) -> None:
        with self._lock:
            self._chunks.pop(chunk_id, None)
