"""Bars of a series as history had them at a moment, for answers with `as_of`."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars
from pocketquant.domain.dates import moment_of
from pocketquant.domain.joining import Joined
from pocketquant.domain.symbols import Series
from pocketquant.storage.bar_reader import PastBars
from pocketquant.storage.sync_status import SyncStatus
from web.bars.chunk_cache import ChunkCache, EncodedChunk
from web.bars.stored_bars import Found, StoredBars, Window, page_of
from web.times import UTC_TIMES, TimeFormat


@dataclass(frozen=True, slots=True)
class PastStoredBars:
    """Reads like `StoredBars`, without live bars, from the generation that was current then.

    `present` reads what is stored now. The moment is in epoch milliseconds.
    """

    bars: PastBars
    chunks: ChunkCache
    present: StoredBars
    moment: int

    @classmethod
    def at(cls, moment: int, present: StoredBars) -> "PastStoredBars":
        """Return a reader for the moment, in epoch milliseconds."""
        bars = present.bars.at(moment)
        return cls(bars, replace(present.chunks, bars=bars, prefix=f"{moment} "), present, moment)

    def read(
        self,
        series: Series,
        window: Window,
        _status: SyncStatus | None,
        token: bytes | None = None,
        times: TimeFormat = UTC_TIMES,
    ) -> Found:
        """Return the bars of the window; with a token, from kept chunks."""
        start, end, more = window.start, window.end, window.limit + 1
        series = self._held(series)
        if token is not None:
            kept = self.chunks.read(series, start, end, more, window.newest_first, token, times)
            return page_of(kept, window)
        found = self.bars.read(series, start, end, more, window.newest_first)
        return page_of(EncodedChunk(found), window)

    def joined(self, series: Series, window: Window) -> tuple[Joined, tuple[int, ...], int]:
        """Return at most `limit` bars of the window; none of them is live or partial.

        The generation is always the first: a moment has one, so its pages need not tell.
        """
        start, end, limit, newest = window.start, window.end, window.limit, window.newest_first
        bars = self.bars.read(self._held(series), start, end, limit, newest)
        return Joined(bars, np.zeros(len(bars), dtype=bool)), (), 1

    def chunk_edges(self, series: Series) -> NDArray[np.int64]:
        """Return the open times of the first and the last bar."""
        return self.bars.chunk_edges(self._held(series))

    def blocks(
        self, series: Series, start: int | None, end: int | None, newest: bool
    ) -> Iterator[Bars]:
        """Yield all bars from `start` to before `end`, block by block, in either order."""
        return self.bars.blocks(self._held(series), start, end, newest)

    def has_any(self, series: Series) -> bool:
        """Return whether the series had any bar."""
        return len(self.bars.latest(self._held(series), 1)) > 0

    def _held(self, series: Series) -> Series:
        return self.present.generations.at(series, moment_of(self.moment))
