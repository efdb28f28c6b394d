"""`KeptCoverage`: what was fetched of a series, and how many bars of it each chunk then had.

It is a part of the series' status, so that a sync reads and writes it without calls of its own:

    {coverage: {ranges: [{start, end, state, asked_at}], gaps: 0, counts: {"1027669": 1024},
                late_since, lacks_from, leaves_at}}

A chunk that holds fewer bars than its count has lost some. The last three are its `Outlook`; those
that are not known are left out.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from pocketquant.domain.bars import Bars
from pocketquant.domain.coverage import (
    FETCHED,
    Coverage,
    CoverageState,
    Covered,
    Stretch,
    calendar_of,
)
from pocketquant.domain.dates import to_date, to_seconds
from pocketquant.domain.intervals import Interval
from pocketquant.domain.listings import Listing
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import History
from pocketquant.domain.window import Outlook, outlook
from pocketquant.storage import chunks


@dataclass(frozen=True, slots=True)
class KeptCoverage:
    """Coverage, the number of bars by the index of their chunk, and the future without a sync.

    `limit` is how many bars the account's plan serves of the series, if a range has shown it; it is
    kept elsewhere in the status.
    """

    coverage: Coverage = field(default_factory=Coverage)
    counts: Mapping[int, int] = field(default_factory=dict)
    outlook: Outlook = field(default_factory=Outlook)
    limit: int | None = None

    def after(
        self, series: Series, fetched: Bars, stretch: Stretch | None, asked_at: int, *, is_all: bool
    ) -> "KeptCoverage":
        """Return it after a fetch of a stretch, whose bars are stored; see `Coverage.after`."""
        if stretch is None:
            return self
        counts = self._counts_after(series, fetched, stretch)
        coverage = self.coverage.after(stretch, asked_at, is_all=is_all)
        return replace(self, coverage=coverage, counts=counts)

    def rescaled(self, before: int) -> "KeptCoverage":
        """Mark what was fetched of the time before a moment; see `Coverage.rescaled`."""
        return replace(self, coverage=self.coverage.rescaled(before))

    def since(self, series: Series, start: int) -> "KeptCoverage":
        """Forget the time before a moment, of which no bars are stored any more."""
        counts = {
            index: count
            for index, count in self.counts.items()
            if chunks.window(series, index)[1] > start
        }
        return replace(self, coverage=self.coverage.since(start), counts=counts)

    def bridged(self, history: History, interval: Interval) -> "KeptCoverage":
        """Close the gaps in which the symbol does not trade."""
        return replace(self, coverage=self.coverage.bridged(history, interval))

    def foreseen(self, listing: Listing | None, interval: Interval, now: int) -> "KeptCoverage":
        """Return it with its outlook, by the hours that came with a fetch."""
        found = outlook(self.coverage, calendar_of(listing), interval, now, self.limit)
        return replace(self, outlook=found)

    def damaged(self, series: Series, stored: Mapping[int, int]) -> list[Stretch]:
        """Return the stretches of the chunks that hold fewer bars than were stored in them."""
        return [
            chunks.window(series, index)
            for index, count in sorted(self.counts.items())
            if stored.get(index, 0) < count
        ]

    def document(self) -> dict[str, Any]:
        ranges = [
            {
                "start": to_date(each.start),
                "end": to_date(each.end),
                "state": each.state.value,
                "asked_at": to_date(each.asked_at),
            }
            for each in self.coverage.ranges
        ]
        return {
            "ranges": ranges,
            "gaps": len(self.coverage.gaps()),
            "counts": {str(index): count for index, count in self.counts.items()},
            **{
                name: to_date(time)
                for name, time in asdict(self.outlook).items()
                if time is not None
            },
        }

    @classmethod
    def read(cls, document: Mapping[str, Any] | None) -> "KeptCoverage":
        """Return what a status holds; nothing is covered in one of an older release."""
        if document is None:
            return cls()
        counts = {int(index): count for index, count in document["counts"].items()}
        return cls(read_ranges(document), counts, read_outlook(document))

    def _counts_after(self, series: Series, fetched: Bars, stretch: Stretch) -> dict[int, int]:
        """Count again the chunks that were fetched whole, and add the new bars of the others."""
        split = chunks.split(series, fetched).items()
        by_index = {chunks.index_of(chunk_id): bars for chunk_id, bars in split}
        counts = dict(self.counts)
        touched, _ = chunks.windows(series, *stretch)
        for index in (each for each in touched if each in counts or each in by_index):
            start, end = chunks.window(series, index)
            bars = by_index.get(index, Bars.empty())
            if stretch[0] <= start and end <= stretch[1]:
                counts[index] = len(bars)
            else:
                known = self.coverage.covers(bars.time, *FETCHED)
                counts[index] = counts.get(index, 0) + int(np.count_nonzero(~known))
        return counts


def read_ranges(document: Mapping[str, Any]) -> Coverage:
    """Return the stretches that a kept coverage holds."""
    ranges = (
        Covered(
            to_seconds(each["start"]),
            to_seconds(each["end"]),
            CoverageState(each["state"]),
            to_seconds(each["asked_at"]),
        )
        for each in document["ranges"]
    )
    return Coverage(tuple(ranges))


def read_outlook(document: Mapping[str, Any]) -> Outlook:
    """Return the outlook that is kept with coverage; nothing is foreseen of an older release's."""
    return Outlook(**{each.name: to_seconds(document.get(each.name)) for each in fields(Outlook)})
