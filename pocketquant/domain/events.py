"""Corporate events of a symbol: splits and dividends, as bars show them or quotes report them.

Each series finds a change of its scale for itself. Those of several series are one event if they
have one factor, and if each took place before the first of them was found.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from math import isclose

from pocketquant.domain.symbols import Series

_SAME_FACTOR = 0.01


class EventKind(StrEnum):
    """The kinds of events."""

    SPLIT = "split"
    DIVIDEND = "dividend"


class EventSource(StrEnum):
    """The source of an event."""

    BARS = "bars"  # the ratio of fetched bars to stored ones
    QUOTE = "quote"


@dataclass(frozen=True, slots=True)
class Found:
    """A change of scale in one series: prices of bars before a time were multiplied."""

    kind: EventKind
    series: Series
    before: int
    factor: float
    found_at: int
    job_id: str | None


@dataclass(frozen=True, slots=True)
class Dividend:
    """A dividend as a quote names it; the amount of one to come is not known."""

    ex_date: date
    amount: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A split or a dividend.

    Bars show that it took place at `before` or later, and by which factor. A quote has its date,
    and the amount of a dividend. `found_at` is when it was seen first.
    """

    kind: EventKind
    source: EventSource
    found_at: int
    before: int | None = None
    factor: float | None = None
    found_by: tuple[Series, ...] = ()
    job_id: str | None = None
    ex_date: date | None = None
    amount: float | None = None


def merged(found: Iterable[Found]) -> list[Event]:
    """Return one event for each change of scale, with all series that have found it.

    Both are in the order of finding; changes of one second come in theirs.
    """
    groups: list[list[Found]] = []
    for each in sorted(found, key=lambda one: one.found_at):
        of_it = (group for group in groups if _are_one(group, each))
        group = next(of_it, None)
        if group is None:
            groups.append([each])
        else:
            group.append(each)
    return [_event(group) for group in groups]


def _are_one(group: list[Found], other: Found) -> bool:
    first = group[0]
    return (
        first.kind is other.kind
        and isclose(first.factor, other.factor, rel_tol=_SAME_FACTOR)
        and other.before <= first.found_at
        and all(other.series != each.series for each in group)
    )


def _event(group: list[Found]) -> Event:
    first = group[0]
    return Event(
        first.kind,
        EventSource.BARS,
        first.found_at,
        max(each.before for each in group),
        first.factor,
        tuple(each.series for each in group),
        first.job_id,
    )
