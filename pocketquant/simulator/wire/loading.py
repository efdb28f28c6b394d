"""Makes the messages that send the bars of a series to the client."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from pocketquant.domain.bars import Bars, Floats
from pocketquant.domain.intervals import DAY
from pocketquant.simulator.market.calendars import is_open, sessions
from pocketquant.simulator.market.prices import BarRange, Market, Resolution, close_time
from pocketquant.simulator.market.world import Instrument
from pocketquant.simulator.wire import answers, encoding, misbehaviour
from pocketquant.simulator.wire.calls import Anchored
from pocketquant.simulator.wire.faults import FaultKind
from pocketquant.simulator.wire.misbehaviour import ActiveFaults
from pocketquant.simulator.wire.outgoing import Event

_MAX_DAILY_BARS = 40_000
_PERIOD = re.compile(r"r,(-?[0-9]{1,12}):(-?[0-9]{1,12})")
_SPAN = re.compile(r"([1-9][0-9]{0,3})(M?)")
_DAYS_OF_MONTH = 30.4375


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """The limits of an account: intraday bars of a series, series of a chart session."""

    intraday_bars: int
    series: int
    has_custom_minutes: bool
    update_period_seconds: int


NO_LIMIT = 2**31

ANONYMOUS = AccountPlan(5_000, 1, has_custom_minutes=False, update_period_seconds=5)
PREMIUM = AccountPlan(20_000, 40, has_custom_minutes=True, update_period_seconds=0)


@dataclass(slots=True)
class SimulatedSeries:
    """A series of the client, and how many of its bars were sent, `older` of them on request.

    `oldest`, `newest` and `newest_index` are the open times and the index of the bars sent, and
    `times` all of their open times, without live updates. `reaches_now` says that the newest bar
    sent was the newest of the market. `pages` are the requests for more bars that were answered,
    and the last answer, with `last_update`, is complete at `completed_at_ms`.
    """

    chart: str
    name: str
    turnaround: str
    symbol_id: str
    symbol: str
    resolution: Resolution
    resolution_text: str
    count: int | Anchored
    sent: int = 0
    older: int = 0
    oldest: int | None = None
    newest: int = 0
    newest_index: int = 0
    reaches_now: bool = False
    is_refused: bool = False
    times: Floats = field(default_factory=lambda: np.empty(0))
    pages: int = 0
    last_update: Event | None = None
    completed_at_ms: int = 0

    @property
    def ids(self) -> tuple[str, str, str]:
        return self.chart, self.name, self.turnaround

    def note(self, bars: Bars) -> None:
        """Record that these bars were sent."""
        first, last = int(bars.time[0]), int(bars.time[-1])
        self.sent += len(bars)
        if self.oldest is None:
            self.oldest, self.newest, self.newest_index = first, last, len(bars) - 1
            self.times = bars.columns[0]
        elif last < self.oldest:
            self.oldest = first
            self.older += len(bars)
            self.times = np.concatenate((bars.columns[0], self.times))
        else:
            self.newest = last
            self.newest_index += len(bars)
            self.times = np.concatenate((self.times, bars.columns[0]))

    def first_index(self, bars: Bars) -> int:
        """Return the index of the first of these bars, before they are sent.

        The first bar of the first answer has index 0; older bars have negative indexes.
        """
        if self.oldest is None:
            return 0
        is_older = int(bars.time[-1]) < self.oldest
        return -self.older - len(bars) if is_older else self.newest_index + 1


@dataclass(frozen=True, slots=True)
class BarsRequest:
    """A request for the newest `count` bars of a series, or older ones if some were sent.

    A negative count requests newer bars; 0 requests none, unless `range` names a period.
    """

    series: SimulatedSeries
    instrument: Instrument
    timezone: str
    count: int | Anchored
    range: str = ""

    @property
    def period(self) -> tuple[int, int] | None:
        """The open times of the first and last bar requested; None for another range."""
        match = _PERIOD.fullmatch(self.range)
        return (int(match[1]), int(match[2])) if match else None


def load(
    request: BarsRequest, plan: AccountPlan, market: Market, active: ActiveFaults, now: int
) -> list[Event]:
    """Return the messages up to `series_completed`; the series records the bars sent.

    Bars are sent once, and none beyond the limits of the plan. If history begins after the time of
    an anchor, there is no answer.
    """
    series = request.series
    if FaultKind.PAGE_REPEATED in active and series.last_update:
        return [series.last_update, _completed(request, plan, False, False)]
    limit = plan.intraday_bars if series.resolution.is_intraday else _MAX_DAILY_BARS
    choice = _Choice(request, limit, market, now)
    chosen = choice.bars()
    if chosen is None:
        return []
    is_known = series.oldest is not None
    timeframes = _timeframes(request, chosen.bars, now) if request.range and not is_known else []
    updates = [_update(request, bars, active) for bars in _unsent(series, chosen.bars)]
    if FaultKind.PAGE_NEWER in active:
        updates.append(misbehaviour.wrong_bar(*series.ids, series.newest))
    if is_known and request.period:
        timeframes = _timeframes_of_known(request, request.period, market, now)
    if request.period or isinstance(series.count, Anchored):
        newest = market.newest(request.instrument, series.resolution, now, 1).bars.last_time
        series.reaches_now = series.newest == newest
    elif not is_known:
        series.reaches_now = True
    is_limited = series.sent >= limit or choice.is_limited(chosen)
    completed = _completed(request, plan, chosen.reaches_start, is_limited)
    if not updates and not is_known:
        timeframes = []
        updates = [] if is_open(request.instrument.calendar, now) else [wipe(series)]
    return [*timeframes[:1], *updates, *timeframes[1:], completed]


@dataclass(frozen=True, slots=True)
class _Choice:
    """The bars of one answer, within the limit of the plan."""

    request: BarsRequest
    limit: int
    market: Market
    now: int

    def bars(self) -> BarRange | None:
        """Return the requested bars, sent before or not; None if there is no answer."""
        series, count, period = self.request.series, self.request.count, self.request.period
        if period:
            return self._in_period(*period)
        if isinstance(count, Anchored):
            return self._at_anchor(count)
        if count < 0:
            newer = self._allowed().bars.between(series.newest + 1, None)
            return BarRange(newer.first(-count), False)
        older = self._newest(max(0, min(count, self.limit - series.sent)), series.oldest)
        return self._cut(older) if isinstance(series.count, Anchored) else older

    def is_limited(self, chosen: BarRange) -> bool:
        """Return whether only the plan's limit keeps older bars out."""
        series = self.request.series
        is_anchored = isinstance(series.count, Anchored)
        if not (self.request.period or is_anchored):
            return False
        first = series.oldest if is_anchored else chosen.bars.first_time
        if first is None or self.limit == NO_LIMIT:
            return False
        allowed = self._allowed()
        return not allowed.reaches_start and allowed.bars.first_time == first

    def _in_period(self, start: int, end: int) -> BarRange:
        """Return the bars of a period, extended to the oldest bar sent so that no gap is left."""
        oldest, allowed = self.request.series.oldest, self._allowed()
        end = end + 1 if oldest is None else max(end + 1, oldest)
        bars = allowed.bars.between(start, end)
        has_first = len(bars) > 0 and bars.first_time == allowed.bars.first_time
        return BarRange(bars, allowed.reaches_start and has_first)

    def _at_anchor(self, anchor: Anchored) -> BarRange | None:
        """Return the bars at an anchor; None, which is silence, if history begins after it."""
        time = int(anchor.time)
        if anchor.count < 0:
            newer = self._allowed().bars.between(time + 1, None)
            return BarRange(newer.first(-anchor.count), False)
        chosen = self._newest(anchor.count, time + 1)
        if not len(chosen.bars) and self.request.instrument.has_traded:
            return None
        return self._cut(chosen)

    def _cut(self, chosen: BarRange) -> BarRange:
        """Return the bars that the plan allows: an anchor does not lift its limit."""
        if self.limit == NO_LIMIT or (allowed := self._allowed()).reaches_start:
            return chosen
        return BarRange(chosen.bars.between(allowed.bars.first_time, None), False)

    def _allowed(self) -> BarRange:
        """Return all bars that the plan allows."""
        return self._newest(self.limit, None)

    def _newest(self, count: int, before: int | None) -> BarRange:
        instrument, resolution = self.request.instrument, self.request.series.resolution
        return self.market.newest(instrument, resolution, self.now, count, before)


