"""`Rescaling`: keeps all bars of a series in one scale.

    compare    the fetched bars with the stored ones of the same times
    begin      another generation of the series' chunks, if the past was multiplied
    write      older bars multiplied, the fetched ones, and newer ones
    swap       the generations: one write of the status, in the fence of the unit
    drop       the cached answers, and live bars of the old scale

A worker that is killed before the swap leaves the old bars, afterwards the new ones. The old
generation stays until it is due to be deleted, also for readers that have begun with it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import structlog

from pocketquant.cache.responses import ResponseCache
from pocketquant.domain.bars import EARLIEST_TIME, Bars
from pocketquant.domain.coverage import CoverageState
from pocketquant.domain.dates import to_date
from pocketquant.domain.errors import StorageUnavailable, SuspectHistory
from pocketquant.domain.rescale import (
    OVERLAP_BARS,
    Compared,
    Rescaled,
    Suspect,
    compare,
)
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import History
from pocketquant.domain.variants import Adjustment
from pocketquant.storage.bars import BarStore, Overlap
from pocketquant.storage.coverage import KeptCoverage
from pocketquant.storage.generations import (
    Current,
    Generations,
    Rescale,
    number_of,
    series_of,
)
from pocketquant.storage.ledger import Ledger
from pocketquant.storage.live_bars import LiveBarStore
from pocketquant.storage.sync_status import Begun, extent_fields, forming_document
from pocketquant.storage.units import Unit

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rescaling:
    """Compares and rescales; an old generation is kept for `keep_seconds`."""

    bars: BarStore
    live_bars: LiveBarStore
    generations: Generations
    ledger: Ledger
    responses: ResponseCache
    clock: Callable[[], float]
    keep_seconds: int

    def compared(self, history: History, begun: Begun) -> tuple[Compared, Overlap]:
        """Compare fetched bars with stored ones; not with those that were multiplied here.

        After a rescale, what was fetched since is covered completely, and all else is multiplied.
        Return the stored ones too, which the fetched bars are to be merged into.
        """
        overlap = self.bars.overlap(begun.current.bars, history.closed)
        stored = overlap.bars
        if begun.current.number > 1:
            is_fetched = begun.kept.coverage.covers(stored.time, CoverageState.COMPLETE)
            stored = Bars(stored.columns[:, is_fetched])
        tick = history.listing.tick_size if history.listing else None
        by_dividends = begun.current.bars.symbol.variant.adjustment is Adjustment.DIVIDENDS
        return compare(stored, history.closed, tick, by_dividends), overlap

    def oldest_to_compare(self, compared: Compared, overlap: Overlap) -> int | None:
        """Return the oldest bar that a fetch must reach to be compared by enough bars.

        If the oldest compared bar has changed, that is the oldest of all.
        """
        if compared.from_first or isinstance(compared.verdict, Suspect):
            return overlap.extent.first_time
        if compared.count >= OVERLAP_BARS or not overlap.extent.count:
            return None
        return self.bars.latest(overlap.series, OVERLAP_BARS).first_time

    def is_needed(self, compared: Compared, begun: Begun) -> bool:
        """Return whether storing the fetched bars alone would leave two scales.

        Imported bars come from elsewhere and may have other prices; only a ratio is a reason then.
        """
        verdict = compared.verdict
        is_suspect = isinstance(verdict, Suspect) and not begun.current.has_imports
        return is_suspect or isinstance(verdict, Rescaled)

    def in_one_scale(
        self,
        unit: Unit,
        history: History,
        compared: Compared,
        begun: Begun,
        covered: Callable[[KeptCoverage], KeptCoverage],
        *,
        is_newest: bool,
    ) -> Begun:
        """Return the coverage with the fetched bars, and the chunks that they belong into.

        If need be, store them and those around them as a new generation, and make it current.
        `covered` adds the fetch to what is covered. Raise SuspectHistory if there are older bars
        that no ratio brings into the scale of the fetched ones.
        """
        if not self.is_needed(compared, begun):
            return begun._replace(kept=covered(begun.kept))
        series, old, closed = unit.request.series, begun.current, history.closed
        first, last = (int(closed.columns[0, place]) for place in (0, -1))
        found = compared.verdict if isinstance(compared.verdict, Rescaled) else None
        if isinstance(compared.verdict, Suspect):
            self._require_no_older(unit, compared.verdict, old, first)
        now = int(self.clock())
        new = self.generations.begin(series, now, unit.lease)
        if found is not None:
            unit = self._multiply(unit, old, new, found, first)
        if found is not None and old.has_imports:
            self._keep_imported(unit, old, new, found, closed)
        for block in self.bars.blocks(old.bars, last + 1, None, newest=False):
            self.bars.upsert({new: block}, unit.lease)
        self.bars.upsert({new: closed}, unit.lease)
        unit = self.ledger.extend(unit)
        kept = begun.kept.since(series, first) if found is None else begun.kept.rescaled(first)
        kept = covered(kept)
        fields = extent_fields(self.bars.extent(new))
        live_from = max(last + 1, old.live_from or 0)
        fields |= {"coverage": kept.document(), "live_from": to_date(live_from)}
        if is_newest:
            fields["forming"] = forming_document(history.forming)
        rescale = Rescale(
            series=series,
            generation=number_of(new),
            found_at=now,
            fetched_from=first,
            job_id=unit.newest_job,
            factor=found.factor if found else None,
            volume_factor=found.volume_factor if found else None,
            splits=found.splits if found else (),
        )
        swapped_at, keep = self.clock(), self.keep_seconds  # after its last bar was written
        if not self.generations.swap(old, rescale, fields, swapped_at, keep, unit.lease):
            raise StorageUnavailable(f"{series} got imported bars while it was rescaled")
        self.responses.drop(series)
        current = replace(old, bars=new, live_from=live_from)
        self.drop_old_live(current)
        _log.info(
            "series_rescaled",
            series=str(series),
            generation=rescale.generation,
            factor=rescale.factor,
            splits=len(rescale.splits),
        )
        return begun._replace(kept=kept, current=current)

    def drop_old_live(self, current: Current) -> None:
        """Remove live bars of an older scale; readers leave them out anyway."""
        if current.live_from is not None:
            series = series_of(current.bars)
            oldest = self.live_bars.first_time(series)
            if oldest is not None and oldest < current.live_from:
                count = self.live_bars.prune(series, EARLIEST_TIME, current.live_from)
                _log.info("live_bars_outdated", series=str(series), bars=count)

    def _require_no_older(self, unit: Unit, verdict: Suspect, old: Current, first: int) -> None:
        """Raise SuspectHistory if bars are stored that are older than all that will be fetched."""
        request, oldest = unit.request, self.bars.extent(old.bars).first_time
        fetched_from = first if request.start is None else min(first, request.start)
        if oldest is not None and oldest < fetched_from:
            raise SuspectHistory(
                f"{verdict.changed} of {verdict.compared} fetched bars of {request.series} have"
                " other prices than the stored ones, by no common ratio; nothing was stored."
                f" A sync with start={to_date(oldest):%Y-%m-%d} replaces all stored bars"
            )

    def _multiply(
        self, unit: Unit, old: Current, new: Series, found: Rescaled, before: int
    ) -> Unit:
        """Store the bars before a time in the new scale; return the unit with a renewed lease."""
        for block in self.bars.blocks(old.bars, None, before, newest=False):
            unit = self.ledger.extend(unit)
            self.bars.upsert({new: found.apply(block)}, unit.lease)
        return unit

    def _keep_imported(
        self, unit: Unit, old: Current, new: Series, found: Rescaled, closed: Bars
    ) -> None:
        """Store those bars between the fetched ones that the provider does not have."""
        first, last = (int(closed.columns[0, place]) for place in (0, -1))
        stored = self.bars.read(old.bars, first, last + 1)
        other = Bars(stored.columns[:, ~np.isin(stored.time, closed.time)])
        since = found.splits[-1].before
        self.bars.upsert({new: found.apply(other.between(None, since))}, unit.lease)
        self.bars.upsert({new: other.between(since, None)}, unit.lease)
