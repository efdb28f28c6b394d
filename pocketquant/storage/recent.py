"""`RecentChunks`: the chunks that this process wrote last, so that updates need not read them."""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from bson import ObjectId

from pocketquant.domain.bars import Bars

_MOST_CHUNKS = 64  # of up to 48 kB


@dataclass(frozen=True, slots=True)
class KnownChunk:
    """A chunk as it was written; the stored chunk is unchanged only if it has the same `rev`."""

    bars: Bars
    rev: ObjectId


class RecentChunks:
    """The most recently used chunks by id; safe for several threads."""

    def __init__(self) -> None:
        self._chunks: OrderedDict[str, KnownChunk] = OrderedDict()
        self._lock = Lock()

    def get(self, chunk_id: str) -> KnownChunk | None:
        with self._lock:
            known = self._chunks.get(chunk_id)
            if known is not None:
                self._chunks.move_to_end(chunk_id)
            return known

    def keep(self, chunk_id: str, bars: Bars, rev: ObjectId) -> None:
        with self._lock:
            self._chunks[chunk_id] = KnownChunk(bars, rev)
            self._chunks.move_to_end(chunk_id)
            if len(self._chunks) > _MOST_CHUNKS:
                self._chunks.popitem(last=False)

    def forget(self, chunk_id: str) -> None:
        with self._lock:
            self._chunks.pop(chunk_id, None)
