"""Use-case: sync one series.

    claim       the unit, so that no other worker holds it until the lease expires
    wait        for the governor's turn; if that is far off, put the unit back
    fetch       the provider's newest bars, back to the oldest live bar and to what is not covered
    compare     them with the stored ones: a split makes another generation (`Rescaling`)
    upsert      the closed bars into their chunks
    note        the listing, its hours, and the status with the forming bar, what is covered, and
                which bars are new and to be judged
    prune       the live bars that history now covers
    mend        if these are minutes, the longer live bars that a gap made partial
    drop        the cached answers of the series
    finish      the unit, and with the last unit its job

A range (a request with a `start`) is fetched in pages, from new to old. Each is stored before the
next is requested, and noted in the unit before the next is stored, so another attempt goes on where
this one ended, or fetches one page again.

Every step may run twice. After a crash the lease expires, and another attempt repeats all steps.
"""

import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import structlog
from structlog.typing import FilteringBoundLogger

from pocketquant import metrics
from pocketquant.cache.responses import ResponseCache
from pocketquant.coordination.nudges import Nudges, unit_channel
from pocketquant.domain.backfills import reach_after
from pocketquant.domain.bars import Bars
from pocketquant.domain.coverage import Stretch, newest_stretch, oldest_gap, page_stretch
from pocketquant.domain.errors import (
    Cancelled,
    InternalError,
    LeaseLost,
    Misconfigured,
    PocketQuantError,
    Rejected,
    StorageUnavailable,
)
from pocketquant.domain.intervals import Interval
from pocketquant.domain.joining import bars_to_reach
from pocketquant.domain.listings import Listing
from pocketquant.domain.reports import Report
from pocketquant.domain.rescale import OVERLAP_BARS, Compared, Rescaled, Revised
from pocketquant.domain.revisions import Cause, Reason
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import (
    MAX_BARS,
    MAX_DELAY_SECONDS,
    History,
    Page,
    RangeProgress,
    Stop,
    SyncReport,
    SyncRequest,
    retry_delay_seconds,
)
from pocketquant.domain.turns import TurnFarOff
from pocketquant.domain.walks import Walk
from pocketquant.history.hours import HoursKeeping
from pocketquant.history.mending import Mending
from pocketquant.history.paced_provider import Interrupted, PacedProvider, ProviderCall
from pocketquant.history.rescaling import Rescaling
from pocketquant.messaging.queues import QueueName
from pocketquant.servers.connections import translating_driver_errors
from pocketquant.storage.bars import BarStore, Extent, Overlap, Upserted
from pocketquant.storage.coverage import KeptCoverage
from pocketquant.storage.ledger import Ledger
from pocketquant.storage.live_bars import LiveBarStore
from pocketquant.storage.reports import ReportStore
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import Begun, Newest, SyncStatuses
from pocketquant.storage.units import Unit

_MOST_CLOSED_BARS = MAX_BARS - 10  # a fetch also holds the forming bar and refused ones
_PAGES_A_TURN = 8  # of a range; then its slot is for others, and an urgent range is so no longer
_OWN_DELAY_SECONDS = 60.0  # the longest after failures of our servers, which may be back by then

_log = structlog.get_logger(__name__)


class _TurnIsOver(Exception):
    """A range has had its pages for now, or its job was paused."""