def _unsent(series: SimulatedSeries, bars: Bars) -> list[Bars]:
    """Return the bars that the client does not have: older ones, newer ones."""
    if series.oldest is None:
        parts = [bars]
    else:
        parts = [bars.between(None, series.oldest), bars.between(series.newest + 1, None)]
    return [part for part in parts if len(part)]


def wipe(series: SimulatedSeries) -> Event:
    """Return the update that clears a series, or says that it has no bars."""
    block = {"s": [], "ns": {"d": "", "indexes": []}, "t": series.turnaround}
    return Event("timescale_update", (series.chart, {series.name: block}, encoding.EMPTY_SCALE))


def _update(request: BarsRequest, bars: Bars, active: ActiveFaults) -> Event:
    """Return the message that sends the bars; the series records them."""
    series, instrument = request.series, request.instrument
    columns = misbehaviour.spoiled(bars.columns, active)
    columns = columns if instrument.has_volume else columns[:-1]
    first_index = series.first_index(bars)
    newest = max(int(bars.time[-1]), series.newest)
    closes_at = close_time(instrument, series.resolution, newest)
    block = encoding.block(columns, first_index, series.turnaround, closes_at)
    is_intraday = series.resolution.is_intraday
    newer = series.times if first_index < 0 else None
    scale = encoding.scale(
        instrument, request.timezone, is_intraday, columns[0], first_index, newer
    )
    series.note(bars)
    update = Event("timescale_update", (series.chart, {series.name: block}, scale))
    series.last_update = update
    return update


