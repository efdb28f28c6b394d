"""Use-case: list the corporate events of a symbol."""

from dataclasses import dataclass, replace

from pocketquant.domain.events import Event, EventKind, Found, merged
from pocketquant.domain.symbols import Symbol
from pocketquant.domain.variants import DEFAULT, Adjustment, Variant
from pocketquant.storage.generations import Generations, Rescale
from pocketquant.storage.reports import ReportStore

_WITH_DIVIDENDS = Variant(Adjustment.DIVIDENDS)


@dataclass(frozen=True, slots=True)
class Events:
    """Joins what bars show with what quotes report; the driver's errors pass through."""

    generations: Generations
    reports: ReportStore

    def of(self, symbol: Symbol) -> list[Event]:
        """Return the events of a symbol, those found last first.

        Those of the default variant include what bars that are adjusted for dividends show.
        """
        symbols = [symbol]
        if symbol.variant == DEFAULT:
            symbols.append(replace(symbol, variant=_WITH_DIVIDENDS))
        rescales = [each for one in symbols for each in self.generations.rescales(one)]
        rescales.sort(key=lambda each: (each.found_at, each.generation))
        found = [each for rescale in rescales for each in _found(rescale)]
        events = [*merged(found), *self.reports.dividends(symbol)]
        return sorted(events, key=lambda each: each.found_at)[::-1]


def _found(rescale: Rescale) -> list[Found]:
    """Return the changes of scale of a rescale, the oldest first."""
    series = rescale.series
    by_dividends = series.symbol.variant.adjustment is Adjustment.DIVIDENDS
    return [
        Found(
            EventKind.DIVIDEND if by_dividends and split.is_small else EventKind.SPLIT,
            series,
            split.before,
            split.factor,
            rescale.found_at,
            rescale.job_id,
        )
        for split in reversed(rescale.splits)
    ]