class _Listed(NamedTuple):
    """The listing that came with a fetch; `registered` names it if it was registered anew."""

    listing: Listing | None = None
    registered: str | None = None


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A fetch, compared with stored bars; `oldest_to_compare` is a time that it should reach."""

    request: SyncRequest
    history: History
    compared: Compared
    overlap: Overlap
    oldest_to_compare: int | None

    @property
    def n_bars(self) -> int:
        return self.request.n_bars

    def more_bars(self, *oldest: int | None) -> int | None:
        """Return how many bars to request instead, to reach these times too; None: all reached."""
        times = (*oldest, self.oldest_to_compare)
        wanted = (bars_to_reach(each, self.history, self.request) for each in times)
        more = (each for each in wanted if each is not None and each > self.n_bars)
        return max(more, default=None)


@dataclass(slots=True)
class _Way:
    """How far an attempt at a range has come: its unit as last extended, and what it has stored."""

    unit: Unit
    begun: Begun
    progress: RangeProgress
    listed: "_Listed"
    pages: int = 0
    report: Report = field(default_factory=Report)


@dataclass(frozen=True, slots=True)
class Syncer:
    """Syncs the units of the ledger."""

    ledger: Ledger
    provider: PacedProvider
    bars: BarStore
    live_bars: LiveBarStore
    statuses: SyncStatuses
    symbols: SymbolRegistry
    responses: ResponseCache
    nudges: Nudges
    clock: Callable[[], float]
    mending: Mending
    hours: HoursKeeping
    rescaling: Rescaling
    reports: ReportStore

    def do(self, unit_id: str) -> None:
        """Claim the unit and sync it: it ends completed, put back, failed or cancelled.

        StorageUnavailable if MongoDB is away; the lease expires, and another attempt follows.
        """
        with translating_driver_errors():
            unit = self.ledger.claim(unit_id)
        if unit is None:
            _log.debug("unit_not_due", unit_id=unit_id)
            return
        log = _log.bind(unit_id=unit.id, series=str(unit.request.series), attempt=unit.attempt)
        try:
            with translating_driver_errors():
                self._bring_to_an_end(unit, log)
        except LeaseLost:
            metrics.SYNCS.labels(result="lost", code=metrics.NO_CODE).inc()
            log.warning("unit_taken_over")
        finally:
            self.ledger.let_go(unit)

    def _bring_to_an_end(self, unit: Unit, log: FilteringBoundLogger) -> None:
        try:
            self._complete_or_put_back(unit, log)
        except Cancelled as error:
            self._cancel(self.ledger.held(unit), error, log)

    def _complete_or_put_back(self, unit: Unit, log: FilteringBoundLogger) -> None:
        try:
            with translating_driver_errors():
                self._complete(unit, log)
        except (LeaseLost, Cancelled):
            raise
        except TurnFarOff as turn:
            self._postpone(self.ledger.held(unit), turn, log)
        except Interrupted:
            self._hand_back(self.ledger.held(unit), log)
        except _TurnIsOver:
            is_urgent = unit.queue == QueueName.INTERACTIVE
            held = self.ledger.held(unit)
            self._hand_back(held, log, QueueName.BULK if is_urgent else None)
        except StorageUnavailable as error:  # failures of our servers cost the unit no attempt
            held = self.ledger.extend(unit)  # LeaseLost if its end was written after all
            delay = _delay_seconds(unit.troubles + 1, _OWN_DELAY_SECONDS)
            self._postpone(held, TurnFarOff(delay, error), log)
        except PocketQuantError as error:
            self._end_in_error(unit, error, log)
        except Exception as error:  # a defect must not disappear with its worker
            log.exception("sync_crashed")
            defect = InternalError(f"{type(error).__name__} in the sync")
            self._end_in_error(unit, defect, log)

    def _complete(self, unit: Unit, log: FilteringBoundLogger) -> None:
        began = time.monotonic()
        held: Unit | None = unit
        while held is not None:  # repeated if a joined request wants more bars
            series = held.request.series
            begun = self.statuses.mark_syncing(series, held.newest_job, held.tries, held.lease)
            self.rescaling.drop_old_live(begun.current)
            if held.request.start is None:
                held, report, listing = self._sync_newest(held, begun)
            else:
                held, begun = self._caught_up(held, begun)
                held, report, listing = self._sync_range(held, begun)
            held = self.ledger.finish(held, report)
        self._track_if_joined(unit, listing)
        self._announce(unit, "completed", metrics.NO_CODE)
        log.info(
            "sync_completed",
            fetched=report.fetched,
            inserted=report.inserted,
            changed=report.changed,
            refused=sum(report.refused.values()),
            seconds=round(time.monotonic() - began, 3),
        )

    def _sync_newest(self, unit: Unit, begun: Begun) -> tuple[Unit, SyncReport, Listing | None]:
        series = unit.request.series
        fetched = self._fetch_back(begun, unit)
        history = fetched.history
        history.require_bars(series)
        held = self.ledger.confirm(unit)
        stretch = newest_stretch(history, series.interval)
        now, is_all = int(self.clock()), history.fetched < fetched.n_bars

        def covered(kept: KeptCoverage) -> KeptCoverage:
            return kept.after(series, history.closed, stretch, now, is_all=is_all)

        begun = self.rescaling.in_one_scale(
            held, history, fetched.compared, begun, covered, is_newest=True
        )
        report = self._store(held, history, begun, fetched.overlap)
        return held, report, history.listing

    def _caught_up(self, unit: Unit, begun: Begun) -> tuple[Unit, Begun]:
        """Sync the newest bars first if another job has joined a range that left them behind."""
        request, progress = unit.request, unit.progress
        has_left = progress is not None and progress.oldest is not None and request.end is None
        if not has_left or len(unit.jobs) < 2:
            return unit, begun
        newest = replace(unit, request=SyncRequest(request.series, request.n_bars))
        held, _, _ = self._sync_newest(newest, begun)
        held = replace(held, request=request)
        return held, self.statuses.mark_syncing(
            request.series, held.newest_job, held.tries, held.lease
        )

    def _sync_range(self, unit: Unit, begun: Begun) -> tuple[Unit, SyncReport, Listing | None]:
        """Store page after page, from new to old; another attempt goes on after the last one."""
        series, progress = unit.request.series, unit.progress
        if progress is None or progress.end != unit.request.end:
            progress = RangeProgress(unit.request.end)
        walk, way = self._walk(unit.request, begun), _Way(unit, begun, progress, _Listed())
        has_ended = False
        while not has_ended and (step := walk.step(way.begun.kept.coverage, way.progress)):
            wanted, way.progress = step
            has_ended = self._sync_stretch(walk, wanted, way)
        extent = self.bars.extent(way.begun.current.bars)
        if not has_ended:  # the rest was fetched before
            way.progress = walk.passed(way.progress)
            way.unit = self.ledger.note_progress(way.unit, way.progress)
            self.statuses.mark_stored(series, extent, None, is_last=True, lease=way.unit.lease)
        return way.unit, _report(series, extent, way.progress), way.listed.listing

    def _sync_stretch(self, walk: Walk, wanted: SyncRequest, way: "_Way") -> bool:
        """Store the pages of one stretch; return whether the last one ends the whole walk.

        A page is noted beside the wait for the next one, and before the next one is stored.
        """
        call = self._call(way.unit, wanted)
        noting: Future[Unit] = Future()
        noting.set_result(way.unit)
        with (
            ThreadPoolExecutor(1, "noting") as beside,
            closing(self.provider.pages(call, way.progress.oldest)) as pages,
        ):
            for page in pages:
                way.pages += 1
                page.history.require_bars(wanted.series)
                way.unit = self.ledger.confirm(noting.result())
                if way.listed.listing is None:
                    way.listed = self._register(way.unit, page.history.listing, way.begun)
                if page.report != way.report:
                    way.report = page.report
                    self.reports.note(wanted.series.symbol, page.report, int(self.clock()))
                way.begun, overlap = self._with_page(way, wanted, page)
                page, way.progress = walk.ended(page, way.begun.kept.coverage, way.progress)
                stored = way.begun.current.bars
                upserted, extent = self._upsert(way.unit, page.history, stored, overlap)
                way.progress = way.progress.plus(page, *upserted.counts)
                noting = beside.submit(
                    self._note_page, replace(way), page, overlap, upserted, extent
                )
                is_last = page.stop is not None
                if is_last or way.pages >= _PAGES_A_TURN or way.unit.is_pausing:
                    way.unit = noting.result()
                    if is_last:
                        return True
                    raise _TurnIsOver
            way.unit = noting.result()
        return False

    def _walk(self, request: SyncRequest, begun: Begun) -> Walk:
        """Return the way back through a range, which knows what was fetched and then lost."""
        if not request.is_missing_only:
            return Walk(request)
        stored = begun.current.bars
        counts = self.bars.chunk_counts([stored])[stored]
        damaged = begun.kept.damaged(stored, counts)
        return Walk(request, damaged, begun.begins_at)

    def _with_page(self, way: "_Way", wanted: SyncRequest, page: Page) -> tuple[Begun, Overlap]:
        """Return the coverage with a page, and the chunks that it belongs into.

        If a page that does not have the newest bars is the first of its attempt, or has few bars in
        common with the stored ones, and these have other prices, the newest bars decide whether
        there was a split since. Unless there was one, the few bars were corrected.
        """
        unit, begun, older_than = way.unit, way.begun, way.progress.oldest
        compared, overlap = self.rescaling.compared(page.history, begun)
        is_needed = self.rescaling.is_needed(compared, begun)
        is_unsure = way.pages == 1 or compared.count < OVERLAP_BARS
        if is_needed and is_unsure and not page.is_newest:
            begun = self._compared_with_newest(unit, begun)
            compared, overlap = self.rescaling.compared(page.history, begun)
            if compared.count < OVERLAP_BARS:
                compared = replace(compared, verdict=Revised(compared.count))

        def covered(kept: KeptCoverage) -> KeptCoverage:
            return self._covered(kept, wanted, page, older_than)

        begun = self.rescaling.in_one_scale(
            unit, page.history, compared, begun, covered, is_newest=page.is_newest
        )
        return begun, overlap

    def _compared_with_newest(self, unit: Unit, begun: Begun) -> Begun:
        """Fetch the newest bars, and rescale the series if they say so."""
        request = SyncRequest(unit.request.series, MAX_BARS)
        history = self._fetch(unit, request)
        compared, _ = self.rescaling.compared(history, begun)
        if not isinstance(compared.verdict, Rescaled):
            return begun
        stretch, now = newest_stretch(history, request.series.interval), int(self.clock())

        def covered(kept: KeptCoverage) -> KeptCoverage:
            return kept.after(request.series, history.closed, stretch, now, is_all=False)

        return self.rescaling.in_one_scale(unit, history, compared, begun, covered, is_newest=True)

    def _covered(
        self, kept: KeptCoverage, request: SyncRequest, page: Page, older_than: int | None
    ) -> KeptCoverage:
        stretch = page_stretch(page, request, older_than)
        is_all = page.stop in {Stop.END, Stop.LIMIT}
        closed, now = page.history.closed, int(self.clock())
        return kept.after(request.series, closed, stretch, now, is_all=is_all)

    def _oldest_wanted(self, unit: Unit, oldest_live: int | None) -> int | None:
        """Return the oldest time to fetch: of the oldest live bar, or of a bar to mend."""
        if not (_is_repair(unit) and unit.request.series.interval is Interval.M1):
            return oldest_live
        symbol, now = unit.request.series.symbol, int(self.clock())
        oldest = (oldest_live, self.mending.oldest_partial(symbol, now))
        return min((each for each in oldest if each is not None), default=None)

    def _fetch_back(self, begun: Begun, unit: Unit) -> "_Fetched":
        """Fetch the requested bars, or more if needed to reach a live bar or what is not covered.

        More are also fetched to compare enough bars with stored ones. Live bars older than the
        provider's history stay as they are, and so do older gaps.
        """
        fetched = self._compared_fetch(unit, unit.request, begun)
        oldest_live = self._oldest_wanted(unit, fetched.overlap.live.get(unit.request.series))
        gap = oldest_gap(begun.kept.coverage, fetched.history, unit.request.series.interval)
        if fetched.more_bars(oldest_live, gap) is not None:
            since = self._reach(begun.current.bars)
            if since is not None:
                interval = unit.request.series.interval
                gap = oldest_gap(begun.kept.coverage, fetched.history, interval, since)
                oldest_live = self._live_since(unit.request.series, oldest_live, since)
        n_bars = fetched.more_bars(oldest_live, gap)
        while n_bars is not None:
            self.ledger.extend(unit)
            fetched = self._compared_fetch(unit, replace(unit.request, n_bars=n_bars), begun)
            n_bars = fetched.more_bars()
        return fetched

    def _compared_fetch(self, unit: Unit, request: SyncRequest, begun: Begun) -> "_Fetched":
        history = self._fetch(unit, request)
        compared, overlap = self.rescaling.compared(history, begun)
        oldest = self.rescaling.oldest_to_compare(compared, overlap)
        return _Fetched(request, history, compared, overlap, oldest)

    def _reach(self, stored: Series) -> int | None:
        """Return the oldest stored bar that the largest fetch can reach; None if it reaches all."""
        newest = self.bars.latest(stored, _MOST_CLOSED_BARS)
        return newest.first_time if len(newest) == _MOST_CLOSED_BARS else None

    def _live_since(self, series: Series, oldest: int | None, since: int) -> int | None:
        if oldest is None or oldest >= since:
            return oldest
        return self.live_bars.read(series, since, None, 1, newest=False).first_time

    def _fetch(self, unit: Unit, request: SyncRequest) -> History:
        return self.provider.fetch(self._call(unit, request))

    def _call(self, unit: Unit, request: SyncRequest) -> ProviderCall:
        holder = f"{unit.id}#{unit.attempt}"
        return ProviderCall(request, holder, is_urgent=unit.queue == QueueName.INTERACTIVE)

    def _store(self, unit: Unit, history: History, begun: Begun, overlap: Overlap) -> SyncReport:
        series, now = unit.request.series, int(self.clock())
        kept, stored = begun.kept, begun.current.bars
        upserted, extent = self._upsert(unit, history, stored, overlap)
        listed = self._register(unit, history.listing, begun)
        report = _report(series, extent, RangeProgress().plus(Page(history), *upserted.counts))
        problem = self._note_hours(series, history, begun, listed, now)
        if problem is None:
            kept = kept.bridged(history, series.interval)
        kept = kept.foreseen(history.listing, series.interval, now)
        if self.statuses.mark_completed(
            report,
            history.forming,
            now,
            unit.lease,
            problem,
            kept,
            listed.registered,
            _unjudged(unit, history, upserted, overlap.series != stored),
        ):
            self.statuses.recount(series, lambda: self.bars.extent(stored))
        self._follow_up(series, history, overlap.live)
        return report

    def _note_page(
        self, way: "_Way", page: Page, overlap: Overlap, upserted: Upserted, extent: Extent
    ) -> Unit:
        """Note a stored page of a range: what is covered, then the progress in the unit.

        Only the page of the newest bars says something of the present.
        """
        unit, listed, now, history = way.unit, way.listed, int(self.clock()), page.history
        series, begun, progress = unit.request.series, way.begun, way.progress
        kept, stored, newest = begun.kept, begun.current.bars, None
        if page.is_newest:
            problem = self._note_hours(series, history, begun, listed, now)
            refused = history.refused.total()
            newest = Newest(now, history.forming, problem, refused, listed.registered)
            if problem is None:
                kept = kept.bridged(history, series.interval)
        kept = kept.foreseen(listed.listing, series.interval, now)
        if self.statuses.mark_stored(
            series,
            extent,
            newest,
            kept,
            is_last=page.stop is not None,
            lease=unit.lease,
            reach=reach_after(progress, now, _stored_since(progress.oldest, extent)),
            unjudged=_unjudged(unit, history, upserted, overlap.series != stored),
        ):
            self.statuses.recount(series, lambda: self.bars.extent(stored))
        self._follow_up(series, history, overlap.live, is_newest=page.is_newest)
        return self.ledger.note_progress(unit, progress)

    def _upsert(
        self, unit: Unit, history: History, stored: Series, overlap: Overlap
    ) -> tuple[Upserted, Extent]:
        """Merge the closed bars into their chunks; return the extent of the series since then."""
        cause, closed = Cause(Reason.SYNC, unit.newest_job), history.closed
        if overlap.series != stored:  # they were rescaled
            overlap = self.bars.overlap(stored, closed)
        with metrics.STORE_SECONDS.labels(operation="upsert").time():
            upserted = self.bars.upsert({stored: closed}, unit.lease, cause, overlap.chunks)[stored]
        metrics.BARS_STORED.labels(change="inserted").inc(upserted.inserted)
        metrics.BARS_STORED.labels(change="changed").inc(upserted.changed)
        return upserted, overlap.extent.after(upserted.inserted, closed)

    def _register(self, unit: Unit, listing: Listing | None, begun: Begun | None) -> "_Listed":
        """Register the symbol, unless an earlier sync of the series has registered this listing.

        Its interval is tracked unless only a repair wants the unit.
        """
        if listing is None:
            return _Listed()
        tracked = None if _is_repair(unit) else unit.request.series.interval
        name = listing.fingerprint if tracked is None else f"{listing.fingerprint} tracked"
        if begun is not None and begun.registered in (name, f"{listing.fingerprint} tracked"):
            return _Listed(listing)
        self.symbols.register(listing, tracked, int(self.clock()))
        return _Listed(listing, name)

    def _note_hours(
        self, series: Series, history: History, begun: Begun, listed: "_Listed", now: int
    ) -> str | None:
        """Keep the hours, unless an earlier sync has; return what is wrong with them, if anything.

        Those of a listing are kept before the status names it.
        """
        is_kept = listed.registered is None and begun.calendar_problem is None
        return self.hours.note(series, history, now, is_kept=is_kept)

    def _follow_up(
        self,
        series: Series,
        history: History,
        live: Mapping[Series, int],
        is_newest: bool = True,
    ) -> None:
        """Remove and mend live bars, and drop the cached answers that the stored bars outdate."""
        if series in live:
            self.responses.drop(series)  # from now on readers find the pruned bars in history
            self._prune(series, history.closed)
        mends = is_newest and live and series.interval is Interval.M1
        mended = self.mending.mend(series.symbol, history, live) if mends else []
        self.responses.drop(series, *mended)

    def _track_if_joined(self, unit: Unit, listing: Listing | None) -> None:
        """Track the series if a user requested it during its repair, and so joined the repair."""
        if not (_is_repair(unit) and listing):
            return
        ended = self.ledger.get_unit(unit.id)
        if ended is not None and not _is_repair(ended):
            self._register(ended, listing, None)

    def _prune(self, series: Series, closed: Bars) -> None:
        """Remove the live bars that these closed bars replace."""
        if closed.first_time is not None and closed.last_time is not None:
            self.live_bars.prune(series, closed.first_time, closed.last_time + 1)

    def _end_in_error(self, unit: Unit, error: PocketQuantError, log: FilteringBoundLogger) -> None:
        """Write the status before the ledger: after a crash in between, the unit is tried again."""
        series, held = unit.request.series, self.ledger.extend(unit)
        delay, lease = _delay_seconds(held.tries), held.lease
        is_over = isinstance(error, Rejected | Misconfigured) or self.ledger.is_last_attempt(held)
        if is_over:
            self.statuses.mark_failed(series, error, lease)
            self.ledger.fail(unit, error)
        else:
            self.statuses.mark_deferred(series, error, int(self.clock() + delay), lease)
            self.ledger.defer(unit, error, delay)
            metrics.DEFERRAL_SECONDS.labels(cause="error").observe(delay)
        self._announce(unit, "failed" if is_over else "deferred", error.code)
        event = "sync_failed" if is_over else "sync_deferred"
        log.warning(event, code=error.code, cause=str(error))

    def _postpone(self, unit: Unit, turn: TurnFarOff, log: FilteringBoundLogger) -> None:
        """Put the unit back without costing an attempt; waiting users see the error, if any."""
        due = int(self.clock() + turn.delay_seconds)
        self.statuses.mark_postponed(unit.request.series, due, unit.lease)
        self.ledger.postpone(unit, turn.delay_seconds, turn.error)
        cause, code = ("error", turn.error.code) if turn.error else ("pace", metrics.NO_CODE)
        metrics.DEFERRAL_SECONDS.labels(cause=cause).observe(turn.delay_seconds)
        self._announce(unit, "postponed", code)
        log.info("sync_postponed", seconds=round(turn.delay_seconds, 1), code=code)

    def _hand_back(
        self, unit: Unit, log: FilteringBoundLogger, queue: QueueName | None = None
    ) -> None:
        """Leave the unit to another attempt, which may come from another queue.

        This worker ends, a job joined a cancelled unit, or a long range lets others have the slot.
        """
        self.statuses.mark_postponed(unit.request.series, int(self.clock()), unit.lease)
        self.ledger.hand_back(unit, queue)
        self._announce(unit, "handed_back", metrics.NO_CODE)
        log.info("sync_handed_back")

    def _cancel(self, unit: Unit, error: Cancelled, log: FilteringBoundLogger) -> None:
        self.statuses.mark_cancelled(unit.request.series, unit.lease)
        if not self.ledger.cancel(unit, error):
            self._hand_back(unit, log)
            return
        self._announce(unit, "cancelled", error.code)
        log.info("sync_cancelled")

    def _announce(self, unit: Unit, result: str, code: str) -> None:
        self.nudges.announce(unit_channel(unit.id))
        metrics.SYNCS.labels(result=result, code=code).inc()


def _report(series: Series, extent: Extent, progress: RangeProgress) -> SyncReport:
    return SyncReport(
        series=series,
        fetched=progress.fetched,
        inserted=progress.inserted,
        changed=progress.changed,
        unchanged=progress.unchanged,
        refused=progress.refused,
        bar_count=extent.count,
        first_bar_at=extent.first_time,
        last_bar_at=extent.last_time,
        forming=progress.forming,
        stop=progress.stop,
        reached_back_to=progress.oldest,
        history_begins_at=progress.begins_at,
    )


def _stored_since(time: int | None, extent: Extent) -> int | None:
    """Return how many bars are stored since this one; None unless it is the first."""
    return extent.count if extent.first_time == time else None


def _unjudged(
    unit: Unit, history: History, upserted: Upserted, is_rescaled: bool
) -> Stretch | None:
    """Return the time of bars that may be new to the store; None if none is.

    An earlier attempt, or a rescale, may have stored what this one finds unchanged.
    """
    first, last = history.closed.first_time, history.closed.last_time
    may_be_new = unit.attempt > 1 or is_rescaled
    if first is None or last is None:
        return None
    is_new = bool(upserted.inserted or upserted.changed) or may_be_new
    return (first, last + 1) if is_new else None


def _is_repair(unit: Unit) -> bool:
    """Whether only a repair wants the unit, so that its series is not tracked.

    A unit that a user's job joins moves to the more urgent queue of the two, and no repair has a
    start, which every backfill has.
    """
    return unit.queue == QueueName.REPAIR and unit.request.start is None


def _delay_seconds(failures: int, longest_seconds: float = MAX_DELAY_SECONDS) -> float:
    return retry_delay_seconds(failures, random.random(), longest_seconds)  # noqa: S311  # jitter