def _timeframes(request: BarsRequest, bars: Bars, now: int) -> list[Event]:
    """Return the whole range, sent before the bars, and its visible part, sent after them."""
    last = len(bars) - 1
    first_visible = min(int(np.searchsorted(bars.time, _range_start(request, now))), last)
    ids, span = request.series.ids, request.range
    return [
        Event("series_timeframe", (*ids, 0, last, span, False)),
        Event("series_timeframe", (*ids, first_visible, last, span, True)),
    ]


def _timeframes_of_known(
    request: BarsRequest, period: tuple[int, int], market: Market, now: int
) -> list[Event]:
    """Return the indexes of a period in a loaded series, twice: as range and as visible part."""
    series = request.series
    loaded = market.newest(
        request.instrument, series.resolution, now, series.sent, series.newest + 1
    ).bars.between(series.oldest, None)
    first = -series.older + int(np.searchsorted(loaded.time, period[0]))
    last = -series.older + int(np.searchsorted(loaded.time, period[1], "right")) - 1
    span = (*series.ids, first, last, request.range)
    return [Event("series_timeframe", (*span, is_visible)) for is_visible in (False, True)]


def _range_start(request: BarsRequest, now: int) -> int:
    """Return the start of a named range; an unknown name covers all."""
    calendar = sessions(request.instrument.calendar)
    if request.range == "LASTSESSION":
        return int(calendar.opens[calendar.begun_by(now) - 1])
    if request.range == "YTD":
        return int(datetime(datetime.fromtimestamp(now, UTC).year, 1, 1, tzinfo=UTC).timestamp())
    span = _SPAN.fullmatch(request.range)
    if span is None:
        return 0
    days = int(span[1]) * (_DAYS_OF_MONTH if span[2] else 1)
    return now - int(days * DAY)


def _completed(
    request: BarsRequest, plan: AccountPlan, reaches_start: bool, is_limited: bool
) -> Event:
    state: dict[str, object] = {"rt_update_period": plan.update_period_seconds}
    if reaches_start or is_limited:
        state["data_completed"] = "end" if reaches_start else "limit"
    series = request.series
    mode = answers.update_mode(request.instrument)
    return Event("series_completed", (series.chart, series.name, mode, series.turnaround, state))
