"""Bars of a series as answers tell them: history, and live bars from its end on."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pocketquant.domain.bars import Bars
from pocketquant.domain.joining import history_end, join, place_after, place_before
from pocketquant.domain.symbols import Series
from pocketquant.storage.bars import BarStore
from pocketquant.storage.live_bars import LiveBarStore
from pocketquant.storage.sync_status import SyncStatus
from web.bars.cursors import decode_cursor
from web.bars.near_chunks import NearChunks
from web.encoding import LivePart

_NOTHING_LIVE = LivePart()


@dataclass(frozen=True, slots=True)
class Window:
    """Which bars of a series: opening in [start, end), the newest or the oldest `limit` of them.

    `asked` is the range of the first page, where this is a later one.
    """

    start: int | None
    end: int | None
    limit: int
    newest_first: bool
    asked: str = ""

    @property
    def key(self) -> str:
        """The same text for queries that mean the same."""
        return f"{self.start},{self.end},{self.limit},{self.newest_first},{self.asked}"

    def query(self, name: str) -> str:
        """What a cursor of `name` belongs to."""
        return f"{name} {self.asked or f'{self.start},{self.end}'},{self.newest_first}"

    def at(self, cursor: str, name: str) -> "Window":
        """What is left of it from the cursor on; InvalidRequest for one of another query."""
        place, asked = decode_cursor(cursor, self.query(name)), f"{self.start},{self.end}"
        if self.newest_first:
            return replace(self, end=place, asked=asked)
        return replace(self, start=place, asked=asked)


@dataclass(frozen=True, slots=True)
class Found:
    """The bars of a window, and the place of the next one where it was cut by its limit.

    `rows` are the bars by `encode_rows`, where they are known.
    """

    bars: Bars
    live: LivePart = _NOTHING_LIVE
    next_place: int | None = None
    rows: list[bytes] | None = None


@dataclass(frozen=True, slots=True)
class StoredBars:
    """Reads both stores as one series.

    In the opposite order, live bars first and both after the status: what a sync prunes between two
    reads is then found in history, whose end is that of the status or a later one.
    """

    bars: BarStore
    live_bars: LiveBarStore
    near: NearChunks

    def read(
        self,
        series: Series,
        window: Window,
        status: SyncStatus | None,
        token: bytes | None = None,
    ) -> Found:
        """The bars of the window; with a token, those before history's end as near as they are."""
        end = _end(series, status.last_bar_at if status else None)
        is_settled = window.end is not None and end is not None and window.end <= end
        if is_settled and token is not None:
            return self._settled(series, window, token)
        limit, newest = window.limit, window.newest_first
        live = Bars.empty() if is_settled else self._live(series, window, end)
        history = self.bars.read(series, window.start, window.end, limit + 1, newest)
        live = live.between(_end(series, history.last_time), None)
        bars, live_count = join(history, live, limit, newest)
        is_cut = len(history) + len(live) > limit
        place = _next_place(series, bars, live_count, newest) if is_cut else None
        if not live_count:
            return Found(bars, LivePart(), place)
        told = set(bars.time[-live_count:].tolist())
        partial = [time for time in self.live_bars.partial_times(series) if time in told]
        return Found(bars, LivePart(live_count, tuple(partial)), place)

    def _settled(self, series: Series, window: Window, token: bytes) -> Found:
        limit, newest = window.limit, window.newest_first
        more = self.near.read(series, window.start, window.end, limit + 1, newest, token)
        told = more.cut(limit, newest)
        is_cut = len(more.bars) > limit
        place = _next_place(series, told.bars, 0, newest) if is_cut else None
        return Found(told.bars, LivePart(), place, told.rows)

    def _live(self, series: Series, window: Window, history_end: int | None) -> Bars:
        """What may be told after history."""
        begin = _later(window.start, history_end)
        return self.live_bars.read(series, begin, window.end, window.limit + 1, window.newest_first)

    def blocks(
        self,
        series: Series,
        start: int | None,
        end: int | None,
        newest: bool,
        status: SyncStatus | None,
    ) -> Iterator[Bars]:
        """All bars from `start` to before `end`, block by block; newest blocks first, or last.

        History ends where it ended when this began, so that both orders tell the same bars.
        """
        begin = _later(start, _end(series, status.last_bar_at if status else None))
        live = self.live_bars.read(series, begin, end, None, newest)
        last = self.bars.read(series, start, end, 1).last_time
        live = live.between(_end(series, last), None)
        if newest and len(live):
            yield live
        if last is not None:
            yield from self.bars.blocks(series, start, last + 1, newest)
        if not newest and len(live):
            yield live

    def has_any(self, series: Series) -> bool:
        """Whether there is any bar of the series, of history or live."""
        return self.live_bars.has_any(series) or len(self.bars.latest(series, 1)) > 0


def _next_place(series: Series, bars: Bars, live_count: int, newest: bool) -> int:
    if newest:
        return place_before(series.interval, int(bars.time[0]), live_count == len(bars))
    return place_after(series.interval, int(bars.time[-1]), live_count > 0)


def _end(series: Series, last_open: int | None) -> int | None:
    return None if last_open is None else history_end(series.interval, last_open)


def _later(one: int | None, other: int | None) -> int | None:
    return max((each for each in (one, other) if each is not None), default=None)
