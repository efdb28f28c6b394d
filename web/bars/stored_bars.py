"""Bars of a series for an answer: history, and live bars where it has none."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars
from pocketquant.domain.errors import InvalidRequest
from pocketquant.domain.joining import Joined, join, live_stretches, newest_live_count
from pocketquant.domain.symbols import Series
from pocketquant.live.shown_bars import ShownLiveBars
from pocketquant.storage.bars import BarStore
from pocketquant.storage.generations import Generations, number_of
from pocketquant.storage.sync_status import SyncStatus
from web.bars.chunk_cache import ChunkCache, EncodedChunk
from web.bars.cursors import decode_cursor
from web.encoding import LivePart
from web.times import UTC_TIMES, TimeFormat

_NO_LIVE_BARS = LivePart()
_NEVER = 2**53

Range = tuple[int | None, int | None]  # start included, end excluded; None: without a bound


@dataclass(frozen=True, slots=True)
class Window:
    """Which bars of a series: opening in [start, end), the newest or the oldest `limit` of them.

    Where this is a later page, `first_page` is the range of the first one, and `generation` the
    generation of the series that it came from.
    """

    start: int | None
    end: int | None
    limit: int
    newest_first: bool
    first_page: Range | None = None
    generation: int | None = None

    @property
    def whole_range(self) -> Range:
        """Return the range of all its pages."""
        return self.first_page or (self.start, self.end)

    @property
    def key(self) -> str:
        """Return a text that is equal for equal windows."""
        bounds = f"{self.start},{self.end},{self.limit},{self.newest_first}"
        return f"{bounds},{self.whole_range},{self.generation}"

    def query(self, name: str) -> str:
        """Return the text that a cursor of series `name` belongs to."""
        start, end = self.whole_range
        return f"{name} {start},{end},{self.newest_first}"

    def at(self, cursor: str, name: str) -> "Window":
        """Return the rest from the cursor on; raise InvalidRequest for one of another query."""
        time, generation = decode_cursor(cursor, self.query(name))
        later = replace(self, first_page=self.whole_range, generation=generation)
        return replace(later, end=time) if self.newest_first else replace(later, start=time)

    def require(self, generation: int) -> None:
        """Raise InvalidRequest if the pages before came from another generation."""
        if self.generation not in (None, generation):
            raise InvalidRequest(
                "cursor: the bars were rescaled since the first page, after a split; begin with the"
                " first page again"
            )


@dataclass(frozen=True, slots=True)
class Found:
    """The bars of a window, and the time of its next page where the limit cut it.

    `rows` is the result of `encode_rows` for these bars, in the wanted format, where it is known.
    All bars are of one `generation` of the series, so of one scale.
    """

    bars: Bars
    live: LivePart = _NO_LIVE_BARS
    next_time: int | None = None
    rows: list[bytes] | None = None
    generation: int = 1


@dataclass(frozen=True, slots=True)
class StoredBars:
    """Reads both stores as one series, live bars first.

    A sync stores history before it prunes live bars, so a bar that is pruned between the two reads
    is found in history. The generation of history is looked up between the two reads.
    """

    bars: BarStore
    live_bars: ShownLiveBars
    generations: Generations
    chunks: ChunkCache

    def read(
        self,
        series: Series,
        window: Window,
        status: SyncStatus | None,
        token: bytes | None = None,
        times: TimeFormat = UTC_TIMES,
    ) -> Found:
        """Return the bars of the window; with a token, older history comes from kept chunks."""
        limit, newest = window.limit, window.newest_first
        live = self._live(series, window, token)
        if token is not None and not len(live) and _is_before_end(window, status):
            settled = self._settled(series, window, token, times)
            if settled is not None:
                return settled
        more, generation = self._join(series, window, live)
        joined = more.cut(limit, newest)
        next_time = _next_time(joined.bars, newest) if len(more) > limit else None
        live_part = self._live_part(series, joined)
        return Found(joined.bars, live_part, next_time, generation=generation)

    def joined(self, series: Series, window: Window) -> tuple[Joined, tuple[int, ...], int]:
        """Return at most `limit` bars of the window, the times of partial ones, the generation."""
        more, generation = self._join(series, window, self._live(series, window))
        joined = more.cut(window.limit, window.newest_first)
        return joined, self._partial_times(series, joined), generation

    def chunk_edges(self, series: Series) -> NDArray[np.int64]:
        """Return first and last open times of each chunk, of live bars and then of history."""
        live = self.live_bars.chunk_edges(series)
        history = self.generations.current(series).bars
        return np.concatenate([live, self.bars.chunk_edges(history)])

    def blocks(
        self, series: Series, start: int | None, end: int | None, newest: bool
    ) -> Iterator[Bars]:
        """Yield all bars from `start` to before `end`, block by block, in either order.

        History ends where it ended at the first block, so that both orders give the same bars.
        """
        live = self.live_bars.read(series, start, end, None, newest)
        current = self.generations.current(series)
        live, held = current.live(live), current.bars
        last = self.bars.read(held, start, end, 1).last_time
        history = iter(()) if last is None else self.bars.blocks(held, start, last + 1, newest)
        for block in history:
            if not len(block):
                continue
            edge = block.first_time if newest else block.time[-1] + 1
            older, newer = live.between(None, edge), live.between(edge, None)
            live, near = (older, newer) if newest else (newer, older)
            yield join(block, near).bars
        if len(live):
            yield live

    def has_any(self, series: Series) -> bool:
        """Return whether the series has any bar, in history or live."""
        held = self.generations.current(series).bars
        return self.live_bars.has_any(series) or len(self.bars.latest(held, 1)) > 0

    def _live(self, series: Series, window: Window, token: bytes | None = None) -> Bars:
        """Return the live bars of the window that may be among its first `limit` + 1 bars.

        A history bar can replace one of them.
        """
        if window.end is not None and token is not None:
            name = f"{series} live from"
            live_from = self.chunks.local.under(token, name, lambda: self._live_from(series))
            if window.end <= live_from:
                return Bars.empty()
        most = 2 * window.limit + 1
        return self.live_bars.read(series, window.start, window.end, most, window.newest_first)

    def _live_from(self, series: Series) -> int:
        first = self.live_bars.first_time(series)
        return _NEVER if first is None else first

    def _join(self, series: Series, window: Window, live: Bars) -> tuple[Joined, int]:
        """Return the bars of the window, one more than its limit if there are; and generation."""
        start, end, more = window.start, window.end, window.limit + 1
        current = self.generations.current(series)
        window.require(current.number)
        history = self.bars.read(current.bars, start, end, more, window.newest_first)
        joined = join(history, current.live(live)).cut(more, window.newest_first)
        return joined, current.number

    def _live_part(self, series: Series, joined: Joined) -> LivePart:
        stretches = live_stretches(joined.bars.time, joined.is_live)
        partial = self._partial_times(series, joined)
        return LivePart(newest_live_count(joined.is_live), partial, tuple(stretches))

    def _partial_times(self, series: Series, joined: Joined) -> tuple[int, ...]:
        live = set(joined.bars.time[joined.is_live].tolist())
        if not live:
            return ()
        return tuple(time for time in self.live_bars.partial_times(series) if time in live)

    def _settled(
        self, series: Series, window: Window, token: bytes, times: TimeFormat
    ) -> Found | None:
        """Return the bars from kept chunks; None if those are of another generation."""
        held = self.chunks.current(series, token)
        if window.generation not in (None, number_of(held)):
            return None
        start, end, newest = window.start, window.end, window.newest_first
        more = self.chunks.read(held, start, end, window.limit + 1, newest, token, times)
        return replace(page_of(more, window), generation=number_of(held))


def page_of(more: EncodedChunk, window: Window) -> Found:
    """Return the page of these bars, of which there is one more than the limit if there can be."""
    page = more.cut(window.limit, window.newest_first)
    is_cut = len(more.bars) > window.limit
    next_time = _next_time(page.bars, window.newest_first) if is_cut else None
    return Found(page.bars, LivePart(), next_time, page.rows)


def _is_before_end(window: Window, status: SyncStatus | None) -> bool:
    """Return whether history goes on after the window, according to the status."""
    if status is None or status.last_bar_at is None or window.end is None:
        return False
    return window.end <= status.last_bar_at + 1


def _next_time(bars: Bars, newest: bool) -> int:
    """Return the bound of the open times of all bars after this page."""
    return int(bars.time[0]) if newest else int(bars.time[-1]) + 1
