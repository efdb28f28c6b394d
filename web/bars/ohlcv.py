"""Answers to `GET ohlcv`: from the cache, else from the store, and then cached."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from pocketquant import metrics
from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import BarLength
from pocketquant.domain.calendar.zones import parse_zone
from pocketquant.domain.dates import moment_of
from pocketquant.domain.errors import InvalidCalendar, InvalidRequest, NotFound
from pocketquant.domain.intervals import Interval
from pocketquant.domain.resampling import custom_length
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.storage.calendars import CachedCalendars, KeptCalendar
from pocketquant.storage.revisions import Revisions
from pocketquant.storage.sync_status import SyncStatus, SyncStatuses
from web.bars.answers import COMPRESSED_FROM_BYTES, Answer, answer_of, compress
from web.bars.cursors import encode_cursor
from web.bars.local_cache import LocalCache, Looked
from web.bars.past_bars import PastStoredBars
from web.bars.resampled import Origin, Resampler
from web.bars.stored_bars import Found, StoredBars, Window
from web.encoding import Page, encode_ohlcv
from web.times import EXCHANGE, UTC_TIMES, TimeFormat, zone_of


@dataclass(frozen=True, slots=True)
class BarsQuery:
    """Bars of one symbol at one of the 13 intervals, or at a length such as `10m`."""

    symbol: Symbol
    interval: Interval | str
    window: Window
    as_columns: bool = False
    tz: str = UTC_TIMES.zone_name
    as_of: int | None = None  # epoch milliseconds

    @property
    def interval_name(self) -> str:
        return self.interval if isinstance(self.interval, str) else self.interval.value

    @property
    def name(self) -> str:
        return f"{self.symbol}|{self.interval_name}"

    @property
    def series(self) -> Series | None:
        """Return the series, None for a length that is not stored."""
        return None if isinstance(self.interval, str) else Series(self.symbol, self.interval)

    @property
    def key(self) -> str:
        form = "columns" if self.as_columns else "json"
        return f"{self.window.key},{form},{self.tz},{self.as_of}"

    @property
    def length(self) -> BarLength:
        if isinstance(self.interval, str):
            return custom_length(self.interval)
        return BarLength.of(self.interval)

    @property
    def is_intraday(self) -> bool:
        return self.length.is_intraday

    def at(self, cursor: str) -> "BarsQuery":
        """Return the page at the cursor; raise InvalidRequest for one of another query."""
        return replace(self, window=self.window.at(cursor, self._paged))

    def page(self, found: Found, times: TimeFormat, source: Interval | None = None) -> Page:
        """Return the fields of the answer beside its bars."""
        cursor = None
        if found.next_time is not None:
            query = self.window.query(self._paged)
            cursor = encode_cursor(found.next_time, query, found.generation)
        made_of = source.value if source else None
        return Page(self.interval_name, cursor, made_of, self.as_columns, times, as_of=self.moment)

    @property
    def moment(self) -> datetime | None:
        return None if self.as_of is None else moment_of(self.as_of)

    @property
    def _paged(self) -> str:
        """Return the name that its cursors belong to."""
        return self.name if self.as_of is None else f"{self.name} {self.as_of}"


@dataclass(frozen=True, slots=True)
class OhlcvReader:
    """Encoded answers, ready to send: of what is stored now, or was at a moment of the past."""

    present: StoredBars
    statuses: SyncStatuses
    calendars: CachedCalendars
    cache: LocalCache
    revisions: Revisions
    past: PastStoredBars | None = None

    def at(self, moment: int | None) -> "OhlcvReader":
        """Return the reader of the moment, in epoch milliseconds; without one, of the present.

        Raise NoLongerKept if the moment is too long ago.
        """
        if moment is None:
            return self
        self.revisions.require_kept(moment)
        return replace(self, past=PastStoredBars.at(moment, self.present))

    def look(self, query: BarsQuery, is_gzip: bool) -> Looked:
        """Return the kept answer, or the token under which to read one."""
        return self.cache.look(query.series, _key(query, is_gzip)) if query.series else Looked()

    def read(self, query: BarsQuery, is_gzip: bool, token: bytes | None) -> Answer:
        """Return the answer from the store, and keep it.

        Raise NotFound for a series never synced that can't be made of another one either.
        """
        try:
            return self._read(query, is_gzip, token)
        except NotFound:
            if self.past is None:
                raise
            self._now.read(replace(query, as_of=None), is_gzip, None)  # what is not found now?
            times = self.times(query)
            page = replace(query.page(Found(Bars.empty()), times), reason=_why_empty(query))
            series = query.series or Series(query.symbol, Interval.D1)
            body = encode_ohlcv(series, Bars.empty(), query.window.newest_first, None, page=page)
            return _compressed(answer_of(body, None, zone=times.zone_name), is_gzip)

    def why_empty(self, query: BarsQuery) -> str | None:
        """Return why a file of a stored series holds no bar at its moment, if it holds none."""
        if self.past is None or query.series is None or self.past.has_any(query.series):
            return None
        return _why_empty(query)

    def origin(self, query: BarsQuery) -> Origin:
        """Return the stored series whose bars make the answer; raise errors as `read`."""
        try:
            return self._origin(query)
        except NotFound:
            if self.past is None:
                raise
            return self._now._origin(query)

    def _origin(self, query: BarsQuery) -> Origin:
        series, window = query.series, query.window
        status = self.statuses.get(series) if series else None
        if series is not None and self._is_known(series, status):
            return Origin(series, *window.whole_range)
        if series is not None and series.interval is Interval.D1:
            raise NotFound(_why_no_bars(series, status))
        return self._resampler.origin(query.symbol, query.length, window)

    def _read(self, query: BarsQuery, is_gzip: bool, token: bytes | None) -> Answer:
        if query.series is None:
            return _compressed(self._resampled(query), is_gzip)
        token = token or self.cache.begin(query.series)
        answer = self.look(query, is_gzip=False).answer if is_gzip else None
        if answer is None:
            with metrics.STORE_SECONDS.labels(operation="read").time():
                answer = self._stored(query, query.series, token)
            if answer is None:
                answer = self._made_of_shorter(query, query.series)
                return _compressed(answer, is_gzip)
            if token is not None:
                self.cache.put(query.series, _key(query, False), token, answer)
        answer = _compressed(answer, is_gzip)
        if is_gzip and token is not None:
            self.cache.put(query.series, _key(query, True), token, answer)
        return answer

    def times(self, query: BarsQuery) -> TimeFormat:
        """Return how to show the times of its bars.

        Raise NotFound if they are wanted in the zone of an exchange whose hours are not known.
        """
        if query.is_intraday and query.tz != EXCHANGE:
            return TimeFormat(zone_of(query.tz))
        kept = self.calendars.get(query.symbol, unknown_seconds=0)  # the answer is kept for long
        zone = zone_of(query.tz) if query.tz != EXCHANGE else _exchange_zone(query.symbol, kept)
        return TimeFormat(zone, not query.is_intraday, kept.calendar if kept else None)

    def blocks(self, query: BarsQuery, is_whole: bool) -> Iterator[Bars]:
        """Yield the bars of an export, block by block; bars made of others as one block.

        Raise InvalidRequest for a whole range of made bars: their sources are bounded in number.
        """
        try:
            yield from self._blocks(query, is_whole)
        except NotFound:
            if self.past is None:
                raise
            next(self._now.blocks(query, is_whole), None)  # what is not found now?

    def _blocks(self, query: BarsQuery, is_whole: bool) -> Iterator[Bars]:
        series, window = query.series, query.window
        status = self.statuses.get(series) if series else None
        if series is None or not self._is_known(series, status):
            made = self._made(query, series, status, is_whole).bars
            if is_whole:
                raise InvalidRequest(
                    f"{query.name} is made of shorter bars: say how many (`limit`)"
                )
            yield made
        elif not is_whole:
            yield from _limited(self._all(series, window), window)
        else:
            yield from self._all(series, window)

    def _all(self, series: Series, window: Window) -> Iterator[Bars]:
        return self.stored.blocks(series, window.start, window.end, window.newest_first)

    def _made(
        self, query: BarsQuery, series: Series | None, status: SyncStatus | None, is_whole: bool
    ) -> Found:
        if series is not None and (
            series.interval is Interval.D1 or (is_whole and not series.interval.is_intraday)
        ):
            raise NotFound(_why_no_bars(series, status))
        return self._resampler.read(query.symbol, query.length, query.window).found

    @property
    def stored(self) -> StoredBars | PastStoredBars:
        return self.past or self.present

    @property
    def _now(self) -> "OhlcvReader":
        return replace(self, past=None)

    @property
    def _resampler(self) -> Resampler:
        return Resampler(self.stored, self.statuses, self.calendars)

    def _is_known(self, series: Series, status: SyncStatus | None) -> bool:
        was_synced = status is not None and status.last_sync_at is not None and self.past is None
        return was_synced or self.stored.has_any(series)

    def _stored(self, query: BarsQuery, series: Series, token: bytes | None) -> Answer | None:
        """Return the answer from stored bars; None if no bar of the series was ever stored.

        The status is kept too, since a sync that changes it ends the token.
        """
        status = self.cache.under(token, f"{series} status", lambda: self.statuses.get(series))
        times = self.times(query)
        found = self.stored.read(series, query.window, status, token, times)
        while self.past is None and status and status.generation != found.generation:
            status = self.statuses.get(series)
            found = self.stored.read(series, query.window, status, None, times)
        if not (len(found.bars) or self._is_known(series, status)):
            return None
        forming = status.forming if status and self.past is None else None
        page = query.page(found, times)
        newest = query.window.newest_first
        body = encode_ohlcv(series, found.bars, newest, forming, found.live, page, found.rows)
        until = forming.close_time if forming else 0
        return answer_of(body, page.next_cursor, until, times.zone_name)

    def _made_of_shorter(self, query: BarsQuery, series: Series) -> Answer:
        """Return the answer with bars made of shorter ones."""
        try:
            if series.interval is not Interval.D1:
                return self._resampled(query)
        except NotFound:
            pass  # what is missing is the series itself
        raise NotFound(_why_no_bars(series, self.statuses.get(series)))

    def _resampled(self, query: BarsQuery) -> Answer:
        made = self._resampler.read(query.symbol, query.length, query.window)
        times = self.times(query)
        page = query.page(made.found, times, made.source)
        series, newest = Series(query.symbol, made.source), query.window.newest_first
        found = made.found
        body = encode_ohlcv(series, found.bars, newest, None, found.live, page)
        return answer_of(body, page.next_cursor, zone=times.zone_name)


def _key(query: BarsQuery, is_gzip: bool) -> str:
    return f"{query.key},gzip" if is_gzip else query.key


def _compressed(answer: Answer, is_gzip: bool) -> Answer:
    return compress(answer) if is_gzip and len(answer.head) >= COMPRESSED_FROM_BYTES else answer


def _exchange_zone(symbol: Symbol, kept: KeptCalendar | None) -> ZoneInfo:
    if kept is None:
        raise NotFound(f"tz: the hours of {symbol} are not known, nor is its zone; sync it first")
    try:
        return parse_zone(kept.texts.timezone)
    except InvalidCalendar as error:
        raise NotFound(f"tz: the provider's hours of {symbol} name no zone: {error}") from error


def _limited(blocks: Iterator[Bars], window: Window) -> Iterator[Bars]:
    left = window.limit
    for block in blocks:
        part = block.last(left) if window.newest_first else block.first(left)
        yield part
        left -= len(part)
        if not left:
            return


def _why_empty(query: BarsQuery) -> str:
    moment = query.moment.isoformat(timespec="milliseconds") if query.moment else ""
    return f"nothing of {query.name} was stored at {moment.replace('+00:00', 'Z')}"


def _why_no_bars(series: Series, status: SyncStatus | None) -> str:
    hint = "POST /api/v1/market-data/sync fetches it"
    if status is None:
        return f"{series} was never synced; {hint}"
    last = f", its last attempt failed with {status.error_code}" if status.error_code else ""
    return f"{series} was never synced to its end (it is {status.status}{last}); {hint}"
