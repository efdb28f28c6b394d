"""Use-case: say where the bars of a series come from, and whether they are whole."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pocketquant.domain.coverage import Covered
from pocketquant.domain.symbols import Series
from pocketquant.history.holes import Examined, Holes
from pocketquant.storage.calendars import KeptCalendar
from pocketquant.storage.revisions import Revised, Revisions
from pocketquant.storage.symbols import SymbolRegistry
from pocketquant.storage.sync_status import SyncStatuses

_MOST_COMPARED = 5000  # bars


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of the bars from `start` to before `end`, at a moment in epoch milliseconds.

    `missing_bars` is None where it is not known: without a trusted calendar, or of the past.
    `differs_from_default` says whether a variant has other bars than the default one; None if it
    is that one, or nothing can be compared.
    """

    series: Series
    moment: int
    start: int
    end: int
    feed: str | None
    fetched_at: int | None
    coverage: list[Covered]
    calendar: KeptCalendar | None
    revised: Revised
    missing_bars: int | None
    differs_from_default: bool | None

    @property
    def is_complete(self) -> bool | None:
        """Return whether each bar of the calendar is stored or had no trade; None: not known."""
        return None if self.missing_bars is None else not self.missing_bars


@dataclass(frozen=True, slots=True)
class Provenances:
    """Gathers the provenance of series; the driver's errors pass through."""

    statuses: SyncStatuses
    symbols: SymbolRegistry
    holes: Holes
    revisions: Revisions
    clock: Callable[[], float]

    def of(
        self, series: Series, start: int | None, end: int | None, as_of: int | None
    ) -> Provenance:
        """Return the provenance of a range; NotFound if the series was never requested.

        Its coverage and its holes of the past are not kept, so with `as_of` they are those of now
        and unknown.
        """
        now = int(1000 * self.clock())
        examined = self.holes.find(series, start, end)
        status = self.statuses.get(series)
        registered = self.symbols.get(series.symbol)
        moment = now if as_of is None else as_of
        return Provenance(
            series=series,
            moment=moment,
            start=examined.start,
            end=examined.end,
            feed=registered.listing.full_name or None if registered else None,
            fetched_at=status.last_sync_at if status else None,
            coverage=_clipped(examined),
            calendar=examined.kept_calendar,
            revised=self.revisions.revised(examined.stored, examined.start, examined.end, moment),
            missing_bars=_missing_bars(examined) if as_of is None else None,
            differs_from_default=self._differs(series, examined),
        )

    def _differs(self, series: Series, examined: Examined) -> bool | None:
        """Return whether the newest bars of a variant differ from the default's; None: no word."""
        plain = Series(series.symbol.listing, series.interval)
        if plain == series:
            return None
        stored = (examined.stored, self.holes.generations.current(plain).bars)
        start, end = examined.start, examined.end
        own, other = (
            self.holes.bars.read(each, start, end, _MOST_COMPARED, newest=True) for each in stored
        )
        return own.differs_from(other)


def _clipped(examined: Examined) -> list[Covered]:
    clipped = (
        replace(each, start=max(each.start, examined.start), end=min(each.end, examined.end))
        for each in examined.coverage.ranges
    )
    return [each for each in clipped if each.start < each.end]


def _missing_bars(examined: Examined) -> int | None:
    """Return how many bars are missing, those among them that the provider does not serve."""
    missing = examined.missing
    if missing is None:
        return None
    return sum(each.count for each in (*missing.fillable, *missing.not_served))
