"""Use-case: estimate the bars of a backfill, before it begins.

    reach       where the provider's history of a series ended in an earlier range
    ask         the provider when the history of the other symbols begins
    limit       how many bars the plan serves, if an earlier range has met that limit
    leave out   what earlier syncs have fetched
    expect      count the bars from there on, by the symbol's calendar

The provider is asked by one call for a few hundred symbols, which has seconds to answer, a turn of
the governor and one of a handshake. What it does not answer is unknown; an estimate never fails
for it.
"""

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import redis
import structlog

from pocketquant.coordination.governor import Governor, Outcome
from pocketquant.domain.backfills import Beginning, Expected, expected
from pocketquant.domain.coverage import Coverage
from pocketquant.domain.errors import PocketQuantError
from pocketquant.domain.plans import AccountPlan, BarLimit
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import Stop, SyncRequest
from pocketquant.domain.turns import TurnFarOff
from pocketquant.pausing import pause
from pocketquant.storage.calendars import CalendarStore, trusted_of
from pocketquant.storage.sync_status import SyncStatuses

_MOST_ASKED = 400  # symbols
_PATIENCE_SECONDS = 1.0

_log = structlog.get_logger(__name__)


class BeginningSource(Protocol):
    """A source of the beginnings of histories."""

    def find(self, symbols: Collection[Symbol]) -> dict[Symbol, Beginning]:
        """Return those that it knows in time, or raise a typed error."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The bars expected of each range, and how many the plan serves."""

    limit: BarLimit
    ranges: Mapping[Series, Expected]


@dataclass(frozen=True, slots=True)
class Estimating:
    """Estimates ranges; the errors of MongoDB's driver pass through."""

    statuses: SyncStatuses
    calendars: CalendarStore
    beginnings: BeginningSource
    governor: Governor
    plan: Callable[[], AccountPlan]
    clock: Callable[[], float]

    def estimate(self, requests: Collection[SyncRequest], *, may_ask: bool = True) -> Estimate:
        """Return the bars expected of these ranges."""
        now, limit = int(self.clock()), self._limit()
        begins_at = self._begins_at([request.series for request in requests], may_ask)
        calendars = self.calendars.of({request.series.symbol for request in requests})
        covered = self.statuses.covered(request.series for request in requests)
        ranges: dict[Series, Expected] = {}
        for request in requests:
            series = request.series
            ranges[series] = expected(
                request,
                now,
                begins_at.get(series),
                limit.met,
                trusted_of(calendars.get(series.symbol), series.interval),
                covered.get(series, Coverage()),
            )
        return Estimate(limit, ranges)

    def _limit(self) -> BarLimit:
        met = self.statuses.limit()
        try:
            return self.plan().bar_limit(met)
        except redis.RedisError:
            return BarLimit(met)

    def _begins_at(self, all_series: Collection[Series], may_ask: bool) -> dict[Series, int]:
        """Return when the provider's history begins, of series of which that is known."""
        reaches = self.statuses.reaches(all_series)
        ended = {each: reach.oldest for each, reach in reaches.items() if reach.stop is Stop.END}
        unknown = [series for series in all_series if series not in ended]
        asked = self._ask(unknown) if may_ask else {}
        found = ((series, asked.get(series.symbol, Beginning())) for series in all_series)
        known = ((series, beginning.of(series.interval)) for series, beginning in found)
        return {series: time for series, time in known if time is not None} | ended

    def _ask(self, all_series: Collection[Series]) -> dict[Symbol, Beginning]:
        symbols = list(dict.fromkeys(series.symbol for series in all_series))[:_MOST_ASKED]
        if not symbols:
            return {}
        try:
            return self._ask_in_turn(symbols)
        except (PocketQuantError, TurnFarOff, redis.RedisError) as error:
            _log.warning("beginnings_unknown", symbols=len(symbols), cause=str(error))
            return {}

    def _ask_in_turn(self, symbols: list[Symbol]) -> dict[Symbol, Beginning]:
        holder = f"estimate-{secrets.token_hex(6)}"
        admission = self.governor.enter(holder, False, _PATIENCE_SECONDS)
        if not admission.is_admitted:
            _log.warning("beginnings_unknown", symbols=len(symbols), cause="no turn in time")
            return {}
        pause(admission.wait_seconds)
        try:
            return self.beginnings.find(symbols)
        finally:
            self.governor.leave(holder, Outcome.NEUTRAL)
